"""Collections: their rows in OpenTAXII's tables, their rules, their sizes."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from pulsegate.model.collection import Collection, CollectionKind, Profile, Rule
from pulsegate.model.indicator import IndicatorType
from pulsegate.model.tlp import TLP
from pulsegate.store import blocks, collections, contents, ledger
from pulsegate.store.collections import Origin, Size, StoredCollection
from pulsegate.store.tables import collection_rules, data_collections, ledgers, service_to_collection, services
from store.conftest import NOW
from store.shelf import publish_one

FULL = Collection(
    name="mail gateway – 名前",
    kind=CollectionKind.OWN,
    description="What a mail gateway should block",
    profile=Profile.ESA,
    expand=16,
    deduplicate=False,
    include=Rule(
        authors=frozenset({"a", "b"}),
        tags=frozenset({"c"}),
        adversaries=frozenset({"d"}),
        malware_families=frozenset({"e"}),
        countries=frozenset({"f"}),
        industries=frozenset({"g"}),
        words=frozenset({"spear phishing", "phish*"}),
        attack_ids=frozenset({"T1566", "TA0011"}),
        roles=frozenset({"scanning_host"}),
        types=frozenset({IndicatorType.IPV4, IndicatorType.URL}),
        tlp=frozenset({TLP.WHITE, TLP.GREEN}),
        max_age=timedelta(days=90),
    ),
    exclude=Rule(tags=frozenset({"h"}), max_age=timedelta(milliseconds=1)),
    protections=frozenset({"single-label"}),
    ttl={IndicatorType.IPV4: timedelta(days=30), IndicatorType.DOMAIN: timedelta(milliseconds=100)},
    refresh=timedelta(days=25, milliseconds=1),
)
LATER = NOW + timedelta(hours=1)


@pytest.fixture
def at(monkeypatch):
    """Put the clock to a moment."""

    def put(moment):
        for module in (blocks, collections, contents, ledger):
            monkeypatch.setattr(module, "now", lambda _: moment)

    put(NOW)
    return put


@pytest.fixture
def connection(database, at):
    with database.write() as connection:
        collections.ensure_services(connection)
        yield connection


@pytest.mark.parametrize(
    "collection",
    [
        FULL,
        Collection("plain"),
        Collection("no protections", protections=frozenset()),
        Collection("subscribed", kind=CollectionKind.SUBSCRIBED),
        Collection("user_a", kind=CollectionKind.AUTHOR, author="a"),
        Collection("x" * 300),
        Collection("inbox", kind=CollectionKind.INBOX, max_age=timedelta(days=90)),
    ],
    ids=lambda one: one.name[:20],
)
def test_collection_comes_back(connection, collection):
    stored = collections.put(connection, collection)
    assert stored == StoredCollection(stored.id, collection, NOW)
    assert collections.get(connection, collection.name) == stored
    assert collections.put(connection, collection) == stored


def test_collection_by_command_and_by_the_settings(connection, at):
    """Who keeps it may change without a change of its rules."""
    by_command = collections.put(connection, FULL, Origin.COMMAND)
    assert by_command == StoredCollection(by_command.id, FULL, NOW, Origin.COMMAND)
    assert collections.get(connection, FULL.name) == by_command
    at(LATER)
    assert collections.put(connection, FULL, Origin.COMMAND) == by_command
    by_settings = collections.put(connection, FULL)
    assert by_settings == StoredCollection(by_command.id, FULL, NOW, Origin.SETTINGS)
    assert collections.every(connection) == [by_settings]
    changed = collections.put(connection, replace(FULL, expand=1), Origin.COMMAND)
    assert changed == StoredCollection(by_command.id, replace(FULL, expand=1), LATER, Origin.COMMAND)
    assert collections.every(connection) == [changed]


# As version 0.1.0 first wrote it.
OLD = """{"deduplicate": false, "exclude": {"adversaries": [], "authors": [], "countries": [], "industries": [],
"malware_families": [], "max_age": null, "tags": ["h"], "tlp": [], "types": []}, "include": {"adversaries": ["d"],
"authors": ["a"], "countries": [], "industries": [], "malware_families": [], "max_age": 7776000.0, "tags": [],
"tlp": ["white"], "types": ["IPv4"]}, "profile": "esa", "protections": null, "refresh": null, "ttl": {"IPv4": 60.0}}"""


def test_collection_that_an_earlier_version_wrote(connection):
    stored = collections.put(connection, Collection("mail"))
    connection.execute(sa.update(collection_rules).values(rules=OLD))
    found = collections.get(connection, "mail")
    assert found == StoredCollection(
        stored.id,
        Collection(
            "mail",
            profile=Profile.ESA,
            deduplicate=False,
            include=Rule(
                authors=frozenset({"a"}),
                adversaries=frozenset({"d"}),
                types=frozenset({IndicatorType.IPV4}),
                tlp=frozenset({TLP.WHITE}),
                max_age=timedelta(days=90),
            ),
            exclude=Rule(tags=frozenset({"h"})),
            ttl={IndicatorType.IPV4: timedelta(minutes=1)},
        ),
        NOW,
    )


def test_collection_that_is_not_there(connection):
    assert collections.get(connection, "none") is None


def test_collection_gets_new_rules_and_keeps_its_key(connection, at):
    first = collections.put(connection, replace(FULL, description="", profile=Profile.FULL, ttl={}, refresh=None))
    at(LATER)
    assert collections.put(connection, FULL) == StoredCollection(first.id, FULL, LATER)
    assert collections.get(connection, FULL.name) == StoredCollection(first.id, FULL, LATER)
    assert collections.every(connection) == [StoredCollection(first.id, FULL, LATER)]


def test_collection_that_is_put_again_as_it_was_has_not_changed(connection, at):
    first = collections.put(connection, FULL)
    at(LATER)
    assert collections.put(connection, FULL) == first == StoredCollection(first.id, FULL, NOW)
    assert collections.get(connection, FULL.name) == first


def test_collections_are_listed_by_name(connection):
    for name in ("c", "a", "b"):
        collections.put(connection, Collection(name))
    assert [one.collection.name for one in collections.every(connection)] == ["a", "b", "c"]


def test_collection_in_opentaxiis_tables(connection):
    stored = collections.put(connection, FULL)
    (row,) = connection.execute(sa.select(data_collections)).all()
    assert dict(row._mapping) == {
        "date_created": NOW,
        "id": stored.id,
        "name": FULL.name,
        "type": "DATA_FEED",
        "description": FULL.description,
        "accept_all_content": False,
        "bindings": json.dumps([["urn:stix.mitre.org:xml:1.2", []]]),
        "available": True,
        "volume": 0,
    }
    links = connection.execute(sa.select(service_to_collection)).all()
    assert sorted(tuple(row) for row in links) == [("collections", stored.id), ("poll", stored.id)]


def test_services_are_made_once(connection):
    collections.ensure_services(connection)
    rows = connection.execute(sa.select(services).order_by(services.c.id)).all()
    assert [(row.id, row.type, json.loads(row._properties)["address"]) for row in rows] == [
        ("collections", "collection_management", "/taxii/collections"),
        ("discovery", "discovery", "/taxii/discovery"),
        ("inbox", "inbox", "/taxii/inbox"),
        ("poll", "poll", "/taxii/poll"),
    ]
    assert json.loads(rows[1]._properties)["advertised_services"] == ["discovery", "collections", "poll", "inbox"]


def test_services_of_an_earlier_version_get_the_inbox(connection):
    connection.execute(sa.delete(services).where(services.c.id == "inbox"))
    discovery = services.c.id == "discovery"
    old = {"address": "/mine", "advertised_services": ["poll", "theirs", "collections", "discovery"], "other": 1}
    connection.execute(sa.update(services).where(discovery).values(_properties=json.dumps(old)))
    for _ in range(2):
        collections.ensure_services(connection)
        found = json.loads(connection.scalar(sa.select(services.c._properties).where(discovery)))
        assert found == old | {"advertised_services": ["poll", "theirs", "collections", "discovery", "inbox"]}
    inbox = json.loads(connection.scalar(sa.select(services.c._properties).where(services.c.id == "inbox")))
    assert (inbox["available"], inbox["authentication_required"]) == (False, True)


def test_inbox_in_opentaxiis_tables(connection):
    stored = collections.put(connection, Collection("partners", kind=CollectionKind.INBOX))
    collections.put(connection, Collection("feed"))
    (row,) = connection.execute(sa.select(data_collections).where(data_collections.c.id == stored.id)).all()
    bindings = [["urn:stix.mitre.org:xml:1.1.1", []], ["urn:stix.mitre.org:xml:1.2", []]]
    assert (json.loads(row.bindings), row.accept_all_content) == (bindings, False)
    links = connection.scalars(
        sa.select(service_to_collection.c.service_id).where(service_to_collection.c.collection_id == stored.id)
    )
    assert sorted(links) == ["collections", "inbox", "poll"]
    assert collections.inboxes(connection) == [stored]
    known = ledger.get(connection, "partners")
    assert known is not None
    assert known.opened == NOW


def count(connection, table):
    return connection.scalar(sa.select(sa.func.count()).select_from(sa.table(table)))


def test_collection_that_is_removed_leaves_its_ledger(connection):
    stored = collections.put(connection, Collection("a"))
    block = blocks.stage(connection, stored.id, None, b"<x/>")
    publish_one(connection, stored.id, block, NOW, 1, [(b"x", 1)])
    ledger.record(connection, "a", NOW)
    published = blocks.get(connection, block)
    assert published is not None
    blocks.rewrite(connection, published, 2, b"<y/>")
    ledger.record(connection, "a", NOW)
    ledger.purge_to(connection, "a", 1)
    ledger.open_(connection, "a")
    before = ledger.get(connection, "a")
    blocks.stage(connection, stored.id, None, b"<x/>")
    tables = ("content_blocks", "blocks", "collection_rules", "service_to_collection", "placements", "superseded")
    assert [count(connection, table) for table in tables] == [2, 2, 1, 2, 1, 1]
    collections.remove(connection, stored.id)
    assert collections.every(connection) == []
    assert [count(connection, table) for table in tables] == [0] * 6
    collections.put(connection, Collection("a"))
    assert ledger.get(connection, "a") == before
    assert connection.scalar(sa.select(sa.func.count()).select_from(ledgers)) == 1


def test_sizes_count_what_is_published(connection):
    stored = collections.put(connection, Collection("a"))
    collections.put(connection, Collection("empty"))
    for number in range(2):
        block = blocks.stage(connection, stored.id, None, b"<x/>")
        placed = [(f"{number}{each}".encode(), each) for each in range(3)]
        publish_one(connection, stored.id, block, NOW + timedelta(hours=number), 1, placed)
    blocks.stage(connection, stored.id, None, b"<staged/>")
    ledger.open_(connection, "a")
    assert collections.sizes(connection) == {
        "a": Size(6, 2, NOW + timedelta(hours=1), opened=True),
        "empty": Size(0, 0, None, opened=False),
    }
    assert connection.scalars(sa.select(data_collections.c.volume).order_by(data_collections.c.name)).all() == [2, 0]
