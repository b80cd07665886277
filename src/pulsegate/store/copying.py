"""All rows of a database into an empty one, of the same kind or the other, each checked to have arrived.

What is compared are not the files but what they say: instants, bytes, truth values and numbers as Python has them. The
order of rows doesn't matter, as the two kinds sort texts differently.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa

from pulsegate.errors import StoreError
from pulsegate.store import bulk
from pulsegate.store.tables import metadata

ROWS, FEW_ROWS = 2_000, 16  # read at once; few of those that may have a megabyte and more each
_BATCH = 8_000_000  # bytes, or so, that are written at once
_WIDE = frozenset({"content", "original_message"})  # columns of whole documents
_MODULUS = 1 << 128

Told = Callable[[str, int, int], None]
"""Called with what is at work, such as a table, how much of it is done, and how much there is."""


@dataclass(frozen=True, slots=True)
class Sum:
    """Of a table: how many rows, and the sum of their digests, the same in whatever order they come."""

    rows: int
    digest: int


def silent(_what: str, _done: int, _total: int) -> None:
    """Tell nobody."""


def is_empty(connection: sa.Connection) -> bool:
    """Whether no table of ours, nor of OpenTAXII's, that is there has a row."""
    there = set(sa.inspect(connection).get_table_names())
    return not any(
        connection.scalar(sa.select(sa.exists().select_from(table)))
        for table in metadata.sorted_tables
        if table.name in there
    )


def copy(source: sa.Connection, target: sa.Connection, told: Told = silent) -> dict[str, Sum]:
    """Copy every row with its key into empty tables, read them again, and see that they are the same.

    ``source`` reads one snapshot, ``target`` is a transaction; both have the newest schema. Gives the tables' sums.
    StoreError: a value doesn't fit the other kind of database, or something arrived as something else; it names it.
    """
    sent = {table.name: _copy_table(source, target, table, told) for table in metadata.sorted_tables}
    _set_counters(target, _counters(source))
    arrived = sums(target)
    for name, found in sent.items():
        if arrived[name] != found:
            raise StoreError(
                f"{found.rows:,} rows were sent, {arrived[name].rows:,} arrived, or some arrived as something else",
                resource=f"table {name}",
                hint="Nothing was changed; please report it",
            )
    return sent


def sums(connection: sa.Connection) -> dict[str, Sum]:
    """What each table holds, as sums that can be compared with those of another database."""
    found = {}
    for table in metadata.sorted_tables:
        rows = digest = 0
        for row in _rows(connection, table):
            rows, digest = rows + 1, digest + _digest(_canonical(row))
        found[table.name] = Sum(rows, digest % _MODULUS)
    return found


def _rows(connection: sa.Connection, table: sa.Table) -> Iterator[Sequence[Any]]:
    """In constant memory: by a cursor of the server on PostgreSQL, in steps on SQLite."""
    wide = not _WIDE.isdisjoint(column.name for column in table.columns if isinstance(column.type, sa.LargeBinary))
    yield from connection.execute(sa.select(table), execution_options={"yield_per": FEW_ROWS if wide else ROWS})


def _copy_table(source: sa.Connection, target: sa.Connection, table: sa.Table, told: Told) -> Sum:
    columns = [column.name for column in table.columns]
    total = int(source.scalar(sa.select(sa.func.count()).select_from(table)) or 0)
    rows = digest = size = 0
    batch: list[Sequence[Any]] = []
    for row in _rows(source, table):
        text = _canonical(row)
        batch.append(row)
        rows, digest, size = rows + 1, digest + _digest(text), size + len(text)
        if size > _BATCH or len(batch) >= ROWS:
            _write(target, table, columns, batch)
            told(table.name, rows, total)
            batch, size = [], 0
    _write(target, table, columns, batch)
    told(table.name, rows, total)
    return Sum(rows, digest % _MODULUS)


def _write(target: sa.Connection, table: sa.Table, columns: list[str], batch: list[Sequence[Any]]) -> None:
    to_sqlite = target.dialect.name == "sqlite"
    if not to_sqlite:  # psycopg cuts numbers that are too large for their column, and says nothing
        _require_fit(table, batch, [place for place, one in enumerate(table.columns) if _is_integer(one)])
    try:
        bulk.insert(target, table, columns, batch)
    except sa.exc.DBAPIError as error:
        if not to_sqlite:
            _require_fit(table, batch, range(len(columns)), error)
        raise


def _is_integer(column: sa.Column[Any]) -> bool:
    return isinstance(column.type, sa.Integer)


