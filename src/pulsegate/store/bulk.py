"""Many rows at once, by the driver: for millions of them SQLAlchemy's work on each value is the larger part."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import sqlalchemy as sa


def insert(connection: sa.Connection, table: sa.Table, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Insert rows of values in the order of ``columns``.

    On PostgreSQL by COPY in its binary form (section "COPY" of psycopg's documentation); on SQLite by one prepared
    statement.
    """
    if not rows:
        return
    names = ", ".join(connection.dialect.identifier_preparer.quote(name) for name in columns)
    if connection.dialect.name == "sqlite":
        marks = ", ".join("?" * len(columns))
        statement = f"INSERT INTO {table.name} ({names}) VALUES ({marks})"  # noqa: S608 - our own names
        connection.exec_driver_sql(statement, _written(connection, table, columns, rows))
        return
    statement = f"COPY {table.name} ({names}) FROM STDIN (FORMAT BINARY)"
    _copy(connection, statement, [_type(table.c[name].type, connection.dialect) for name in columns], rows)


def _type(kind: Any, dialect: sa.Dialect) -> str:
    """PostgreSQL's name of a type: the binary form is never cast."""
    name: str = kind.compile(dialect=dialect)
    return _SHORT.get(name, name.lower().partition("(")[0])


_SHORT = {"FLOAT": "float8"}  # what psycopg has no name for


def _copy(connection: sa.Connection, statement: str, types: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    psycopg: Any = connection.dialect.loaded_dbapi
    cursor: Any = connection.connection.cursor()
    try:
        with cursor, cursor.copy(statement) as copy:
            copy.set_types(types)
            for row in rows:
                copy.write_row(row)
    except psycopg.Error as error:  # as SQLAlchemy raises those of its own statements
        raise sa.exc.DBAPIError.instance(statement, None, error, psycopg.Error, dialect=connection.dialect) from error


def _written(
    connection: sa.Connection, table: sa.Table, columns: Sequence[str], rows: Sequence[Sequence[Any]]
) -> list[tuple[Any, ...]]:
    """The rows with each value as its column's type writes it."""
    writers = [(place, _writer(table.c[name].type, connection.dialect)) for place, name in enumerate(columns)]
    needed = [(place, writer) for place, writer in writers if writer is not None]
    found = []
    for row in rows:
        values = list(row)
        for place, write in needed:
            if values[place] is not None:
                values[place] = write(values[place])
        found.append(tuple(values))
    return found


@lru_cache(64)
def _writer(kind: Any, dialect: sa.Dialect) -> Callable[[Any], Any] | None:
    """What SQLAlchemy does with a value of the type, if anything, remembered: many rows have the same moment."""
    if isinstance(kind, sa.LargeBinary):  # SQLAlchemy wraps bytes, which SQLite's driver takes as they are
        return None
    found = kind.dialect_impl(dialect).bind_processor(dialect)
    return None if found is None else lru_cache(4096)(found)
