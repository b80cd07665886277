"""The worker's schedule: APScheduler jobs that pull, publish, look for alarms and forget; and what pages ask for."""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import structlog
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.base import BaseScheduler
from apscheduler.schedulers.blocking import BlockingScheduler
from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.date import DateTrigger
from apscheduler.triggers.interval import IntervalTrigger

from pulsegate.cli import feeding
from pulsegate.cli.alarms import Watch
from pulsegate.cli.clock import ClockWatch
from pulsegate.cli.feeding import Feeding
from pulsegate.cli.lifeline import end_with
from pulsegate.cli.relaying import Receiving, Sending
from pulsegate.cli.setup import Installation
from pulsegate.cli.tasks import Runner
from pulsegate.errors import BusyError, PulsegateError, RateLimitedError
from pulsegate.publication.counting import Counting
from pulsegate.publication.publish import publish_all
from pulsegate.relay import ways
from pulsegate.relay.ways import Way
from pulsegate.settings import PullSettings
from pulsegate.store import retention, sources
from pulsegate.store.locks import WORKER, hold
from pulsegate.sync.retrial import retry_after_upgrade

if TYPE_CHECKING:
    from pulsegate.cli.feeding import Client

log = structlog.get_logger(__name__)

PUBLISH_INTERVAL = timedelta(minutes=15)  # expiry and rules take effect at least so often
LONGEST_RETRY = timedelta(hours=1)  # however long OTX asks to wait, and however long the interval is
COUNT_INTERVAL = timedelta(seconds=10)
LOCK_INTERVAL = timedelta(seconds=5)
INBOX_INTERVAL = timedelta(seconds=10)
OTHER_JOBS = 8  # beside the pulls
LOCK_WAIT = 5.0  # seconds: 'status' holds the lock of a pull for a moment, to see whether somebody else does
FOREVER = 1e9  # seconds
GRACE = 3.0  # seconds that a pull has to end when the worker is told to; the next one goes on where it stopped


def run(where: Installation, parent: int | None = None) -> None:
    """Run until told to stop, or until the process ``parent`` is gone. One worker works at a time on a database."""
    if parent is not None:
        end_with(parent)  # a pull resumes where it stopped
    with hold(where.database, WORKER, wait=FOREVER, on_wait=lambda: log.info("worker.stands_by")) as holds:
        _work(where, holds)


def _work(where: Installation, holds: Callable[[], bool]) -> None:
    logging.getLogger("apscheduler").setLevel(logging.ERROR)  # it warns of each time at which a long pull goes on
    found = feeding.active(where)
    _say_what_is_left_out(where, found)
    scheduler = BlockingScheduler(timezone=UTC, executors={"default": ThreadPoolExecutor(len(found) + OTHER_JOBS)})
    with ExitStack() as stack:
        for source in found:
            client = stack.enter_context(feeding.client(where, source))
            trigger = _trigger(source.settings)
            job = _Pull(scheduler, where, source, client)
            _add(scheduler, job, f"pull.{source.name}", trigger, _first_pull(where, source, trigger))
        soon = PUBLISH_INTERVAL if found else timedelta()
        _add(scheduler, lambda: _publish(where), "publish", _every(PUBLISH_INTERVAL), _in(soon))
        _add(scheduler, lambda: _forget(where), "retention", _every(timedelta(days=1)), _in(timedelta(minutes=10)))
        _add(scheduler, lambda: _try_again(where), "quarantine", DateTrigger(timezone=UTC), _in(timedelta()))
        _add(scheduler, lambda: _end_unless(holds), "lock", _every(LOCK_INTERVAL), _in(LOCK_INTERVAL))
        counting = Counting(where.database)
        _add(scheduler, lambda: _count(counting), "counts", _every(COUNT_INTERVAL), _in(COUNT_INTERVAL))
        _relay(scheduler, where)
        if not where.demo:  # with nothing to watch, too: what was raised before must end
            watch = Watch(where, found)  # later than the first pulls, which may mend what lay still for a while
            _add(scheduler, watch, "alarms", _every(watch.interval), _in(watch.interval))
        runner = Runner(where)
        runner.start()
        stack.callback(runner.stop)
        clock = ClockWatch(scheduler)
        clock.start()
        stack.callback(clock.stop)
        with _stopped_by_signals(scheduler):
            scheduler.start()


def _relay(scheduler: BaseScheduler, where: Installation) -> None:
    """Bundles out and in, where the settings say so; the demo has none."""
    settings = where.settings.relay
    if settings.outbox is not None and not where.demo:
        sending = Sending(where, settings.outbox)
        _add(scheduler, sending, "relay.out", _every(settings.interval), sending.expect(_first_bundle(where)))
    if settings.inbox is not None and not where.demo:
        _add(scheduler, Receiving(where, settings.inbox), "relay.in", _every(INBOX_INTERVAL), _in(timedelta()))


def _first_bundle(where: Installation) -> datetime:
    """When the interval since the last one is over: a worker that is started often writes no more than others."""
    with where.database.read() as connection:
        last = ways.gone(connection, Way.OUTBOX)
    due = last.time + where.settings.relay.interval if last else _in(timedelta())
    return max(due, _in(timedelta()))


