"""How much entered and left each collection, by day (UTC)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa

from pulsegate.store.digests import storable
from pulsegate.store.tables import tallies
from pulsegate.store.upsert import upsert


@dataclass(frozen=True, slots=True)
class Tally:
    """Of one collection on one day."""

    day: date
    collection: str
    added: int
    removed: int


def count(connection: sa.Connection, moment: datetime, collection: str, added: int, removed: int) -> None:
    """Add to the day's numbers, in the transaction that publishes. It holds the collection's ledger row."""
    if not added and not removed:
        return
    key = {"day": moment.date(), "collection": collection}
    more = {"added": tallies.c.added + added, "removed": tallies.c.removed + removed}
    upsert(connection, tallies, key, {"added": added, "removed": removed}, more)


def since(connection: sa.Connection, day: date, collection: str | None = None) -> list[Tally]:
    """The numbers from that day on, by day and collection. A day on which nothing happened has none."""
    query = sa.select(tallies).where(tallies.c.day >= day).order_by(tallies.c.day, tallies.c.collection)
    if collection is not None:
        query = query.where(tallies.c.collection == storable(collection))
    return [Tally(*row) for row in connection.execute(query)]


def purge(connection: sa.Connection, before: datetime) -> int:
    return connection.execute(sa.delete(tallies).where(tallies.c.day < before.date())).rowcount
