"""What the schedule does when the host's clock is put back: without this nothing would run until it has caught up."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from apscheduler.jobstores.base import JobLookupError
from apscheduler.schedulers.base import BaseScheduler
from apscheduler.triggers.cron import CronTrigger

log = structlog.get_logger(__name__)

LOOK = 5.0  # seconds between two looks
STEP = 30.0  # seconds that no slewing clock is off by within that time


class ClockWatch:
    """A thread that holds the clock against one that nobody sets, and moves the jobs as the clock was moved.

    Jobs that a clock that was put forward has made due are run by the scheduler itself, each once.
    """

    def __init__(self, scheduler: BaseScheduler) -> None:
        self._scheduler = scheduler
        self._offset = _offset()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="clock", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._ended.set()

    def _run(self) -> None:
        while not self._ended.wait(LOOK):
            self.look()

    def look(self) -> None:
        """Compare once."""
        offset = _offset()
        step, self._offset = offset - self._offset, offset
        if abs(step) < STEP:
            return
        log.warning("clock.stepped", seconds=round(step), hint="let a time service keep this host's clock")
        if step < 0:
            for job in self._scheduler.get_jobs():
                with suppress(JobLookupError):  # it has run for the last time meanwhile
                    self._scheduler.modify_job(job.id, next_run_time=_moved(job, timedelta(seconds=step)))


def _offset() -> float:
    return time.time() - time.monotonic()


def _moved(job: Any, step: timedelta) -> datetime | None:
    if isinstance(job.trigger, CronTrigger):
        due: datetime | None = job.trigger.get_next_fire_time(None, datetime.now(UTC))
        return due
    moved: datetime = job.next_run_time + step
    return moved
