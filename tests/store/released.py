"""Databases as each released schema left them: made by the version of that time, with ``pull``, ``account``, ``allow``.

Each has two pulses, one of which has changed since, four collections, superseded versions and a rejected value.
"""

from __future__ import annotations

import gzip
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import command

from pulsegate.store import migrate
from pulsegate.store.database import Database

FOLDER = Path(__file__).parent / "released"
SCHEMAS = sorted(path.name[:4] for path in FOLDER.glob("*.sql.gz"))


def write(schema: str, file: Path) -> Database:
    """The database of the schema as a file of SQLite's."""
    with closing(sqlite3.connect(file)) as connection:
        connection.executescript(gzip.decompress((FOLDER / f"{schema}.sql.gz").read_bytes()).decode())
    return Database(f"sqlite:///{file}")


def put(schema: str, base: Database, file: Path) -> None:
    """The same in ``base``, which has no table; ``file``: where it may be made on the way."""
    old = write(schema, file)
    found = sa.MetaData()
    with old.read() as source, base.write() as target:
        command.upgrade(migrate._config(target), schema)
        found.reflect(target)
        for table in found.sorted_tables:
            rows = [dict(row._mapping) for row in source.execute(sa.select(table))]
            if table.name != "alembic_version" and rows:
                target.execute(sa.insert(table), [_in_utc(row) for row in rows])
    old.close()


def _in_utc(row: dict[str, Any]) -> dict[str, Any]:
    """SQLite keeps instants without their zone, which is UTC."""
    return {
        key: value.replace(tzinfo=UTC) if isinstance(value, datetime) and value.tzinfo is None else value
        for key, value in row.items()
    }
