"""The poll log's pen: takes a record of each poll at once, and writes them in batches from a thread of its own.

A poll must not wait for SQLite's write lock, nor fail because the log can't be written. So records wait in a bounded
queue; where more come than can be written, the oldest are lost, and counted.
"""

from __future__ import annotations

import atexit
import math
import threading
import time
from collections import deque
from contextlib import suppress
from dataclasses import fields, replace
from datetime import UTC, datetime

import structlog

from pulsegate.errors import StoreError
from pulsegate.store import poll_totals, polls
from pulsegate.store.database import Database
from pulsegate.store.polls import PollRecord

__all__ = ["PollLog", "PollRecord"]

log = structlog.get_logger(__name__)

CAPACITY = 10_000  # records that wait
BATCH = 500  # records in one transaction
INTERVAL = 1.0  # seconds between two batches
MAX_PAUSE = 30.0  # seconds; the wait after a failure doubles up to this
REPORT_INTERVAL = 60.0  # seconds between two reports of lost records
CLOSING = 5.0  # seconds that closing waits for the last batch; gunicorn gives a server process 10
MAX_TEXT = 300  # characters of a user agent, a collection's name, a detail
_FIELDS = [field.name for field in fields(PollRecord)]
_MAX_INTEGER, _MAX_BIG_INTEGER = 2**31 - 1, 2**63 - 1


class PollLog:
    """The poll log of one process; make it after any fork. Its thread starts with the first record."""

    def __init__(self, database: Database, *, interval: float = INTERVAL, capacity: int = CAPACITY) -> None:
        self._database = database
        self._interval = interval
        self._waiting: deque[PollRecord] = deque(maxlen=capacity)
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._closing = threading.Event()
        self._lost = 0
        self._reported = -math.inf

    def add(self, record: PollRecord) -> None:
        """Log the poll, and store it within some seconds. Never blocks, never raises; any text and number will do."""
        try:
            clean = _clean(record)
            self._put(clean)
            log.info("poll.answered", **_printable(replace(clean, request=None)))  # each line of the log has it
        except Exception:  # a poll is never refused because of its record
            with suppress(Exception):  # the log itself may be what fails
                log.exception("poll_log.failed")

    def close(self) -> None:
        """Store what waits, as far as that is possible within 5 seconds. What is added later is not stored."""
        self._closing.set()
        if self._thread is not None:
            self._thread.join(CLOSING)
        atexit.unregister(self.close)

    def _put(self, record: PollRecord) -> None:
        with self._lock:
            self._lost += len(self._waiting) == self._waiting.maxlen
            self._waiting.append(record)
            if (self._thread is None or not self._thread.is_alive()) and not self._closing.is_set():
                thread = threading.Thread(target=self._run, name="poll-log", daemon=True)
                thread.start()
                self._thread = thread
                atexit.register(self.close)  # a server process that is told to end leaves by sys.exit

    def _run(self) -> None:
        """Until closed: a batch each interval, less often while the database can't be written."""
        pause = self._interval
        while not self._closing.wait(pause):
            pause = self._interval if self._flush() else min(MAX_PAUSE, 2 * pause)
            self._report()
        self._flush()
        self._report()

    def _flush(self) -> bool:
        """Store all that waits; false when the database can't be written now, and the records wait on."""
        while batch := self._take():
            try:
                with self._database.write() as connection:
                    polls.insert_many(connection, batch)
                    poll_totals.add(connection, batch)
            except StoreError as error:
                self._put_back(batch)
                log.warning("poll_log.waiting", records=len(self._waiting), reason=str(error))
                return False
            except Exception:  # the thread must go on with the next ones
                with self._lock:
                    self._lost += len(batch)
                log.exception("poll_log.failed", records=len(batch))
        return True

    def _take(self) -> list[PollRecord]:
        with self._lock:
            return [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]

    def _put_back(self, batch: list[PollRecord]) -> None:
        """Before those that came meanwhile; where there is no room for all, the oldest go."""
        with self._lock:
            room = (self._waiting.maxlen or 0) - len(self._waiting)
            kept = batch[len(batch) - min(room, len(batch)) :]
            self._lost += len(batch) - len(kept)
            self._waiting.extendleft(reversed(kept))

    def _report(self) -> None:
        if self._lost and time.monotonic() - self._reported >= REPORT_INTERVAL:
            with self._lock:
                lost, self._lost = self._lost, 0
            self._reported = time.monotonic()
            log.warning("poll_log.lost", records=lost, hint="The database was too slow, or away")


def _clean(record: PollRecord) -> PollRecord:
    """The record as every database takes it and every terminal shows it."""
    return replace(
        record,
        time=_instant(record.time) or datetime.now(UTC),
        account=_text(record.account, 256),
        address=_text(record.address, 100) or "",
        agent=_text(record.agent) or "",
        collection=_text(record.collection) or "",
        begin=_instant(record.begin),
        end=_instant(record.end),
        part=_bounded(record.part, _MAX_INTEGER),
        blocks=_bounded(record.blocks, _MAX_INTEGER) or 0,
        indicators=_bounded(record.indicators, _MAX_INTEGER) or 0,
        bytes=_bounded(record.bytes, _MAX_BIG_INTEGER) or 0,
        seconds=record.seconds if math.isfinite(record.seconds) else 0.0,
        outcome=_text(record.outcome, 32) or "",
        detail=_text(record.detail),
        request=_text(record.request, 64),
    )


def _text(text: str | None, longest: int = MAX_TEXT) -> str | None:
    """``text`` on one line, without control characters, NUL and lone surrogates: these as escapes; cut."""
    if text is None:
        return None
    head = text[:longest]
    if head.isprintable():
        return head
    escaped = (one if one.isprintable() else one.encode("unicode_escape").decode() for one in head)
    return "".join(escaped)[:longest]


def _instant(moment: datetime | None) -> datetime | None:
    """In UTC; None where that lies outside of the calendar (year 1 east of Greenwich)."""
    if moment is None:
        return None
    try:
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except OverflowError:
        return None


def _bounded(number: int | None, largest: int) -> int | None:
    return None if number is None else max(-largest, min(largest, number))


def _printable(record: PollRecord) -> dict[str, object]:
    """The record's fields for the log: instants as text, nothing that is not known."""
    values = ((name, getattr(record, name)) for name in _FIELDS)
    return {
        name: value.isoformat() if isinstance(value, datetime) else value for name, value in values if value is not None
    }
