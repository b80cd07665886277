"""Rows of every table, whatever is in them, from each kind of database into each kind."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, timedelta
from itertools import count
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from pulsegate.errors import StoreError
from pulsegate.store import backups, copying
from pulsegate.store.columns import UTCDateTime
from pulsegate.store.database import Database
from pulsegate.store.tables import metadata, polls, pulses, state

NUMBER = 3  # rows of each table: key 1, 2, 3 and so on
TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8)
MOMENTS = st.datetimes(timezones=st.just(UTC))  # of the years 1 to 9999
FLOATS = st.floats(allow_nan=False)  # SQLite keeps NaN as null


POOLS = {  # of each type some values, which the columns of that type take in turn
    sa.Boolean: st.booleans(),
    sa.BigInteger: st.integers(-(2**63), 2**63 - 1),
    sa.Integer: st.integers(-(2**31), 2**31 - 1),
    sa.Float: FLOATS,
    sa.LargeBinary: st.binary(max_size=12),
    sa.Date: st.dates(),
    sa.String: TEXTS,
    UTCDateTime: MOMENTS,
}
POOL = st.fixed_dictionaries({kind: st.lists(found, min_size=2, max_size=7) for kind, found in POOLS.items()})


def is_key(column: sa.Column) -> bool:
    keys = [one for one in column.table.constraints if isinstance(one, sa.UniqueConstraint)]
    return bool(column.primary_key or column.foreign_keys) or any(column in list(one.columns) for one in keys)


def key(kind: sa.types.TypeEngine, number: int):
    if isinstance(kind, sa.LargeBinary):
        return bytes([number])
    if isinstance(kind, sa.Date):
        return date(2026, 1, number)
    return number if isinstance(kind, sa.Integer) else f"{number}"


def contents(pool: dict) -> dict[str, list[dict]]:
    """Rows of every table: keys, and what points at them, are their numbers."""
    place = count()

    def value(column: sa.Column, number: int):
        if is_key(column) or column.unique:
            return key(column.type, number)
        found = next(values for kind, values in pool.items() if isinstance(column.type, kind))
        found = [*found, None] if column.nullable else found
        return found[next(place) % len(found)]

    return {
        table.name: [{one.name: value(one, number) for one in table.columns} for number in range(1, NUMBER + 1)]
        for table in metadata.sorted_tables
    }


def fill(database: Database, found: dict[str, list[dict]]) -> None:
    clear(database)
    with database.write() as connection:
        for table in metadata.sorted_tables:
            connection.execute(sa.insert(table), found[table.name])


def read(database: Database) -> dict[str, list[tuple]]:
    with database.read() as connection:
        return {
            table.name: sorted((tuple(row) for row in connection.execute(sa.select(table))), key=repr)
            for table in metadata.sorted_tables
        }


def moved(source: Database, target: Database) -> dict[str, copying.Sum]:
    with source.snapshot() as snapshot, target.write() as connection:
        return copying.copy(snapshot, connection)


@pytest.fixture
def other(tmp_path: Path):
    """An SQLite file without a row."""
    made = backups.new(tmp_path / "other.db")
    yield made
    made.close()


@given(pool=POOL)
@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.generate])
def test_whatever_rows_hold_arrives_in_either_kind_and_comes_back(database, other, tmp_path, pool):
    found = contents(pool)
    fill(other, found)
    clear(database)
    sent = moved(other, database)
    assert read(database) == read(other)
    back = tmp_path / "back.db"
    back.unlink(missing_ok=True)
    returned = backups.new(back)
    try:
        assert moved(database, returned) == sent
        assert read(returned) == read(other)
    finally:
        returned.close()
        back.unlink()
    assert {name: one.rows for name, one in sent.items()} == dict.fromkeys(found, NUMBER)


def clear(database: Database) -> None:
    with database.write() as connection:
        for table in reversed(metadata.sorted_tables):
            connection.execute(sa.delete(table))


def a_poll(**given):
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    return {
        "pk": 1, "time": moment, "address": "", "agent": "", "collection": "", "blocks": 0, "indicators": 0, "bytes": 0,
        "seconds": 0.0, "outcome": "",
    } | given  # fmt: skip


def a_row(name: str, **given):
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    row = {
        "id": name, "name": name, "author": "", "created": moment, "modified": moment, "tlp": "white", "details": "{}",
        "active": True, "fingerprint": b"", "stored": moment,
    }  # fmt: skip
    return row | given


# --- Sums ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "given",
    [
        {"seconds": 1.0000000000000002},
        {"seconds": math.inf},
        {"detail": ""},
        {"detail": "-"},
        {"agent": "a"},
        {"agent": "a", "collection": ""},
        {"collection": "a"},
        {"bytes": 2**62},
        {"time": datetime(2026, 1, 1, tzinfo=UTC) + timedelta(microseconds=1)},
        {"pk": 2},
    ],
)
def test_sum_differs_where_a_value_differs(database, given):
    found = []
    for row in (a_poll(), a_poll(**given)):
        with database.write() as connection:
            connection.execute(sa.delete(polls))
            connection.execute(sa.insert(polls), row)
            found.append(copying.sums(connection)["polls"])
    assert found[0].rows == found[1].rows == 1
    assert found[0] != found[1]


def test_sum_does_not_know_in_which_order_rows_come(database):
    found = []
    for keys in (("b", "a"), ("a", "b")):
        with database.write() as connection:
            connection.execute(sa.delete(state))
            connection.execute(sa.insert(state), [{"key": key, "value": key} for key in keys])
            found.append(copying.sums(connection)["state"])
    assert found[0] == found[1]


def test_what_arrives_as_something_else_is_found(database, other, monkeypatch):
    with other.write() as connection:
        connection.execute(sa.insert(state), [{"key": key, "value": "x"} for key in "abc"])
    insert = copying.bulk.insert

    def change(connection, table, columns, rows):
        insert(connection, table, columns, [(key, f"{value}!") if key == "b" else (key, value) for key, value in rows])

    monkeypatch.setattr(copying.bulk, "insert", lambda *args: (change if args[1] is state else insert)(*args))
    with pytest.raises(
        StoreError, match=r"table state: 3 rows were sent, 3 arrived, or some arrived as something else"
    ):
        moved(other, database)
    assert not any(read(database).values())


# --- What doesn't fit ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("table", "row", "said"),
    [
        (polls, a_poll(pk=7, detail="a\0b"), "the row '7' has in detail a text with a NUL"),
        (polls, a_poll(pk=7, blocks=2**31), "the row '7' has in blocks a number of more than 31 bits"),
        (polls, a_poll(pk=7, outcome="x" * 33), "the row '7' has in outcome a text of more than 32 characters"),
        (pulses, a_row("x", pk=2**31), "the row '2147483648' has in pk a number of more than 31 bits"),
    ],
)
def test_value_that_only_sqlite_takes_is_named(database, other, table, row, said):
    with other.write() as connection:
        connection.execute(sa.insert(table), row)
    if database.is_sqlite:
        moved(other, database)
        assert read(database) == read(other)
        return
    with pytest.raises(StoreError) as caught:
        moved(other, database)
    assert str(caught.value) == (
        f"table {table.name}: {said}, which PostgreSQL doesn't take. Mend the row in the source; nothing was changed"
    )
    assert not any(read(database).values())


# --- Keys ------------------------------------------------------------------------------------------------------------


def test_key_of_a_row_that_is_gone_is_not_given_again_after_a_copy(database, other, tmp_path):
    """Neither on the way to the database, nor back."""
    with other.write() as connection:
        connection.execute(sa.insert(pulses), [a_row("a"), a_row("b"), a_row("c")])
        connection.execute(sa.delete(pulses).where(pulses.c.id != "a"))
    moved(other, database)
    back = backups.new(tmp_path / "back.db")
    try:
        moved(database, back)
        for one in (database, back):
            with one.write() as connection:
                connection.execute(sa.insert(pulses), a_row("new"))
                assert connection.scalar(sa.select(pulses.c.pk).where(pulses.c.id == "new")) == 4
    finally:
        back.close()


def test_first_key_of_a_table_without_rows_is_1(database, other):
    moved(other, database)
    with database.write() as connection:
        connection.execute(sa.insert(pulses), a_row("new"))
        assert connection.scalars(sa.select(pulses.c.pk)).all() == [1]


def test_large_documents_are_read_and_told_a_few_at_a_time(database, other):
    table = metadata.tables["content_blocks"]
    with other.write() as connection:
        connection.execute(sa.insert(table), [{"id": key, "content": b"x" * 1_000_000} for key in range(1, 21)])
    told = []
    with other.snapshot() as snapshot, database.write() as connection:
        copying.copy(snapshot, connection, lambda *said: told.append(said))
    assert [one for one in told if one[0] == "content_blocks"] == [
        ("content_blocks", 8, 20), ("content_blocks", 16, 20), ("content_blocks", 20, 20),
    ]  # fmt: skip
