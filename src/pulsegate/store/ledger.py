"""The ledger row of a collection: what publications and polls agree by.

``frontier``: no label at or before it will ever be given again. A publication locks the row first and labels after it;
a poll raises it to the end that it answers, before it reads, and reads at the revision that the raise returns. Both are
one short transaction, so neither waits long.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from pulsegate.store import state
from pulsegate.store.columns import UTCDateTime
from pulsegate.store.database import Database, now
from pulsegate.store.tables import data_collections, ledgers

TICK = timedelta(seconds=60)
FLOOR = "ledger.floor"  # state key: of collections that this database doesn't know (any more) polls were answered, too
BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
_BY_NAME = sa.select(ledgers).where(ledgers.c.name == sa.bindparam("wanted"))


@dataclass(frozen=True, slots=True)
class Ledger:
    """The row. ``since``: when the collection was first made; ``opened``: since when it is served, None: not yet."""

    name: str
    opened: datetime | None
    since: datetime
    frontier: datetime
    revision: int
    purged: int


@dataclass(frozen=True, slots=True)
class Answer:
    """What a poll answers: the inclusive end, and the revision to read at."""

    end: datetime
    revision: int


def get(connection: sa.Connection, name: str) -> Ledger | None:
    row = connection.execute(_BY_NAME, {"wanted": name}).first()
    return Ledger(**row._mapping) if row else None  # noqa: SLF001 - the public name of a row's mapping


def lock(connection: sa.Connection, name: str) -> Ledger:
    """The row, locked until the transaction ends (on SQLite the transaction itself is the lock)."""
    row = connection.execute(sa.select(ledgers).where(ledgers.c.name == name).with_for_update()).one()
    return Ledger(**row._mapping)  # noqa: SLF001


def record(connection: sa.Connection, name: str, last_label: datetime) -> Ledger:
    """Record a publication by its last label, within the transaction of ``lock``; gives the new row."""
    frontier = recorded(last_label)
    there = ledgers.c.name == name
    risen = sa.case((ledgers.c.frontier < frontier, sa.literal(frontier, UTCDateTime())), else_=ledgers.c.frontier)
    connection.execute(sa.update(ledgers).where(there).values(frontier=risen, revision=ledgers.c.revision + 1))
    return lock(connection, name)


def recorded(last_label: datetime) -> datetime:
    """The frontier that a publication with this last label leaves."""
    return _round_up(last_label, timedelta(milliseconds=1))


def lift(connection: sa.Connection, moment: datetime) -> datetime:
    """No label at or before ``moment``, rounded up to a second, will ever be given: a database was set back, or moved.

    That holds for collections, too, that are made later: one of the same name may have been polled. Gives the moment.
    """
    least = _round_up(moment, timedelta(seconds=1))
    lower = ledgers.c.frontier < least
    connection.execute(sa.update(ledgers).where(lower).values(frontier=least))
    least = max(least, floor(connection))
    state.put(connection, FLOOR, least.isoformat())
    return least


def floor(connection: sa.Connection) -> datetime:
    """Where the ledger of a new collection begins."""
    found = state.get(connection, FLOOR)
    return datetime.fromisoformat(found) if found else BEGINNING


def highest(connection: sa.Connection) -> datetime:
    """The latest frontier that there is."""
    found: datetime | None = connection.scalar(sa.select(sa.func.max(ledgers.c.frontier)))
    return max(found or BEGINNING, floor(connection))


def open_(connection: sa.Connection, name: str) -> bool:
    """Let the collection be polled; true when it was closed before."""
    closed = sa.and_(ledgers.c.name == name, ledgers.c.opened.is_(None))
    return connection.execute(sa.update(ledgers).where(closed).values(opened=now(connection))).rowcount > 0


def closed_since(connection: sa.Connection) -> datetime | None:
    """When the first of the collections that can't be polled yet was made; None: all of them can be."""
    there = ledgers.join(data_collections, data_collections.c.name == ledgers.c.name)
    query = sa.select(sa.func.min(ledgers.c.since)).select_from(there).where(ledgers.c.opened.is_(None))
    found: datetime | None = connection.scalar(query)
    return found


def purge_to(connection: sa.Connection, name: str, revision: int) -> None:
    """Note that what was served before ``revision`` can no longer be told. Never falls."""
    lower = sa.and_(ledgers.c.name == name, ledgers.c.purged < revision)
    connection.execute(sa.update(ledgers).where(lower).values(purged=revision))


def answer(database: Database, name: str, asked: datetime | None, skew: timedelta) -> Answer:
    """The end that a poll answers, after making sure that no later label lies before it.

    No end, or one later than now + ``skew``: all up to the frontier, which is raised to now when it has grown old.
    Otherwise the end asked for, also when it lies a little ahead: clients that keep their own time go on from it.
    """
    with database.read() as connection:
        ledger, moment = get(connection, name), now(connection)
    if ledger is None:
        return Answer(moment, 0)
    if asked is None or asked > moment + skew:
        if ledger.frontier >= moment - TICK:
            return Answer(ledger.frontier, ledger.revision)
        end = needed = _round_up(moment, timedelta(seconds=1))
    else:
        end, needed = asked, _round_up(asked, timedelta(seconds=1))
    if ledger.frontier >= end:
        return Answer(end, ledger.revision)
    return Answer(end, _raise(database, name, needed))


def _raise(database: Database, name: str, needed: datetime) -> int:
    """The revision after the raise. It waits behind a publication that holds the row, for its short transaction."""
    with database.write() as connection:
        lower = sa.and_(ledgers.c.name == name, ledgers.c.frontier < needed)
        connection.execute(sa.update(ledgers).where(lower).values(frontier=needed))
        # Where another poll has raised it meanwhile, the row is read after that one's commit all the same.
        return int(connection.scalar(sa.select(ledgers.c.revision).where(ledgers.c.name == name)) or 0)


def _round_up(moment: datetime, step: timedelta) -> datetime:
    below = moment - timedelta(microseconds=moment.microsecond % (step // timedelta(microseconds=1)))
    return moment if below == moment else below + step
