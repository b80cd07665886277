"""When a source is pulled: by interval or cron, after a failure, beside another process, after a start."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import structlog
from apscheduler.schedulers.background import BackgroundScheduler

from pulsegate.cli import schedule
from pulsegate.cli.feeding import Feeding
from pulsegate.cli.setup import Installation
from pulsegate.curation.policy import Policy
from pulsegate.errors import BusyError, OTXRateLimitedError, OTXUnavailableError
from pulsegate.settings import OTXSettings, Settings
from pulsegate.store import sources
from pulsegate.store.database import Database

SECOND, MINUTE, HOUR, DAY = (timedelta(**{unit: 1}) for unit in ("seconds", "minutes", "hours", "days"))
MONDAY = datetime(2024, 6, 3, 12, tzinfo=UTC)
DOWN = OTXUnavailableError("OTX answered 504")


@pytest.fixture
def where(tmp_path: Path, new_database: Callable[..., str]) -> Iterator[Installation]:
    database = Database(new_database(tmp_path / "pulsegate.db"))
    with database.write() as connection:
        sources.ensure(connection, "otx", "shape")
    yield Installation(Settings(), database, Policy(), demo=False)
    database.close()


def put(where: Installation, **values: Any) -> None:
    with where.database.write() as connection:
        sources.update(connection, "otx", **values)


def fires(settings: OTXSettings, count: int) -> list[datetime]:
    """The times of so many pulls in a row, from Monday noon on."""
    trigger, found = schedule._trigger(settings), []
    last: datetime | None = MONDAY
    for _ in range(count):
        last = trigger.get_next_fire_time(last, last)
        assert last is not None
        found.append(last)
    return found


# --- Interval and cron -----------------------------------------------------------------------------------------------


def test_interval_without_jitter_is_kept() -> None:
    assert fires(OTXSettings(interval="15m", jitter="0s"), 3) == [MONDAY + number * 15 * MINUTE for number in (1, 2, 3)]


def test_interval_is_lengthened_by_up_to_a_tenth_by_default() -> None:
    moments = [MONDAY, *fires(OTXSettings(interval="100m"), 200)]
    steps = [later - earlier for earlier, later in pairwise(moments)]
    assert all(100 * MINUTE <= one <= 110 * MINUTE for one in steps)
    assert max(steps) - min(steps) > 5 * MINUTE


def test_interval_with_a_jitter_of_its_own() -> None:
    moments = fires(OTXSettings(interval="10s", jitter="30m"), 200)
    steps = [later - earlier for earlier, later in pairwise(moments)]
    assert all(10 * SECOND <= one <= 30 * MINUTE + 10 * SECOND for one in steps)
    assert max(steps) > 20 * MINUTE


def test_cron_is_in_utc_and_without_jitter_unless_it_is_set() -> None:
    assert fires(OTXSettings(cron="30 6,18 * * mon-tue"), 4) == [
        datetime(2024, 6, day, hour, 30, tzinfo=UTC) for day, hour in ((3, 18), (4, 6), (4, 18), (10, 6))
    ]


def test_cron_with_jitter_is_late_and_never_early() -> None:
    found = [fires(OTXSettings(cron="0 18 * * *", jitter="10m"), 1)[0] for _ in range(50)]
    six = datetime(2024, 6, 3, 18, tzinfo=UTC)
    assert all(six <= one <= six + 10 * MINUTE for one in found)
    assert len(set(found)) > 40


def test_run_does_not_overlap_itself_and_makes_up_for_what_it_missed_once() -> None:
    running, most, began = 0, 0, []

    def slow() -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        began.append(time.monotonic())
        time.sleep(0.3)
        running -= 1

    scheduler = BackgroundScheduler(timezone=UTC)
    schedule._add(scheduler, slow, "slow", schedule._every(timedelta(milliseconds=50)), datetime.now(UTC) - HOUR)
    schedule.logging.getLogger("apscheduler").setLevel("ERROR")
    scheduler.start()
    time.sleep(1.0)
    scheduler.shutdown(wait=True)
    assert most == 1
    assert 3 <= len(began) <= 4


# --- The first pull after a start ------------------------------------------------------------------------------------


def first(where: Installation, **settings: Any) -> timedelta:
    """How long after a start the first pull comes."""
    source = Feeding("otx", OTXSettings(**settings))
    return schedule._first_pull(where, source, schedule._trigger(source.settings)) - datetime.now(UTC)


def test_first_pull_by_interval_comes_at_once(where: Installation) -> None:
    put(where, completed=datetime.now(UTC))
    assert first(where, interval="6h") <= SECOND


@pytest.mark.parametrize(
    "values",
    [
        {"completed": None},
        {"completed": datetime.now(UTC) - 400 * DAY},  # a time was missed
        {"completed": datetime.now(UTC), "failing": datetime.now(UTC)},
    ],
)
def test_first_pull_by_cron_comes_at_once_where_one_is_owed(where: Installation, values: dict[str, Any]) -> None:
    put(where, **values)
    assert first(where, cron="0 0 1 1 *") <= SECOND


def test_first_pull_by_cron_comes_when_that_says(where: Installation) -> None:
    moment = datetime.now(UTC)
    put(where, completed=moment)
    new_year = datetime(moment.year + 1, 1, 1, tzinfo=UTC)
    assert abs(first(where, cron="0 0 1 1 *") - (new_year - moment)) < MINUTE


def test_first_pull_by_cron_of_a_new_source_comes_at_once(where: Installation) -> None:
    source = Feeding("new", OTXSettings(cron="0 0 1 1 *"))
    due = schedule._first_pull(where, source, schedule._trigger(source.settings))
    assert due - datetime.now(UTC) <= SECOND


# --- After a failure -------------------------------------------------------------------------------------------------


class Scheduler:
    """Notes when a job is to come again."""

    running = True

    def __init__(self) -> None:
        self.waits: list[float] = []

    def modify_job(self, name: str, next_run_time: datetime) -> None:
        assert name == "pull.otx"
        self.waits.append(round((next_run_time - datetime.now(UTC)).total_seconds()))


@pytest.fixture
def pulls(where: Installation, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[float]]:
    """Let pulls end so, one after the other; gives how many seconds later each failed one comes again."""

    def run(*ends: Exception | None, **settings: Any) -> list[float]:
        scheduler = Scheduler()
        job = schedule._Pull(scheduler, where, Feeding("otx", OTXSettings(**settings)), None)
        left = list(ends)

        def pull(*_: Any, **__: Any) -> None:
            if (error := left.pop(0)) is not None:
                raise error

        monkeypatch.setattr(schedule.feeding, "pull", pull)
        for _ in ends:
            job()
        return scheduler.waits

    return run


def next_try(where: Installation) -> datetime | None:
    with where.database.read() as connection:
        found = sources.get(connection, "otx")
    assert found is not None
    return found.next_try


def test_source_that_fails_is_tried_less_and_less_up_to_its_interval(pulls) -> None:
    assert pulls(*[DOWN] * 7) == [60, 120, 240, 480, 900, 900, 900]


def test_source_with_a_long_interval_is_tried_every_hour_at_least(pulls) -> None:
    assert pulls(*[DOWN] * 9, interval="1d") == [60, 120, 240, 480, 960, 1920, 3600, 3600, 3600]


def test_source_with_a_short_interval_is_not_tried_more_often_than_that(pulls) -> None:
    assert pulls(*[DOWN] * 3, interval="10s", retry="30s") == [30, 30, 30]


def test_source_that_fails_for_years_is_tried_as_before(pulls) -> None:
    assert pulls(*[DOWN] * 40, interval="365d", retry="365d") == [365 * 86_400] * 40


def test_success_ends_the_patience(pulls) -> None:
    assert pulls(DOWN, DOWN, None, DOWN) == [60, 120, 60]


@pytest.mark.parametrize(("told", "wait"), [(None, 60), (5.0, 60), (600.0, 600), (86_400.0, 3600), (1e20, 3600)])
def test_wait_that_otx_asks_for_is_kept_up_to_an_hour(pulls, told: float | None, wait: int) -> None:
    assert pulls(OTXRateLimitedError("429", retry_after=told)) == [wait]


def test_next_try_is_noted(pulls, where: Installation) -> None:
    pulls(DOWN)
    noted = next_try(where)
    assert noted is not None
    assert abs(noted - datetime.now(UTC) - MINUTE) < 5 * SECOND


def test_pull_that_another_process_does_is_put_off_and_no_failure(pulls, where: Installation) -> None:
    busy = BusyError("another process is at work on it")
    assert pulls(busy, busy) == [60, 60]
    assert next_try(where) is None
    assert pulls(busy, DOWN, busy, DOWN) == [60, 60, 60, 120]


@pytest.mark.parametrize(
    ("enabled", "level", "reason"),
    [
        (True, "warning", "no API key is set; serving what is stored"),
        (False, "info", "otx.enabled is false; serving what is stored"),
    ],
)
def test_nothing_is_pulled_for_a_reason(where: Installation, enabled: bool, level: str, reason: str) -> None:
    off = Settings(otx=OTXSettings(enabled=enabled))
    structlog.reset_defaults()
    with structlog.testing.capture_logs() as said:
        schedule._say_what_is_left_out(replace(where, settings=off), [])
    assert said == [{"event": "otx.not_pulled", "log_level": level, "reason": reason}]
