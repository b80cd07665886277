"""A backup put into a database, so that no client of the one that is gone misses anything."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import sqlalchemy as sa

from pulsegate.errors import StoreError
from pulsegate.files import sqlite_url
from pulsegate.store import audit, backups, copying, destination, ledger, migrate, sqlite_file, state
from pulsegate.store.copying import Told, silent
from pulsegate.store.database import Database, now
from pulsegate.store.tables import web_sessions

_FILL = "Name an empty one, or replace what it holds: --replace"


@dataclass(frozen=True, slots=True)
class Restored:
    """``schema``: that of the backup. ``lifted``: all labels lie after it. ``aside``: the file that was replaced."""

    schema: str
    lifted: datetime
    aside: Path | None


def restore(
    file: Path, target_url: str, *, replace: bool, skew: timedelta, account: str, told: Told = silent
) -> Restored:
    """Put what a backup holds into an empty database, or with ``replace`` in the place of what is there.

    A poll may have been answered up to ``skew`` after now, and by the database that is replaced: labels begin after
    that. An older schema is migrated. BusyError: somebody uses the database. StoreError: the file is no backup, is
    damaged or newer than this version, or the database isn't empty; it is as it was then.
    """
    if not file.exists():
        raise StoreError("there is no such file", resource=str(file), hint="Check the path; nothing was changed")
    before = backups.schema(file) if file.is_file() else None
    if before is None:
        raise StoreError("is no backup of Pulsegate", resource=str(file), hint="Check the path; nothing was changed")
    with destination.owned(target_url) as target, _staged(target) as staged:
        if not replace:
            destination.require_empty(target, _FILL)
        last = destination.last_frontier(target)
        sqlite_file.copy(file, staged, lambda done, total: told("bytes", done, total))
        with closing(Database(sqlite_url(staged))) as source:
            migrate.upgrade(source)
            with source.write() as connection:
                lifted = _set_back(connection, max(_latest(target) + skew, last))
                audit.record(connection, account, "database.restore", file.name)
        if target.is_sqlite:
            return Restored(before, lifted, _exchange(staged, target.path, replace=replace))
        _fill(target, staged, told, replace=replace)
        return Restored(before, lifted, None)


def _latest(target: Database) -> datetime:
    """By the clock that polls were answered by: PostgreSQL's own, or this host's."""
    if target.is_sqlite:
        return datetime.now(UTC)
    with target.read() as connection:
        return max(now(connection), datetime.now(UTC))


def _set_back(connection: sa.Connection, answered: datetime) -> datetime:
    """What was given out since the backup holds no more: labels, results in parts, sessions of the pages."""
    state.remove(connection, state.RESULT_SECRET)
    connection.execute(sa.delete(web_sessions))
    return ledger.lift(connection, answered)


@contextmanager
def _staged(target: Database) -> Iterator[Path]:
    """Where the backup is made ready: beside SQLite's file, whose place it takes."""
    if target.is_sqlite:
        with sqlite_file.unfinished(target.path) as part:
            yield part
        return
    with tempfile.TemporaryDirectory(prefix="pulsegate-") as folder:
        yield Path(folder) / "backup.db"


def _exchange(staged: Path, path: Path, *, replace: bool) -> Path | None:
    moment = f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}Z"
    aside = path.with_name(f"{path.name}.replaced-{moment}") if replace and path.exists() else None
    sqlite_file.seal(staged)
    sqlite_file.exchange(staged, path, aside)
    return aside


def _fill(target: Database, staged: Path, told: Told, *, replace: bool) -> None:
    with closing(Database(sqlite_url(staged), read_only=True)) as source, source.snapshot() as snapshot:

        def write(connection: sa.Connection) -> None:
            copying.copy(snapshot, connection, told)

        destination.fill(target, write, replace=replace)
