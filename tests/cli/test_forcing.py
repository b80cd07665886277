"""``pulsegate indicator force-in|force-out|unforce|forced``."""

from __future__ import annotations

import time

import pytest

from cli.curated import TOOLS, a_name, call, lines, put, rule, run, served, store, told
from pulsegate.errors import UsageError
from pulsegate.model.collection import Collection, Profile
from pulsegate.store import collections
from pulsegate.store.database import Database

__all__ = ["store"]
ALL = ["45.9.148.3", "a.shop.example.net", "http://cdn.shop.example.net/x", "shop.example.net", "tool.example.org"]


def without(*values: str) -> list[str]:
    return sorted(set(ALL) - set(values))


def forced() -> list[tuple[str, bool, str | None]]:
    return [(one["value"], one["inside"], one["collection"]) for one in told("indicator", "forced")]


def test_value_that_is_forced_out() -> None:
    out = lines("indicator", "force-out", "tool[.]example[.]org", "--reason", "ours")
    assert out == [
        "tool.example.org (domain) is forced out, in all collections.",
        "each: 0 added, 1 removed", "subscribed: 0 added, 1 removed", "user_bob: 0 added, 1 removed",
    ]  # fmt: skip
    assert (served(), rule("tool.example.org")) == (without("tool.example.org"), "forced-out")
    [one] = told("indicator", "forced")
    assert (one["account"], one["reason"], one["expires"]) == ("carol (host)", "ours", None)
    assert lines("indicator", "forced")[1].split()[:4] == ["domain", "tool.example.org", "out", "all"]
    assert lines("indicator", "unforce", "tool.example.org")[1] == "each: 1 added, 0 removed"
    assert (served(), forced()) == (ALL, [])


def test_value_that_is_forced_no_longer_is_free_without_an_end() -> None:
    assert ", until 20" in lines("indicator", "force-out", "tool.example.org", "--expires", "7d")[0]
    freed = lines("indicator", "unforce", "tool.example.org")[0]
    assert freed == "tool.example.org (domain) is no longer forced, in all collections."


def test_value_that_is_forced_out_of_one_collection() -> None:
    run("indicator", "force-out", "tool.example.org", "--collection", "subscribed")
    assert (served(), served("user_bob")) == (without("tool.example.org"), ["shop.example.net", "tool.example.org"])
    run("indicator", "force-out", "tool.example.org")
    run("indicator", "unforce", "tool.example.org", "--collection", "subscribed")
    assert forced() == [("tool.example.org", False, None)]
    run("indicator", "force-out", "tool.example.org", "--collection", "subscribed")
    assert len(forced()) == 2
    run("indicator", "unforce", "tool.example.org")
    assert (served(), forced()) == (ALL, [])


def test_address_of_a_network_that_is_written_address_by_address(store: Database) -> None:
    with store.write() as connection:
        collections.put(connection, Collection("esa", profile=Profile.ESA))
    run("indicator", "add", "93.184.216.0/30")
    assert lines("indicator", "force-out", "93.184.216.1", "--reason", "ours") == [
        "93.184.216.1 (IPv4) is forced out, in all collections.", "esa: 1 content blocks changed",
    ]  # fmt: skip
    said = " ".join(line.strip() for line in lines("explain", "93.184.216.1"))
    without_it = "93.184.216.0/30, which the collection holds, is written without it"
    assert f"esa: out, forced-out; {without_it} in by: pulsegate indicator unforce 93.184.216.1" in said
    [esa] = [one for one in told("explain", "93.184.216.1")["collections"] if one["name"] == "esa"]
    assert (esa["in"], esa["rule"]) == (False, "forced-out")
    assert esa["reason"] == f"carol (host) forced it out of every collection: ours; {without_it}"
    said = " ".join(line.strip() for line in lines("explain", "93.184.216.0/30"))
    assert "although left-out: 93.184.216.1: carol (host) forced it out of every collection: ours" in said


