"""The marks of stored indicators, read and written many at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from pulsegate.model.indicator import Indicator, IndicatorType, RawIndicator
from pulsegate.model.marks import Marks
from pulsegate.store import touched
from pulsegate.store.pulses import StoredIndicator, to_indicator
from pulsegate.store.tables import indicators, pulses

AT_ONCE = 2_000


@dataclass(frozen=True, slots=True)
class Marked:
    """A stored indicator, of which only type and value are read, and its marks."""

    pk: int
    identity: bytes
    indicator: Indicator
    marks: Marks


@dataclass(frozen=True, slots=True)
class OnList:
    """An indicator that a warning list covers, and its pulse."""

    type: str
    value: str
    pulse_id: str
    pulse_name: str


def is_empty(connection: sa.Connection) -> bool:
    """Whether no indicator is stored."""
    return connection.scalar(sa.select(indicators.c.pk).limit(1)) is None


def after(connection: sa.Connection, pk: int) -> list[Marked]:
    """Those that come after the key, some at a time."""
    names = ("pk", "identity", "type", "value", "protection", "lists", "noted")
    query = sa.select(*(indicators.c[name] for name in names)).where(indicators.c.pk > pk)
    return [_marked(*row) for row in connection.execute(query.order_by(indicators.c.pk).limit(AT_ONCE))]


def listed(connection: sa.Connection) -> Counter[str]:
    """How many stored indicators are on each warning list, as they were marked last."""
    counts: Counter[str] = Counter()
    query = sa.select(indicators.c.lists, sa.func.count()).where(indicators.c.lists.is_not(None))
    for names, number in connection.execute(query.group_by(indicators.c.lists)):
        for name in names.split():
            counts[name] += number
    return counts


def on_list(connection: sa.Connection, name: str) -> Iterator[OnList]:
    """The stored indicators on a warning list, streamed, the longest there first."""
    blank = sa.literal(" ")
    mine = (blank + indicators.c.lists + blank).contains(f" {name} ", autoescape=True)
    query = (
        sa.select(indicators.c.type, indicators.c.value, pulses.c.id, pulses.c.name)
        .join(pulses, pulses.c.pk == indicators.c.pulse_pk)
        .where(indicators.c.lists.is_not(None), mine)
        .order_by(indicators.c.pk)
    )
    for row in connection.execute(query, execution_options={"yield_per": AT_ONCE}):
        yield OnList(*row)


@dataclass(frozen=True, slots=True)
class Listed:
    """An indicator that is on warning lists; ``lists``: all of them, as they stand in its row."""

    lists: str
    indicator: StoredIndicator


def page_on_list(
    connection: sa.Connection, name: str, key: tuple[str, int] | None, *, backwards: bool, limit: int
) -> list[Listed]:
    """Some of those on a warning list, from that key (``lists``, ``pk``) on; those on the same lists stand together.

    So the index on ``lists``, which has only these, gives them in order.
    """
    rows = sa.select(indicators).where(indicators.c.lists.in_(_naming(connection, name)))
    place = sa.tuple_(indicators.c.lists, indicators.c.pk)
    order = [indicators.c.lists, indicators.c.pk]
    if key is not None:
        there = sa.tuple_(*(sa.literal(one) for one in key))
        rows = rows.where(place < there if backwards else place > there)
    rows = rows.order_by(*(one.desc() if backwards else one for one in order)).limit(limit)
    return [Listed(row.lists, to_indicator(row)) for row in connection.execute(rows)]


def _naming(connection: sa.Connection, name: str) -> list[str]:
    """The different contents of ``lists`` that name the list: a few hundred at most."""
    every = sa.select(indicators.c.lists).where(indicators.c.lists.is_not(None)).distinct()
    return [one for one in connection.scalars(every) if name in one.split()]


def _marked(
    pk: int, identity: bytes, kind: str, value: str, protection: str | None, lists: str | None, noted: bool
) -> Marked:
    indicator = Indicator(IndicatorType(kind), value, RawIndicator(kind, value))
    return Marked(pk, identity, indicator, Marks(protection, lists, noted))


def put(connection: sa.Connection, found: Sequence[tuple[Marked, Marks]]) -> None:
    """Write other marks, so that the next publication looks at what they are of."""
    if not found:
        return
    mine = sa.update(indicators).where(indicators.c.pk == sa.bindparam("key"))
    values: dict[str, Any] = {name: sa.bindparam(f"new_{name}") for name in ("protection", "lists", "noted")}
    rows = [
        {"key": row.pk, "new_protection": one.protection, "new_lists": one.lists, "new_noted": one.noted}
        for row, one in found
    ]
    connection.execute(mine.values(values), rows)
    touched.touch_values(connection, [row.identity for row, _ in found])
