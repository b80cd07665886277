"""What could not be read or is no value of any type, with its reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from pulsegate.store.chunks import chunks
from pulsegate.store.database import now
from pulsegate.store.digests import digest, storable
from pulsegate.store.paged import paged
from pulsegate.store.tables import quarantine

PULSE, INDICATOR, BLOCK = "pulse", "indicator", "block"


@dataclass(frozen=True, slots=True)
class Quarantined:
    """One entry: a pulse that can't be read, an indicator that is no value, or an upstream's block that can't be taken.

    ``raw``: what was sent, as JSON; None where that was too long to keep. ``source``: where it came from.
    """

    kind: str
    pulse_id: str | None
    type: str
    value: str
    reason: str
    raw: str | None = None
    since: datetime | None = None
    source: str | None = None
    pk: int | None = field(default=None, compare=False)

    @property
    def stamp(self) -> str:
        """Tells it from another entry that gets its key."""
        return digest(self.kind, self.pulse_id or "", self.type, self.value).hex()


def replace(connection: sa.Connection, pulse_id: str, entries: Iterable[Quarantined]) -> None:
    """``replace_many`` for one pulse."""
    replace_many(connection, {pulse_id: list(entries)})


def replace_many(connection: sa.Connection, entries: Mapping[str, Sequence[Quarantined]]) -> None:
    """Put entries in the place of what was known of these pulses; an entry that stays keeps its first time."""
    known: dict[tuple[str, str, bytes, str], datetime] = {}
    for chunk in chunks(list(entries)):
        mine = quarantine.c.pulse_id.in_(chunk)
        rows = connection.execute(sa.select(quarantine).where(mine)).all()
        known |= {(row.pulse_id, row.kind, row.value_digest, row.type): row.since for row in rows}
        if rows:
            connection.execute(sa.delete(quarantine).where(mine))
    moment = now(connection)
    new = [_row(one) for each in entries.values() for one in each]
    for row in new:
        row["since"] = known.get((row["pulse_id"], row["kind"], row["value_digest"], row["type"]), moment)
    if new:
        connection.execute(sa.insert(quarantine), new)


def add(connection: sa.Connection, entry: Quarantined) -> None:
    """Add an entry of a pulse or block that can't be read, once; a known one keeps its time, with what came last."""
    row = _row(entry)
    same = sa.and_(quarantine.c.value_digest == row["value_digest"], quarantine.c.reason == entry.reason)
    if connection.execute(sa.update(quarantine).where(same).values(raw=row["raw"])).rowcount == 0:
        connection.execute(sa.insert(quarantine).values(row | {"since": now(connection)}))


def keep_blocks(connection: sa.Connection, source: str, values: Collection[str]) -> None:
    """Forget the blocks of the source that are not among ``values``."""
    mine = sa.and_(quarantine.c.source == source, quarantine.c.kind == BLOCK)
    rows = connection.execute(sa.select(quarantine.c.pk, quarantine.c.value).where(mine))
    for chunk in chunks([row.pk for row in rows if row.value not in values]):
        connection.execute(sa.delete(quarantine).where(quarantine.c.pk.in_(chunk)))


def of_pulse(connection: sa.Connection, pulse_id: str) -> list[Quarantined]:
    query = sa.select(quarantine).where(quarantine.c.pulse_id == pulse_id).order_by(quarantine.c.pk)
    return list(_entries(connection, query))


def of_value(connection: sa.Connection, value: str) -> list[Quarantined]:
    """The rejected indicators that were sent as ``value``, to the letter."""
    query = sa.select(quarantine).where(quarantine.c.value_digest == digest(value), quarantine.c.kind == INDICATOR)
    return list(_entries(connection, query.order_by(quarantine.c.pk)))


def get(connection: sa.Connection, pk: int) -> Quarantined | None:
    return next(_entries(connection, sa.select(quarantine).where(quarantine.c.pk == pk)), None)


