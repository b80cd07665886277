"""A whole installation copied into another database: from SQLite to PostgreSQL, back, or to another of its kind."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager

import sqlalchemy as sa

from pulsegate.store import copying, destination, ledger, locks, migrate
from pulsegate.store import sources as stored_sources
from pulsegate.store.copying import Sum, Told, silent
from pulsegate.store.database import Database, now
from pulsegate.store.tables import sources

_EMPTY_ONE = "Name an empty one; nothing was changed"


def copy(source_url: str, target_url: str, told: Told = silent) -> dict[str, Sum]:
    """Copy everything into an empty database; gives what each table has. The source is only read.

    BusyError: a worker, a pull or a publication is at work on the source, or somebody uses the target. StoreError: the
    source is of another schema, the target isn't empty, or a value doesn't fit it. Then, and when this process is
    killed, the target is as it was.
    """
    with destination.owned(target_url) as target, closing(Database(source_url, read_only=True)) as source:
        destination.require_empty(target, _EMPTY_ONE)
        migrate.require_current(source)
        found: dict[str, Sum] = {}

        def write(connection: sa.Connection) -> None:
            with source.snapshot() as snapshot:
                found.update(copying.copy(snapshot, connection, told))
            with source.read() as later:  # polls went on, and raised frontiers
                ledger.lift(connection, max(now(later), now(connection), ledger.highest(later)))

        with _still(source):
            destination.fill(target, write)
        return found


@contextmanager
def _still(source: Database) -> Iterator[None]:
    """Nobody pulls from anywhere, nor publishes."""
    with source.read() as connection:
        named = set(connection.scalars(sa.select(sources.c.name)))
    pulls = [locks.pull(name) for name in sorted(named | {stored_sources.FILES, stored_sources.OWN})]
    with ExitStack() as held:
        for name in (locks.WORKER, *pulls, locks.PUBLISH):
            held.enter_context(locks.hold(source, name))
        yield
