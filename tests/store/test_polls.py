"""The poll log's table."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from pulsegate.store import polls, retention
from pulsegate.store.polls import PollRecord
from store.conftest import NOW

MINUTE = timedelta(minutes=1)
FIRST = PollRecord(
    time=NOW, account="gateway", address="192.0.2.7", agent="cabby 0.1", collection="user_Some+Author",
    begin=NOW - MINUTE, end=NOW, part=1, blocks=2, indicators=30, bytes=2**40, seconds=0.25, outcome="answered",
    detail="日本語",
)  # fmt: skip
REFUSED = PollRecord(NOW + MINUTE, None, "192.0.2.8", "", "", None, None, None, 0, 0, 0, 0.0, "UNAUTHORIZED")
LATER = replace(FIRST, time=NOW + 2 * MINUTE, account="other", collection="subscribed")
AGAIN = replace(FIRST, time=NOW + 3 * MINUTE, blocks=0)


@pytest.fixture
def log(database):
    """The four, stored out of order, as several processes do."""
    with database.write() as connection:
        polls.insert_many(connection, [AGAIN, FIRST])
        polls.insert_many(connection, [LATER, REFUSED])
        polls.insert_many(connection, [])
    return database


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({}, [AGAIN, LATER, REFUSED, FIRST]),
        ({"limit": 2}, [AGAIN, LATER]),
        ({"account": "gateway"}, [AGAIN, FIRST]),
        ({"account": "nobody"}, []),
        ({"collection": "user_Some Author"}, [AGAIN, FIRST]),
        ({"collection": "user_Some+Author", "limit": 1}, [AGAIN]),
        ({"since": NOW + MINUTE}, [AGAIN, LATER, REFUSED]),
        ({"outcome": "UNAUTHORIZED"}, [REFUSED]),
        ({"account": "gateway", "since": NOW + MINUTE, "outcome": "answered"}, [AGAIN]),
    ],
)
def test_latest_gives_what_was_asked_for_newest_first(log, wanted, expected):
    with log.read() as connection:
        assert polls.latest(connection, **wanted) == expected


def test_last_poll_of_each_account(log):
    with log.read() as connection:
        assert polls.last_of_each_account(connection) == [AGAIN, LATER]


def test_last_poll_of_two_at_one_instant_is_the_one_stored_last(log):
    twin = replace(AGAIN, blocks=7)
    with log.write() as connection:
        polls.insert_many(connection, [twin])
    with log.read() as connection:
        assert polls.last_of_each_account(connection) == [twin, LATER]


def test_window_of_any_year_is_kept(database):
    odd = replace(FIRST, begin=datetime(1, 1, 1, tzinfo=UTC), end=datetime.max.replace(tzinfo=UTC))
    with database.write() as connection:
        polls.insert_many(connection, [odd])
    with database.read() as connection:
        assert polls.latest(connection) == [odd]


def test_purge_deletes_what_is_older_a_bounded_number_at_once(log, monkeypatch):
    monkeypatch.setattr(polls, "PURGED_AT_ONCE", 2)
    counts = []
    for _ in range(3):
        with log.write() as connection:
            counts.append(polls.purge(connection, NOW + 3 * MINUTE))
    with log.read() as connection:
        assert (counts, polls.latest(connection)) == ([2, 1, 0], [AGAIN])


def test_retention_forgets_old_polls_only(log, monkeypatch):
    monkeypatch.setattr(polls, "PURGED_AT_ONCE", 1)
    monkeypatch.setattr(retention, "now", lambda _: NOW + timedelta(days=30, minutes=2))
    forgotten = retention.purge(log, timedelta(days=90), timedelta(days=30), timedelta(days=730))
    with log.read() as connection:
        assert (forgotten.polls, polls.latest(connection)) == (2, [AGAIN, LATER])