def _say_what_is_left_out(where: Installation, found: Sequence[Feeding]) -> None:
    if not found:
        if not where.settings.otx.enabled:  # as it is meant, where bundles bring the pulses
            log.info("otx.not_pulled", reason="otx.enabled is false; serving what is stored")
        else:
            log.warning("otx.not_pulled", reason="no API key is set; serving what is stored")
        return
    for one in feeding.configured(where):
        if one not in found and one.name != feeding.MAIN and one.settings.enabled:
            log.warning("source.not_pulled", source=one.name, reason="no API key is set")


def _add(scheduler: BaseScheduler, job: Callable[[], None], name: str, trigger: BaseTrigger, first: datetime) -> None:
    """A job that never overlaps itself, runs at ``first``, and makes up for what it missed once."""
    scheduler.add_job(
        job, trigger, id=name, max_instances=1, coalesce=True, misfire_grace_time=None, next_run_time=first
    )


def _in(time: timedelta) -> datetime:
    return datetime.now(UTC) + time


def _first_pull(where: Installation, source: Feeding, trigger: BaseTrigger) -> datetime:
    """At once; with cron when that says, unless a time was missed or the last pull failed."""
    with where.database.read() as connection:
        row = sources.get(connection, source.name)
    if source.settings.cron is None or row is None or row.completed is None or row.failing is not None:
        return _in(timedelta())
    due: datetime = trigger.get_next_fire_time(None, row.completed)
    return max(due, _in(timedelta()))


def _every(interval: timedelta, jitter: timedelta = timedelta()) -> IntervalTrigger:
    return IntervalTrigger(seconds=interval.total_seconds(), timezone=UTC, jitter=jitter.total_seconds() or None)


def _trigger(source: PullSettings) -> BaseTrigger:
    """By cron or by interval, in either case a little off, so that a fleet of these does not ask at once."""
    if source.cron is not None:
        trigger = CronTrigger.from_crontab(source.cron, timezone=UTC)
        trigger.jitter = source.jitter.total_seconds() if source.jitter is not None else None
        return trigger
    return _every(source.interval, source.interval / 10 if source.jitter is None else source.jitter)


class _Pull:
    """The pull of one source; after a failure it comes again soon instead of at its next time, then less and less."""

    def __init__(self, scheduler: BaseScheduler, where: Installation, source: Feeding, client: Client) -> None:
        self._scheduler = scheduler
        self._where = where
        self._source = source
        self._client = client
        self._failures = 0

    def __call__(self) -> None:
        where, source = self._where, self._source
        try:
            feeding.pull(where, source, self._client, wait=LOCK_WAIT)
        except BusyError as error:
            log.info("pull.put_off", source=source.name, reason=str(error))
            self._at(_in(source.settings.retry))
        except PulsegateError as error:
            self._again(error)
        else:
            self._failures = 0

    def _again(self, error: PulsegateError) -> None:
        settings = self._source.settings
        longest = max(settings.retry, min(settings.interval, LONGEST_RETRY))
        wait = min(settings.retry * 2**self._failures, longest)
        if isinstance(error, RateLimitedError) and error.retry_after is not None:
            told = min(error.retry_after, LONGEST_RETRY.total_seconds())  # it may be more than a timedelta holds
            wait = max(wait, timedelta(seconds=told))
        self._failures = min(self._failures + 1, 10)
        again = _in(wait)
        log.error("pull.failed", source=self._source.name, reason=str(error), next_try_in=f"{wait.total_seconds():g}s")
        self._at(again)
        with suppress(PulsegateError), self._where.database.write() as connection:  # it may be what has failed
            sources.update(connection, self._source.name, next_try=again)

    def _at(self, moment: datetime) -> None:
        if self._scheduler.running:
            self._scheduler.modify_job(f"pull.{self._source.name}", next_run_time=moment)


def _publish(where: Installation) -> None:
    try:
        publish_all(where.database, where.policy)
    except PulsegateError as error:
        log.error("publication.failed", reason=str(error))  # noqa: TRY400 - the reason is the whole story


def _try_again(where: Installation) -> None:
    try:
        retry_after_upgrade(where.database, where.policy)
    except PulsegateError as error:
        log.error("quarantine.failed", reason=str(error))  # noqa: TRY400 - the reason is the whole story


def _count(counting: Counting) -> None:
    try:
        counting()
    except PulsegateError as error:
        log.error("counting.failed", reason=str(error))  # noqa: TRY400 - the reason is the whole story


def _forget(where: Installation) -> None:
    try:
        kept = where.settings
        gone = retention.purge(where.database, kept.retention, kept.polls_kept, kept.audit_kept)
    except PulsegateError as error:
        log.error("retention.failed", reason=str(error))  # noqa: TRY400 - the reason is the whole story
    else:
        log.info("retention.purged", **asdict(gone))


def _end_unless(holds: Callable[[], bool]) -> None:
    """Where the lock is lost another worker has begun, or will: this one ends. Its work goes on where it stopped."""
    if not holds():
        log.error("worker.lock_lost", hint="it ends, and stands by when it is started again")
        os._exit(1)


@contextmanager
def _stopped_by_signals(scheduler: BlockingScheduler) -> Iterator[None]:
    def stop(_number: int, _frame: Any) -> None:
        if not scheduler.running:
            os._exit(0)
        impatience = threading.Timer(GRACE, os._exit, (0,))
        impatience.daemon = True
        impatience.start()
        scheduler.shutdown(wait=False)

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
