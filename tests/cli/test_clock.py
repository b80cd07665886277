"""A clock that is put back or forward, and the jobs of a schedule."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.interval import IntervalTrigger

from pulsegate.cli import clock
from pulsegate.cli.clock import ClockWatch

DUE = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.fixture
def scheduler() -> Iterator[BackgroundScheduler]:
    made = BackgroundScheduler(timezone=UTC)
    made.start(paused=True)
    made.add_job(print, IntervalTrigger(minutes=15, timezone=UTC), id="every", next_run_time=DUE)
    made.add_job(print, CronTrigger.from_crontab("0 6 * * *", timezone=UTC), id="cron", next_run_time=DUE)
    yield made
    made.shutdown()


@pytest.mark.parametrize(("step", "moves"), [(-3600.0, True), (-1.0, False), (3600.0, False)])
def test_jobs_move_with_a_clock_that_is_put_back(
    scheduler: BackgroundScheduler, monkeypatch: pytest.MonkeyPatch, step: float, *, moves: bool
) -> None:
    watch = ClockWatch(scheduler)
    before = clock._offset()
    monkeypatch.setattr(clock, "_offset", lambda: before + step)
    watch.look()
    watch.look()  # it has moved once
    every, cron = (scheduler.get_job(name).next_run_time for name in ("every", "cron"))
    assert abs(every - (DUE + timedelta(seconds=step) if moves else DUE)) < timedelta(milliseconds=1)
    in_a_day = datetime.now(UTC) < cron <= datetime.now(UTC) + timedelta(days=1)
    assert ((cron.hour, cron.minute, in_a_day) == (6, 0, True)) == moves
