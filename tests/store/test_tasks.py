"""The queue of tasks, and the numbers by day."""

from __future__ import annotations

from datetime import UTC, date, datetime

from pulsegate.store import tallies, tasks
from pulsegate.store.tallies import Tally


def test_tasks_are_done_in_order_and_equal_ones_that_wait_are_one(database):
    with database.write() as connection:
        first = tasks.start(connection, "publish", {}, "ann")
        assert tasks.start(connection, "publish", {}, "bob") == first
        second = tasks.start(connection, "pull", {"source": "otx"}, "ann")
        assert second != first
        taken = tasks.take(connection)
        assert (taken.pk, taken.kind, taken.arguments, taken.account) == (first, "publish", {}, "ann")
        third = tasks.start(connection, "publish", {}, "bob")
        assert third not in (first, second)  # the first one has begun: it may not see what was decided since
        assert tasks.waits(connection)
        assert [one.pk for one in tasks.unfinished(connection)] == [first, second, third]
        assert [tasks.take(connection).pk for _ in range(2)] == [second, third]
        assert tasks.take(connection) is None
        assert not tasks.waits(connection)


def test_progress_result_and_failure_are_kept(database):
    with database.write() as connection:
        good, bad = tasks.start(connection, "a", {}, "ann"), tasks.start(connection, "b", {}, "ann")
        tasks.take(connection)
        tasks.beat(connection, good, {"done": 3, "total": 9})
        assert tasks.get(connection, good).progress == {"done": 3, "total": 9}
        tasks.finish(connection, good, result={"added": 1})
        tasks.take(connection)
        tasks.finish(connection, bad, error="it broke")
        found = {one.kind: (one.outcome, one.result, one.error, one.is_done) for one in tasks.latest(connection)}
        assert found == {"a": ("ok", {"added": 1}, None, True), "b": ("failed", None, "it broke", True)}
        assert tasks.get(connection, 99) is None


def test_what_a_dead_worker_did_is_buried_and_what_waits_is_not(database):
    with database.write() as connection:
        begun, waiting = tasks.start(connection, "a", {}, "ann"), tasks.start(connection, "b", {}, "ann")
        tasks.take(connection)
        assert tasks.bury(connection) == 1
        assert tasks.get(connection, begun).error == tasks.DIED
        assert tasks.get(connection, begun).outcome == "failed"
        assert tasks.take(connection).pk == waiting


def test_tallies_add_up_by_day_and_collection(database):
    late, next_day = datetime(2024, 6, 1, 23, 59, tzinfo=UTC), datetime(2024, 6, 2, tzinfo=UTC)
    with database.write() as connection:
        for moment, name, added, removed in (
            (late, "a", 3, 0), (late, "a", 2, 1), (next_day, "a", 0, 4), (late, "b", 0, 0), (next_day, "b", 1, 0),
        ):  # fmt: skip
            tallies.count(connection, moment, name, added, removed)
        first, second = date(2024, 6, 1), date(2024, 6, 2)
        assert tallies.since(connection, first) == [
            Tally(first, "a", 5, 1), Tally(second, "a", 0, 4), Tally(second, "b", 1, 0),
        ]  # fmt: skip
        assert tallies.since(connection, second, "a") == [Tally(second, "a", 0, 4)]
        assert tallies.purge(connection, next_day) == 1
        assert tallies.since(connection, first) == [Tally(second, "a", 0, 4), Tally(second, "b", 1, 0)]
