"""Actors whose every transaction waits for its turn, so that a test draws the order in which they happen.

SQLite runs one write transaction at a time and shows each reader one state, so the order of whole transactions is every
interleaving there is. On PostgreSQL it is those in which no two transactions overlap; `make soak` has the others. An actor is a thread that stands at a gate before each transaction; killing it there is what a
process dying between two transactions leaves behind (one dying within a transaction leaves the same as one before it).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from pulsegate.store.database import Connection, Database

PATIENCE = 30.0  # seconds in which an actor must come to its next gate


class Killed(BaseException):
    """Raised in an actor that is killed."""


class Actor:
    """A piece of work that stops before each of its transactions."""

    def __init__(self, work: Callable[[], Any]) -> None:
        self.result: Any = None
        self.error: BaseException | None = None
        self.done = False
        self.writes = False  # what it waits for is a write transaction
        self._work = work
        self._turn = threading.Semaphore(0)
        self._waiting = threading.Semaphore(0)
        self._killed = False
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        _current.actor = self
        try:
            self.wait()
            self.result = self._work()
        except Killed:
            pass
        except BaseException as error:  # noqa: BLE001 - shown by the test
            self.error = error
        finally:
            self.done = True
            self._waiting.release()

    def start(self) -> Actor:
        self._thread.start()
        assert self._waiting.acquire(timeout=PATIENCE)
        return self

    def wait(self, *, writes: bool = False) -> None:
        """Within the actor: stand at the gate. One that was killed passes none any more, whatever it catches."""
        if self._killed:
            raise Killed
        self.writes = writes
        self._waiting.release()
        assert self._turn.acquire(timeout=PATIENCE * 10)
        if self._killed:
            raise Killed

    def step(self) -> None:
        """Let it through its gate, up to the next one or to its end."""
        if not self.done:
            self._turn.release()
            assert self._waiting.acquire(timeout=PATIENCE), "the actor hangs"
        if self.error is not None:
            raise self.error

    def step_to_write(self) -> None:
        """Let it go on until it is about to write, or is done."""
        self.step()
        while not self.done and not self.writes:
            self.step()

    def run(self) -> Any:
        """Let it run to its end."""
        while not self.done:
            self.step()
        return self.result

    def kill(self) -> None:
        self._killed = True
        if not self.done:
            self._turn.release()
            self._thread.join(PATIENCE)


_current = threading.local()


class GatedDatabase(Database):
    """A database whose transactions wait at the gate of the actor they belong to; ``on_commit`` follows each write."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.on_commit: Callable[[], None] = lambda: None

    @contextmanager
    def read(self) -> Iterator[Connection]:
        self._gate()
        with super().read() as connection:
            yield connection

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        self._gate()
        with super().snapshot() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        self._gate(writes=True)
        with super().write() as connection:
            yield connection
        self.on_commit()

    @contextmanager
    def ungated(self) -> Iterator[Connection]:
        with super().read() as connection:
            yield connection

    @staticmethod
    def _gate(*, writes: bool = False) -> None:
        actor: Actor | None = getattr(_current, "actor", None)
        if actor is not None:
            actor.wait(writes=writes)
