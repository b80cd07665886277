"""What has left a collection is remembered for a while."""

from __future__ import annotations

from datetime import timedelta

import pytest

from pulsegate.model.collection import Collection
from pulsegate.store import collections, retention, withdrawals
from pulsegate.store.withdrawals import Withdrawal
from store.conftest import NOW

HOUR = timedelta(hours=1)
A, B = b"a" * 16, b"b" * 16


@pytest.fixture
def ids(database) -> tuple[int, int]:
    with database.write() as connection:
        collections.ensure_services(connection)
        return tuple(collections.put(connection, Collection(name)).id for name in ("one", "two"))


def note(database, id_, left, ended):
    with database.write() as connection:
        withdrawals.note(connection, id_, left, ended)


def found(database, wanted):
    with database.read() as connection:
        return withdrawals.of(connection, wanted)


def test_stays_are_found_by_collection_and_identity_the_last_first(database, ids):
    one, two = ids
    note(database, one, [(A, NOW - 9 * HOUR), (B, NOW - 9 * HOUR)], NOW - 8 * HOUR)
    note(database, one, [(A, NOW - 7 * HOUR), (A, NOW - 5 * HOUR)], NOW - 4 * HOUR)  # it was published again
    note(database, two, [(A, NOW - 3 * HOUR)], NOW - 2 * HOUR)
    note(database, two, [], NOW)
    last = Withdrawal(one, A, (NOW - 7 * HOUR, NOW - 5 * HOUR), NOW - 4 * HOUR)
    assert found(database, {one: [A]}) == [last, Withdrawal(one, A, (NOW - 9 * HOUR,), NOW - 8 * HOUR)]
    assert found(database, {two: [A, B]}) == [Withdrawal(two, A, (NOW - 3 * HOUR,), NOW - 2 * HOUR)]
    assert found(database, {one: [b"c" * 16], two: [B]}) == []


def test_stays_are_forgotten_when_they_ended_long_ago(database, ids, monkeypatch):
    monkeypatch.setattr(retention, "now", lambda _connection: NOW)
    monkeypatch.setattr(withdrawals, "PURGED_AT_ONCE", 2)
    old, young = NOW - 31 * timedelta(days=1), NOW - 29 * timedelta(days=1)
    note(database, ids[0], [(bytes([number]) * 16, old - HOUR) for number in range(5)], old)
    note(database, ids[0], [(A, old - HOUR)], young)
    gone = retention.purge(database, timedelta(days=30), timedelta(days=1), timedelta(days=730))
    assert gone.withdrawals == 5
    assert found(database, {ids[0]: [A, *(bytes([number]) * 16 for number in range(5))]}) == [
        Withdrawal(ids[0], A, (old - HOUR,), young)
    ]


def test_stays_go_with_their_collection(database, ids):
    note(database, ids[0], [(A, NOW)], NOW)
    with database.write() as connection:
        collections.remove(connection, ids[0])
    assert found(database, {ids[0]: [A]}) == []
