"""The worker's schedule: APScheduler jobs that pull and publish."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from apscheduler.schedulers.blocking import BlockingScheduler

import pulsegate.sync.pull as sync
from pulsegate.cli.setup import Installation, otx_client, pace, pulls
from pulsegate.errors import PulsegateError
from pulsegate.otx.client import OTXClient
from pulsegate.publication.publish import publish_all
from pulsegate.store import retention

log = structlog.get_logger(__name__)

PUBLISH_INTERVAL = timedelta(minutes=15)  # expiry and rules take effect at least so often


def run(where: Installation, parent: int | None = None) -> None:
    """Run until told to stop, or until the process ``parent`` is gone."""
    scheduler = BlockingScheduler(timezone=UTC)
    with ExitStack() as stack:
        if pulls(where):
            client = stack.enter_context(otx_client(where))
            interval = where.settings.otx.interval
            job = _Pull(scheduler, where, client)
            scheduler.add_job(
                job, "interval", seconds=interval.total_seconds(), id="pull", max_instances=1, coalesce=True,
                misfire_grace_time=None, next_run_time=datetime.now(UTC),
            )  # fmt: skip
        else:
            log.warning("otx.not_pulled", reason="no API key is set, or otx.enabled is false; serving what is stored")
        scheduler.add_job(
            lambda: _publish(where), "interval", seconds=PUBLISH_INTERVAL.total_seconds(), id="publish",
            max_instances=1, coalesce=True, misfire_grace_time=None,
            next_run_time=None if pulls(where) else datetime.now(UTC),
        )  # fmt: skip
        scheduler.add_job(
            lambda: _forget(where), "interval", days=1, id="retention", max_instances=1, coalesce=True,
            misfire_grace_time=None, next_run_time=datetime.now(UTC) + timedelta(minutes=10),
        )  # fmt: skip
        if parent is not None:
            scheduler.add_job(lambda: _end_with(parent), "interval", seconds=1, id="parent", misfire_grace_time=None)
        with _stopped_by_signals(scheduler):
            scheduler.start()


class _Pull:
    """The pull job; after a failure it comes again soon instead of after the whole interval."""

    def __init__(self, scheduler: BlockingScheduler, where: Installation, client: OTXClient) -> None:
        self._scheduler = scheduler
        self._where = where
        self._client = client

    def __call__(self) -> None:
        where = self._where
        try:
            sync.pull(where.database, self._client, where.policy, pace(where.settings))
        except PulsegateError as error:
            again = where.settings.otx.retry
            log.error("pull.failed", reason=str(error), next_try_in=f"{again.total_seconds():g}s")  # noqa: TRY400
            self._scheduler.modify_job("pull", next_run_time=datetime.now(UTC) + again)


def _publish(where: Installation) -> None:
    try:
        publish_all(where.database, where.policy)
    except PulsegateError as error:
        log.error("publication.failed", reason=str(error))  # noqa: TRY400 - the reason is the whole story


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
    if os.getppid() != parent:
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
