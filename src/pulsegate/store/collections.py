"""Collections: OpenTAXII's rows, the services they hang on, and the rules that fill them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cache
from typing import Any

import sqlalchemy as sa

from pulsegate.errors import StoreError, UnsupportedContentError
from pulsegate.model.collection import EXPAND, Collection, CollectionKind, Profile, ReviewMode, Rule
from pulsegate.model.indicator import IndicatorType
from pulsegate.model.tlp import TLP
from pulsegate.store import ledger, omissions
from pulsegate.store.database import inserted_key, now
from pulsegate.store.digests import storable
from pulsegate.store.tables import (
    blocks,
    collection_rules,
    content_blocks,
    data_collections,
    ledgers,
    placements,
    service_to_collection,
    services,
)

STIX_BINDING = "urn:stix.mitre.org:xml:1.2"
STIX_BINDINGS = {"1.1.1": "urn:stix.mitre.org:xml:1.1.1", "1.2": STIX_BINDING}
"""The content bindings by the version of STIX."""


def check_binding(claimed: str) -> None:
    """UnsupportedContentError unless a block that says so of itself may be taken."""
    if claimed not in STIX_BINDINGS.values():
        raise UnsupportedContentError(f"its content binding is {claimed}; send {' or '.join(STIX_BINDINGS.values())}")


_SERVICES = {
    "discovery": ("discovery", "/taxii/discovery", "What this server offers"),
    "collections": ("collection_management", "/taxii/collections", "The collections that can be polled"),
    "poll": ("poll", "/taxii/poll", "Poll a collection"),
    "inbox": ("inbox", "/taxii/inbox", "Push STIX packages into a collection"),
}
_PROTOCOLS = ["urn:taxii.mitre.org:protocol:http:1.0"]


class Origin(StrEnum):
    """Who keeps a collection's rules."""

    SETTINGS = "settings"  # opentaxii.yml, or Pulsegate itself
    COMMAND = "command"  # ``pulsegate collection add`` and ``edit``
    RELAY = "relay"  # another Pulsegate, by its bundles


@dataclass(frozen=True, slots=True)
class StoredCollection:
    """A collection and its row. ``changed``: when its rules last did; ``sender``: whose bundle brought them."""

    id: int
    collection: Collection
    changed: datetime
    origin: Origin = Origin.SETTINGS
    sender: str | None = None


@dataclass(frozen=True, slots=True)
class Polled:
    """A collection as a poll needs it. ``volume``: content blocks; ``opened`` and ``since`` are the ledger's."""

    id: int
    name: str
    description: str
    available: bool
    volume: int
    kind: CollectionKind
    blocks_per_part: int
    opened: datetime | None
    since: datetime


@dataclass(frozen=True, slots=True)
class Service:
    """OpenTAXII's row of a service."""

    id: str
    type: str
    properties: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Size:
    """What a collection holds now. ``last_label`` is None while it is empty."""

    indicators: int
    blocks: int
    last_label: datetime | None
    opened: bool


def ensure_services(connection: sa.Connection) -> None:
    """Make OpenTAXII's rows for the services that are not there yet, and let discovery name them all."""
    there = {row.id: row._properties for row in connection.execute(sa.select(services))}  # noqa: SLF001
    moment = now(connection)
    for identifier, (kind, path, description) in _SERVICES.items():
        if identifier not in there:
            properties = _properties(kind, path, description)
            row = {"id": identifier, "type": kind, "_properties": json.dumps(properties)}
            connection.execute(sa.insert(services).values(row | {"date_created": moment, "date_updated": moment}))
        elif kind == "discovery":
            _advertise(connection, identifier, json.loads(there[identifier]))


def _properties(kind: str, path: str, description: str) -> dict[str, Any]:
    properties: dict[str, Any] = {
        "address": path,
        "description": description,
        "authentication_required": True,
        "protocol_bindings": _PROTOCOLS,
    }
    if kind == "discovery":
        properties["advertised_services"] = list(_SERVICES)
    if kind == "inbox":
        # A stock OpenTAXII on this database would take what it is sent past our checks and the ledger: there it is off.
        properties |= {"available": False, "supported_content": list(STIX_BINDINGS.values())}
    return properties


def _advertise(connection: sa.Connection, identifier: str, properties: dict[str, Any]) -> None:
    """Add the services that an earlier version did not have."""
    advertised = properties.get("advertised_services", [])
    missing = [service for service in _SERVICES if service not in advertised]
    if missing:
        changed = json.dumps(properties | {"advertised_services": [*advertised, *missing]})
        values = {"_properties": changed, "date_updated": now(connection)}
        connection.execute(sa.update(services).where(services.c.id == identifier).values(values))


