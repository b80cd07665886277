"""Numbers that take too long to count whenever somebody looks: counted by the worker, and kept with their time.

``stamp`` stands for what they were counted from: as long as it is the same, they need not be counted again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from pulsegate.store.database import now
from pulsegate.store.tables import blocks, counts, data_collections, indicators, ledgers, placements, pulses, reviews
from pulsegate.store.upsert import upsert

TYPES = "types:"  # then a collection's name: how many indicators of each type it holds
WAITING = "waiting"  # pulses that wait for a look


@dataclass(frozen=True, slots=True)
class Counted:
    """As of ``counted``."""

    stamp: str
    counted: datetime
    numbers: Mapping[str, int]


def every(connection: sa.Connection) -> dict[str, Counted]:
    """All that is kept, by name."""
    rows = connection.execute(sa.select(counts))
    return {row.name: Counted(row.stamp, row.counted, json.loads(row.numbers)) for row in rows}


def put(connection: sa.Connection, name: str, stamp: str, numbers: Mapping[str, int]) -> None:
    values = {"stamp": stamp, "counted": now(connection), "numbers": json.dumps(dict(numbers), sort_keys=True)}
    upsert(connection, counts, {"name": name}, values)


def keep(connection: sa.Connection, names: set[str]) -> None:
    """Forget all others."""
    gone = set(connection.scalars(sa.select(counts.c.name))) - names
    for name in gone:
        connection.execute(sa.delete(counts).where(counts.c.name == name))


def revisions(connection: sa.Connection) -> dict[str, int]:
    """The number of the last publication in each collection that is there."""
    query = sa.select(ledgers.c.name, ledgers.c.revision).join(
        data_collections, data_collections.c.name == ledgers.c.name
    )
    return {row.name: row.revision for row in connection.execute(query)}


def types(connection: sa.Connection, collection: str) -> dict[str, int]:
    """How many indicators of each type the collection holds. A second for each 100,000, where they must be read."""
    query = (
        sa.select(indicators.c.type, sa.func.count())
        .select_from(placements)
        .join(data_collections, data_collections.c.id == placements.c.collection_id)
        .join(blocks, blocks.c.content_block_id == placements.c.content_block_id)
        .join(indicators, indicators.c.pk == placements.c.indicator_pk)
        .where(data_collections.c.name == collection, blocks.c.revision.is_not(None))
        .group_by(indicators.c.type)
    )
    return {row[0]: row[1] for row in connection.execute(query)}


def pulses_stamp(connection: sa.Connection) -> str:
    """Another one when a pulse was stored or withdrawn since, or one was looked at."""
    stored = (sa.func.count(), sa.func.max(pulses.c.stored), sa.func.max(pulses.c.withdrawn))
    found = connection.execute(sa.select(*stored)).one()
    looked = connection.execute(sa.select(sa.func.count(), sa.func.max(reviews.c.since))).one()
    return " ".join(map(str, (*found, *looked)))
