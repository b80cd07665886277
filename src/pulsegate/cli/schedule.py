"""The worker's schedule: APScheduler jobs that pull, publish, look for alarms and forget."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from apscheduler.schedulers.base import BaseScheduler
from apscheduler.schedulers.blocking import BlockingScheduler
from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.date import DateTrigger
from apscheduler.triggers.interval import IntervalTrigger

import pulsegate.sync.pull as sync
from pulsegate.cli import alarms, feeding
from pulsegate.cli.feeding import Feeding
from pulsegate.cli.setup import Installation
from pulsegate.errors import OTXRateLimitedError, PulsegateError
from pulsegate.otx.client import OTXClient
from pulsegate.publication.publish import publish_all
from pulsegate.settings import OTXSettings
from pulsegate.store import retention, sources
from pulsegate.store.locks import WORKER, hold
from pulsegate.sync.retrial import retry_after_upgrade

log = structlog.get_logger(__name__)

PUBLISH_INTERVAL = timedelta(minutes=15)  # expiry and rules take effect at least so often
ALARM_INTERVAL = timedelta(minutes=1)
LONGEST_RETRY = timedelta(hours=1)  # however long OTX asks to wait
FOREVER = 1e9  # seconds


def run(where: Installation, parent: int | None = None) -> None:
    """Run until told to stop, or until the process ``parent`` is gone. One worker works at a time on a database."""
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent,), name="parent", daemon=True).start()
    with hold(where.database, WORKER, wait=FOREVER, on_wait=lambda: log.info("worker.stands_by")):
        _work(where)


def _work(where: Installation) -> None:
    scheduler = BlockingScheduler(timezone=UTC)
    with ExitStack() as stack:
        found = feeding.active(where)
        for source in found:
            client = stack.enter_context(feeding.client(where, source))
            job = _Pull(scheduler, where, source, client)
            _add(scheduler, job, f"pull.{source.name}", _trigger(source.settings), timedelta())
        if not found:
            log.warning("otx.not_pulled", reason="no API key is set, or otx.enabled is false; serving what is stored")
        soon = PUBLISH_INTERVAL if found else timedelta()
        _add(scheduler, lambda: _publish(where), "publish", _every(PUBLISH_INTERVAL), soon)
        _add(scheduler, lambda: _forget(where), "retention", _every(timedelta(days=1)), timedelta(minutes=10))
        _add(scheduler, lambda: _try_again(where), "quarantine", DateTrigger(timezone=UTC), timedelta())
        _add(scheduler, lambda: alarms.check(where), "alarms", _every(ALARM_INTERVAL), timedelta())
        with _stopped_by_signals(scheduler):
            scheduler.start()


def _add(scheduler: BaseScheduler, job: Callable[[], None], name: str, trigger: BaseTrigger, first: timedelta) -> None:
    """A job that never overlaps itself, runs ``first`` from now on, and makes up for what it missed once."""
    scheduler.add_job(
        job, trigger, id=name, max_instances=1, coalesce=True, misfire_grace_time=None,
        next_run_time=datetime.now(UTC) + first,
    )  # fmt: skip


def _every(interval: timedelta, jitter: timedelta = timedelta()) -> IntervalTrigger:
    return IntervalTrigger(seconds=interval.total_seconds(), timezone=UTC, jitter=jitter.total_seconds() or None)


def _trigger(source: OTXSettings) -> BaseTrigger:
    """By cron or by interval, in either case a little off, so that a fleet of these does not ask at once."""
    if source.cron is not None:
        trigger = CronTrigger.from_crontab(source.cron, timezone=UTC)
        trigger.jitter = source.jitter.total_seconds() if source.jitter is not None else None
        return trigger
    return _every(source.interval, source.interval / 10 if source.jitter is None else source.jitter)


class _Pull:
    """The pull of one source; after a failure it comes again soon instead of at its next time, then less and less."""

    def __init__(self, scheduler: BaseScheduler, where: Installation, source: Feeding, client: OTXClient) -> None:
        self._scheduler = scheduler
        self._where = where
        self._source = source
        self._client = client
        self._failures = 0

    def __call__(self) -> None:
        where, source = self._where, self._source
        try:
            sync.pull(
                where.database, self._client, where.policy, feeding.wanted(source), feeding.pace(where, source), wait=0
            )
        except PulsegateError as error:
            self._again(error)
        else:
            self._failures = 0

    def _again(self, error: PulsegateError) -> None:
        settings = self._source.settings
        wait = min(settings.retry * 2**self._failures, max(settings.retry, settings.interval))
        if isinstance(error, OTXRateLimitedError) and error.retry_after is not None:
            wait = max(wait, min(timedelta(seconds=error.retry_after), LONGEST_RETRY))
        self._failures = min(self._failures + 1, 10)
        again = datetime.now(UTC) + wait
        log.error("pull.failed", source=self._source.name, reason=str(error), next_try_in=f"{wait.total_seconds():g}s")
        self._scheduler.modify_job(f"pull.{self._source.name}", next_run_time=again)
        with self._where.database.write() as connection:
            sources.update(connection, self._source.name, next_try=again)


def _publish(where: Installation) -> None:
    try:
        publish_all(where.database, where.policy)
    except PulsegateError as error:
        log.error("publication.failed", reason=str(error))  # noqa: TRY400 - the reason is the whole story


def _try_again(where: Installation) -> None:
    try:
        retry_after_upgrade(where.database)
    except PulsegateError as error:
        log.error("quarantine.failed", reason=str(error))  # noqa: TRY400 - the reason is the whole story


def _forget(where: Installation) -> None:
    try:
        gone = retention.purge(where.database, where.settings.retention, where.settings.polls_kept)
    except PulsegateError as error:
        log.error("retention.failed", reason=str(error))  # noqa: TRY400 - the reason is the whole story
    else:
        counts = {"runs": gone.runs, "pulses": gone.pulses, "quarantined": gone.quarantined, "polls": gone.polls}
        log.info("retention.purged", **counts)


def _end_with(parent: int) -> None:
    """A worker must not outlive the server that started it, however that one ended; a pull resumes where it stopped."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(0)


@contextmanager
def _stopped_by_signals(scheduler: BlockingScheduler) -> Iterator[None]:
    def stop(_number: int, _frame: Any) -> None:
        os._exit(0) if scheduler.state == 0 else scheduler.shutdown(wait=False)

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
