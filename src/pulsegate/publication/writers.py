"""Writing many blocks: in processes of their own, each with a connection of its own, a little ahead of their use."""

from __future__ import annotations

import gc
import os
import signal
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context, parent_process
from threading import Thread

import structlog

from pulsegate.publication.copies import Copies
from pulsegate.publication.render import Job, Refused, Rendered, write
from pulsegate.store.database import Database

log = structlog.get_logger(__name__)

PROCESSES = 2
AHEAD = 3  # bundles for each process that are written before they are used
BUNDLE_INDICATORS = 500
BUNDLE_PULSES = 20
BUNDLE_COPIES = 200  # pulses whose blocks are only copied, as no text is held of them
ALONE = 2_000  # indicators of one pulse that are written here, block by block: none holds them all

Written = list[Rendered | Refused]
_databases: list[Database] = []  # of a writing process: its own


@dataclass(slots=True)
class _Bundle:
    """Jobs of several pulses: those that are copied, those that are written in a process; the rest is written here."""

    jobs: list[Job] = field(default_factory=list)
    copied: list[Job] = field(default_factory=list)
    written: list[Job] = field(default_factory=list)
    new: int = 0  # pulses that are not copied
    indicators: int = 0  # of those
    future: Future[Written] | None = None

    @property
    def full(self) -> bool:
        return self.is_much or len(self.copied) >= BUNDLE_COPIES

    @property
    def is_much(self) -> bool:
        """Whether so much is to be written that it is worth to start processes."""
        return self.new >= BUNDLE_PULSES or self.indicators >= BUNDLE_INDICATORS


class Writers:
    """What the publications of one run share: the processes, once there is much to write, and what was written."""

    def __init__(self, database: Database) -> None:
        self.copies = Copies()
        self._database = database
        self._executor: Executor | None = None
        self._broken = False

    @property
    def busy(self) -> bool:
        """Whether there was much to write before."""
        return self._executor is not None or bool(self.copies)

    def close(self) -> None:
        if self._executor is not None:
            self._executor.shutdown(wait=True, cancel_futures=True)
            self._executor = None

    def write(self, jobs: Iterable[Job]) -> Iterator[tuple[Job, Rendered | Refused]]:
        """What becomes of the jobs, in their order."""
        ahead: deque[_Bundle] = deque()
        for bundle in self._bundles(jobs):
            self._begin(bundle)
            ahead.append(bundle)
            if len(ahead) > AHEAD * PROCESSES:
                if all(one.future is None for one in ahead):
                    self.close()  # they have nothing to do for a while, and need much memory
                yield from self._finish(ahead.popleft())
        while ahead:
            yield from self._finish(ahead.popleft())

    def _bundles(self, jobs: Iterable[Job]) -> Iterator[_Bundle]:
        bundle = _Bundle()
        for job in jobs:
            bundle.jobs.append(job)
            if self.copies.knows(job):
                bundle.copied.append(job)
            else:
                bundle.new += 1
                bundle.indicators += len(job.keys)
                if len(job.keys) <= ALONE:
                    bundle.written.append(job)
            if bundle.full:
                yield bundle
                bundle = _Bundle()
        if bundle.jobs:
            yield bundle

    def _begin(self, bundle: _Bundle) -> None:
        """Have written elsewhere what can't be copied; of one huge pulse nobody should hold all blocks at once."""
        if not bundle.written or self._broken or (self._executor is None and not bundle.is_much):
            return
        try:
            if self._executor is None:
                self._executor = start(self._database)
            bundle.future = self._executor.submit(work, bundle.written)
        except BrokenExecutor as error:
            self._breaks(error)

    def _finish(self, bundle: _Bundle) -> Iterator[tuple[Job, Rendered | Refused]]:
        done: dict[int, Written] = {}
        written = self._wait(bundle)
        if written is not None:
            done.update((job.pulse_pk, []) for job in bundle.written)
            for one in written:
                done[one.pulse_pk].append(one)
        copies = self.copies.read(self._database, bundle.copied)
        done.update(
            (job.pulse_pk, list(copy)) for job, copy in zip(bundle.copied, copies, strict=True) if copy is not None
        )
        for job in bundle.jobs:
            found = done.pop(job.pulse_pk, None)
            for each in write(self._database, [job]) if found is None else found:
                yield job, each

    def _wait(self, bundle: _Bundle) -> Written | None:
        """What was written elsewhere; None where nothing was, or its process was killed."""
        if bundle.future is None:
            return None
        try:
            return bundle.future.result()
        except BrokenExecutor as error:
            self._breaks(error)
            return None

    def _breaks(self, error: BrokenExecutor) -> None:
        """A process was killed, or could not begin: everything is written here from now on."""
        if not self._broken:
            log.warning("publication.writes_alone", reason=str(error))
        self._broken = True


def collect_rarely() -> None:
    """Let Python look for cycles rarely: a page of pulses is a hundred thousand objects, and none of them is in one."""
    gc.set_threshold(50_000, 20, 100)


def start(database: Database) -> Executor:
    """Spawned, not forked: this process has threads and connections."""
    url = database.engine.url.render_as_string(hide_password=False)
    return ProcessPoolExecutor(PROCESSES, get_context("spawn"), initializer=_begin_process, initargs=(url,))


def _begin_process(url: str) -> None:
    """In a writing process: it ends with the one that it writes for, however that ends, and by no key that is typed."""
    collect_rarely()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Thread(target=_end_with_parent, daemon=True).start()
    _databases.append(Database(url))


def _end_with_parent() -> None:
    parent = parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def work(jobs: list[Job]) -> Written:
    """In a writing process: what becomes of the jobs."""
    return list(write(_databases[0], jobs))
