"""A pull: walk the subscription page by page, store each page, then publish; and its record, the run."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import structlog

from pulsegate.curation.policy import Policy
from pulsegate.errors import OTXAnswerError, OTXError, OTXRateLimitedError, OTXUnavailableError, PulsegateError
from pulsegate.model.indicator import RawIndicator, Rejection
from pulsegate.otx.client import OTXClient
from pulsegate.otx.documents import documents
from pulsegate.otx.parse import ReadPulse, read_indicators
from pulsegate.publication.built_in import author_collection
from pulsegate.publication.publish import Publication, publish_all
from pulsegate.store import collections, runs, state
from pulsegate.store.database import Database, now
from pulsegate.store.locks import PULL, hold
from pulsegate.sync.intake import Intake, take

log = structlog.get_logger(__name__)

WATERMARK = "otx.watermark"  # the start of the last whole walk: everything modified before it was seen
OWNER = "otx.owner"
OVERLAP = timedelta(hours=1)  # pages shift while they are walked, and OTX's clock is not ours
EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
MAX_BACKOFF = timedelta(minutes=5)
TRIES = 4  # of one request within a run; a failed run is tried again as a whole
INDICATORS_PAGE = 1000
LOCK_WAIT = 600.0  # seconds that a pull waits for another one to end
FILE_BATCH = 20  # pulses stored in one transaction


class Progress(Protocol):
    """Who is told how a pull goes on. ``total`` is the number of pulses to come in all, where OTX tells."""

    def fetched(self, intake: Intake, total: int | None) -> None: ...
    def publishing(self, collection: str) -> None: ...


class Silent:
    """Tells nobody."""

    def fetched(self, intake: Intake, total: int | None) -> None: ...
    def publishing(self, collection: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Pace:
    """How a pull asks: pulses in a page, the first wait after an error, how far back the first one reaches."""

    page_size: int = 20
    backoff: timedelta = timedelta(seconds=1)
    backfill: timedelta = timedelta(days=365)
    sleep: Callable[[float], None] = field(default=time.sleep)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a pull brought, and what its publication changed."""

    intake: Intake
    publications: list[Publication]


def pull(
    database: Database,
    client: OTXClient,
    policy: Policy,
    pace: Pace,
    *,
    full: bool = False,
    progress: Progress | None = None,
) -> Outcome:
    """Pull what was modified since the last whole walk (``full``: since the backfill's beginning) and publish it.

    Raises OTXError when OTX fails for good; what was stored until then stays and is published.
    """
    walk = _Walk(database, client, pace)
    return _run(database, policy, progress or Silent(), lambda intake, told: walk.run(intake, told, full=full))


def pull_files(
    database: Database, paths: Iterable[Path], policy: Policy, *, progress: Progress | None = None
) -> Outcome:
    """Take pulses from files, whatever their age, and publish them."""
    files = list(paths)

    def work(intake: Intake, told: Progress) -> None:
        for path in files:
            for batch in _batches(documents(path), FILE_BATCH):
                take(database, batch, intake)
                told.fetched(intake, None)

    return _run(database, policy, progress or Silent(), work)


def _run(database: Database, policy: Policy, progress: Progress, work: Callable[[Intake, Progress], None]) -> Outcome:
    intake = Intake()
    publications: list[Publication] = []
    waiting = "pull.waits_for_another_one"
    with hold(database, PULL, wait=LOCK_WAIT, on_wait=lambda: log.warning(waiting)), _recorded(database, intake) as run:
        try:
            work(intake, _Recording(database, run, progress))
        except PulsegateError:
            if intake.new or intake.changed:  # what came before OTX failed is served all the same
                publish_all(database, policy, progress.publishing)
            raise
        publications = publish_all(database, policy, progress.publishing)
    return Outcome(intake, publications)


@contextmanager
def _recorded(database: Database, intake: Intake) -> Iterator[int]:
    with database.write() as connection:
        run = runs.begin(connection)
    try:
        yield run
    except BaseException as error:
        reason = _reason(error)
        _finish(database, run, intake, runs.FAILED, reason)
        raise
    _finish(database, run, intake, runs.OK, None)


def _reason(error: BaseException) -> str:
    if isinstance(error, PulsegateError):
        return str(error)
    return "interrupted" if isinstance(error, KeyboardInterrupt) else f"{type(error).__name__}: {error}"


