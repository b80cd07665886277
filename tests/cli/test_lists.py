"""``pulsegate lists``: the lists in force, what they hit, and what they say of a value."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cli.curated import TOOLS, call, lines, put, rule, run, served, store, told
from pulsegate.curation.choices import TABLE
from pulsegate.errors import SettingsError, UsageError
from pulsegate.model.indicator import Indicator, IndicatorType, RawIndicator
from pulsegate.store.database import Database

__all__ = ["store"]
RESOLVER = Indicator(IndicatorType.IPV4, "8.8.8.8", RawIndicator("IPv4", "8.8.8.8"))


@pytest.fixture
def resolver(store: Database) -> Database:
    """One of the pulses has a well-known resolver."""
    put(store, TOOLS, [RESOLVER])
    run("publish")
    return store


def lists() -> dict[str, dict[str, Any]]:
    return {one["name"]: one for one in told("lists", "list")}


def test_every_list_is_listed_with_its_reason() -> None:
    found = told("lists", "list")
    assert [(one["name"], one["mode"], one["reason"]) for one in found] == list(TABLE)
    assert {one["name"]: one["indicators"] for one in found if one["indicators"]} == {
        "rfc1918": 1, "rfc5735": 1,
    }  # fmt: skip
    assert {one["named"] for one in found} == {False}
    table = run("lists", "list")
    assert all(name in table for name, _, _ in TABLE)


def test_list_is_shown_with_what_it_hits(resolver: Database) -> None:
    assert rule("8.8.8.8") == "warning-list:public-dns-v4"
    assert (lists()["public-dns-v4"]["indicators"], lists()["tranco10k"]["indicators"]) == (1, 0)
    assert told("lists", "hits", "public-dns-v4") == [
        {"type": "IPv4", "value": "8.8.8.8", "pulse": TOOLS.id, "name": "Tools"}
    ]
    assert lines("lists", "hits", "public-dns-v4")[1].split() == ["IPv4", "8.8.8.8", TOOLS.id, "Tools"]
    assert lines("lists", "hits", "tranco10k") == ["It covers no stored indicator."]
    assert told("lists", "hits", "public-dns-v6") == []  # no part of a name
    with pytest.raises(UsageError, match="public-dns: there is no such warning list"):
        call("lists", "hits", "public-dns")


def test_setting_takes_effect_with_the_next_publication(
    resolver: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ours.txt").write_text(".shop.example.net\n")
    assert served("user_bob") == []
    put(resolver, TOOLS, [RESOLVER])
    chosen = {
        "modes": {"public-dns-v4": "inform"},
        "files": [{"name": "ours", "file": str(tmp_path / "ours.txt"), "title": "Our shop"}],
    }
    monkeypatch.setenv("PULSEGATE_WARNING_LISTS__MODES", json.dumps(chosen["modes"]))
    monkeypatch.setenv("PULSEGATE_WARNING_LISTS__FILES", json.dumps(chosen["files"]))
    assert served("user_alice") != ["45.9.148.3"]
    run("publish")
    assert (served("user_bob"), served("user_alice")) == (["8.8.8.8"], ["45.9.148.3", "http://cdn.shop.example.net/x"])
    assert lists()["ours"] == {"name": "ours", "mode": "block", "reason": "Our shop", "named": False, "indicators": 2}
    [row] = [line.split() for line in lines("lists", "list") if line.startswith("public-dns-v4")]
    assert row[:5] == ["public-dns-v4", "inform", "(not", "block)", "1"]
    assert [one["list"] for one in told("lists", "check", "www.shop.example.net")] == ["ours"]
    assert {one["mode"] for one in told("lists", "check", "8.8.8.8")} == {"inform"}


def test_collection_that_names_a_list(resolver: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULSEGATE_WARNING_LISTS__MODES", "{public-dns-v4: off}")
    monkeypatch.setenv(
        "PULSEGATE_COLLECTIONS", "[{name: checked, warning_lists: [public-dns-v4]}, {name: all, warning_lists: none}]"
    )
    run("publish")
    assert (served("user_bob"), "8.8.8.8" in served("checked"), "8.8.8.8" in served("all")) == (
        ["8.8.8.8"],
        False,
        True,
    )
    found = lists()["public-dns-v4"]
    assert (found["mode"], found["named"], found["indicators"]) == ("off", True, 1)
    assert "public-dns-v4" in {one["list"] for one in told("lists", "check", "8.8.8.8")}


def test_demo_serves_its_documentation_addresses() -> None:
    """Its pulses are made of what the protection and three of MISP's lists keep out elsewhere."""
    found = {one["name"]: one["mode"] for one in told("--demo", "lists", "list")}
    assert {found[name] for name in ("rfc3849", "rfc5735", "rfc6761")} == {"inform"}
    run("--demo", "indicator", "add", "203.0.113.7", "2001:db8::1", "a.example", "8.8.8.8")
    lines_ = run("--demo", "preview", "subscribed", "--json").splitlines()
    assert sorted(json.loads(line)["value"] for line in lines_) == ["2001:db8::1", "203.0.113.7", "a.example"]


def test_list_that_is_off_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULSEGATE_WARNING_LISTS__MODES", json.dumps({name: "off" for name, _, _ in TABLE}))
    assert told("lists", "check", "8.8.8.8") == []
    assert run("lists", "check", "8.8.8.8") == "8.8.8.8 is on none of the 0 warning lists that are in use.\n"


def test_list_that_is_none_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULSEGATE_WARNING_LISTS__MODES", "{public-dns: off}")
    with pytest.raises(SettingsError, match=r"public-dns: warning_lists\.modes: there is no such list"):
        call("lists", "list")


@pytest.mark.parametrize("text", ["8.8.8.8", "8[.]8[.]8[.]8"])
def test_value_on_lists(text: str) -> None:
    found = {(one["type"], one["value"], one["list"], one["mode"]) for one in told("lists", "check", text)}
    assert ("IPv4", "8.8.8.8", "public-dns-v4", "block") in found
    assert "8.8.8.8 (IPv4): the warning list public-dns-v4" in run("lists", "check", text)


def test_value_on_no_list() -> None:
    assert told("lists", "check", "bad.example.org.invalid-name.net") == []
    assert "is on none of the" in run("lists", "check", "bad.example.org.invalid-name.net")


def test_text_that_is_no_value() -> None:
    with pytest.raises(UsageError, match="is no value of any type"):
        call("lists", "check", "")