def test_value_that_no_pulse_has_is_forced_out_before_it_comes(store: Database) -> None:
    run("indicator", "force-out", "later.example.net")
    put(store, TOOLS, [a_name("later.example.net"), a_name("good.example.net")])
    run("publish")
    assert served("user_bob") == ["good.example.net"]
    assert forced() == [("later.example.net", False, None)]


def test_value_that_no_pulse_has_can_not_be_forced_in() -> None:
    with pytest.raises(UsageError, match=r"later\.example: no pulse has it.*indicator add"):
        call("indicator", "force-in", "tool.example.org", "later.example")
    assert forced() == []


def test_value_that_is_forced_in_against_the_lists() -> None:
    run("allow", "add", ".shop.example.net")
    assert "shop.example.net" not in served()
    run("indicator", "force-in", "hxxp://cdn[.]shop.example.net/x")
    assert served() == ["45.9.148.3", "http://cdn.shop.example.net/x", "tool.example.org"]
    assert served("checked") == ["http://cdn.shop.example.net/x"]


def test_value_that_is_protected_needs_force() -> None:
    assert "10.1.2.3" not in served()
    with pytest.raises(UsageError, match=r"10\.1\.2\.3: the built-in protection reserved-range covers it\. --force"):
        call("indicator", "force-in", "10.1.2.3")
    assert forced() == []
    run("indicator", "force-in", "10.1.2.3", "--force")
    assert "10.1.2.3" in served()


def test_value_of_ones_own_needs_force(store: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULSEGATE_OWN", "[example.org]")
    run("publish")
    assert served("user_bob") == ["shop.example.net"]
    with pytest.raises(UsageError, match=r"tool\.example\.org: it is your own \(.*example\.org"):
        call("indicator", "force-in", "tool.example.org")
    run("indicator", "force-in", "tool.example.org", "--force", "--collection", "user_bob")
    assert (served("user_bob"), "tool.example.org" in served()) == (["shop.example.net", "tool.example.org"], False)


def test_protection_that_is_off_in_the_collection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULSEGATE_COLLECTIONS", "[{name: checked, review: true, protections: [single-label]}]")
    run("publish")
    run("indicator", "force-in", "10.1.2.3", "--collection", "checked")
    assert served("checked") == ["10.1.2.3"]


def test_decision_that_ends() -> None:
    run("indicator", "force-out", "tool.example.org", "--expires", "1s")
    assert served() == without("tool.example.org")
    time.sleep(1.1)
    run("publish")
    assert (served(), told("indicator", "forced")[0]["expired"]) == (ALL, True)


def test_what_is_not_forced() -> None:
    run("indicator", "force-out", "tool.example.org")
    result = call("indicator", "unforce", "a.example", "tool.example.org")
    assert (result.exit_code, result.stderr) == (1, "pulsegate: 'a.example' is not forced there\n")
    assert served() == ALL


def test_other_decision_takes_the_place_of_the_first() -> None:
    run("indicator", "force-out", "tool.example.org")
    run("indicator", "force-in", "tool.example.org")
    assert forced() == [("tool.example.org", True, None)]


def test_decision_in_a_collection_that_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    run("indicator", "force-out", "tool.example.org", "--collection", "each")
    monkeypatch.setenv("PULSEGATE_COLLECTIONS", "[]")
    run("collection", "remove", "each")
    run("indicator", "unforce", "tool.example.org", "--collection", "each")
    assert forced() == []


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["tool.example.org", "--collection", "nowhere"], "nowhere: there is no such collection"),
        ([""], "is no value of any type"),
        (["tool.example.org", "--expires", "soon"], "--expires"),
    ],
)
@pytest.mark.parametrize("command", ["force-in", "force-out"])
def test_wrong_usage(command: str, words: list[str], reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        call("indicator", command, *words)
    assert forced() == []


def test_inbox_takes_no_decision(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULSEGATE_COLLECTIONS", "[{name: partners, kind: inbox}]")
    run("publish")
    with pytest.raises(UsageError, match="partners: is an inbox"):
        call("indicator", "force-out", "tool.example.org", "--collection", "partners")
