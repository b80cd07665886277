"""One database, SQLite or PostgreSQL: connections, transactions and the clock that everything agrees by."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import make_url

from pulsegate.errors import StoreError

# For those above the store, who pass them on and know nothing of SQLAlchemy.
Connection = sa.Connection
Engine = sa.Engine
MAX_OVERFLOW = 250  # connections beyond those that are kept; as many as a server process has threads, at most
KEPT = 2  # of SQLite's, which are opened in half a millisecond, and would hold as many caches as were once in use
CACHE = 16_000  # kB of SQLite's pages that each connection holds
ROOMY_CACHE = 64_000
BUSY_TIMEOUT = 30  # seconds that a writer waits for another one on SQLite
# PostgreSQL: who hears nothing of the other side for some 20 seconds gives the session up, on either side. The kernel
# would take hours, and for as long a host that has lost its network would hold the lock of the worker at work.
_KEEPALIVES = {"keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 2}  # seconds, seconds, times
_UNHEARD = {"tcp_user_timeout": 20_000}  # milliseconds until what was sent must have arrived
_CLIENT_SIDE = {"connect_timeout": 10} | _KEEPALIVES | _UNHEARD
_SERVER_SIDE = {f"tcp_{name}": value for name, value in _KEEPALIVES.items()} | _UNHEARD


def inserted_key(result: sa.CursorResult[Any]) -> int:
    """The key that an INSERT of one row got."""
    row = result.inserted_primary_key
    assert row is not None
    return int(row[0])


class Database:
    """The engine and its transactions. Make one in each process, after any fork.

    ``read_only``: neither its rows nor its form are ever written, and a file that isn't there is not made.
    """

    def __init__(self, url: str, *, read_only: bool = False) -> None:
        self.url = url
        with _readable_url():
            self.is_sqlite = make_url(url).get_backend_name() == "sqlite"
            if self.is_sqlite:
                _check_sqlite_path(self.path, must_be_there=read_only)
                self.engine = sa.create_engine(
                    url,
                    connect_args={"timeout": BUSY_TIMEOUT},
                    pool_size=KEPT,
                    max_overflow=MAX_OVERFLOW,
                    pool_use_lifo=True,  # where one is enough, the other's cache isn't filled
                    hide_parameters=True,
                )
                self._cache = _Cache()
                _prepare_sqlite(self.engine, self._cache, read_only=read_only)
            else:
                self.engine = sa.create_engine(
                    url,
                    pool_pre_ping=True,
                    connect_args=_connect_args(make_url(url), read_only=read_only),
                    max_overflow=MAX_OVERFLOW,
                    hide_parameters=True,  # an error is logged; what was to be stored may be a secret
                )

    @property
    def path(self) -> Path:
        """SQLite's file."""
        return Path(make_url(self.url).database or "")

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """A connection for reading; nothing is committed."""
        with explained(self), self.engine.connect() as connection:
            yield connection

    @contextmanager
    def snapshot(self) -> Iterator[sa.Connection]:
        """A connection whose every statement reads the same state, also on PostgreSQL."""
        with explained(self), self.engine.connect() as connection:
            if not self.is_sqlite:  # there a transaction is one by itself
                connection.execution_options(isolation_level="REPEATABLE READ")
            yield connection

    @contextmanager
    def write(self) -> Iterator[sa.Connection]:
        """A transaction, committed at the end. It takes SQLite's write lock at once, so as not to fail half-way."""
        with explained(self), self.engine.connect() as connection:
            connection.execution_options(pulsegate_immediate=True)
            with connection.begin():
                yield connection

    @contextmanager
    def roomy(self) -> Iterator[None]:
        """SQLite holds more of its pages while this lasts: many rows at random places of its indexes are written.

        That is for this thread's connections, one at a time.
        """
        if not self.is_sqlite:
            yield
            return
        self._cache.size = ROOMY_CACHE
        try:
            yield
        finally:
            self._cache.size = CACHE
            with suppress(StoreError), self.read() as connection:
                connection.invalidate()  # the one that was used last is closed, with all its pages

    def close(self) -> None:
        self.engine.dispose()

    @property
    def name(self) -> str:
        """The database for people: the file, or the URL without any password."""
        url = make_url(self.url)
        if self.is_sqlite:
            return url.database or ""
        secret = {key: "***" for key in url.query if "password" in key}
        return url.set(drivername="postgresql").update_query_dict(secret).render_as_string()  # as settings are written


@contextmanager
def _readable_url() -> Iterator[None]:
    """StoreError: the URL is none, or has options that can't be; neither is told, as a password may be in it."""
    try:
        yield
    except (ValueError, sa.exc.ArgumentError):
        raise StoreError(
            "its URL can't be read",
            resource="database",
            hint="Write sqlite:///FILE or postgresql://user:password@host:port/name; in a password @ is %40, / is %2F",
        ) from None


