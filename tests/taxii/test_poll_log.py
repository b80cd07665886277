"""Records of polls, from many threads to the table, whatever the database does meanwhile."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
import structlog

from pulsegate.store import migrate, polls
from pulsegate.store.database import Database
from pulsegate.taxii import poll_log
from pulsegate.taxii.poll_log import PollLog, PollRecord

NOW = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
RECORD = PollRecord(
    time=NOW, account="gateway", address="192.0.2.7", agent="cabby 0.1", collection="subscribed", begin=None, end=NOW,
    part=None, blocks=2, indicators=30, bytes=4000, seconds=0.25, outcome="answered",
)  # fmt: skip


def stored(database: Database) -> list[PollRecord]:
    """In the order of their times."""
    with database.read() as connection:
        return polls.latest(connection, limit=100_000)[::-1]


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    """SQLite, with a short patience for locks."""
    monkeypatch.setattr("pulsegate.store.database.BUSY_TIMEOUT", 0.1)
    base = Database(f"sqlite:///{tmp_path / 'test.db'}")
    migrate.upgrade(base)
    yield base
    base.close()


def test_record_is_stored_within_the_interval(database: Database) -> None:
    log = PollLog(database, interval=0.05)
    log.add(RECORD)
    until(lambda: stored(database) == [RECORD])
    log.close()


def test_records_of_many_threads_are_stored_when_closed(database: Database) -> None:
    log = PollLog(database, interval=60)
    records = [replace(RECORD, time=NOW + timedelta(seconds=number), blocks=number) for number in range(1200)]
    threads = [
        threading.Thread(target=lambda some: [log.add(one) for one in some], args=(records[n::4],)) for n in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    log.close()
    assert stored(database) == records


def test_nothing_is_started_before_the_first_record(database: Database) -> None:
    before = threading.active_count()
    log = PollLog(database)
    assert threading.active_count() == before
    log.close()


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("a\0b\ud800\x1b[31m\r\nx\u202e", "a\\x00b\\ud800\\x1b[31m\\r\\nx\\u202e"),
        ("日本語 😀", "日本語 😀"),
        ("x" * 10_000_000, "x" * 300),
        ("\0" * 10_000_000, ("\\x00" * 300)[:300]),
    ],
)
def test_text_of_a_client_is_cut_and_cleaned(database: Database, sent: str, kept: str) -> None:
    log = PollLog(database)
    log.add(replace(RECORD, account=sent, address=sent, agent=sent, collection=sent, outcome=sent, detail=sent))
    log.close()
    expected = replace(
        RECORD, account=kept[:256], address=kept[:100], agent=kept, collection=kept, outcome=kept[:32], detail=kept
    )
    assert stored(database) == [expected]


def test_numbers_and_instants_out_of_range_are_bounded(database: Database) -> None:
    east = timezone(timedelta(hours=14))
    odd = replace(
        RECORD, begin=datetime(1, 1, 1, tzinfo=east), end=datetime(2026, 1, 1), part=10**30, blocks=-(10**30),  # noqa: DTZ001
        indicators=2**31, bytes=10**30, seconds=float("nan"),
    )  # fmt: skip
    log = PollLog(database)
    log.add(odd)
    log.close()
    expected = replace(
        RECORD, begin=None, end=datetime(2026, 1, 1, tzinfo=UTC), part=2**31 - 1, blocks=-(2**31) + 1,
        indicators=2**31 - 1, bytes=2**63 - 1, seconds=0.0,
    )  # fmt: skip
    assert stored(database) == [expected]


def test_record_that_is_none_raises_nothing(database: Database) -> None:
    log = PollLog(database, interval=0.05)
    log.add(None)  # type: ignore[arg-type]
    log.add(RECORD)
    log.close()
    assert stored(database) == [RECORD]


@pytest.mark.sqlite("its lock")
def test_locked_database_delays_the_records_and_loses_none(file: Database) -> None:
    log = PollLog(file, interval=0.05)
    with file.write():
        started = time.monotonic()
        log.add(RECORD)
        assert time.monotonic() - started < 0.1
        time.sleep(0.5)
        log.add(replace(RECORD, time=NOW + timedelta(seconds=1)))
    until(lambda: stored(file) == [RECORD, replace(RECORD, time=NOW + timedelta(seconds=1))])
    log.close()


@pytest.mark.sqlite("its lock")
def test_newest_are_kept_and_the_lost_are_counted(file: Database) -> None:
    structlog.reset_defaults()
    records = [replace(RECORD, time=NOW + timedelta(seconds=number)) for number in range(10)]
    with structlog.testing.capture_logs() as lines:
        log = PollLog(file, interval=0.05, capacity=4)
        with file.write():
            for record in records[:3]:
                log.add(record)
            time.sleep(0.4)
            for record in records[3:]:
                log.add(record)
            time.sleep(0.4)
        until(lambda: stored(file) != [])
        log.close()
    assert stored(file) == records[-4:]
    lost = [line["records"] for line in lines if line["event"] == "poll_log.lost"]
    assert sum(lost) + log._lost == 6


def test_lost_records_are_reported_once_in_a_minute(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    structlog.reset_defaults()
    clock = [1000.0]
    monkeypatch.setattr(poll_log.time, "monotonic", lambda: clock[0])
    log = PollLog(database)
    with structlog.testing.capture_logs() as lines:
        for later in (0, 30, 31):
            clock[0] += later
            log._lost += 5
            log._report()
    assert [line["records"] for line in lines if line["event"] == "poll_log.lost"] == [5, 10]


def test_poll_is_one_line_in_the_log_with_all_its_fields(database: Database) -> None:
    structlog.reset_defaults()
    log = PollLog(database)
    with structlog.testing.capture_logs() as lines:
        log.add(replace(RECORD, agent="evil\n2026-01-01 forged line"))
        log.close()
    assert [line for line in lines if line["event"] == "poll.answered"] == [
        {
            "event": "poll.answered", "log_level": "info", "time": "2026-01-02T03:04:05.678901+00:00",
            "account": "gateway", "address": "192.0.2.7", "agent": "evil\\n2026-01-01 forged line",
            "collection": "subscribed", "end": "2026-01-02T03:04:05.678901+00:00", "blocks": 2, "indicators": 30,
            "bytes": 4000, "seconds": 0.25, "outcome": "answered",
        }
    ]  # fmt: skip


class _Broken:
    """A stream that can't be written, as a closed terminal."""

    def write(self, _text: str) -> None:
        raise BrokenPipeError

    flush = write


def test_log_that_can_not_be_written_refuses_no_record(database: Database) -> None:
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(_Broken()))  # type: ignore[arg-type]
    log = PollLog(database)
    log.add(RECORD)
    log.close()
    assert stored(database) == [RECORD]


_PROCESS = """
import signal, sys, time
from datetime import UTC, datetime
from pulsegate.store.database import Database
from pulsegate.taxii.poll_log import PollLog, PollRecord
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # as a server process of gunicorn ends
log = PollLog(Database(sys.argv[1]), interval=60)
log.add(PollRecord(datetime.now(UTC), None, "", "", "", None, None, None, 0, 0, 0, 0.0, "answered"))
print("added", flush=True)
time.sleep(60)
"""


def test_process_that_is_told_to_end_stores_what_waits(database: Database) -> None:
    command: list[Any] = [sys.executable, "-c", _PROCESS, database.url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=dict(os.environ)) as process:
        assert process.stdout is not None
        while b"added" not in process.stdout.readline():
            assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    assert len(stored(database)) == 1
