"""``pulsegate indicator``: one's own indicators, from the command line, from files and from inboxes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from packages import package
from pulsegate.cli.commands import app
from pulsegate.errors import PulsegateError, ReportError, UsageError
from pulsegate.model.collection import Collection, CollectionKind
from pulsegate.model.indicator import RawIndicator
from pulsegate.publication.inbox import Pushed, receive
from pulsegate.stix.received import examine
from pulsegate.store import collections
from pulsegate.store.database import Database


@pytest.fixture(autouse=True)
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, install: Callable[[Path], str]) -> Iterator[Database]:
    monkeypatch.setenv("COLUMNS", "250")
    found = Database(install(tmp_path))
    yield found
    found.close()


def call(*words: str, stdin: bytes | None = None) -> Result:
    return CliRunner().invoke(app, list(words), catch_exceptions=False, input=stdin)


def run(*words: str, stdin: bytes | None = None) -> str:
    result = call(*words, stdin=stdin)
    assert result.exit_code == 0, result.output
    return result.stdout


def add(*words: str) -> Any:
    return json.loads(run("indicator", "add", *words, "--json"))


def served(name: str = "subscribed") -> list[str]:
    return sorted(json.loads(line)["value"] for line in run("preview", name, "--json").splitlines())


def listed() -> list[Any]:
    return json.loads(run("indicator", "list", "--json"))


def test_value_is_served_at_once() -> None:
    found = add("evil[.]a.example", "hxxp://b.example/x", "--title", "Seen here", "--tlp", "amber", "--pulse", "Mine")
    collected = {one["name"]: one["added"] for one in found.pop("collections")}
    assert (collected["subscribed"], collected["user_own"]) == (2, 2)
    lines = found.pop("indicators")
    assert found == {
        "pulse": "Mine", "author": "own", "dry_run": False, "accepted": 2, "new": 2, "changed": 0, "already_there": 0,
        "rejected": 0, "protected": 0, "refusals": [],
    }  # fmt: skip
    assert lines[0] == {
        "type": "hostname", "value": "evil.a.example", "state": "new", "tlp": "amber", "where": "command line",
        "protection": None,
    }  # fmt: skip
    assert served() == served("user_own") == ["evil.a.example", "http://b.example/x"]
    first = listed()[0]
    assert (first["title"], first["name"], first["tlp"], first["expires"]) == ("Seen here", "Mine", "amber", None)


def test_people_are_told() -> None:
    out = run("indicator", "add", "a.example", "192.0.2.1", "report.pdf").splitlines()
    assert out[0] == "a.example (domain, TLP green): new"
    assert out[1] == "192.0.2.1 (IPv4, TLP green): new, covered by the protection reserved-range"
    assert out[2].split() == ["rejected", "text", "reason"]
    assert out[3].startswith("command line  report.pdf  a name whose end does not exist")
    assert out[4] == "2 new, 0 changed, 0 already there in Own indicators; 1 rejected"
    assert "user_own: 1 added, 0 removed" in out
    again = run("indicator", "add", "A.example").splitlines()
    assert again == ["a.example (domain, TLP green): is there already",
                     "0 new, 0 changed, 1 already there in Own indicators; 0 rejected",
                     "No collection changed."]  # fmt: skip
    table = run("indicator", "list").splitlines()
    assert [line.split()[:2] for line in table[1:]] == [["domain", "a.example"], ["IPv4", "192.0.2.1"]]


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("999.1.1.1",), "not an IP address: a number above 255"),
        (("x y", "--type", "domain"), "not a domain name: white space inside"),
    ],
)
def test_nothing_that_can_be_taken(words: tuple[str, ...], reason: str) -> None:
    result = call("indicator", "add", *words, "--json")
    found = json.loads(result.stdout)
    assert (result.exit_code, [one["reason"] for one in found["refusals"]]) == (1, [reason])
    assert listed() == []


def test_type_that_is_told() -> None:
    found = add("Global\\x", "--type", "mutex")
    assert [(one["type"], one["value"]) for one in found["indicators"]] == [("Mutex", "Global\\x")]


@pytest.mark.parametrize("when", ["30d", "2040-01-31", "2040-01-31T10:00+02:00"])
def test_expiry(when: str) -> None:
    add("a.example", "--expires", when)
    end = datetime.fromisoformat(listed()[0]["expires"])
    if when == "30d":
        assert abs(end - datetime.now(UTC) - timedelta(days=30)) < timedelta(minutes=1)
    else:
        wanted = datetime.fromisoformat(when)
        assert end == (wanted if wanted.tzinfo else wanted.replace(tzinfo=UTC))


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ((), "add takes values, --file or --from-inbox"),
        (("a.example", "--file", "x"), "add takes values, --file or --from-inbox"),
        (("--file", "missing"), "missing: can't be read: No such file or directory"),
        (("--file", "/dev/null/x"), "/dev/null/x: can't be read: Not a directory"),
        (("a.example", "--type", "nonsense"), '--type: "nonsense" is no indicator type that Pulsegate knows'),
        (("--file", "x", "--type", "URL"), "--type: is about values on the command line"),
        (("a.example", "--format", "csv"), "--format: is about --file"),
        (("a.example", "--expires", "soon"), '--expires: "soon" is no date; .* or as a duration: 30d'),
        (("a.example", "--expires", "2001-01-01"), "--expires: 2001-01-01 00:00:00 UTC is past"),
        (("a.example", "--expires", "999999999d"), "--expires: .*999999999d.* is no date"),
        (("a.example", "--pulse", " "), "--pulse: takes 1 to 250 characters"),
        (("a.example", "--author", ""), "--author: takes 1 to 250 characters"),
        (("--from-inbox", "subscribed"), "subscribed: is no inbox"),
        (("--from-inbox", "nowhere"), "nowhere: there is no such collection"),
    ],
)
def test_wrong_usage(words: tuple[str, ...], reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        call("indicator", "add", *words)
    assert listed() == []


def test_file_is_read_by_its_content(tmp_path: Path) -> None:
    (tmp_path / "list.bin").write_bytes("\ufeffvalue;tlp\na.example;red\n;x\n".encode("utf-16"))
    found = add("--file", str(tmp_path / "list.bin"))
    assert (found["pulse"], found["new"], found["rejected"]) == ("list.bin", 1, 1)
    assert [one["where"] for one in found["refusals"]] == ["line 3"]
    assert [(one["value"], one["tlp"]) for one in listed()] == [("a.example", "red")]


def test_dry_run_tells_and_does_nothing(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("a.example\nnothing here\n", encoding="utf-8")
    out = run("indicator", "add", "--file", str(tmp_path / "list.txt"), "--dry-run").splitlines()
    assert out[-1] == "would be 1 new, 0 changed, 0 already there in list.txt; 1 rejected"
    assert (listed(), json.loads(run("pulse", "list", "--json"))) == ([], [])


def test_standard_input() -> None:
    run("indicator", "add", "--file", "-", "--format", "text", stdin=b"a.example\nb[.]example\n")
    assert served() == ["a.example", "b.example"]


def test_file_that_can_not_be_read_as_what_it_is_said_to_be(tmp_path: Path) -> None:
    (tmp_path / "x.xml").write_bytes(package("a.example")[:-9])
    with pytest.raises(ReportError, match=r"x.xml: it is no well-formed XML"):
        run("indicator", "add", "--file", str(tmp_path / "x.xml"))
    assert listed() == []


def test_removed_value_is_served_no_more() -> None:
    add("a.example", "b.example")
    add("a.example", "--pulse", "Other")
    found = json.loads(run("indicator", "remove", "A[.]example", "--json"))
    assert [(one["value"], one["name"]) for one in found["removed"]] == [
        ("a.example", "Own indicators"),
        ("a.example", "Other"),
    ]
    assert (found["unknown"], found["pulses_withdrawn"]) == ([], 1)
    assert served() == ["b.example"]
    assert json.loads(run("indicator", "list", "--pulse", "Other", "--json")) == []


def test_value_that_is_not_there_is_said() -> None:
    add("a.example")
    result = call("indicator", "remove", "a.example", "c.example", "--pulse", "Own indicators")
    assert (result.exit_code, "a.example (domain) is removed from Own indicators" in result.stdout) == (1, True)
    assert "pulsegate: no own pulse has 'c.example'" in result.stderr


def push(database: Database, *contents: bytes) -> None:
    with database.write() as connection:
        collections.ensure_services(connection)
        stored = collections.put(connection, Collection("partners", kind=CollectionKind.INBOX))
    receive(database, [stored], [Pushed(examine(one, 10**6)) for one in contents])


def test_what_was_stored_and_not_published_is_published_when_it_is_added_again(database: Database) -> None:
    from pulsegate.curation.policy import Policy
    from pulsegate.reports import Proposed
    from pulsegate.sync.own import Into
    from pulsegate.sync.own import add as store

    store(database, Policy(), [Proposed(RawIndicator("domain", "a.example"))], Into())
    assert add("a.example")["already_there"] == 1
    assert served() == ["a.example"]


def test_packages_of_an_inbox_are_taken_apart(database: Database) -> None:
    push(database, package("a.example", "www.a.example"), package("b.example", version="1.1.1"), package())
    found = add("--from-inbox", "partners", "--tlp", "red")
    assert (found["pulse"], found["new"], found["rejected"]) == ("partners", 3, 0)
    assert found["indicators"][2]["where"].startswith("package 2, line 1")
    assert served("user_own") == ["a.example", "b.example", "www.a.example"]
    assert add("--from-inbox", "partners")["already_there"] == 3


def test_own_pulse_is_shown_without_a_page_on_otx() -> None:
    add("a.example")
    (one,) = json.loads(run("pulse", "list", "--json"))
    shown = run("pulse", "show", one["id"])
    assert "by own, TLP green, modified " in shown
    assert "an own pulse" in shown
    assert "alienvault" not in shown


def test_value_is_explained() -> None:
    add("a.example", "--author", "desk")
    found = json.loads(run("explain", "a.example", "--json"))
    assert [(one["author"], one["name"]) for one in found["pulses"]] == [("desk", "Own indicators")]
    assert {one["name"]: one["in"] for one in found["collections"]} == {"subscribed": True, "user_desk": True}


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_export_of_nothing(form: str) -> None:
    add("a.example")
    run("indicator", "remove", "a.example")
    out = run("collection", "export", "subscribed", "--format", form)
    assert out.splitlines() == (["type,value,pulse,author,since,expires,tlp"] if form == "csv" else [])


def test_export_goes_to_a_file_and_comes_back(tmp_path: Path) -> None:
    add("a.example", "hxxps://b.example/x?=1", "--tlp", "amber", "--expires", "2040-01-01")
    add("=cmd|x", "--type", "mutex")
    path = tmp_path / "out.csv"
    assert run("collection", "export", "subscribed", "--out", str(path)) == ""
    assert "Mutex,'=cmd|x,own-" in path.read_text(encoding="utf-8")
    before = [(one["type"], one["value"], one["tlp"], one["expires"]) for one in listed()]
    for one in before:
        run("indicator", "remove", one[1])
    assert (listed(), served()) == ([], [])
    found = add("--file", str(path))
    assert (found["new"], found["rejected"]) == (3, 0)
    assert sorted(before) == sorted((one["type"], one["value"], one["tlp"], one["expires"]) for one in listed())
    assert [one.name for one in tmp_path.glob("*.part")] == []


def test_export_to_where_nothing_can_be_written(tmp_path: Path) -> None:
    add("a.example")
    with pytest.raises(UsageError, match="can't be written: No such file or directory"):
        run("collection", "export", "subscribed", "--out", str(tmp_path / "none" / "x"))
    with pytest.raises(PulsegateError, match="there is no such collection"):
        run("collection", "export", "nowhere")