def _require_fit(
    table: sa.Table, batch: list[Sequence[Any]], places: Sequence[int], cause: Exception | None = None
) -> None:
    """StoreError for the first of the values that PostgreSQL doesn't take, where SQLite does."""
    columns = list(table.columns)
    for row in batch:
        for place in places:
            if (why := _misfit(columns[place].type, row[place])) is not None:
                key = ", ".join(str(value) for value, one in zip(row, columns, strict=True) if one.primary_key)
                raise StoreError(
                    f"the row {key[:100]!r} has in {columns[place].name} {why}, which PostgreSQL doesn't take",
                    resource=f"table {table.name}",
                    hint="Mend the row in the source; nothing was changed",
                ) from cause


def _misfit(kind: Any, value: Any) -> str | None:
    if isinstance(value, str):
        if "\0" in value:
            return "a text with a NUL"
        length = getattr(kind, "length", None)
        return f"a text of more than {length} characters" if length is not None and len(value) > length else None
    if isinstance(value, int) and isinstance(kind, sa.Integer):
        bits = 63 if isinstance(kind, sa.BigInteger) else 31
        return f"a number of more than {bits} bits" if not -(1 << bits) <= value < 1 << bits else None
    return None


# --- What rows say ---------------------------------------------------------------------------------------------------


def _digest(text: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(text, digest_size=16).digest(), "big")


def _canonical(row: Sequence[Any]) -> bytes:
    """The row's values, each with its kind and length; equal values give equal bytes, whatever database they are of."""
    texts = [_WRITTEN[type(value)](value) for value in row]
    return b"".join(b"%d:" % len(text) + text for text in texts)


_WRITTEN: Mapping[type, Callable[[Any], bytes]] = {
    type(None): lambda _: b"-",
    bool: lambda value: b"b1" if value else b"b0",
    int: lambda value: b"i%d" % value,
    float: lambda value: b"f" + struct.pack(">d", value + 0.0),  # SQLite knows no negative zero
    str: lambda value: b"s" + value.encode(),
    bytes: lambda value: b"x" + value,
    datetime: lambda value: b"t" + value.isoformat().encode(),
    date: lambda value: b"d" + value.isoformat().encode(),
}


# --- Keys that are given to new rows ---------------------------------------------------------------------------------


_SEQUENCES = sa.table("sqlite_sequence", sa.column("name", sa.String), sa.column("seq", sa.Integer))


def _counted() -> Iterator[tuple[sa.Table, sa.Column[Any]]]:
    """The tables whose keys the database gives, and the columns of these."""
    for table in metadata.sorted_tables:
        if (column := table.autoincrement_column) is not None:
            yield table, column


def _counters(connection: sa.Connection) -> dict[str, int]:
    """The last key that each table gave: a key of a row that is gone must not be given again."""
    found = {table.name: int(connection.scalar(sa.select(sa.func.max(column))) or 0) for table, column in _counted()}
    given = (_given_on_sqlite if connection.dialect.name == "sqlite" else _given_on_postgresql)(connection)
    return {name: max(last, given.get(name, 0)) for name, last in found.items()}


def _given_on_sqlite(connection: sa.Connection) -> dict[str, int]:
    return {row.name: int(row.seq) for row in connection.execute(sa.select(_SEQUENCES))}


def _given_on_postgresql(connection: sa.Connection) -> dict[str, int]:
    query = sa.text("SELECT pg_sequence_last_value(CAST(:name AS regclass))")
    return {
        table.name: int(connection.scalar(query, {"name": _sequence(connection, table, column)}) or 0)
        for table, column in _counted()
    }


def _set_counters(connection: sa.Connection, last: Mapping[str, int]) -> None:
    for table, column in _counted():
        if connection.dialect.name != "sqlite":
            values = {"name": _sequence(connection, table, column), "last": max(last[table.name], 1)}
            begun = last[table.name] > 0
            connection.execute(sa.text("SELECT setval(:name, :last, :begun)"), values | {"begun": begun})
        elif table.dialect_options["sqlite"]["autoincrement"]:
            connection.execute(sa.delete(_SEQUENCES).where(_SEQUENCES.c.name == table.name))
            connection.execute(sa.insert(_SEQUENCES).values(name=table.name, seq=last[table.name]))


def _sequence(connection: sa.Connection, table: sa.Table, column: sa.Column[Any]) -> str:
    query = sa.text("SELECT pg_get_serial_sequence(:table, :column)")
    return str(connection.scalar(query, {"table": f'"{table.name}"', "column": column.name}))
