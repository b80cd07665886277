"""``pulsegate relay export --curation``, ``import --take`` and ``forget --withdraw``: what they do, and what they tell."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

from cli.curated import call, told
from pulsegate.store.tables import audit
from relay.gates import ACCOUNT, ORIGIN, Gate, pair, receiver, sender
from relay.test_curation import SHOP, allow, fill
from store.databases import database

__all__ = ["database", "pair", "receiver", "sender"]
AT = Callable[[Gate], None]


@pytest.fixture
def at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AT:
    """Has the commands work on that Pulsegate."""
    monkeypatch.setenv("PULSEGATE_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("PULSEGATE_RELAY__ORIGIN", ORIGIN)
    monkeypatch.setenv("PULSEGATE_RELAY__KEY", str(tmp_path / "key"))
    monkeypatch.setenv("COLUMNS", "250")
    monkeypatch.setattr("getpass.getuser", lambda: "carol")
    return lambda gate: monkeypatch.setenv("PULSEGATE_DATABASE", gate.database.url)


def taking(file: str, *words: str) -> Result:
    return call("relay", "import", file, "--trust", "key.pub", *words)


def test_curation_travels_where_both_ask_for_it(sender: Gate, receiver: Gate, at: AT) -> None:
    fill(sender)
    at(sender)
    assert told("relay", "export", "--out", "plain")["curation"] is None
    assert told("relay", "export", "--out", "full", "--full", "--curation")["curation"] == 10
    at(receiver)
    assert told("relay", "import", "full", "--trust", "key.pub", "--dry-run")["taken"]["allow"]["coming"] == 0
    out = taking("full", "--take", "allow", "--take", "own", "--dry-run").stdout.splitlines()
    assert out[-2:] == [
        "Curation, allow list: 3 coming, 0 changing, 0 going.", "Curation, own pulses: 1 coming, 0 changing, 0 going.",
    ]  # fmt: skip
    assert receiver.decisions().allowed == ()
    allow(receiver, SHOP)
    out = taking("full", "--take", "allow", "--take", "own").stdout.splitlines()
    assert out[-2:] == [
        "Curation, allow list: 2 coming, 0 changing, 0 going; 1 made here stay in place of the sender's.",
        "Curation, own pulses: 1 coming, 0 changing, 0 going.",
    ]
    assert receiver.served() == ["bad.example", "mine.example", "other.example"]
    assert "strict" not in receiver.collections()


def test_settings_say_what_travels(sender: Gate, receiver: Gate, at: AT, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(sender)
    at(sender)
    monkeypatch.setenv("PULSEGATE_RELAY__CURATION", "true")
    monkeypatch.setenv("PULSEGATE_RELAY__TAKE", "[collections, decisions]")
    assert told("relay", "export", "--out", "with")["curation"] == 10
    assert told("relay", "export", "--out", "without", "--full", "--no-curation")["curation"] is None
    at(receiver)
    found = told("relay", "import", "with", "--trust", "key.pub")["taken"]
    assert {kind: one["coming"] for kind, one in found.items()} == {
        "allow": 0, "collection": 2, "override": 2, "review": 2, "trusted": 1, "own": 0,
    }  # fmt: skip
    found = taking("with", "--take", "decisions")
    assert found.stdout.splitlines()[0].startswith("Taken before: number 1 of north, a full snapshot")
    assert "Curation, collections: 0 coming, 0 changing, 2 going." in found.stdout
    assert taking("with", "--take", "decisions").stdout.startswith("Nothing to do:")


def test_collection_that_was_edited_here_is_ours(sender: Gate, receiver: Gate, at: AT) -> None:
    fill(sender)
    file = str(sender.export())
    at(receiver)
    taking(file, "--take", "collections")
    assert told("collection", "show", "strict")["origin"] == "relay"
    call("collection", "edit", "strict", "--set", "description=ours")
    assert told("collection", "show", "strict")["origin"] == "command"
    assert told("relay", "import", file, "--trust", "key.pub", "--take", "collections")["taken"]["collection"] == {
        "coming": 0, "changing": 0, "going": 0, "unchanged": 1, "kept": 1,
    }  # fmt: skip
    assert told("collection", "show", "strict")["description"] == "ours"


def test_refused_rules_are_told(sender: Gate, receiver: Gate, at: AT, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(sender)
    monkeypatch.setattr("pulsegate.relay.curation.as_settings", lambda one: {"name": one.name, "colour": "red"})
    file = str(sender.export())
    at(receiver)
    result = taking(file, "--take", "collections")
    assert result.exit_code == 0
    assert "pulsegate: not taken: collection phishing: " in result.stderr
    assert "colour is no setting" in result.stderr
    assert receiver.served() != []


def test_forgetting_says_what_goes_and_whose_doing_it_is(sender: Gate, receiver: Gate, at: AT) -> None:
    fill(sender)
    file = str(sender.export())
    at(receiver)
    taking(file, *(word for kind in ("allow", "collections", "decisions", "own") for word in ("--take", kind)))
    out = call("relay", "forget", ORIGIN, "--withdraw").stdout
    assert "3 pulses leave with the next publication, and its curation is gone" in out
    assert receiver.decisions().allowed == ()
    assert "strict" not in receiver.collections()
    removals = [one.account for one in receiver.rows(audit) if one.action == "allow.remove"]
    assert removals == ["carol (host)"] * 3
    assert ACCOUNT not in {one.account for one in receiver.decisions().reviews}
    taking(file, "--take", "own")
    assert receiver.served() == [
        "a.shop.example", "bad.example", "mine.example", "other.example", "shop.example", "tool.example",
    ]  # fmt: skip


def test_unknown_kind_is_refused(at: AT, receiver: Gate) -> None:
    at(receiver)
    result = taking("any", "--take", "passwords")
    assert result.exit_code == 2
    assert "passwords" in result.stderr