def put(
    connection: sa.Connection, collection: Collection, origin: Origin = Origin.SETTINGS, sender: str | None = None
) -> StoredCollection:
    """Add the collection, or give the one of its name new rules, which ``origin`` (of RELAY: ``sender``) keeps now.

    A ledger of the same name that an earlier collection left is taken up again: its frontier must never fall. An inbox
    can be polled at once. StoreError when the one of its name is of another kind.
    """
    known = get(connection, collection.name)
    if known is None:
        identifier = _insert(connection, collection, _rules(collection, origin, sender))
        return StoredCollection(identifier, collection, now(connection), origin, sender)
    if (known.collection, known.origin, known.sender) == (collection, origin, sender):
        return known
    _refuse_another_kind(known.collection, collection)
    there = data_collections.c.id == known.id
    connection.execute(sa.update(data_collections).where(there).values(description=collection.description))
    changed = known.changed if known.collection == collection else now(connection)
    values = _rules(collection, origin, sender) | {"changed": changed}
    there = collection_rules.c.collection_id == known.id
    connection.execute(sa.update(collection_rules).where(there).values(values))
    return StoredCollection(known.id, collection, changed, origin, sender)


def _rules(collection: Collection, origin: Origin, sender: str | None) -> dict[str, Any]:
    kept = {"kind": collection.kind.value, "author": collection.author, "origin": origin.value, "sender": sender}
    return kept | {"rules": written(collection)}


def _refuse_another_kind(known: Collection, wanted: Collection) -> None:
    """What is in an inbox can't be made from pulses, nor be kept where rules decide."""
    was, becomes = map(_filled_by, (known, wanted))
    if was != becomes:
        raise StoreError(
            f"the collection is there already, of kind {was}, and can't become one of kind {becomes}",
            resource=wanted.name,
            hint="Choose another name; or take it out of the settings, remove it ('pulsegate collection remove'), "
            "and add it again",
        )


def _filled_by(collection: Collection) -> str:
    if collection.upstream is not None:
        return f"inbox of the upstream {collection.upstream}"
    return "inbox" if collection.kind is CollectionKind.INBOX else "rules"


def _insert(connection: sa.Connection, collection: Collection, rules: Mapping[str, Any]) -> int:
    moment = now(connection)
    is_inbox = collection.kind is CollectionKind.INBOX
    bindings = STIX_BINDINGS.values() if is_inbox else [STIX_BINDING]
    row = {
        "date_created": moment,
        "name": collection.name,
        "type": "DATA_FEED",
        "description": collection.description,
        "accept_all_content": False,
        "bindings": json.dumps([[binding, []] for binding in bindings]),
        "available": True,
        "volume": 0,
    }
    identifier = inserted_key(connection.execute(sa.insert(data_collections).values(row)))
    row = {**rules, "collection_id": identifier, "changed": moment}
    connection.execute(sa.insert(collection_rules).values(row))
    offering = ["collections", "poll", *(["inbox"] if is_inbox and collection.upstream is None else [])]
    links = [{"service_id": service, "collection_id": identifier} for service in offering]
    connection.execute(sa.insert(service_to_collection), links)
    if connection.scalar(sa.select(ledgers.c.name).where(ledgers.c.name == collection.name)) is None:
        row = {
            "name": collection.name,
            "since": moment,
            "frontier": ledger.floor(connection),
            "revision": 0,
            "purged": 0,
        }
        connection.execute(sa.insert(ledgers).values(row))
    if is_inbox:
        ledger.open_(connection, collection.name)
    return identifier


def remove(connection: sa.Connection, collection_id: int) -> None:
    """Take the collection and its blocks away; its ledger stays."""
    mine = sa.select(blocks.c.content_block_id).where(blocks.c.collection_id == collection_id)
    connection.execute(sa.delete(content_blocks).where(content_blocks.c.id.in_(mine)))
    connection.execute(sa.delete(placements).where(placements.c.collection_id == collection_id))
    connection.execute(sa.delete(data_collections).where(data_collections.c.id == collection_id))
    omissions.prune(connection)


def get(connection: sa.Connection, name: str) -> StoredCollection | None:
    """None when there is none of that name."""
    if storable(name) != name:  # no database takes it
        return None
    row = connection.execute(_query().where(data_collections.c.name == name)).first()
    return _stored(row) if row else None


