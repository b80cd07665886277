"""``pulsegate audit``: each command that changes something leaves its record."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cli.curated import WAVE, call, lines, run, store, told
from pulsegate.cli import options
from pulsegate.errors import RelayFormatError, UsageError
from pulsegate.store import sources
from pulsegate.store.database import Database
from relays import Outside

__all__ = ["store"]


def changes(action: str) -> list[tuple[str, Any, Any]]:
    """Those of the action or its group, the oldest first."""
    found = told("audit", "--action", action)
    assert {one["account"] for one in found} <= {"carol (host)"}
    return [(f"{one['action']} {one['subject']}", one["before"], one["after"]) for one in reversed(found)]


def test_nothing_was_changed() -> None:
    assert (told("audit"), lines("audit")) == ([], ["Nothing was changed by anybody."])
    assert lines("audit", "--action", "force") == ["No change fits."]


def test_decisions_are_recorded() -> None:
    run("allow", "add", "a.example", "--reason", "ours")
    run("allow", "remove", "a.example")
    run("pulse", "approve", WAVE.id)
    run("pulse", "trust", "alice")
    run("indicator", "force-out", "a.example")
    done = [(one["action"], one["subject"]) for one in told("audit")]
    assert done == [
        ("indicator.force-out", "a.example"), ("author.trust", "alice"), ("pulse.review", WAVE.id),
        ("allow.remove", "a.example"), ("allow.add", "a.example"),
    ]  # fmt: skip
    assert [one["subject"] for one in told("audit", "--subject", WAVE.id)] == [WAVE.id]
    assert len(told("audit", "--limit", "2")) == 2
    assert lines("audit", "--action", "allow")[2].split()[3:] == [
        "carol", "(host)", "allow.add", "a.example", "kind", "exact,", "reason", "ours",
    ]  # fmt: skip


def test_bundles_are_recorded(store: Database, new_database: Callable[..., str], tmp_path: Path) -> None:
    """What is written, taken and forgotten; not what was known already or refused."""
    outside = Outside(new_database(tmp_path / "sender.db"), tmp_path)
    outside.put(1, "relayed.example")
    file, ours = tmp_path / "bundle.pgb", tmp_path / "ours.pgb"
    outside.bundle()
    outside.database.close()
    for _ in range(2):
        run("relay", "import", str(file), "--trust", str(outside.public))
    (tmp_path / "bad.pgb").write_bytes(b"no bundle")
    with pytest.raises(RelayFormatError, match="too short"):
        call("relay", "import", str(tmp_path / "bad.pgb"), "--trust", str(outside.public))
    run("relay", "export", "--key", str(outside.key), "--out", str(ours))
    run("relay", "forget", "outside", "--withdraw")
    wrote, took, forgot = changes("relay.write"), changes("relay.take"), changes("relay.forget")
    assert took == [("relay.take outside", None, {"file": "bundle.pgb", "origin": "outside", "sequence": 1})]
    assert [(before, after["file"], after["sequence"]) for _, before, after in wrote] == [(None, "ours.pgb", 1)]
    assert forgot == [("relay.forget outside", {"origin": "outside", "sequence": 1, "withdrawn": 1}, None)]
    with pytest.raises(UsageError, match="nothing was taken"):
        call("relay", "forget", "outside")


def test_dry_runs_are_not_recorded(tmp_path: Path) -> None:
    (tmp_path / "new.yml").write_text("profile: esa\n")
    run("allow", "add", "a.example", "--dry-run")
    run("pulse", "reject", "--waiting", "--dry-run")
    run("indicator", "add", "a.example", "--dry-run")
    run("collection", "add", "new", "--file", str(tmp_path / "new.yml"), "--dry-run")
    assert told("audit") == []


def test_collections_are_recorded_in_the_form_that_show_prints(tmp_path: Path) -> None:
    (tmp_path / "new.yml").write_text("profile: esa\n")
    run("collection", "add", "new", "--file", str(tmp_path / "new.yml"))
    shown = told("collection", "show", "new")
    first = {key: value for key, value in shown.items() if key not in ("origin", "holds")}
    run("collection", "edit", "new", "--set", "include.tags=phishing")
    second = first | {"include": {"tags": ["phishing"]}}
    run("collection", "remove", "new")
    assert changes("collection") == [
        ("collection.add new", None, first),
        ("collection.edit new", first, second),
        ("collection.remove new", second, None),
    ]
    assert any("include: " in line and "tags" in line for line in lines("audit"))


def test_accounts_are_recorded_without_their_passwords() -> None:
    run("account", "add", "esa", "--read", "subscribed", "--password-stdin", stdin=b"secret-one\n")
    run("account", "password", "esa", "--password-stdin", stdin=b"secret-two\n")
    run("account", "grant", "esa", "--read", "*")
    run("account", "grant", "esa", "--read", "*")
    run("account", "revoke", "esa", "*")
    run("account", "certificate", "esa", "--subject", "CN=esa1")
    run("account", "certificate", "esa", "--subject", "CN=esa1", "--remove")
    run("account", "remove", "esa")
    one = {"admin": False, "read": "subscribed", "write": "", "role": None, "disabled": False}
    every = one | {"read": "*, subscribed"}
    assert changes("account") == [
        ("account.add esa", None, one),
        ("account.password esa", None, None),
        ("account.grant esa", one, every),
        ("account.revoke esa", every, one),
        ("account.certificate-add esa", None, {"certificate": "CN=esa1"}),
        ("account.certificate-remove esa", {"certificate": "CN=esa1"}, None),
        ("account.remove esa", one, None),
    ]
    assert "secret" not in json.dumps(told("audit"))
    assert "hash" not in json.dumps(told("audit"))


def test_own_indicators_are_recorded_by_pulse() -> None:
    run("indicator", "add", "a.example", "b.example", "--pulse", "Desk")
    run("indicator", "add", "a.example", "--pulse", "Desk")
    run("indicator", "remove", "a.example")
    assert changes("indicator") == [
        ("indicator.add Desk", None, {"author": "own", "new": 2, "changed": 0, "values": ["a.example", "b.example"]}),
        ("indicator.remove Desk", {"removed": 1, "values": ["a.example"]}, None),
    ]


def test_sources_are_recorded(store: Database) -> None:
    with store.write() as connection:
        sources.ensure(connection, "partner", "{}")
    run("source", "remove", "partner")
    assert changes("source") == [("source.remove partner", {"withdrawn": 0}, None)]


def test_removals_that_are_accepted_are_recorded(store: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTX_API_KEY", "k" * 64)
    monkeypatch.setenv("PULSEGATE_OTX__URL", "http://127.0.0.1:9")
    with store.write() as connection:
        sources.ensure(connection, "otx", "{}")
        sources.update(connection, "otx", held=7)
    monkeypatch.setattr("pulsegate.sync.pull.pull", _refuse)
    for words in ((), ("--accept-removals",)):
        with pytest.raises(RuntimeError):
            call("pull", *words)
    assert changes("pull") == [("pull.accept-removals otx", {"held": 7}, None)]


def _refuse(*_: object, **__: object) -> None:
    raise RuntimeError


def test_user_without_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody() -> str:
        raise KeyError("getpwuid(): uid not found: 10001")

    monkeypatch.setattr("getpass.getuser", nobody)
    monkeypatch.setattr("os.getuid", lambda: 10001)
    assert options.account() == "uid 10001 (host)"
    monkeypatch.setattr("getpass.getuser", lambda: "x\ny\udcff" * 400)
    assert len(options.account()) == 207
