"""Aware datetimes in both kinds of database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pulsegate.store.columns import UTCDateTime
from pulsegate.store.tables import content_blocks

MOMENTS = st.datetimes(
    min_value=datetime(1, 1, 3),  # noqa: DTZ001
    max_value=datetime(9999, 12, 29),  # noqa: DTZ001
    timezones=st.timezones(no_cache=True),
)


@given(moment=MOMENTS)
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_datetime_of_any_zone_comes_back_as_the_same_moment_in_utc(database, moment):
    with database.read() as connection:
        found = connection.scalar(sa.select(sa.bindparam("moment", moment, type_=UTCDateTime())))
    assert found == moment.astimezone(UTC)
    assert found.tzinfo is UTC


def test_datetime_that_is_missing(database):
    with database.read() as connection:
        assert connection.scalar(sa.select(sa.bindparam("moment", None, type_=UTCDateTime()))) is None


def test_datetime_without_a_zone_is_refused(database):
    naive = datetime(2024, 6, 1)  # noqa: DTZ001
    with (
        pytest.raises(sa.exc.StatementError, match="a datetime without a zone can't be stored"),
        database.read() as one,
    ):
        one.scalar(sa.select(sa.bindparam("moment", naive, type_=UTCDateTime())))


def test_datetime_is_what_opentaxiis_own_column_reads(database):
    moment = datetime(2024, 6, 1, 14, 0, 0, 5, tzinfo=timezone(timedelta(hours=2)))
    with database.write() as connection:
        connection.execute(sa.insert(content_blocks).values(content=b"", timestamp_label=moment))
    stock = sa.table("content_blocks", sa.column("timestamp_label", sa.DateTime(timezone=True)))
    with database.read() as connection:
        found = connection.scalar(sa.select(stock.c.timestamp_label))
    assert found.replace(tzinfo=UTC) == datetime(2024, 6, 1, 12, 0, 0, 5, tzinfo=UTC)


def test_datetimes_are_ordered_by_the_moment(database):
    """Also those of a whole second, which a database might write shorter."""
    second = datetime(2024, 6, 1, 12, tzinfo=UTC)
    moments = [second + timedelta(microseconds=step) for step in (0, 1, 100_000, 999_999, 1_000_000)]
    with database.write() as connection:
        for moment in reversed(moments):
            connection.execute(sa.insert(content_blocks).values(content=b"", timestamp_label=moment))
    label = content_blocks.c.timestamp_label
    with database.read() as connection:
        assert connection.scalars(sa.select(label).order_by(label)).all() == moments
        assert connection.scalars(sa.select(label).where(label > second).order_by(label)).all() == moments[1:]
