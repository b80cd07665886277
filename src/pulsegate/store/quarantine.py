"""What could not be read or is no value of any type, with its reason."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from pulsegate.store.database import now
from pulsegate.store.digests import digest, storable
from pulsegate.store.tables import quarantine

PULSE, INDICATOR = "pulse", "indicator"


@dataclass(frozen=True, slots=True)
class Quarantined:
    """One entry: a pulse that can't be read (``raw`` is its JSON), or an indicator that is no value."""

    kind: str
    pulse_id: str | None
    type: str
    value: str
    reason: str
    raw: str | None = None
    since: datetime | None = None


def replace(connection: sa.Connection, pulse_id: str, entries: Iterable[Quarantined]) -> None:
    """Put ``entries`` in the place of what was known of the pulse; an entry that stays keeps its first time."""
    rows = connection.execute(sa.select(quarantine).where(quarantine.c.pulse_id == pulse_id)).all()
    known = {(row.kind, row.value_digest, row.type): row.since for row in rows}
    connection.execute(sa.delete(quarantine).where(quarantine.c.pulse_id == pulse_id))
    moment = now(connection)
    new = [
        _row(entry) | {"since": known.get((entry.kind, digest(entry.value), entry.type), moment)} for entry in entries
    ]
    if new:
        connection.execute(sa.insert(quarantine), new)


def add(connection: sa.Connection, entry: Quarantined) -> None:
    """Add an entry of a pulse whose id is not known, once."""
    row = _row(entry)
    same = sa.and_(quarantine.c.value_digest == row["value_digest"], quarantine.c.reason == entry.reason)
    if connection.scalar(sa.select(quarantine.c.pk).where(same).limit(1)) is None:
        connection.execute(sa.insert(quarantine).values(row | {"since": now(connection)}))


def of_pulse(connection: sa.Connection, pulse_id: str) -> list[Quarantined]:
    query = sa.select(quarantine).where(quarantine.c.pulse_id == pulse_id).order_by(quarantine.c.pk)
    return list(_entries(connection, query))


def of_value(connection: sa.Connection, value: str) -> list[Quarantined]:
    """The rejected indicators that were sent as ``value``, to the letter."""
    query = sa.select(quarantine).where(quarantine.c.value_digest == digest(value), quarantine.c.kind == INDICATOR)
    return list(_entries(connection, query.order_by(quarantine.c.pk)))


def every(connection: sa.Connection) -> list[Quarantined]:
    return list(_entries(connection, sa.select(quarantine).order_by(quarantine.c.pk)))


def count(connection: sa.Connection) -> int:
    return int(connection.scalar(sa.select(sa.func.count()).select_from(quarantine)) or 0)


def _entries(connection: sa.Connection, query: sa.Select[tuple[object, ...]]) -> Iterator[Quarantined]:
    for row in connection.execute(query):
        yield Quarantined(row.kind, row.pulse_id, row.type, row.value, row.reason, row.raw, row.since)


def _row(entry: Quarantined) -> dict[str, object]:
    return {
        "kind": entry.kind,
        "pulse_id": None if entry.pulse_id is None else storable(entry.pulse_id),
        "type": storable(entry.type),
        "value": storable(entry.value),
        "value_digest": digest(entry.value),
        "reason": entry.reason,
        "raw": storable(entry.raw) if entry.raw is not None else None,
    }
