"""Walks over stored indicators in some order, a window at a time: a page looks at so many, however few of them fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from pulsegate.store.candidates import COLUMNS
from pulsegate.store.chunks import chunks
from pulsegate.store.digests import storable
from pulsegate.store.paged import paged
from pulsegate.store.pulses import Candidate
from pulsegate.store.tables import blocks, indicators, placements, pulses
from pulsegate.values.neighbours import Range

Key = tuple[Any, ...]
"""Where a row stands in the order of its walk; what a key of each kind is made of, ``fits`` checks."""


@dataclass(frozen=True, slots=True)
class Filters:
    """What the database looks at. ``part``: a part of the value."""

    type: str | None = None
    part: str | None = None
    since: datetime | None = None  # since when it is in the collection; without one: since when OTX has it

    def __bool__(self) -> bool:
        return any(one is not None for one in (self.type, self.part, self.since))

    def clauses(self, columns: Any, since: sa.ColumnElement[Any]) -> list[sa.ColumnElement[bool]]:
        found: list[sa.ColumnElement[bool]] = []
        if self.type is not None:
            found.append(columns.type == self.type)
        if self.part is not None:
            found.append(columns.value.icontains(storable(self.part), autoescape=True))
        if self.since is not None:
            found.append(since >= self.since)
        return found


@dataclass(frozen=True, slots=True)
class Row:
    """``since``: when it came into the collection that is walked over."""

    key: Key
    indicator: Candidate
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Window:
    """Rows that fit; ``last``: the key of the last one that was looked at (None: there was none)."""

    rows: Sequence[Row] = ()
    last: Key | None = None
    is_end: bool = True


@dataclass(frozen=True, slots=True)
class Newest:
    """All, the newest first. Keys: ``(pk,)``."""

    filters: Filters = field(default_factory=Filters)

    def fits(self, key: Key) -> bool:
        return _are(key, int)

    def window(self, connection: sa.Connection, key: Key | None, *, backwards: bool, size: int) -> Window:
        pk = indicators.c.pk
        last_key = None if key is None else key[0]
        seen = paged(sa.select(*COLUMNS), pk, last_key, backwards=backwards, limit=size).subquery()
        order = seen.c.pk.asc() if backwards else seen.c.pk.desc()
        query = sa.select(seen).where(*self.filters.clauses(seen.c, seen.c.created)).order_by(order)
        edge = sa.func.max(seen.c.pk) if backwards else sa.func.min(seen.c.pk)
        number, last = connection.execute(sa.select(sa.func.count(), edge).select_from(seen)).one()
        rows = [Row((row.pk,), Candidate(*row)) for row in connection.execute(query)]
        return Window(rows, None if last is None else (last,), is_end=number < size)


@dataclass(frozen=True, slots=True)
class ByHost:
    """Those with a host key (names from their ends, addresses), by it; ``among``: a range of them. Keys: hex, pk."""

    among: Range
    filters: Filters = field(default_factory=Filters)
    author: str | None = None

    def fits(self, key: Key) -> bool:
        return _are(key, str, int) and _is_hex(key[0])

    def window(self, connection: sa.Connection, key: Key | None, *, backwards: bool, size: int) -> Window:
        host, pk = indicators.c.host_key, indicators.c.pk
        inner = sa.select(*COLUMNS, host).where(host >= self.among[0], host < self.among[1])
        if key is not None:
            place, there = sa.tuple_(host, pk), sa.tuple_(sa.literal(bytes.fromhex(key[0])), sa.literal(key[1]))
            inner = inner.where(place < there if backwards else place > there)
        order = [host.desc(), pk.desc()] if backwards else [host, pk]
        seen = [tuple(row) for row in connection.execute(inner.order_by(*order).limit(size))]
        rows = [Row((row[-1].hex(), row[0]), Candidate(*row[:-1])) for row in seen]
        last = rows[-1].key if rows else None
        rows = [one for one in rows if _passes(self.filters, one)]
        return Window(self._of_author(connection, rows), last, is_end=len(seen) < size)

    def _of_author(self, connection: sa.Connection, rows: list[Row]) -> list[Row]:
        if self.author is None:
            return rows
        mine = sa.select(pulses.c.pk).where(pulses.c.author == storable(self.author))
        keys = set(connection.scalars(mine))
        return [one for one in rows if one.indicator.pulse_pk in keys]


@dataclass(frozen=True, slots=True)
class OfAuthor:
    """Those of an author's pulses, of the newest pulse first. Keys: ``(pulse_pk, pk)``."""

    author: str
    filters: Filters = field(default_factory=Filters)

    def fits(self, key: Key) -> bool:
        return _are(key, int, int)

    def window(self, connection: sa.Connection, key: Key | None, *, backwards: bool, size: int) -> Window:
        of, pk = indicators.c.pulse_pk, indicators.c.pk
        mine = sa.select(pulses.c.pk).where(pulses.c.author == storable(self.author))
        if key is not None:
            mine = mine.where(pulses.c.pk >= key[0] if backwards else pulses.c.pk <= key[0])
        keys = list(connection.scalars(mine.order_by(pulses.c.pk.asc() if backwards else pulses.c.pk.desc())))
        found: list[Row] = []
        for place, one in enumerate(keys):
            behind = key[1] if key is not None and one == key[0] else None
            query = paged(sa.select(*COLUMNS).where(of == one), pk, behind, backwards=backwards, limit=size)
            found += [Row((one, row.pk), Candidate(*row)) for row in connection.execute(query)]
            if len(found) >= size:
                kept = [row for row in found if _passes(self.filters, row)]
                is_end = place == len(keys) - 1 and len(found) < size
                return Window(kept, found[-1].key, is_end=is_end)
        last = found[-1].key if found else None
        return Window([row for row in found if _passes(self.filters, row)], last)


