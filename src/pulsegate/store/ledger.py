"""The ledger row of a collection: what publications and polls agree by.

``frontier``: no label at or before it will ever be given again. A publication locks the row first and labels after it;
a poll raises it to the end that it answers, before it reads. Both are one short transaction, so neither waits long.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from pulsegate.store.columns import UTCDateTime
from pulsegate.store.database import Database, now
from pulsegate.store.tables import ledgers

TICK = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Ledger:
    """The row. ``since`` is when the collection was first made, in the database's time."""

    name: str
    opened: bool
    since: datetime
    frontier: datetime
    revision: int


def get(connection: sa.Connection, name: str) -> Ledger | None:
    row = connection.execute(sa.select(ledgers).where(ledgers.c.name == name)).first()
    return Ledger(**row._mapping) if row else None  # noqa: SLF001 - the public name of a row's mapping


def lock(connection: sa.Connection, name: str) -> Ledger:
    """The row, locked until the transaction ends (on SQLite the transaction itself is the lock)."""
    row = connection.execute(sa.select(ledgers).where(ledgers.c.name == name).with_for_update()).one()
    return Ledger(**row._mapping)  # noqa: SLF001


def record(connection: sa.Connection, name: str, last_label: datetime) -> Ledger:
    """Record a publication by its last label, within the transaction of ``lock``; gives the new row."""
    frontier = _round_up(last_label, timedelta(milliseconds=1))
    there = ledgers.c.name == name
    values = {
        "frontier": sa.case(
            (ledgers.c.frontier < frontier, sa.literal(frontier, UTCDateTime())), else_=ledgers.c.frontier
        )
    }
    connection.execute(sa.update(ledgers).where(there).values(values | {"revision": ledgers.c.revision + 1}))
    return lock(connection, name)


def open_(connection: sa.Connection, name: str) -> bool:
    """Let the collection be polled; true when it was closed before."""
    closed = sa.and_(ledgers.c.name == name, ledgers.c.opened.is_(False))
    return connection.execute(sa.update(ledgers).where(closed).values(opened=True)).rowcount > 0


def answered_end(database: Database, name: str, asked: datetime | None, skew: timedelta) -> datetime:
    """The inclusive end that a poll of the collection answers, after making sure that no later label lies before it.

    No end, or one later than now + ``skew``: all up to the frontier, which is raised to now when it has grown old.
    Otherwise the end asked for, also when it lies a little ahead: clients that keep their own time go on from it.
    """
    with database.read() as connection:
        ledger, moment = get(connection, name), now(connection)
    if ledger is None:
        return moment
    if asked is None or asked > moment + skew:
        if ledger.frontier >= moment - TICK:
            return ledger.frontier
        needed = answer = _round_up(moment, timedelta(seconds=1))
    else:
        needed, answer = _round_up(asked, timedelta(seconds=1)), asked
    if ledger.frontier < (needed if asked is None else answer):
        _raise(database, name, needed)
    return answer


def _raise(database: Database, name: str, needed: datetime) -> None:
    """Waits behind a publication that holds the row, for its short transaction."""
    with database.write() as connection:
        lower = sa.and_(ledgers.c.name == name, ledgers.c.frontier < needed)
        connection.execute(sa.update(ledgers).where(lower).values(frontier=needed))


def _round_up(moment: datetime, step: timedelta) -> datetime:
    below = moment - timedelta(microseconds=moment.microsecond % (step // timedelta(microseconds=1)))
    return moment if below == moment else below + step
