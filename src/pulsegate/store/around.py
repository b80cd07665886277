"""Stored indicators around a value: below a name, in a network, on a host. By the index on ``host_key`` only."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from pulsegate.model.indicator import IndicatorType
from pulsegate.store.chunks import chunks
from pulsegate.store.tables import blocks, indicators, placements, pulses
from pulsegate.values.neighbours import Range

LOOKED_AT = 5_000  # entries of the index, in the order of their keys; where there are more, the count is a part of it
EXAMPLES = 10


@dataclass(frozen=True, slots=True)
class Nearby:
    """A value that some pulse has. ``identity``: the digest of ``model.Indicator.identity``."""

    type: str
    value: str
    identity: bytes


@dataclass(frozen=True, slots=True)
class Some:
    """How many different values there are, ``EXAMPLES`` of them; ``is_all``: whether the number is the whole one."""

    number: int
    examples: Sequence[Nearby]
    is_all: bool = True


_COLUMNS = (indicators.c.type, indicators.c.value, indicators.c.identity)


def among(connection: sa.Connection, keys: Range, types: Iterable[IndicatorType], without: Collection[bytes]) -> Some:
    """The values of these types with keys in the range, but for those with an identity in ``without``."""
    first, end = keys
    inside = sa.and_(indicators.c.host_key >= first, indicators.c.host_key < end)
    looked_at = sa.select(*_COLUMNS, indicators.c.host_key).where(inside).order_by(indicators.c.host_key)
    seen = looked_at.limit(LOOKED_AT).subquery()
    mine = sa.and_(seen.c.type.in_(sorted(types)), seen.c.identity.not_in(sorted(without)))
    sums = sa.select(sa.func.count(), sa.func.count(sa.distinct(sa.case((mine, seen.c.identity)))))
    total, number = connection.execute(sums.select_from(seen)).one()
    if not number:
        return Some(0, (), is_all=total < LOOKED_AT)
    query = sa.select(sa.func.min(seen.c.type), sa.func.min(seen.c.value), seen.c.identity).where(mine)
    query = query.group_by(seen.c.identity).order_by(sa.func.min(seen.c.host_key), sa.func.min(seen.c.value))
    found = [Nearby(*row) for row in connection.execute(query.limit(EXAMPLES))]
    return Some(number, found, is_all=total < LOOKED_AT)


def with_identities(connection: sa.Connection, identities: Collection[bytes]) -> list[Nearby]:
    """Those of these values that some pulse has, in the order of the identities given."""
    found: dict[bytes, Nearby] = {}
    once = sa.select(sa.func.min(indicators.c.type), sa.func.min(indicators.c.value), indicators.c.identity)
    for chunk in chunks(list(identities)):
        rows = connection.execute(once.where(indicators.c.identity.in_(chunk)).group_by(indicators.c.identity))
        found |= {row.identity: Nearby(*row) for row in rows}
    return [found[one] for one in identities if one in found]


def carriers(connection: sa.Connection, identities: Collection[bytes]) -> dict[bytes, list[tuple[int, str]]]:
    """The key and the author of each pulse that has the value, by the value's identity."""
    query = sa.select(indicators.c.identity, pulses.c.pk, pulses.c.author).join(
        pulses, pulses.c.pk == indicators.c.pulse_pk
    )
    found: dict[bytes, list[tuple[int, str]]] = {}
    for chunk in chunks(sorted(identities)):
        for identity, pk, author in connection.execute(query.where(indicators.c.identity.in_(chunk))):
            found.setdefault(identity, []).append((pk, author))
    return found


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value stands in a collection: ``since`` as it came, its block with its label, and its pulse if any."""

    collection_id: int
    identity: bytes
    since: datetime
    label: datetime
    pulse_pk: int | None
    block_id: int


def by_collection(found: Iterable[Place]) -> dict[int, list[Place]]:
    """By the collection's key."""
    made: dict[int, list[Place]] = {}
    for one in found:
        made.setdefault(one.collection_id, []).append(one)
    return made


def places(connection: sa.Connection, collection_ids: Collection[int], identities: Collection[bytes]) -> list[Place]:
    """The published places of these identities in these collections."""
    place = (placements.c.collection_id, placements.c.identity, placements.c.since)
    query = sa.select(*place, blocks.c.label, blocks.c.pulse_pk, blocks.c.content_block_id).join(
        blocks, blocks.c.content_block_id == placements.c.content_block_id
    )
    query = query.where(blocks.c.revision.is_not(None))
    found: list[Place] = []
    for ids in chunks(sorted(collection_ids)):
        for chunk in chunks(sorted(identities)):
            mine = sa.and_(placements.c.collection_id.in_(ids), placements.c.identity.in_(chunk))
            found += [Place(*row) for row in connection.execute(query.where(mine))]
    return found
