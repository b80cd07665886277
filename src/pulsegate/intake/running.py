"""A run: what a source brings is taken in and published, by one process at a time, and leaves a record."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from typing import Protocol

import structlog

from pulsegate.curation.policy import Policy
from pulsegate.errors import PulsegateError
from pulsegate.intake.taking import Intake
from pulsegate.publication import marking
from pulsegate.publication.publish import Publication, publish_all
from pulsegate.publication.writers import collect_rarely
from pulsegate.store import locks, runs, sources
from pulsegate.store.database import Database, now
from pulsegate.store.locks import hold

log = structlog.get_logger(__name__)


class Progress(Protocol):
    """Who is told how a pull goes on. ``total`` is the number of pulses to come in all, where OTX tells."""

    def fetched(self, intake: Intake, total: int | None) -> None: ...
    def publishing(self, collection: str) -> None: ...


class Silent:
    """Tells nobody."""

    def fetched(self, intake: Intake, total: int | None) -> None: ...
    def publishing(self, collection: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a pull brought, and what its publication changed."""

    intake: Intake
    publications: list[Publication]


def together(outcomes: Sequence[Outcome]) -> Outcome:
    """Several pulls as one: what they brought, and what their publications changed in each collection."""
    intake = Intake()
    publications: dict[str, Publication] = {}
    for one in outcomes:
        intake += one.intake
        for done in one.publications:
            before = publications.get(done.collection)
            publications[done.collection] = done if before is None else _sum(before, done)
    return Outcome(intake, list(publications.values()))


def _sum(one: Publication, other: Publication) -> Publication:
    counted = [each.name for each in fields(Publication) if each.name != "collection"]
    return replace(one, **{name: getattr(one, name) + getattr(other, name) for name in counted})


def run(
    database: Database,
    source: str,
    policy: Policy,
    progress: Progress,
    work: Callable[[Intake, Progress], None],
    wait: float,
) -> Outcome:
    """Let ``work`` take pulses in, and publish what came; the source's row and the record of runs tell how it went.

    What came before an error is published all the same. BusyError: another run of the source goes on for longer than
    ``wait`` seconds.
    """
    intake = Intake()
    collect_rarely()

    def on_wait() -> None:
        log.warning("pull.waits_for_another_one", source=source)

    held = hold(database, locks.pull(source), wait=wait, on_wait=on_wait)
    with held, _recorded(database, source, intake) as run, _state_kept(database, source):
        try:
            marking.refresh(database, policy)
            with database.roomy():
                work(intake, _Recording(database, run, progress))
        except PulsegateError:
            if intake.is_something:  # what came before OTX failed is served all the same
                publish_all(database, policy, progress.publishing)
            raise
        publications = publish_all(database, policy, progress.publishing)
    return Outcome(intake, publications)


@contextmanager
def _state_kept(database: Database, name: str) -> Iterator[None]:
    """The source's row says when a pull ended well last; or what fails, and since when."""
    try:
        yield
    except Exception as error:
        with database.write() as connection:
            source = sources.get(connection, name)
            since = source.failing if source and source.failing else now(connection)
            sources.update(connection, name, failing=since, error=_reason(error))
        raise
    with database.write() as connection:
        sources.update(connection, name, completed=now(connection), failing=None, error=None, next_try=None)


@contextmanager
def _recorded(database: Database, source: str, intake: Intake) -> Iterator[int]:
    with database.write() as connection:
        run = runs.begin(connection, source)
    try:
        yield run
    except BaseException as error:
        _finish(database, run, source, intake, runs.FAILED, _reason(error))
        raise
    _finish(database, run, source, intake, runs.OK, None)


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


def _finish(database: Database, run: int, source: str, intake: Intake, outcome: str, error: str | None) -> None:
    with database.write() as connection:
        runs.advance(connection, run, intake.pulses, intake.indicators)
        runs.finish(connection, run, outcome, error)
    counts = {"pulses": intake.pulses, "new": intake.new, "changed": intake.changed, "removed": intake.removed}
    log.info("pull.finished", source=source, outcome=outcome, **counts)
