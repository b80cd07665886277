"""The record of pulls: when each ran, what it brought, how it ended."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from datetime import datetime

import sqlalchemy as sa

from pulsegate.store.database import Database, inserted_key, now
from pulsegate.store.locks import is_held, pull
from pulsegate.store.paged import paged
from pulsegate.store.tables import runs

RUNNING, OK, FAILED = "running", "ok", "failed"
DIED = "the process that ran it ended before it was done"


@dataclass(frozen=True, slots=True)
class Run:
    """One pull. ``outcome`` is ``running``, ``ok`` (pulled and published) or ``failed``."""

    pk: int
    started: datetime
    finished: datetime | None
    outcome: str
    pulses: int
    indicators: int
    error: str | None
    source: str | None


_COLUMNS = [runs.c[field.name] for field in fields(Run)]


def begin(connection: sa.Connection, source: str) -> int:
    """Record the start of a pull; a run of its source that is still open can only be one whose process died."""
    died = {"outcome": FAILED, "error": DIED, "finished": now(connection)}
    same = sa.or_(runs.c.source == source, runs.c.source.is_(None))
    connection.execute(sa.update(runs).where(runs.c.outcome == RUNNING, same).values(died))
    values = {"kind": "pull", "started": now(connection), "outcome": RUNNING, "pulses": 0, "indicators": 0}
    values["source"] = source
    return inserted_key(connection.execute(sa.insert(runs).values(values)))


def advance(connection: sa.Connection, pk: int, pulses: int, indicators: int) -> None:
    connection.execute(sa.update(runs).where(runs.c.pk == pk).values(pulses=pulses, indicators=indicators))


def finish(connection: sa.Connection, pk: int, outcome: str, error: str | None = None) -> None:
    values = {"finished": now(connection), "outcome": outcome, "error": error}
    connection.execute(sa.update(runs).where(runs.c.pk == pk).values(values))


def last(database: Database, source: str | None = None) -> Run | None:
    """The newest run (of the source); one whose process died reads as failed though nobody could record it."""
    found = _newest(database, source)
    if found is None or found.outcome != RUNNING or (found.source and is_held(database, pull(found.source))):
        return found
    again = _newest(database, source)  # it may have ended while the lock was looked at
    if again is None or again.outcome != RUNNING:
        return again
    return replace(again, outcome=FAILED, error=DIED)


def last_of_each_source(connection: sa.Connection) -> list[Run]:
    """The newest run of each source. One whose process died reads as running until the next one begins."""
    newest = sa.select(sa.func.max(runs.c.pk)).group_by(runs.c.source)
    query = sa.select(*_COLUMNS).where(runs.c.pk.in_(newest)).order_by(runs.c.source)
    return [Run(*row) for row in connection.execute(query)]


def page(connection: sa.Connection, source: str, key: int | None, *, backwards: bool = False, limit: int) -> list[Run]:
    """Runs of the source, newest first, from below that key on; ``backwards``: the oldest first, from above it on.

    One whose process died reads as running until the next one begins; ``last`` knows better.
    """
    query = sa.select(*_COLUMNS).where(runs.c.source == source)
    return [Run(*row) for row in connection.execute(paged(query, runs.c.pk, key, backwards=backwards, limit=limit))]


def _newest(database: Database, source: str | None) -> Run | None:
    query = sa.select(*_COLUMNS).order_by(runs.c.pk.desc()).limit(1)
    if source is not None:
        query = query.where(runs.c.source == source)
    with database.read() as connection:
        row = connection.execute(query).first()
    return Run(*row) if row else None
