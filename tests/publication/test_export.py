"""An export holds what a full poll gives, in each form."""

from __future__ import annotations

import csv
import io
import json
import tracemalloc

import pytest
from lxml import etree

from packages import package
from pulsegate.curation.policy import Policy
from pulsegate.model.collection import Collection, CollectionKind, Profile
from pulsegate.model.indicator import Indicator, RawIndicator
from pulsegate.model.tlp import TLP
from pulsegate.publication.built_in import SUBSCRIBED
from pulsegate.publication.export import export
from pulsegate.publication.forms import ExportFormat
from pulsegate.publication.inbox import Pushed, receive
from pulsegate.publication.publish import publish_all
from pulsegate.reports import Proposed, read
from pulsegate.stix import check
from pulsegate.stix.received import examine
from pulsegate.store import collections
from pulsegate.sync.own import Into, add
from pulsegate.values.normalise import normalise
from support import NS, read_values

VALUES = [
    ("domain", "a.example"), ("URL", "http://b.example/x?a=1&b=2"), ("IPv4", "1.2.3.4"), ("CIDR", "1.2.4.0/24"),
    ("FileHash-MD5", "d41d8cd98f00b204e9800998ecf8427e"), ("Mutex", "=1+1"), ("Mutex", "'@x"), ("Mutex", 'a,"b"'),
    ("FilePath", "-x\\y"), ("CVE", "CVE-2024-1234"), ("email", "a@b.example"),
]  # fmt: skip


@pytest.fixture
def filled(database):
    """Two own pulses of different levels in a collection of each profile."""
    with database.write() as connection:
        collections.ensure_services(connection)
        collections.put(connection, SUBSCRIBED)
        collections.put(connection, Collection("gateway", profile=Profile.ESA, expand=0, protections=frozenset()))
    entries = [Proposed(RawIndicator(kind, value)) for kind, value in VALUES]
    add(database, Policy(), entries, Into("One <&> 日本語", "=author", TLP.RED))
    add(database, Policy(), [Proposed(RawIndicator("domain", "z.example"))], Into("Two", tlp=TLP.WHITE))
    publish_all(database, Policy())
    return database


def exported(database, name, form):
    with database.read() as connection:
        stored = collections.get(connection, name)
    return b"".join(export(database, stored, ExportFormat(form)))


def identities(found):
    """Of what a reader takes, by what makes values the same."""
    assert found.rejected == []
    read_as = [normalise(one.indicator) for one in found.accepted]
    assert all(isinstance(one, Indicator) for one in read_as)
    return sorted(one.identity for one in read_as)


def wanted(kinds=None):
    every = [*VALUES, ("domain", "z.example")]
    return sorted(normalise(RawIndicator(*one)).identity for one in every if kinds is None or one[0] in kinds)


def test_table(filled):
    data = exported(filled, "subscribed", "csv")
    rows = list(csv.DictReader(io.StringIO(data.decode())))
    assert [(row["type"], row["value"]) for row in rows][:6] == [*VALUES[:5], ("Mutex", "'=1+1")]
    assert {row["author"] for row in rows} == {"'=author", "own"}
    assert {row["tlp"] for row in rows} == {"red", "white"}
    assert all(row["pulse"].startswith("own-") and row["since"].endswith("Z") and row["expires"] == "" for row in rows)
    assert not any(cell.startswith(("=", "+", "-", "@")) for row in rows for cell in row.values())
    found = read(data)
    assert identities(found) == wanted()
    assert {one.tlp for one in found.accepted} == {TLP.RED, TLP.WHITE}


def test_plain_values(filled):
    assert exported(filled, "subscribed", "text").decode().splitlines() == sorted(
        value for _, value in [*VALUES, ("domain", "z.example")]
    )


def test_json_lines(filled):
    rows = [json.loads(line) for line in exported(filled, "gateway", "jsonl").splitlines()]
    assert sorted((row["type"], row["value"]) for row in rows) == sorted(
        [one for one in VALUES if one[0] in ("domain", "URL", "IPv4", "FileHash-MD5")] + [("domain", "z.example")]
    )
    assert set(rows[0]) == {
        "type", "value", "pulse", "author", "since", "expires", "tlp", "title", "description", "content",
    }  # fmt: skip
    assert {(row["author"], row["expires"]) for row in rows} == {("=author", None), ("own", None)}


