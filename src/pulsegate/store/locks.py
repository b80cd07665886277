"""One process at a time: a lock that the system takes back when its holder dies, however it dies."""

from __future__ import annotations

import fcntl
import hashlib
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from pulsegate.errors import BusyError, StoreError
from pulsegate.store.database import Database, explained

PUBLISH = "publish"
INTAKE = "intake"
WORKER = "worker"
STARTING = "starting"  # servers that start at once make services, collections and first accounts once
_PAUSES = (0.1, 1.0)  # seconds between two attempts: at first, and in the long run


def pull(source: str) -> str:
    """The lock of a pull from a source."""
    return f"pull.{source}"


def within(connection: sa.Connection, name: str) -> None:
    """Hold the lock ``name`` until the transaction ends; on SQLite a transaction that writes is one by itself."""
    if connection.dialect.name != "sqlite":
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": _key(name)})


@dataclass(frozen=True, slots=True)
class _Lock:
    """``attempt`` tries once to get it; ``holds``: whether it is held still."""

    attempt: Callable[[], bool]
    holds: Callable[[], bool] = lambda: True


@contextmanager
def hold(
    database: Database, name: str, *, wait: float = 0.0, on_wait: Callable[[], None] = lambda: None
) -> Iterator[Callable[[], bool]]:
    """Hold the lock ``name`` of this database; waits up to ``wait`` seconds, then raises BusyError.

    ``on_wait`` is called once, when another process holds it. Gives a function that says whether it is held still: on
    PostgreSQL it is lost with the session, so when the server was started again or the network was away.
    """
    with _lock(database, name) as lock:
        deadline = time.monotonic() + wait
        pause = 0.0
        while not lock.attempt():
            if not pause:
                on_wait()
            if time.monotonic() >= deadline:
                raise BusyError(
                    f"another process is at work on it ({name})",
                    resource=f"database {database.name}",
                    hint="Wait until it is done, or stop it",
                )
            pause = min(max(_PAUSES[0], 1.5 * pause), _PAUSES[1])
            time.sleep(pause)
        yield lock.holds


def is_held(database: Database, name: str) -> bool:
    """Whether some process holds the lock ``name`` now."""
    with _lock(database, name) as lock:
        return not lock.attempt()


@contextmanager
def _lock(database: Database, name: str) -> Iterator[_Lock]:
    """What it got is given back at the end."""
    source = _file_lock(database, name) if database.is_sqlite else _advisory_lock(database, name)
    with source as lock:
        yield lock


@contextmanager
def _file_lock(database: Database, name: str) -> Iterator[_Lock]:
    path = Path(f"{database.path}.{name}.lock")
    try:
        handle = path.open("a")
    except OSError as error:
        raise StoreError(
            f"can't be written: {error.strerror}", resource=str(path), hint="Check the rights of the data folder"
        ) from error

    def attempt() -> bool:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    with handle:  # closing gives the lock back
        yield _Lock(attempt)


@contextmanager
def _advisory_lock(database: Database, name: str) -> Iterator[_Lock]:
    """PostgreSQL, sections 13.3.5 and 9.28.10: held by a session of its own until that ends."""
    key = _key(name)
    with explained(database):
        connection = database.engine.connect().execution_options(isolation_level="AUTOCOMMIT")

    def attempt() -> bool:
        with explained(database):
            return bool(connection.scalar(sa.text("SELECT pg_try_advisory_lock(:key)"), {"key": key}))

    def holds() -> bool:
        try:
            return bool(connection.scalar(_HELD))
        except sa.exc.SQLAlchemyError:
            return False

    try:
        yield _Lock(attempt, holds)
    finally:
        with suppress(sa.exc.SQLAlchemyError):  # at once: the server takes a moment to see that a session has ended
            connection.execute(sa.text("SELECT pg_advisory_unlock_all()"))
        connection.invalidate()  # ends the session, and with it the lock
        connection.close()


_HELD = sa.text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid() AND granted")


def _key(name: str) -> int:
    return int.from_bytes(hashlib.sha256(f"pulsegate:{name}".encode()).digest()[:8], "big", signed=True)
