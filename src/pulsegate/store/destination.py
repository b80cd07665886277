"""A database that everything is put into at once: it gets all of it, or stays as it was."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path

import sqlalchemy as sa

from pulsegate.errors import BusyError, StoreError
from pulsegate.store import backups, copying, ledger, locks, migrate, sqlite_file
from pulsegate.store.database import Database
from pulsegate.store.tables import ledgers, metadata, state

_OTHERS = sa.text(
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    " AND backend_type = 'client backend'"
)

GOING = 20  # looks, a tenth of a second apart, at who else uses PostgreSQL's database


@contextmanager
def owned(url: str) -> Iterator[Database]:
    """The database, which nobody else uses; no worker begins to. BusyError: somebody does.

    No connection to an SQLite file is open, as it may be put in the place of another one.
    """
    with closing(Database(url)) as target:
        _require_alone(target)
        with locks.hold(target, locks.WORKER):
            if target.is_sqlite:
                _take_leftovers_away(target.path)
            yield target


def _require_alone(target: Database) -> None:
    if target.is_sqlite:
        sqlite_file.require_alone(target.path)
        return
    for _ in range(GOING):  # a session that has just ended is seen for a moment
        with target.read() as connection:
            others = int(connection.scalar(_OTHERS) or 0)
        if not others:
            break
        time.sleep(0.1)
    if others:
        raise BusyError(
            f"{others} other sessions use it",
            resource=f"database {target.name}",
            hint="Stop 'pulsegate serve' and 'pulsegate worker', and what else is connected to it",
        )


def _take_leftovers_away(path: Path) -> None:
    """Of somebody who was killed while it held the lock that we have now."""
    for left in path.parent.glob(f"{path.name}.????????.partial*"):
        left.unlink(missing_ok=True)


@contextmanager
def _looked_at(target: Database) -> Iterator[sa.Connection | None]:
    """A connection for reading; None where there is no file."""
    if target.is_sqlite and not target.path.exists():
        yield None
        return
    with closing(Database(target.url, read_only=True)) as found, found.read() as connection:
        yield connection


def require_empty(target: Database, hint: str) -> None:
    """StoreError unless the database has no row, or isn't there."""
    with _looked_at(target) as connection:
        if connection is not None and not copying.is_empty(connection):
            raise StoreError("is not empty", resource=f"database {target.name}", hint=hint)


def last_frontier(target: Database) -> datetime:
    """Up to where its polls were answered, as far as it can still tell."""
    try:
        with _looked_at(target) as connection:
            if connection is None or not {ledgers.name, state.name} <= set(sa.inspect(connection).get_table_names()):
                return ledger.BEGINNING
            return ledger.highest(connection)
    except (StoreError, sa.exc.DatabaseError):
        if target.is_sqlite:  # it is damaged: that's why it is replaced
            return ledger.BEGINNING
        raise


def fill(target: Database, write: Callable[[sa.Connection], None], *, replace: bool = False) -> None:
    """Have ``write`` fill the tables, which are empty and of the newest schema, in one transaction."""
    if target.is_sqlite:
        with sqlite_file.unfinished(target.path) as part:
            backups.fill(part, write)
            sqlite_file.exchange(part, target.path, None)
        return
    with target.write() as connection:
        migrate.upgrade_within(target, connection)
        if replace:
            _truncate(connection)
        write(connection)


def _truncate(connection: sa.Connection) -> None:
    preparer = connection.dialect.identifier_preparer
    names = ", ".join(preparer.format_table(table) for table in metadata.sorted_tables)
    connection.execute(sa.text(f"TRUNCATE {names}"))
