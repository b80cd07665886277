"""The record of pulls."""

from __future__ import annotations

from datetime import timedelta

import pytest

from pulsegate.store import locks, runs
from pulsegate.store.runs import Run
from store.conftest import NOW

MINUTE = timedelta(minutes=1)


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    """Each look at the clock is a minute later."""
    moments = iter(NOW + number * MINUTE for number in range(20))
    monkeypatch.setattr(runs, "now", lambda _: next(moments))


def begin(database, source="otx"):
    with database.write() as connection:
        return runs.begin(connection, source)


def finish(database, pk, outcome, error=None):
    with database.write() as connection:
        runs.finish(connection, pk, outcome, error)


def test_run_before_any(database):
    assert runs.last(database) is None


def test_run_that_goes_on(database):
    with locks.hold(database, locks.pull("otx")):
        pk = begin(database)
        with database.write() as connection:
            runs.advance(connection, pk, 3, 40)
        assert runs.last(database) == Run(pk, NOW + MINUTE, None, "running", 3, 40, None, "otx")


def test_run_that_is_done(database):
    pk = begin(database)
    finish(database, pk, runs.OK)
    assert runs.last(database) == Run(pk, NOW + MINUTE, NOW + 2 * MINUTE, "ok", 0, 0, None, "otx")


def test_run_that_failed(database):
    pk = begin(database)
    finish(database, pk, runs.FAILED, "OTX answered 504")
    assert runs.last(database) == Run(pk, NOW + MINUTE, NOW + 2 * MINUTE, "failed", 0, 0, "OTX answered 504", "otx")


def test_run_whose_process_died_reads_failed(database):
    pk = begin(database)
    assert runs.last(database) == Run(pk, NOW + MINUTE, None, "failed", 0, 0, runs.DIED, "otx")


def test_run_whose_process_died_is_closed_by_the_next(database):
    first = begin(database)
    second = begin(database)
    finish(database, second, runs.OK)
    with database.read() as connection:
        rows = connection.execute(runs.sa.select(runs.runs).order_by(runs.runs.c.pk)).all()
    assert [(row.pk, row.outcome, row.error) for row in rows] == [(first, "failed", runs.DIED), (second, "ok", None)]


def test_run_that_ends_while_it_is_looked_at_did_not_die(database, monkeypatch):
    pk = begin(database)

    def ends_now(*_):
        finish(database, pk, runs.OK)
        return False

    monkeypatch.setattr(runs, "is_held", ends_now)
    found = runs.last(database)
    assert found is not None
    assert (found.outcome, found.error) == ("ok", None)


def test_runs_of_two_sources_are_told_apart(database):
    first, second = begin(database, "otx"), begin(database, "partner")
    with locks.hold(database, locks.pull("partner")):
        assert [runs.last(database, one).outcome for one in ("otx", "partner")] == ["failed", "running"]
        assert runs.last(database).pk == second
    finish(database, first, runs.OK)
    assert runs.last(database, "otx").outcome == "ok"
    assert runs.last(database, "nobody") is None


def test_run_of_another_source_is_not_closed_by_the_next(database):
    begin(database, "otx")
    begin(database, "partner")
    with locks.hold(database, locks.pull("otx")):
        found = runs.last(database, "otx")
    assert (found.outcome, found.error) == ("running", None)


def test_run_of_an_older_version_is_closed_by_the_next_of_any_source(database):
    """It was not told whose it was, and no two ran at a time."""
    first = begin(database)
    with database.write() as connection:
        connection.execute(runs.sa.update(runs.runs).values(source=None))
    begin(database, "partner")
    with database.read() as connection:
        query = runs.sa.select(runs.runs.c.outcome, runs.runs.c.error).where(runs.runs.c.pk == first)
        assert connection.execute(query).one() == ("failed", runs.DIED)