def by_id(connection: sa.Connection, identifier: int) -> StoredCollection | None:
    row = connection.execute(_query().where(data_collections.c.id == identifier)).first()
    return _stored(row) if row else None


def every(connection: sa.Connection) -> list[StoredCollection]:
    """All collections that Pulsegate fills, by name."""
    rows = connection.execute(_query().order_by(data_collections.c.name))
    return [_stored(row) for row in rows]


def inboxes(connection: sa.Connection) -> list[StoredCollection]:
    """The collections that packages can be pushed to, by name; not those that an upstream fills."""
    mine = collection_rules.c.kind == CollectionKind.INBOX.value
    rows = connection.execute(_query().where(mine).order_by(data_collections.c.name))
    return [one for one in map(_stored, rows) if one.collection.upstream is None]


def named_lists(connection: sa.Connection) -> frozenset[str]:
    """The warning lists that some collection names."""
    naming = sa.select(collection_rules.c.rules).where(collection_rules.c.rules.contains('"warning_lists": ["'))
    return frozenset(name for text in connection.scalars(naming) for name in json.loads(text)["warning_lists"])


def sizes(connection: sa.Connection) -> Mapping[str, Size]:
    """What each collection holds, by its name."""
    held = (
        sa.select(
            blocks.c.collection_id,
            sa.func.count().label("n"),
            sa.func.sum(blocks.c.indicators).label("indicators"),
            sa.func.max(content_blocks.c.timestamp_label).label("last"),
        )
        .join(content_blocks, content_blocks.c.id == blocks.c.content_block_id)
        .where(blocks.c.revision.is_not(None))
        .group_by(blocks.c.collection_id)
        .subquery()
    )
    query = (
        sa.select(
            data_collections.c.name,
            held.c.indicators,
            held.c.n.label("blocks"),
            held.c.last,
            ledgers.c.opened,
        )
        .join(ledgers, ledgers.c.name == data_collections.c.name)
        .outerjoin(held, held.c.collection_id == data_collections.c.id)
        .order_by(data_collections.c.name)
    )
    rows = connection.execute(query)
    return {row.name: Size(row.indicators or 0, row.blocks or 0, row.last, row.opened is not None) for row in rows}


def volumes(connection: sa.Connection, name: str | None = None) -> Mapping[str, Size]:
    """As ``sizes`` (of one, if it is named), without a look at the contents: ``last_label`` is that of our own row."""
    sums = (
        sa.select(
            blocks.c.collection_id,
            sa.func.count().label("n"),
            sa.func.sum(blocks.c.indicators).label("indicators"),
            sa.func.max(blocks.c.label).label("last"),
        )
        .where(blocks.c.revision.is_not(None))
        .group_by(blocks.c.collection_id)
    )
    if name is not None:
        one = sa.select(data_collections.c.id).where(data_collections.c.name == name).scalar_subquery()
        sums = sums.where(blocks.c.collection_id == one)
    held = sums.subquery()
    columns = (data_collections.c.name, held.c.indicators, held.c.n, held.c.last, ledgers.c.opened)
    query = (
        sa.select(*columns)
        .join(ledgers, ledgers.c.name == data_collections.c.name)
        .outerjoin(held, held.c.collection_id == data_collections.c.id)
        .order_by(data_collections.c.name)
    )
    if name is not None:
        query = query.where(data_collections.c.name == name)
    return {row[0]: Size(row[1] or 0, row[2] or 0, row[3], row[4] is not None) for row in connection.execute(query)}


def polled(connection: sa.Connection, service_id: str | None = None, name: str | None = None) -> list[Polled]:
    """The collections that hang on the service, if given; the one of the name, if given; by name."""
    given = {"service": service_id, "name": None if name is None else storable(name)}
    rows = connection.execute(_polled(service_id is not None, name is not None), given)
    return [
        Polled(
            id=row.id,
            name=row.name,
            description=row.description or "",
            available=bool(row.available),
            volume=row.volume or 0,
            kind=CollectionKind(row.kind),
            blocks_per_part=json.loads(row.rules).get("blocks_per_part", 0),
            opened=row.opened,
            since=row.since,
        )
        for row in rows
    ]