@dataclass(frozen=True, slots=True)
class InCollection:
    """What stands in a collection, the newest label first. Keys: ``(label, content_block_id, pk)``."""

    collection_id: int
    author: str | None = None
    filters: Filters = field(default_factory=Filters)

    def fits(self, key: Key) -> bool:
        return _are(key, datetime, int, int)

    def window(self, connection: sa.Connection, key: Key | None, *, backwards: bool, size: int) -> Window:
        found, is_end = self._blocks(connection, key, backwards=backwards, size=size)
        places = {block_id: place for place, (block_id, _) in enumerate(found)}
        rows: list[Row] = []
        for chunk in chunks(list(places)):
            query = sa.select(*COLUMNS, placements.c.since, placements.c.content_block_id)
            query = query.join(placements, placements.c.indicator_pk == indicators.c.pk)
            query = query.where(placements.c.content_block_id.in_(chunk))
            query = query.where(*self.filters.clauses(indicators.c, placements.c.since))
            rows += [self._row(row, found[places[row[-1]]][1]) for row in connection.execute(query)]
        rows = [one for one in rows if key is None or (one.key > key if backwards else one.key < key)]
        rows.sort(key=lambda one: one.key, reverse=not backwards)
        edge = 2**31 - 1 if backwards else 0  # no key is greater
        return Window(rows, (found[-1][1], found[-1][0], edge) if found else None, is_end=is_end)

    def _row(self, row: Any, label: datetime) -> Row:
        *candidate, since, block_id = row
        one = Candidate(*candidate)
        return Row((label, block_id, one.pk), one, since)

    def _blocks(
        self, connection: sa.Connection, key: Key | None, *, backwards: bool, size: int
    ) -> tuple[list[tuple[int, datetime]], bool]:
        """Blocks that hold so many together, in their order, each with its label; and whether there are no more."""
        label, block_id = blocks.c.label, blocks.c.content_block_id
        query = sa.select(block_id, label, blocks.c.indicators)
        query = query.where(blocks.c.collection_id == self.collection_id, blocks.c.revision.is_not(None))
        if self.author is not None:
            mine = sa.select(pulses.c.pk).where(pulses.c.author == storable(self.author))
            query = query.where(blocks.c.pulse_pk.in_(mine))
        if key is not None:  # its own block too: there may be more of it
            query = query.where(label >= key[0] if backwards else label <= key[0])
        order = [label, block_id] if backwards else [label.desc(), block_id.desc()]
        every = connection.execute(query.order_by(*order).limit(size + 1)).all()
        total, taken = 0, 0
        while taken < len(every) and total < size:
            is_own = key is not None and every[taken][1] == key[0]  # it has been looked at, perhaps all of it
            total += 0 if is_own else max(1, every[taken].indicators)
            taken += 1
        return [(row[0], row[1]) for row in every[:taken]], taken == len(every) and len(every) <= size


Walk = Newest | ByHost | OfAuthor | InCollection


def _passes(filters: Filters, row: Row) -> bool:
    """The same as ``Filters.clauses``, of a row that was read."""
    one = row.indicator
    if filters.type is not None and one.type != filters.type:
        return False
    if filters.part is not None and filters.part.casefold() not in one.value.casefold():
        return False
    return filters.since is None or (one.created is not None and one.created >= filters.since)


def _are(key: Key, *kinds: type) -> bool:
    """Whether the key, as an address brought it, is of these: numbers that a database takes, moments in a zone."""
    if tuple(type(one) for one in key) != kinds:
        return False
    moments = all(one.tzinfo is not None for one in key if isinstance(one, datetime))
    return moments and all(0 <= one < 2**62 for one in key if isinstance(one, int))


def _is_hex(text: str) -> bool:
    try:
        bytes.fromhex(text)
    except ValueError:
        return False
    return True
