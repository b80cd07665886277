"""Rows that come by the thousand are what SQLAlchemy would have written."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
import sqlalchemy as sa

from pulsegate.store import bulk
from pulsegate.store.tables import polls, runs

MOMENT = datetime(2024, 6, 1, 12, 0, 0, 123456, tzinfo=UTC)


def rows():
    east = timezone(timedelta(hours=9))
    yield ("pull", MOMENT, None, "ok", 1, 2, "a\tb\\c\nd", None)
    yield ("pull", MOMENT.astimezone(east), MOMENT, "ok", 1, 2, "日本語 😀 ' \" \\N", "otx")
    yield ("pull", datetime(1, 1, 2, tzinfo=UTC), None, "", 0, 0, "", "")


def test_rows_are_what_sqlalchemy_writes(database):
    columns = ("kind", "started", "finished", "outcome", "pulses", "indicators", "error", "source")
    with database.write() as connection:
        bulk.insert(connection, runs, columns, list(rows()))
        connection.execute(sa.insert(runs), [dict(zip(columns, row, strict=True)) for row in rows()])
    with database.read() as connection:
        found = [
            tuple(row) for row in connection.execute(sa.select(*(runs.c[one] for one in columns)).order_by(runs.c.pk))
        ]
        texts = connection.execute(sa.select(sa.cast(runs.c.started, sa.Text)).order_by(runs.c.pk)).scalars().all()
    assert found[:3] == found[3:] == [tuple(row) for row in rows()]
    assert texts[:3] == texts[3:]


def test_nothing_is_no_statement(database):
    with database.write() as connection:
        bulk.insert(connection, polls, ("account",), [])
        assert connection.scalar(sa.select(sa.func.count()).select_from(polls)) == 0


def test_constraint_holds(database):
    with pytest.raises(sa.exc.IntegrityError, match=r"(?i)not.null"), database.write() as connection:
        bulk.insert(connection, runs, ("kind",), [("pull",)])