@pytest.mark.parametrize(
    ("name", "kinds"), [("subscribed", None), ("gateway", ("domain", "URL", "IPv4", "FileHash-MD5"))]
)
def test_package_is_valid_and_comes_back(filled, name, kinds):
    data = exported(filled, name, "stix")
    assert data.startswith(b"<?xml version='1.0' encoding='UTF-8'?>\n<stix:STIX_Package ")
    check(data)
    found = read(data)
    assert identities(found) == wanted(kinds)
    assert {one.indicator.value: one.tlp for one in found.accepted}["z.example"] is TLP.WHITE
    assert {one.tlp for one in found.accepted} == {TLP.RED, TLP.WHITE}


def test_marking_of_a_package_means_no_other_one(filled):
    root = etree.fromstring(exported(filled, "gateway", "stix"))
    path = "marking:Marking/marking:Controlled_Structure"
    spaces = NS | {"marking": "http://data-marking.mitre.org/Marking-1"}
    for inner in root.iter(f"{{{NS['stix']}}}Package"):
        (reach,) = inner.findall(f"stix:STIX_Header/stix:Handling/{path}", spaces)
        marked = reach.xpath(reach.text, namespaces=spaces)
        assert inner in marked
        assert root not in marked
        assert {one.getroottree().getpath(one) for one in marked if isinstance(one, etree._Element)} == {
            one.getroottree().getpath(one) for one in inner.iter()
        }


@pytest.mark.parametrize("form", list(ExportFormat))
def test_empty_collection(database, form):
    with database.write() as connection:
        collections.ensure_services(connection)
        collections.put(connection, SUBSCRIBED)
    data = exported(database, "subscribed", form)
    if form is ExportFormat.STIX:
        check(data)
    else:
        assert data == (b"type,value,pulse,author,since,expires,tlp\r\n" if form is ExportFormat.CSV else b"")


@pytest.fixture
def inbox(database):
    with database.write() as connection:
        collections.ensure_services(connection)
        stored = collections.put(connection, Collection("partners", kind=CollectionKind.INBOX))
    sent = [
        package("a.example", "www.a.example", title="<![CDATA[<x> & //node()]]>"),
        package("b.example", version="1.1.1"),
        package("a.example", title="another"),
    ]
    receive(database, [stored], [Pushed(examine(one, 10**6)) for one in sent])
    return database


def test_inbox(inbox):
    names = ["a.example", "a.example", "b.example", "www.a.example"]
    data = exported(inbox, "partners", "stix")
    check(data)
    assert [value for _, value in identities_of_names(data)] == names
    assert sorted(exported(inbox, "partners", "text").decode().split()) == names
    rows = list(csv.DictReader(io.StringIO(exported(inbox, "partners", "csv").decode())))
    assert sorted(row["value"] for row in rows) == names
    assert {(row["pulse"], row["author"], row["tlp"]) for row in rows} == {("", "", "")}
    assert sorted(json.loads(row)["value"] for row in exported(inbox, "partners", "jsonl").splitlines()) == names


def identities_of_names(data):
    root = etree.fromstring(data)
    inner = [etree.tostring(one) for one in root.iter(f"{{{NS['stix']}}}Package")]
    return sorted(pair for one in inner for pair in read_values(one))


def test_package_that_is_no_1_2_is_left_out(inbox, monkeypatch):
    with inbox.write() as connection:
        stored = collections.get(connection, "partners")
    old = package("c.example", version="1.1.1")
    receive(inbox, [stored], [Pushed(examine(old, 10**6))])
    from pulsegate.errors import ConversionError
    from pulsegate.publication import export as module

    def refuse(xml):
        if b"c.example" in xml:
            raise ConversionError("no")
        check(xml)

    monkeypatch.setattr(module, "check", refuse)
    assert b"c.example" not in exported(inbox, "partners", "stix")
    assert b"b.example" in exported(inbox, "partners", "stix")


@pytest.mark.parametrize("form", list(ExportFormat))
def test_memory_does_not_grow_with_the_collection(database, form):
    with database.write() as connection:
        collections.ensure_services(connection)
        stored = collections.put(connection, SUBSCRIBED)
    peaks = []
    for size in (3_000, 9_000):
        entries = [Proposed(RawIndicator("domain", f"a{number}.example")) for number in range(size)]
        add(database, Policy(), entries, Into())
        publish_all(database, Policy())
        list_ = sum(len(piece) for piece in export(database, stored, form))  # what is made once is made
        tracemalloc.start()
        assert sum(len(piece) for piece in export(database, stored, form)) == list_
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.5 * peaks[0] + 300_000