def _connect_args(url: sa.URL, *, read_only: bool) -> dict[str, str | int]:
    """Parameters of libpq (PostgreSQL, section 34.1.2), where the URL itself doesn't set them."""
    given = url.query.get("options", ())
    options = [f"-c {name}={value}" for name, value in _SERVER_SIDE.items()]
    options += [given] if isinstance(given, str) else given  # of two, the later one counts
    options += ["-c timezone=UTC", *(["-c default_transaction_read_only=on"] if read_only else ())]
    return {key: value for key, value in _CLIENT_SIDE.items() if key not in url.query} | {"options": " ".join(options)}


def with_password(url: str, password: str) -> str:
    """The URL with that password in it."""
    with _readable_url():
        return make_url(url).set(password=password).render_as_string(hide_password=False)


def has_password(url: str) -> bool:
    """Whether a password stands in the URL; where that is none, whether one may."""
    try:
        made = make_url(url)
    except (ValueError, sa.exc.ArgumentError):  # said where it is opened
        return "@" in url
    return bool(made.password or made.query.get("password"))


def now(connection: sa.Connection) -> datetime:
    """The database's clock, to the microsecond: labels and windows agree by it, never by a host's.

    SQLite has no clock of its own; its one host's is it.
    """
    if connection.dialect.name == "sqlite":
        return datetime.now(UTC)
    moment: datetime = connection.scalar(sa.text("SELECT clock_timestamp()"))
    return moment.astimezone(UTC)


def _check_sqlite_path(path: Path, *, must_be_there: bool) -> None:
    if must_be_there:
        if not path.is_file():
            raise StoreError("there is no such file", resource=f"database {path}", hint="Check the path")
        return
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(
            f"the folder can't be made: {error.strerror}", resource=str(path.parent), hint="Set PULSEGATE_DATA_DIR"
        ) from error


class _Cache(threading.local):
    """The kB of pages that a connection holds which this thread uses."""

    size = CACHE


def _prepare_sqlite(engine: sa.Engine, cache: _Cache, *, read_only: bool) -> None:
    """WAL, foreign keys, full synchronisation; and transactions that begin when they are begun, DDL too."""

    @event.listens_for(engine, "connect")
    def on_connect(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # the driver's own transactions would begin too late
        cursor = connection.cursor()
        # Larger pages (of new files) halve the time that reading content takes, which fills many of them.
        for pragma in ("page_size=16384", "synchronous=FULL", "foreign_keys=ON"):
            cursor.execute(f"PRAGMA {pragma}")
        if read_only:
            cursor.execute("PRAGMA query_only=ON")
        else:
            _switch_to_wal(cursor)
        cursor.close()

    @event.listens_for(engine, "checkout")
    def on_checkout(connection: Any, record: Any, _proxy: Any) -> None:
        if record.info.get("cache") != cache.size:
            connection.execute(f"PRAGMA cache_size=-{cache.size}").close()
            record.info["cache"] = cache.size

    @event.listens_for(engine, "begin")
    def on_begin(connection: sa.Connection) -> None:
        immediate = connection.get_execution_options().get("pulsegate_immediate")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")


def _switch_to_wal(cursor: Any) -> None:
    """Of several processes that open a new file at once one switches it; the others wait here.

    SQLite tells them at once that it is busy, whatever their time-out.
    """
    deadline = time.monotonic() + BUSY_TIMEOUT
    while True:
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return


@contextmanager
def explained(database: Database) -> Iterator[None]:
    """The driver's errors, as one that says which database and what to do."""
    try:
        yield
    except sa.exc.DatabaseError as error:
        hint = _remedy(database, error)
        if hint is None:
            raise
        raise StoreError(_reason(error), resource=f"database {database.name}", hint=hint) from error


def _remedy(database: Database, error: sa.exc.DatabaseError) -> str | None:
    """What to do; None: it is a fault of ours."""
    told = str(error.orig)
    is_refused_option = isinstance(error, sa.exc.ProgrammingError) and error.statement is None  # by libpq
    if isinstance(error, sa.exc.OperationalError) or is_refused_option:
        return _hint(database, told)
    is_damaged = "file is not a database" in told or "malformed" in told
    return "Restore it from a backup, or name another one" if is_damaged else None


def _reason(error: sa.exc.DBAPIError) -> str:
    return str(error.orig).strip().splitlines()[0] if str(error.orig).strip() else type(error.orig).__name__


def _hint(database: Database, reason: str) -> str:
    if not database.is_sqlite:
        return "Check PULSEGATE_DATABASE, and that the server runs and lets this user in"
    if "locked" in reason:
        return "Another process holds it; wait, or end that process"
    if "full" in reason:
        return "Free some space on the disk"
    return "Check that this user may write to the file and to its folder (PULSEGATE_DATA_DIR, PULSEGATE_DATABASE)"
