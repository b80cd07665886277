"""Databases for tests. What is one kind's only says so; all else runs on both kinds, or on the run's.

``TEST_DATABASE=postgresql`` (``make test-postgresql``) has every test run on PostgreSQL. Without it those that take
``database`` run on both kinds, those that take ``new_database`` or ``install`` on SQLite, which is made faster; a module
has these on both with ``from store.databases import each_kind as database_kind``.
"""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from pulsegate.store import migrate
from pulsegate.store.database import Connection, Database
from pulsegate.store.tables import metadata

KIND = os.environ.get("TEST_DATABASE", "sqlite")
KINDS = ("sqlite", "postgresql") if KIND == "sqlite" else (KIND,)


class SQLite:
    """Makes files. ``template``: one that is migrated, without a row."""

    def __init__(self, template: Path) -> None:
        self._template = template
        migrate.upgrade(base := Database(f"sqlite:///{template}"))
        base.close()
        template.chmod(0o600)  # as the program's own

    def new(self, file: Path, *, migrated: bool = True) -> str:
        """The URL of one in place of what was there."""
        for suffix in ("", "-wal", "-shm"):
            Path(f"{file}{suffix}").unlink(missing_ok=True)
        if migrated:
            shutil.copy(self._template, file)
        return f"sqlite:///{file}"

    def drop(self, file: Path) -> None:
        """Files go with the test's folder."""


class PostgreSQL:
    """Makes databases of one server, each for the path that a file of SQLite's would have."""

    def __init__(self, server: str) -> None:
        self._url = sa.make_url(server)
        self._server = sa.create_engine(server, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
        self._numbers = itertools.count(1)
        self._names: dict[Path, str] = {}
        self._do("CREATE DATABASE migrated")
        migrate.upgrade(base := Database(self._url_of("migrated")))
        base.close()

    def new(self, file: Path, *, migrated: bool = True) -> str:
        name = self._names.get(file) or f"{file.stem}_{next(self._numbers)}"
        self.drop(file)
        self._names[file] = name
        self._do(f'CREATE DATABASE "{name}" TEMPLATE {"migrated" if migrated else "template0"} STRATEGY file_copy')
        return self._url_of(name)

    def drop(self, file: Path) -> None:
        if file in self._names:  # pools and processes that were killed may still be connected
            self._do(f'DROP DATABASE "{self._names.pop(file)}" WITH (FORCE)')

    def _url_of(self, name: str) -> str:
        return self._url.set(database=name).render_as_string(hide_password=False)

    def _do(self, statement: str) -> None:
        with self._server.connect() as connection:
            connection.exec_driver_sql(statement)


@pytest.fixture(scope="session")
def sqlite_maker(tmp_path_factory: pytest.TempPathFactory) -> SQLite:
    return SQLite(tmp_path_factory.mktemp("migrated") / "template.db")


@pytest.fixture(scope="session")
def postgresql_maker(postgresql: str) -> PostgreSQL:
    return PostgreSQL(postgresql)


@pytest.fixture
def database_kind() -> str:
    return KIND


@pytest.fixture(params=KINDS)
def each_kind(request: pytest.FixtureRequest) -> str:
    """In place of ``database_kind`` where it shall be both."""
    return str(request.param)


def _maker(request: pytest.FixtureRequest, kind: str) -> Any:
    return request.getfixturevalue(f"{kind}_maker")


@pytest.fixture
def new_database(request: pytest.FixtureRequest, database_kind: str) -> Iterator[Callable[..., str]]:
    """``new_database(file)``: the URL of one without a row, on SQLite that file; ``migrated=False``: without a table.

    With the same file again it is a new one in the place of the old one, at the same URL.
    """
    maker, files = _maker(request, database_kind), set()

    def make(file: Path, *, migrated: bool = True) -> str:
        files.add(file)
        return maker.new(file, migrated=migrated)

    yield make
    for file in files:
        maker.drop(file)


@pytest.fixture(scope="session")
def lasting_database(request: pytest.FixtureRequest) -> Callable[..., str]:
    """The same for what many tests share: it stays as long as the run."""
    return _maker(request, KIND).new


@pytest.fixture
def installation(new_database: Callable[..., str], database_kind: str) -> Callable[..., dict[str, str]]:
    """``installation(folder)``: the variables of one with its data there; the same each time.

    Its database is there and has no row; ``migrated=False``: it begins as one does that was just installed.
    """
    known: dict[Path, dict[str, str]] = {}

    def variables(folder: Path, *, migrated: bool = True) -> dict[str, str]:
        if folder not in known:
            known[folder] = {"PULSEGATE_DATA_DIR": str(folder)}
            if migrated:
                folder.mkdir(mode=0o700, exist_ok=True)
            if migrated or database_kind != "sqlite":
                url = new_database(folder / "pulsegate.db", migrated=migrated)
            if database_kind != "sqlite":  # whose file needs no setting
                known[folder]["PULSEGATE_DATABASE"] = url
        return dict(known[folder])

    return variables


def url_of(variables: dict[str, str]) -> str:
    """Of the database that these variables name."""
    return variables.get("PULSEGATE_DATABASE", f"sqlite:///{variables['PULSEGATE_DATA_DIR']}/pulsegate.db")


@pytest.fixture
def install(installation: Callable[[Path], dict[str, str]], monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], str]:
    """``install(folder)``: commands in this process work on the installation there; gives its database's URL."""

    def set_variables(folder: Path) -> str:
        variables = installation(folder)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        return url_of(variables)

    return set_variables


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


@pytest.fixture(params=KINDS)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """An empty, migrated database of each kind. PostgreSQL's is one that is emptied, which is faster than a new one."""
    if request.param == "sqlite":
        base = Database(_maker(request, "sqlite").new(tmp_path / "test.db"))
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
