"""Looks at what a collection holds and has lost, for people: the newest first, by keys, never everything at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from pulsegate.store.tables import blocks, indicators, placements, pulses, withdrawals


@dataclass(frozen=True, slots=True)
class Came:
    """An indicator that stands in a collection; ``since``: the label of its block."""

    type: str
    value: str
    pulse_id: str
    pulse_name: str
    since: datetime


@dataclass(frozen=True, slots=True)
class Went:
    """A value that left; ``type`` and ``value`` are None where no indicator with it is stored any more."""

    since: datetime
    ended: datetime
    type: str | None
    value: str | None


def types_since(connection: sa.Connection, collection_id: int, begin: datetime) -> tuple[int, Mapping[str, int]]:
    """How many blocks have a label after ``begin``, and how many indicators of each type stand in them."""
    mine = _published(collection_id).where(blocks.c.label > begin)
    number = connection.scalar(sa.select(sa.func.count()).select_from(mine.subquery())) or 0
    return number, _types(connection, mine)


def newest(connection: sa.Connection, collection_id: int, limit: int) -> list[Came]:
    """What came last."""
    there = _newest_blocks(connection, collection_id, limit)
    if not there:
        return []
    columns = (indicators.c.type, indicators.c.value, pulses.c.id, pulses.c.name, placements.c.since)
    query = (
        sa.select(*columns)
        .select_from(placements)
        .join(indicators, indicators.c.pk == placements.c.indicator_pk)
        .join(pulses, pulses.c.pk == indicators.c.pulse_pk)
        .where(placements.c.content_block_id.in_(there))
        .order_by(placements.c.since.desc(), placements.c.indicator_pk)
        .limit(limit)
    )
    return [Came(*row) for row in connection.execute(query)]


def types_of_newest(connection: sa.Connection, collection_id: int, limit: int) -> Mapping[str, int]:
    """Of each type how many, among about so many that came last."""
    there = _newest_blocks(connection, collection_id, limit)
    return _types(connection, sa.select(blocks.c.content_block_id).where(blocks.c.content_block_id.in_(there)))


def gone(connection: sa.Connection, collection_id: int, limit: int) -> list[Went]:
    """What left last. Without deduplication a placement's identity is of pulse and value: then the value is unknown."""
    last = (
        sa.select(withdrawals.c.pk, withdrawals.c.identity, withdrawals.c.since, withdrawals.c.ended)
        .where(withdrawals.c.collection_id == collection_id)
        .order_by(withdrawals.c.ended.desc(), withdrawals.c.pk.desc())
        .limit(limit)
    )
    rows = list(connection.execute(last))
    named = sa.select(indicators.c.identity, indicators.c.type, indicators.c.value)
    known = {
        row.identity: row
        for row in connection.execute(named.where(indicators.c.identity.in_({r.identity for r in rows})))
    }
    return [_went(row, known.get(row.identity)) for row in rows]


def _went(row: Any, known: Any) -> Went:
    kind, value = (known.type, known.value) if known else (None, None)
    return Went(row.since, row.ended, kind, value)


def _published(collection_id: int) -> sa.Select[Any]:
    mine = sa.and_(blocks.c.collection_id == collection_id, blocks.c.revision.is_not(None))
    return sa.select(blocks.c.content_block_id).where(mine)


def _newest_blocks(connection: sa.Connection, collection_id: int, wanted: int) -> list[int]:
    """The last blocks that together hold at least so many indicators; at most 1,000."""
    query = _published(collection_id).add_columns(blocks.c.indicators)
    query = query.order_by(blocks.c.label.desc()).limit(min(wanted, _MOST_BLOCKS))
    found, total = [], 0
    for row in connection.execute(query):
        found.append(row.content_block_id)
        total += row.indicators
        if total >= wanted:
            break
    return found


_MOST_BLOCKS = 1_000


def _types(connection: sa.Connection, of: sa.Select[Any]) -> Mapping[str, int]:
    query = (
        sa.select(indicators.c.type, sa.func.count())
        .select_from(placements)
        .join(indicators, indicators.c.pk == placements.c.indicator_pk)
        .where(placements.c.content_block_id.in_(of))
        .group_by(indicators.c.type)
    )
    return dict(sorted(((row[0], row[1]) for row in connection.execute(query)), key=lambda one: -one[1]))


@dataclass(frozen=True, slots=True)
class Held:
    """What a collection holds; ``last``: its last label."""

    indicators: int = 0
    blocks: int = 0
    last: datetime | None = None


NOTHING = Held()


def held(connection: sa.Connection, collection_id: int | None = None) -> Mapping[int, Held]:
    """What each collection holds that holds anything, or the one of that key, by its key; read from one small table."""
    query = (
        sa.select(
            blocks.c.collection_id, sa.func.sum(blocks.c.indicators), sa.func.count(), sa.func.max(blocks.c.label)
        )
        .where(blocks.c.revision.is_not(None))
        .group_by(blocks.c.collection_id)
    )
    if collection_id is not None:
        query = query.where(blocks.c.collection_id == collection_id)
    return {row[0]: Held(int(row[1]), row[2], row[3]) for row in connection.execute(query)}
