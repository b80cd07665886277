"""What has left a collection, since a consumer may hold it until its own age ends."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from pulsegate.store import bulk
from pulsegate.store.chunks import chunks
from pulsegate.store.tables import withdrawals

PURGED_AT_ONCE = 10_000  # rows

Left = tuple[bytes, datetime]
"""Of a placement that ended: its identity, and a label that it had."""


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """The stay of a value in a collection. ``labels``: those that it had, the first one foremost."""

    collection_id: int
    identity: bytes
    labels: tuple[datetime, ...]
    ended: datetime

    @property
    def since(self) -> datetime:
        return self.labels[0]


def note(connection: sa.Connection, collection_id: int, left: Iterable[Left], ended: datetime) -> None:
    """Remember what leaves the collection. What had two labels has two rows, with the same end."""
    rows = [(collection_id, identity, since, ended) for identity, since in left]
    bulk.insert(connection, withdrawals, ("collection_id", "identity", "since", "ended"), rows)


def of(connection: sa.Connection, identities: Mapping[int, Collection[bytes]]) -> list[Withdrawal]:
    """The stays that ended of these identities, given by the collection's key; the last one first."""
    columns = (withdrawals.c.collection_id, withdrawals.c.identity, withdrawals.c.since, withdrawals.c.ended)
    found: dict[tuple[int, bytes, datetime], list[datetime]] = {}
    every = sorted({one for mine in identities.values() for one in mine})
    for chunk in chunks(every):
        for row in connection.execute(sa.select(*columns).where(withdrawals.c.identity.in_(chunk))):
            if row.identity in identities.get(row.collection_id, ()):
                found.setdefault((row.collection_id, row.identity, row.ended), []).append(row.since)
    stays = [
        Withdrawal(key, identity, tuple(sorted(labels)), ended) for (key, identity, ended), labels in found.items()
    ]
    return sorted(stays, key=lambda one: (one.ended, one.since), reverse=True)


def purge(connection: sa.Connection, before: datetime) -> int:
    """Delete some of those that ended before that time, oldest first; how many. Call again until it is 0."""
    oldest = sa.select(withdrawals.c.pk).where(withdrawals.c.ended < before)
    oldest = oldest.order_by(withdrawals.c.ended).limit(PURGED_AT_ONCE)
    return connection.execute(sa.delete(withdrawals).where(withdrawals.c.pk.in_(oldest.scalar_subquery()))).rowcount