def remove(connection: sa.Connection, entry: Quarantined) -> None:
    """Remove that entry, and not one that has got its key since."""
    mine = (
        quarantine.c.pk == entry.pk,
        quarantine.c.kind == entry.kind,
        quarantine.c.value_digest == digest(entry.value),
    )
    connection.execute(sa.delete(quarantine).where(*mine))


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which entries; None: whatever. ``reason``: that one, or those of its group (``reason_group``).

    ``text``: part of the value, or the pulse's id.
    """

    kind: str | None = None
    reason: str | None = None
    source: str | None = None
    text: str | None = None


ANY = Wanted()


def reason_group(reason: str) -> str:
    """What a reason begins with: ``not a domain name`` of ``not a domain name: two dots in a row``."""
    return reason.partition(": ")[0]


def reasons(connection: sa.Connection) -> dict[str, int]:
    """How many entries there are of each group of reasons, by the index on them; the most first."""
    found: Counter[str] = Counter()
    query = sa.select(quarantine.c.reason, sa.func.count()).group_by(quarantine.c.reason)
    for reason, several in connection.execute(query):
        found[reason_group(reason)] += several
    return dict(found.most_common())


def keys(connection: sa.Connection, wanted: Wanted = ANY) -> list[int]:
    """The keys of the entries; what they hold may be too much at once."""
    query = sa.select(quarantine.c.pk).where(*_fitting(wanted)).order_by(quarantine.c.pk)
    return list(connection.scalars(query))


def number(connection: sa.Connection, wanted: Wanted, most: int) -> int:
    """How many entries there are; ``most`` where there are that many or more."""
    some = sa.select(quarantine.c.pk).where(*_fitting(wanted)).limit(most).subquery()
    return int(connection.scalar(sa.select(sa.func.count()).select_from(some)) or 0)


def page(
    connection: sa.Connection, wanted: Wanted, key: int | None, *, backwards: bool = False, limit: int
) -> list[Quarantined]:
    """Entries without what was sent, newest first, from below that key on; ``backwards``: oldest first, above it."""
    query = _without_raw().where(*_fitting(wanted))
    return list(_entries(connection, paged(query, quarantine.c.pk, key, backwards=backwards, limit=limit)))


def _fitting(wanted: Wanted) -> list[sa.ColumnElement[bool]]:
    found: list[sa.ColumnElement[bool]] = []
    if wanted.kind is not None:
        found.append(quarantine.c.kind == storable(wanted.kind))
    if wanted.source is not None:
        found.append(quarantine.c.source == storable(wanted.source))
    if wanted.reason is not None:
        begin = f"{storable(wanted.reason)}: "
        same_group = sa.func.substr(quarantine.c.reason, 1, len(begin)) == begin
        found.append(sa.or_(quarantine.c.reason == begin[:-2], same_group))
    if wanted.text is not None:
        text = storable(wanted.text)
        found.append(sa.or_(quarantine.c.value.icontains(text, autoescape=True), quarantine.c.pulse_id == text))
    return found


def every(connection: sa.Connection) -> list[Quarantined]:
    """All entries, without what was sent."""
    return list(_entries(connection, _without_raw().order_by(quarantine.c.pk)))


def _without_raw() -> sa.Select[Any]:
    columns = [one for one in quarantine.c if one is not quarantine.c.raw]
    return sa.select(*columns, sa.null().label("raw"))


def unreadable_ids(connection: sa.Connection) -> set[str]:
    """The ids of the pulses that can't be read."""
    query = sa.select(quarantine.c.pulse_id).where(quarantine.c.kind == PULSE, quarantine.c.pulse_id.is_not(None))
    return set(connection.scalars(query))


def count(connection: sa.Connection) -> int:
    return int(connection.scalar(sa.select(sa.func.count()).select_from(quarantine)) or 0)


def _entries(connection: sa.Connection, query: sa.Select[tuple[object, ...]]) -> Iterator[Quarantined]:
    for row in connection.execute(query):
        yield Quarantined(
            row.kind, row.pulse_id, row.type, row.value, row.reason, row.raw, row.since, row.source, row.pk
        )


def _row(entry: Quarantined) -> dict[str, Any]:
    return {
        "kind": entry.kind,
        "pulse_id": None if entry.pulse_id is None else storable(entry.pulse_id),
        "type": storable(entry.type),
        "value": storable(entry.value),
        "value_digest": digest(entry.value),
        "reason": entry.reason,
        "raw": storable(entry.raw) if entry.raw is not None else None,
        "source": entry.source,
    }
