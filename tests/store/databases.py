"""Migrated databases for many tests: SQLite's is copied, PostgreSQL's is emptied, as long as its schema is right."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from pulsegate.store import migrate
from pulsegate.store.database import Connection, Database
from pulsegate.store.tables import metadata


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite file without a row."""
    path = tmp_path_factory.mktemp("migrated") / "template.db"
    base = Database(f"sqlite:///{path}")
    migrate.upgrade(base)
    base.close()
    return path


def bare(request: pytest.FixtureRequest, file: Path) -> Database:
    """One without a table, of the kind that the fixture's parameter names; SQLite's in ``file``."""
    if request.param == "sqlite":
        return Database(f"sqlite:///{file}")
    base = Database(request.getfixturevalue("postgresql"))
    with base.write() as connection:
        connection.execute(_END_OTHERS)
        _drop(connection)
    return base


# Pools of tests before, which hold a connection that they don't use.
_END_OTHERS = sa.text(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
)


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """An empty, migrated database; each test runs on both kinds."""
    if request.param == "sqlite":
        shutil.copy(request.getfixturevalue("migrated_file"), tmp_path / "test.db")
        base = Database(f"sqlite:///{tmp_path / 'test.db'}")
    else:
        base = Database(request.getfixturevalue("postgresql"))
        _empty(base)
    yield base
    base.close()


_RESTART = "SELECT setval(quote_ident(sequencename)::regclass, 1, false) FROM pg_sequences WHERE schemaname = 'public'"


def _empty(base: Database) -> None:
    with base.write() as connection:
        found = set(sa.inspect(connection).get_table_names())
        good = set(metadata.tables) <= found and migrate.current(base)[0] == migrate.HEAD
        if good:
            statements = [f'DELETE FROM "{table.name}"' for table in reversed(metadata.sorted_tables)]
            connection.exec_driver_sql("; ".join([*statements, _RESTART]))
        else:
            _drop(connection)
    if not good:
        migrate.upgrade(base)


def _drop(connection: Connection) -> None:
    connection.execute(sa.text("DROP SCHEMA public CASCADE"))
    connection.execute(sa.text("CREATE SCHEMA public"))
