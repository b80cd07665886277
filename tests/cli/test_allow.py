"""``pulsegate allow``: what entries take out, what comes back, and files of them."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cli.curated import TOOLS, a_name, call, lines, put, rule, run, served, store, told
from pulsegate.errors import ReportError, UsageError
from pulsegate.model.decisions import Override
from pulsegate.publication.allow_file import COLUMNS
from pulsegate.store import decisions
from pulsegate.store.database import Database, now
from pulsegate.store.digests import digest

__all__ = ["store"]
ALL = ["45.9.148.3", "a.shop.example.net", "http://cdn.shop.example.net/x", "shop.example.net", "tool.example.org"]
REST = ["45.9.148.3", "tool.example.org"]


def listed() -> list[tuple[str, str]]:
    return [(one["kind"], one["text"]) for one in told("allow", "list")]


def test_name_with_all_below_it_is_shown_then_added_then_removed() -> None:
    assert served() == ALL
    out = lines("allow", "add", "*.Shop.example[.]net", "--dry-run")
    assert out[:9] == [
        "shop.example.net with all below it would be on the allow list.",
        "",
        "This would take out:",
        "collection  indicators",
        "each                 4",
        "subscribed           3",
        "user_alice           3",
        "user_bob             1",
        "",
    ]
    assert sorted(line.split()[1] for line in out[10:]) == [
        "a.shop.example.net", "http://cdn.shop.example.net/x", "shop.example.net",
    ]  # fmt: skip
    assert (served(), listed()) == (ALL, [])
    said = lines("allow", "add", "shop.example.net", "--subtree", "--reason", "our shop")
    assert said[:9] == [line.replace("would be", "is").replace("would take", "takes") for line in out[:9]]
    assert said[-4:] == [
        "each: 0 added, 4 removed", "subscribed: 0 added, 3 removed", "user_alice: 0 added, 3 removed",
        "user_bob: 0 added, 1 removed",
    ]  # fmt: skip
    assert served() == served("each") == REST
    assert rule("http://cdn.shop.example.net/x") == "allow-list"
    assert (
        lines("allow", "remove", "shop.example.net")[0] == "shop.example.net with all below it is off the allow list."
    )
    assert (served(), listed()) == (ALL, [])


def test_what_is_told_is_what_the_publication_does() -> None:
    found = told("allow", "add", ".shop.example.net", "45.9.148.0/24")
    removed = {one["name"]: one["removed"] for one in found["collections"] if one["removed"]}
    assert {one["name"]: one["going"] for one in found["takes_out"]} == removed
    examples = {
        one["name"]: {(each["value"], each["pulse_name"]) for each in one["examples"]} for one in found["takes_out"]
    }
    assert examples["user_bob"] == {("shop.example.net", "Tools")}
    assert ("shop.example.net", "Tools") in examples["each"]
    assert len(examples["each"]) == removed["each"] == 5


def test_what_leaves_without_the_entry_is_not_told(store: Database) -> None:
    with store.write() as connection:
        identity = digest("name:a.shop.example.net")
        out = Override("", identity, "domain", "a.shop.example.net", False, False, "", "x", now(connection))
        decisions.force(connection, out)
    going = {one["name"]: one["going"] for one in told("allow", "add", ".shop.example.net", "--dry-run")["takes_out"]}
    assert going == {"each": 3, "subscribed": 2, "user_alice": 2, "user_bob": 1}


@pytest.mark.parametrize(
    ("words", "entries"),
    [
        (["198.51.100[.]7"], [("network", "198.51.100.7/32")]),
        (["198.51.100.7/24"], [("network", "198.51.100.0/24")]),
        (["2001:DB8::1"], [("network", "2001:db8::1/128")]),
        (["Example[.]COM"], [("exact", "example.com")]),
        ([".example.com"], [("subtree", "example.com")]),
        (["*[.]example[.]com"], [("subtree", "example.com")]),
        (["example.com", "--subtree"], [("subtree", "example.com")]),
        (["*.example.com", "--subtree"], [("subtree", "example.com")]),
        (["hxxp://A[.]example/Path"], [("exact", "http://a.example/Path")]),
        (["Some.One@EXAMPLE.com"], [("exact", "Some.One@example.com")]),
        (["D41D8CD98F00B204E9800998ECF8427E"], [("exact", "d41d8cd98f00b204e9800998ecf8427e")]),
        (["cve-2017-0144"], [("exact", "CVE-2017-0144"), ("exact", "cve-2017-0144")]),
        (["C:\\Windows\\x.exe"], [("exact", "C:\\Windows\\x.exe")]),
        (["example.com", ".example.com", "example.com"], [("exact", "example.com"), ("subtree", "example.com")]),
    ],
)
def test_value_in_any_spelling(words: list[str], entries: list[tuple[str, str]]) -> None:
    found = told("allow", "add", *words, "--dry-run")["entries"]
    assert [(one["kind"], one["text"]) for one in found] == entries


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["no value"], "'no value' is no domain, address, network, URL, mail address, hash or path"),
        (["10.0.0.0/33"], "the prefix length is not a number from 0 to 32"),
        (["10.0.0.1", "--subtree"], "--subtree: .*only a domain name has something below it"),
        (["http://a.example/x", "--subtree"], "--subtree: .*only a domain name has something below it"),
        (["a.example", "--expires", "2001-01-01"], "--expires: 2001-01-01 00:00:00 UTC is past"),
        (["a.example", "--expires", "soon"], '--expires: "soon" is no date'),
        (["a.example", "--reason", "x" * 2001], "--reason: takes 2,000 characters at most"),
    ],
)
def test_value_that_is_none(words: list[str], reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        call("allow", "add", *words)
    assert listed() == []


def test_entry_with_all_that_is_known_of_it() -> None:
    run("allow", "add", "shop.example.net", "--reason", "our\n shop", "--expires", "30d")
    [one] = told("allow", "list")
    expires, since = (datetime.fromisoformat(one.pop(key)) for key in ("expires", "since"))
    assert one == {
        "kind": "exact", "text": "shop.example.net", "reason": "our shop", "account": "carol (host)",
        "expired": False, "covers": 1,
    }  # fmt: skip
    assert abs(expires - since - timedelta(days=30)) < timedelta(seconds=10)
    row = lines("allow", "list")[1].split()
    assert (row[:3], row[-2:]) == (["exact", "shop.example.net", "1"], ["our", "shop"])


def test_entry_that_ends() -> None:
    run("allow", "add", "shop.example.net", "--expires", "4s")
    run("allow", "add", "45.9.148.3")
    assert served() == sorted(set(ALL) - {"shop.example.net", "45.9.148.3"})
    time.sleep(4.1)
    run("publish")
    assert served() == sorted(set(ALL) - {"45.9.148.3"})
    assert [one["expired"] for one in told("allow", "list")] == [True, False]
    assert [one["text"] for one in told("allow", "remove", "--all-expired")["removed"]] == ["shop.example.net"]
    assert listed() == [("network", "45.9.148.3/32")]


def test_value_that_comes_later_is_covered_too(store: Database) -> None:
    run("allow", "add", ".example.org")
    put(store, TOOLS, [a_name("new.example.org"), a_name("good.example.net")])
    run("publish")
    assert served("user_bob") == ["good.example.net"]


def test_removing_what_is_not_there() -> None:
    run("allow", "add", "shop.example.net")
    result = call("allow", "remove", "a.example", "shop.example.net", "--json")
    assert (result.exit_code, listed()) == (1, [])
    assert "'a.example' is not on the allow list" in result.stderr
    for words in ([], ["a.example", "--all-expired"]):
        with pytest.raises(UsageError, match="takes values or --all-expired"):
            call("allow", "remove", *words)


def test_name_is_removed_before_what_lies_below_it() -> None:
    run("allow", "add", "a.example", ".a.example")
    run("allow", "remove", "a.example")
    assert listed() == [("subtree", "a.example")]


# --- Files ------------------------------------------------------------------------------------------------------------


def export(form: str) -> bytes:
    return run("allow", "export", "--format", form).encode()


def whole() -> list[dict[str, Any]]:
    return [{key: one[key] for key in COLUMNS} for one in told("allow", "list")]


def test_table_is_imported_as_it_was_exported(tmp_path: Path) -> None:
    run("allow", "add", ".shop.example.net", "--reason", '=HYPERLINK("x"), "really"', "--expires", "2040-01-31")
    run("allow", "add", "45.9.148.3", "C:\\a #b", "Foo")
    before, table = whole(), export("csv")
    run("allow", "export", "--out", str(tmp_path / "list.csv"))
    assert (tmp_path / "list.csv").read_bytes() == table
    assert table.splitlines()[0].decode() == ",".join(COLUMNS)
    assert b"'=HYPERLINK" in table
    again = told("allow", "import", "-", stdin=table)
    assert (again["already_there"], again["entries"]) == (5, [])
    run("allow", "remove", ".shop.example.net", "45.9.148.3", "C:\\a #b", "Foo")
    assert served() == ALL
    assert {
        one["name"]: one["going"]
        for one in told("allow", "import", str(tmp_path / "list.csv"), "--dry-run")["takes_out"]
    }
    assert listed() == []
    run("allow", "import", str(tmp_path / "list.csv"))
    assert whole() == before
    assert served() == ["tool.example.org"]


def test_text_is_imported_as_it_was_exported() -> None:
    run("allow", "add", ".shop.example.net", "45.9.148.3", "--reason", "ours")
    text = export("text")
    assert text == b".shop.example.net  # ours\n45.9.148.3/32  # ours\n"
    run("allow", "remove", ".shop.example.net", "45.9.148.3")
    run("allow", "import", "-", "--reason", "from a file", stdin=b"\xef\xbb\xbf# ours\r\n" + text)
    assert listed() == [("subtree", "shop.example.net"), ("network", "45.9.148.3/32")]
    assert {one["reason"] for one in whole()} == {"from a file"}
    assert served() == ["tool.example.org"]


def test_text_can_not_carry_every_entry() -> None:
    run("allow", "add", "C:\\a #b")
    with pytest.raises(ReportError, match=r"can't be written as a line of text\. Use --format csv"):
        call("allow", "export", "--format", "text")


def test_table_in_anybodys_hand() -> None:
    table = (
        "Text;Kind;Expires\nExample[.]COM;;\n*.example.org;;2040-01-31\n198.51.100.7;network;\nexample.net;subtree;\n"
    )
    run("allow", "import", "-", stdin=table.encode())
    assert [(one["kind"], one["text"], (one["expires"] or "")[:10]) for one in whole()] == [
        ("exact", "example.com", ""),
        ("subtree", "example.org", "2040-01-31"),
        ("network", "198.51.100.7/32", ""),
        ("subtree", "example.net", ""),
    ]


@pytest.mark.parametrize(
    ("content", "form", "reason"),
    [
        (b"a.example\nno value\n\n10.0.0.0/33 # x\n", "auto",
         r"-: line 2: 'no value' is no domain.*; line 4: '10.0.0.0/33': .*\. Nothing is stored"),
        (b"kind,text,expires\nexact,a.example,\nexact,10.0.0.1,\nnope,b.example,\n,c.example,soon\n", "auto",
         r"line 3: '10.0.0.1' is of kind network, not exact; line 4: \"nope\" is no kind.*; line 5: \"soon\" is no date"),
        (b'kind,text,reason\nexact,a.example,"two\nlines"\nexact,no value,\n', "csv", "line 4: 'no value' is no"),
        (b"a.example\n", "csv", "has no column named text"),
        (b"", "csv", "has no column named text"),
        (b"kind,text\n", "text", "line 1: 'kind,text' is no domain"),
        (b"\xff\xfe", "auto", "is no text in UTF-8"),
    ],
)  # fmt: skip
def test_file_with_a_wrong_line(content: bytes, form: str, reason: str) -> None:
    with pytest.raises((ReportError, UsageError), match=reason):
        call("allow", "import", "-", "--format", form, stdin=content)
    assert listed() == []


def test_file_that_is_not_there() -> None:
    with pytest.raises(UsageError, match="missing: can't be read: No such file or directory"):
        call("allow", "import", "missing")


def test_import_does_not_write_in_anothers_name() -> None:
    since = datetime(2020, 1, 2, tzinfo=UTC)
    run("allow", "import", "-", stdin=f"kind,text,account,since\nexact,a.example,dave,{since.isoformat()}\n".encode())
    [one] = told("allow", "list")
    assert (one["account"], datetime.fromisoformat(one["since"])) == ("dave", since)
    assert [one["account"] for one in told("audit", "--action", "allow")] == ["carol (host)"]


def test_import_keeps_what_it_says_nothing_of() -> None:
    run("allow", "add", "a.example", "--reason", "ours", "--expires", "2040-01-31")
    before = whole()
    assert told("allow", "import", "-", stdin=b"a.example\nb.example\n")["already_there"] == 1
    assert whole()[0] == before[0]
    run("allow", "import", "-", "--reason", "theirs", stdin=b"a.example\n")
    assert {one["text"]: one["reason"] for one in whole()} == {"b.example": "", "a.example": "theirs"}