@cache
def _polled(by_service: bool, by_name: bool) -> sa.Select[Any]:
    """Made once: making a statement takes longer than running this one."""
    query = (
        sa.select(
            data_collections.c.id,
            data_collections.c.name,
            data_collections.c.description,
            data_collections.c.available,
            data_collections.c.volume,
            collection_rules.c.kind,
            collection_rules.c.rules,
            ledgers.c.opened,
            ledgers.c.since,
        )
        .join(collection_rules, collection_rules.c.collection_id == data_collections.c.id)
        .join(ledgers, ledgers.c.name == data_collections.c.name)
        .order_by(data_collections.c.name)
    )
    if by_service:
        links = service_to_collection.c
        query = query.join(service_to_collection, links.collection_id == data_collections.c.id)
        query = query.where(links.service_id == sa.bindparam("service"))
    if by_name:
        query = query.where(data_collections.c.name == sa.bindparam("name"))
    return query


def every_service(connection: sa.Connection) -> list[Service]:
    """OpenTAXII's services, by their ids."""
    rows = connection.execute(sa.select(services).order_by(services.c.id))
    return [Service(row.id, row.type, json.loads(row._properties)) for row in rows]  # noqa: SLF001 - a column's name


def service_links(connection: sa.Connection) -> dict[int, frozenset[str]]:
    """Of each collection the ids of the services that it hangs on."""
    links: dict[int, set[str]] = {}
    for row in connection.execute(sa.select(service_to_collection)):
        links.setdefault(row.collection_id, set()).add(row.service_id)
    return {key: frozenset(there) for key, there in links.items()}


def _query() -> sa.Select[Any]:
    return sa.select(
        data_collections.c.id, data_collections.c.name, data_collections.c.description, *collection_rules.c
    ).join(collection_rules, collection_rules.c.collection_id == data_collections.c.id)


def written(collection: Collection) -> str:
    """Everything of the collection but its name and what has a column of its own, as JSON with sorted sets."""
    return json.dumps(
        {
            "profile": collection.profile,
            "expand": collection.expand,
            "deduplicate": collection.deduplicate,
            "blocks_per_part": collection.blocks_per_part,
            "include": _dump_rule(collection.include),
            "exclude": _dump_rule(collection.exclude),
            "review": collection.review,
            "protections": _sorted(collection.protections),
            "warning_lists": _sorted(collection.warning_lists),
            "ttl": {kind.value: age.total_seconds() for kind, age in collection.ttl.items()},
            "refresh": _seconds(collection.refresh),
            "max_age": _seconds(collection.max_age),
        }
        | ({} if collection.upstream is None else {"upstream": collection.upstream}),
        sort_keys=True,
    )


def _dump_rule(rule: Rule) -> dict[str, Any]:
    words = {field.name: sorted(getattr(rule, field.name)) for field in fields(Rule) if field.name != "max_age"}
    return words | {"max_age": _seconds(rule.max_age)}


def _stored(row: Any) -> StoredCollection:
    return StoredCollection(row.id, _load(row), row.changed, Origin(row.origin), row.sender)


def _load(row: Any) -> Collection:
    """The collection; keys that a row lacks, since an earlier version wrote it, are as by default."""
    rules = json.loads(row.rules)
    return Collection(
        name=row.name,
        kind=CollectionKind(row.kind),
        author=row.author,
        description=row.description or "",
        profile=Profile(rules["profile"]),
        expand=rules.get("expand", EXPAND),
        deduplicate=rules["deduplicate"],
        blocks_per_part=rules.get("blocks_per_part", 0),
        include=_load_rule(rules["include"]),
        exclude=_load_rule(rules["exclude"]),
        review=ReviewMode(rules.get("review", ReviewMode.NONE)),
        protections=_names(rules["protections"]),
        warning_lists=_names(rules.get("warning_lists")),
        ttl={IndicatorType(kind): timedelta(seconds=age) for kind, age in rules["ttl"].items()},
        refresh=_duration(rules["refresh"]),
        max_age=_duration(rules.get("max_age")),
        upstream=rules.get("upstream"),
    )


def _load_rule(rule: dict[str, Any]) -> Rule:
    age = rule.pop("max_age")
    words = {key: frozenset(value) for key, value in rule.items()}
    words["types"] = frozenset(IndicatorType(word) for word in words["types"])
    words["tlp"] = frozenset(TLP(word) for word in words["tlp"])
    return Rule(**words, max_age=_duration(age))


def _sorted(names: frozenset[str] | None) -> list[str] | None:
    return None if names is None else sorted(names)


def _names(names: list[str] | None) -> frozenset[str] | None:
    return None if names is None else frozenset(names)


def _seconds(duration: timedelta | None) -> float | None:
    return None if duration is None else duration.total_seconds()


def _duration(seconds: float | None) -> timedelta | None:
    return None if seconds is None else timedelta(seconds=seconds)