class _Recording:
    """Tells ``progress``, and keeps the run's numbers up to date for ``status``."""

    def __init__(self, database: Database, run: int, progress: Progress) -> None:
        self._database = database
        self._run = run
        self._progress = progress

    def fetched(self, intake: Intake, total: int | None) -> None:
        with self._database.write() as connection:
            runs.advance(connection, self._run, intake.pulses, intake.indicators)
        self._progress.fetched(intake, total)

    def publishing(self, collection: str) -> None:
        self._progress.publishing(collection)


def _finish(database: Database, run: int, intake: Intake, outcome: str, error: str | None) -> None:
    with database.write() as connection:
        runs.advance(connection, run, intake.pulses, intake.indicators)
        runs.finish(connection, run, outcome, error)
    log.info("pull.finished", outcome=outcome, pulses=intake.pulses, new=intake.new, changed=intake.changed)


class _Walk:
    """One walk over the subscription, newest first."""

    def __init__(self, database: Database, client: OTXClient, pace: Pace) -> None:
        self._database = database
        self._client = client
        self._pace = pace

    def run(self, intake: Intake, progress: Progress, *, full: bool) -> None:
        with self._database.read() as connection:
            started = now(connection)
            watermark = state.get(connection, WATERMARK)
        since = _back(started, self._pace.backfill)
        if watermark is not None and not full:
            since = max(since, datetime.fromisoformat(watermark) - OVERLAP)
        self._learn_owner()
        self._pages(since, intake, progress)
        with self._database.write() as connection:
            state.put(connection, WATERMARK, started.isoformat())

    def _learn_owner(self) -> None:
        """The key's owner has a collection, also when it is empty. Not being told of one stops nothing."""
        try:
            owner = self._client.owner()
        except OTXError as error:
            log.info("otx.owner_unknown", reason=str(error))
            return
        if owner is not None:
            with self._database.write() as connection:
                state.put(connection, OWNER, owner)
                collections.put(connection, author_collection(owner))

    def _pages(self, since: datetime, intake: Intake, progress: Progress) -> None:
        number = 1
        while True:
            page = self._ask(partial(self._client.subscribed, number, self._pace.page_size, since))
            take(self._database, page.results, intake, self._complete)
            progress.fetched(intake, page.count)
            if not page.has_next:
                return
            if not page.results:
                raise OTXAnswerError(
                    "an empty page says that more follow; the pull is not complete",
                    resource=f"page {number} of the subscription",
                    hint="It goes on with the next try",
                )
            number += 1

    def _complete(self, read: ReadPulse) -> ReadPulse:
        """The pulse with all its indicators, where the page held only the first ones."""
        try:
            return self._with_all_indicators(read)
        except OTXAnswerError as error:  # one pulse that OTX can't tell must not stop the others
            log.warning("pulse.incomplete", pulse_id=read.pulse.id, reason=str(error))
            return read

    def _with_all_indicators(self, read: ReadPulse) -> ReadPulse:
        found: list[RawIndicator] = []
        unreadable: list[Rejection] = []
        number = 1
        while True:
            page = self._ask(
                partial(self._client.pulse_indicators, read.pulse.id, number, INDICATORS_PAGE, include_inactive=True)
            )
            rows = read_indicators(page.results)
            found += rows.indicators
            unreadable += rows.unreadable
            if not page.has_next or not page.results:
                break
            number += 1
        return replace(read, indicators=tuple(found), unreadable=tuple(unreadable), more_indicators=False)

    def _ask(self, request: Callable[[], Any]) -> Any:
        """Ask until OTX answers, with growing waits, at most ``TRIES`` times."""
        wait = self._pace.backoff
        for attempt in range(1, TRIES + 1):
            try:
                return request()
            except OTXUnavailableError as error:
                if attempt == TRIES:
                    raise
                log.warning("otx.unavailable", attempt=attempt, reason=error.message, wait=wait.total_seconds())
                self._pace.sleep(_wait(error, wait))
                wait = min(wait * 2, MAX_BACKOFF)
        raise AssertionError("unreachable")


def _wait(error: OTXUnavailableError, wait: timedelta) -> float:
    told = error.retry_after if isinstance(error, OTXRateLimitedError) else None
    return min(max(told or 0.0, wait.total_seconds()), MAX_BACKOFF.total_seconds())


def _back(moment: datetime, by: timedelta) -> datetime:
    return EARLIEST if by >= moment - EARLIEST else moment - by


def _batches(values: Iterable[object], size: int) -> Iterator[list[object]]:
    """Lists of at most ``size``; where ``values`` breaks off with an error, what came before it is given first."""
    batch: list[object] = []
    try:
        for value in values:
            batch.append(value)
            if len(batch) == size:
                yield batch
                batch = []
    except PulsegateError:
        if batch:
            yield batch
        raise
    if batch:
        yield batch
