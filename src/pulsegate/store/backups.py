"""Backups: one SQLite file of the whole database, of either kind, made while everything goes on."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from pulsegate.errors import StoreError
from pulsegate.files import sqlite_url
from pulsegate.store import copying, migrate, sqlite_file
from pulsegate.store.copying import Told, silent
from pulsegate.store.database import Connection, Database

KEPT = 2  # of those that are made before a migration
_SPARE = 16_000_000  # bytes that a disk must have left beside a backup


def backup(database: Database, file: Path, told: Told = silent) -> None:
    """Write one state of the database to ``file``, which must not be there; readable by its owner only.

    StoreError: it is there, can't be written, or the database can't be read.
    """
    if file.exists():
        raise StoreError("is there already", resource=str(file), hint="Name another file, or move that one away")
    with sqlite_file.unfinished(file) as part:
        if database.is_sqlite:
            sqlite_file.copy(database.path, part, lambda done, total: told("bytes", done, total))
        else:
            _write(database, part, told)
        _require_schema(part, file)
        sqlite_file.place(part, file)


def _write(database: Database, file: Path, told: Told) -> None:
    """The rows of a PostgreSQL database as a file."""
    migrate.require_current(database)
    with database.snapshot() as source:
        fill(file, lambda target: copying.copy(source, target, told))


def fill(file: Path, write: Callable[[Connection], object]) -> None:
    """Make a database of the file, with what ``write`` puts into it in one transaction, and seal it."""
    with closing(new(file)) as made, made.roomy(), made.write() as connection:
        write(connection)
    sqlite_file.seal(file)


def new(file: Path) -> Database:
    """A database without a row."""
    made = Database(sqlite_url(file))
    migrate.upgrade(made)
    return made


def _require_schema(file: Path, name: Path) -> None:
    if schema(file) is None:
        raise StoreError("has no tables yet: there is nothing to back up", resource=str(name))


def schema(file: Path) -> str | None:
    """The schema of a database in a file; None: it is none of ours."""
    with closing(Database(sqlite_url(file), read_only=True)) as found:
        return migrate.current(found)[0]


# --- Before a migration ----------------------------------------------------------------------------------------------


def is_due(database: Database) -> bool:
    """Whether a migration would change what is stored: the schema is old, and there are rows."""
    with database.read() as connection:
        return migrate.revision(connection) != migrate.HEAD and not copying.is_empty(connection)


def before_migration(database: Database) -> Path | None:
    """Back an SQLite file up beside itself before it is migrated; the last two of these files are kept.

    Gives the file; None: another process has migrated it meanwhile. StoreError: there is no room for it.
    """
    path = database.path
    file = path.with_name(f"{path.name}.before-{migrate.HEAD}")
    _require_room(path)
    with database.read() as connection:
        before = migrate.revision(connection)
    with sqlite_file.unfinished(file) as part:
        sqlite_file.copy(path, part)
        if schema(part) != before:
            return None
        sqlite_file.place(part, file)
    for old in sorted(path.parent.glob(f"{path.name}.before-[0-9][0-9][0-9][0-9]"))[:-KEPT]:
        old.unlink(missing_ok=True)
    return file


def _require_room(path: Path) -> None:
    needed, free = sqlite_file.size(path) + _SPARE, shutil.disk_usage(path.parent).free
    if free < needed:
        raise StoreError(
            f"there is no room for a backup before the migration: it needs {needed:,} bytes, {free:,} are free",
            resource=f"database {path}",
            hint="Free some space, or go on without a backup: --no-backup",
        )
