"""Writing what was taken from OTX: whole pulses, many at once, and huge ones a piece at a time.

What is the same as before is not written again, so that it keeps its row, and its place in the feed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any

import sqlalchemy as sa

from pulsegate.model.indicator import Indicator
from pulsegate.model.marks import UNMARKED, Marks
from pulsegate.model.pulse import Pulse
from pulsegate.store import bulk, touched
from pulsegate.store.chunks import chunks
from pulsegate.store.database import now
from pulsegate.store.digests import digest, storable
from pulsegate.store.pulses import keys_of
from pulsegate.store.tables import indicators, pulses, source_pulses
from pulsegate.values.neighbours import host_key

_Values = tuple[Any, ...]  # of an indicator's row, its pulse's key first
CHUNK = 2000  # rows that are read at a time
COLUMNS = ("id", "name", "author", "created", "modified", "tlp")  # of model.Pulse; the others are kept as JSON
_DETAILS = tuple(one.name for one in fields(Pulse) if one.name not in COLUMNS)


Mark = Callable[[Indicator], Marks]


def unmarked(_indicator: Indicator) -> Marks:
    """Nothing is known of it."""
    return UNMARKED


class Change(StrEnum):
    """What storing a pulse did."""

    NEW = "new"
    CHANGED = "changed"
    UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True)
class Taken:
    """A pulse as it was taken, with its indicators: all that it has if ``whole``."""

    pulse: Pulse
    found: Sequence[Indicator]
    whole: bool = True


@dataclass(frozen=True, slots=True)
class Put:
    """What became of a pulse: its key, what storing it did, and whether all of its indicators are stored now."""

    pk: int
    change: Change
    complete: bool


@dataclass(slots=True)
class _Entry:
    """A pulse on its way into the store; ``known`` is the row that is there."""

    taken: Taken
    rows: list[dict[str, Any]]
    mark: bytes
    known: Any = None
    pk: int = 0

    @property
    def change(self) -> Change:
        if self.known is None:
            return Change.NEW
        return Change.UNCHANGED if self.known.fingerprint == self.mark else Change.CHANGED


def put(
    connection: sa.Connection, pulse: Pulse, found: Sequence[Indicator], mark: Mark, *, whole: bool = True
) -> Change:
    """``put_many`` for one."""
    return put_many(connection, [Taken(pulse, found, whole)], mark)[0].change


def put_many(connection: sa.Connection, taken: Sequence[Taken], mark: Mark) -> list[Put]:
    """Store pulses, each of another id; ``mark`` says what concerns a value.

    A set of indicators that is not whole withdraws nothing.
    """
    entries = [_entry(one, mark) for one in taken]
    _recognise(connection, entries)
    changed = [one for one in entries if one.change is Change.CHANGED]
    _put_pulses(connection, entries, changed)
    _put_indicators(connection, entries, changed)
    return [Put(one.pk, one.change, _is_complete(one)) for one in entries]


def _entry(taken: Taken, mark: Mark) -> _Entry:
    rows = [_indicator_row(indicator, mark) for indicator in taken.found]
    read = (repr(tuple(row.values())[:_READ]) for row in rows)
    return _Entry(taken, rows, digest(repr(taken.whole), repr(taken.pulse), *read))


def _is_complete(entry: _Entry) -> bool:
    return entry.taken.whole or (entry.change is Change.UNCHANGED and bool(entry.known.complete))


def _recognise(connection: sa.Connection, entries: Sequence[_Entry]) -> None:
    """Find the rows that are there."""
    columns = (pulses.c.id, pulses.c.pk, pulses.c.fingerprint, pulses.c.active, pulses.c.complete, pulses.c.author)
    found: dict[str, Any] = {}
    for chunk in chunks([one.taken.pulse.id for one in entries]):
        found |= {row.id: row for row in connection.execute(sa.select(*columns).where(pulses.c.id.in_(chunk)))}
    for one in entries:
        one.known = found.get(one.taken.pulse.id)
        one.pk = one.known.pk if one.known else 0


def _put_pulses(connection: sa.Connection, entries: Sequence[_Entry], changed: Sequence[_Entry]) -> None:
    moment = now(connection)
    back = [one.pk for one in entries if one.change is Change.UNCHANGED and not one.known.active]
    for chunk in chunks(back):
        values = {"active": True, "withdrawn": None}
        connection.execute(sa.update(pulses).where(pulses.c.pk.in_(chunk)).values(values))
    for one in changed:
        if one.known.author != one.taken.pulse.author:
            touched.leave_author(connection, one.known.author)
        values = _pulse_row(one) | {"stored": moment}
        connection.execute(sa.update(pulses).where(pulses.c.pk == one.pk).values(values))
        # What could not be written may have been the fault of the pulse's own texts.
        mine = sa.and_(indicators.c.pulse_pk == one.pk, indicators.c.failure.is_not(None))
        connection.execute(sa.update(indicators).where(mine).values(failure=None))
    new = [one for one in entries if one.change is Change.NEW]
    if new:
        connection.execute(sa.insert(pulses), [_pulse_row(one) | {"stored": moment} for one in new])
        _learn_keys(connection, new)
    touched.touch_pulses(connection, [*back, *(one.pk for one in changed), *(one.pk for one in new)])


def _learn_keys(connection: sa.Connection, new: Sequence[_Entry]) -> None:
    keys = keys_of(connection, (one.taken.pulse.id for one in new))
    for one in new:
        one.pk = keys[one.taken.pulse.id]


def _put_indicators(connection: sa.Connection, entries: Sequence[_Entry], changed: Sequence[_Entry]) -> None:
    rows = [(one.pk, *row.values()) for one in entries if one.change is Change.NEW for row in one.rows]
    gone: list[Any] = []
    for one in changed:
        there = {row.identity: row for row in connection.execute(_of_pulse(one.pk))}
        rows += _merge(connection, one.pk, one.rows, there)
        if one.taken.whole:
            gone += there.values()
    _insert(connection, rows)
    _delete(connection, gone)


def _of_pulse(pulse_pk: int) -> sa.Select[Any]:
    return sa.select(indicators).where(indicators.c.pulse_pk == pulse_pk)


def _merge(
    connection: sa.Connection, pulse_pk: int, rows: Iterable[dict[str, Any]], there: dict[bytes, Any]
) -> list[_Values]:
    """Bring stored rows up to date, taking them out of ``there``; gives the values of those that are new."""
    new: list[_Values] = []
    for row in rows:
        old = there.pop(row["identity"], None)
        if old is None:
            new.append((pulse_pk, *row.values()))
        elif _differs(row, old):
            connection.execute(sa.update(indicators).where(indicators.c.pk == old.pk).values(row))
    return new


def _differs(row: dict[str, Any], old: Any) -> bool:
    return old is None or any(getattr(old, key) != value for key, value in row.items())


def _insert(connection: sa.Connection, rows: Sequence[_Values]) -> None:
    bulk.insert(connection, indicators, ("pulse_pk", *_INDICATOR_COLUMNS), rows)


def _delete(connection: sa.Connection, gone: Sequence[Any]) -> None:
    """Delete these rows, of which key, pulse and identity are known."""
    for chunk in chunks(gone):
        connection.execute(sa.delete(indicators).where(indicators.c.pk.in_([row.pk for row in chunk])))
    touched.touch_gone(connection, [(row.pulse_pk, row.identity) for row in gone])


def _pulse_row(entry: _Entry) -> dict[str, Any]:
    pulse = entry.taken.pulse
    row: dict[str, Any] = {key: getattr(pulse, key) for key in COLUMNS}
    details = {key: getattr(pulse, key) for key in _DETAILS}
    row |= {"tlp": pulse.tlp.value, "details": json.dumps(details, ensure_ascii=False)}
    return row | {"fingerprint": entry.mark, "active": True, "withdrawn": None, "complete": entry.taken.whole}


_INDICATOR_COLUMNS = (
    "identity", "type", "value", "raw_type", "raw_value", "otx_id",
    "created", "expiration", "active", "role", "title", "description", "content",
    "host_key", "protection", "lists", "noted",
)  # fmt: skip
_READ = -4  # all but the last four: what follows from the value, or from what is decided here


def _indicator_row(indicator: Indicator, mark: Mark) -> dict[str, Any]:
    """By ``_INDICATOR_COLUMNS``, in that order."""
    raw, marks = indicator.raw, mark(indicator)
    return {
        "identity": digest(indicator.identity),
        "type": indicator.type._value_,
        "value": indicator.value,
        "raw_type": storable(raw.type),
        "raw_value": storable(raw.value),
        "otx_id": None if raw.otx_id is None else storable(raw.otx_id),
        "created": raw.created,
        "expiration": raw.expiration,
        "active": raw.active,
        "role": raw.role,
        "title": raw.title,
        "description": raw.description,
        "content": raw.content,
        "host_key": host_key(indicator.type, indicator.value),
        "protection": marks.protection,
        "lists": marks.lists,
        "noted": marks.noted,
    }


def withdraw(connection: sa.Connection, keys: Sequence[int]) -> int:
    """Withdraw those of these pulses that no source claims: what they brought leaves with the next publication."""
    withdrawn = 0
    gone = {"active": False, "withdrawn": now(connection)}
    claims = sa.exists().where(source_pulses.c.pulse_pk == pulses.c.pk)
    for chunk in chunks(keys):
        bereft = sa.and_(pulses.c.pk.in_(chunk), pulses.c.active, ~claims)
        leaving = list(connection.scalars(sa.update(pulses).where(bereft).values(gone).returning(pulses.c.pk)))
        touched.touch_pulses(connection, leaving)
        withdrawn += len(leaving)
    return withdrawn


# --- Huge pulses: their indicators come in batches --------------------------------------------------------------------


@dataclass(slots=True)
class Growing:
    """A stored pulse whose indicators are taken a batch at a time. Nothing leaves before all have come.

    ``seen``: the digests of those that came. ``changed``: whether anything is other than it was.
    """

    pk: int
    seen: set[bytes] = field(default_factory=set)
    changed: bool = False


def grow(connection: sa.Connection, growing: Growing, found: Iterable[Indicator], mark: Mark) -> None:
    """Store a batch. Of a value that came before in this pulse the first one stays, as long as it is active."""
    rows: dict[bytes, dict[str, Any]] = {}
    for row in (_indicator_row(one, mark) for one in found):
        if row["identity"] not in growing.seen or row["active"]:
            rows.setdefault(row["identity"], row)
    there: dict[bytes, Any] = {}
    for chunk in chunks(list(rows)):
        query = _of_pulse(growing.pk).where(indicators.c.identity.in_(chunk))
        there |= {row.identity: row for row in connection.execute(query)}
    wanted = [row for key, row in rows.items() if not (key in growing.seen and key in there and there[key].active)]
    if any(_differs(row, there.get(row["identity"])) for row in wanted):
        _note_change(connection, growing)
    _insert(connection, _merge(connection, growing.pk, wanted, there))
    growing.seen.update(rows)


def shrink(connection: sa.Connection, growing: Growing, keys: Sequence[int]) -> None:
    """Take away indicators of the pulse, by their keys."""
    columns = (indicators.c.pk, indicators.c.pulse_pk, indicators.c.identity)
    for chunk in chunks(keys):
        _delete(connection, connection.execute(sa.select(*columns).where(indicators.c.pk.in_(chunk))).all())
    if keys:
        _note_change(connection, growing)


def has_indicators(connection: sa.Connection, pulse_pk: int) -> bool:
    query = sa.select(indicators.c.pk).where(indicators.c.pulse_pk == pulse_pk).limit(1)
    return connection.scalar(query) is not None


def finish(connection: sa.Connection, growing: Growing) -> None:
    """All have come: those that did not, leave, and the pulse is complete."""
    columns = (indicators.c.pk, indicators.c.pulse_pk, indicators.c.identity)
    query = sa.select(*columns).where(indicators.c.pulse_pk == growing.pk)
    rows = connection.execute(query.execution_options(yield_per=CHUNK))
    gone = [row for row in rows if row.identity not in growing.seen]
    _delete(connection, gone)
    if gone:
        _note_change(connection, growing)
    connection.execute(sa.update(pulses).where(pulses.c.pk == growing.pk).values(complete=True))


def _note_change(connection: sa.Connection, growing: Growing) -> None:
    """``stored`` is when the pulse became other than it was: a block that was made before is not made from it."""
    growing.changed = True
    touched.touch_pulses(connection, [growing.pk])
    connection.execute(sa.update(pulses).where(pulses.c.pk == growing.pk).values(stored=now(connection)))
