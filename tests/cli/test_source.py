"""``pulsegate source`` and ``pulsegate status``: how each source fares, for people and for programs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from pulsegate.cli.commands import app
from pulsegate.errors import BusyError, UsageError
from pulsegate.store import locks, runs, sources, taken
from pulsegate.store.database import Database
from pulsegate.store.sources import FILE, FILES, HAND, OWN, SUBSCRIPTION, Walk
from store.test_pulses import a_name, a_pulse

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
NOW = datetime.now(UTC)
SETTINGS = "[{name: partner, api_key_file: /not/there}, {name: shut, enabled: false, api_key: k}, {name: bare}]"


@pytest.fixture(autouse=True)
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, install: Callable[[Path], str]) -> Iterator[Database]:
    """With the sources otx (a key), partner (a file of a key that can't be read), shut and bare (no key)."""
    monkeypatch.setenv("OTX_API_KEY", "k")
    monkeypatch.setenv("PULSEGATE_SOURCES", SETTINGS)
    found = Database(install(tmp_path))
    yield found
    found.close()


def run(*words: str) -> str:
    result = CliRunner().invoke(app, words, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def told(name: str, command: str = "source list") -> Any:
    """What is told of one source as JSON."""
    found = json.loads(run(*command.split(), "--json"))
    every = found if command == "source list" else found["sources"]
    return next(one for one in every if one["name"] == name)


def lines(*words: str) -> list[str]:
    return [line.rstrip() for line in run(*words).splitlines()]


def put(database: Database, name: str, **values: Any) -> None:
    with database.write() as connection:
        sources.ensure(connection, name, "shape")
        sources.update(connection, name, **values)


def claim(database: Database, name: str, via: str, *numbers: int) -> None:
    with database.write() as connection:
        found = [taken.Taken(a_pulse(number), [a_name(f"{number}.example")]) for number in numbers]
        keys = [one.pk for one in taken.put_many(connection, found, taken.unmarked)]
        sources.claim(connection, name, via, keys)


def instant(moment: datetime) -> str:
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


# --- Before anything -------------------------------------------------------------------------------------------------


def test_sources_before_the_first_pull() -> None:
    assert lines("source", "list") == [
        "source   pulses  last complete",
        "otx           0  -              not pulled yet",
        "partner       0  -              not pulled yet",
        "shut          0  -              off, or without a key",
        "bare          0  -              off, or without a key",
    ]
    nothing = {
        "pulses": 0, "completed": None, "walk": None, "failing_since": None, "error": None, "next_try": None,
        "removals_held": 0, "alarms": [],
    }  # fmt: skip
    assert json.loads(run("source", "list", "--json")) == [
        {"name": name, "active": active} | nothing
        for name, active in (("otx", True), ("partner", True), ("shut", False), ("bare", False))
    ]


def test_status_before_the_first_pull() -> None:
    assert "Nothing was pulled yet." in lines("status")


def test_status_without_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OTX_API_KEY", "PULSEGATE_SOURCES"):
        monkeypatch.delenv(name)
    assert "Nothing was pulled yet, and no OTX API key is set." in lines("status")


# --- What an administrator sees --------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["source list", "status"])
def test_first_backfill_says_how_far_it_is(database: Database, command: str) -> None:
    walk = Walk(datetime.now(UTC) - 10 * MINUTE, NOW, full=True, offset=500, count=2000)
    put(database, "otx", walk=walk)
    claim(database, "otx", SUBSCRIPTION, 1, 2)
    assert "otx           2  -              500 of 2,000 pulses taken, about 30 min left" in lines(*command.split())
    found = told("otx", command)
    assert found["walk"].pop("seconds_left") == pytest.approx(1800, rel=0.05)
    assert (found["walk"], found["pulses"], found["alarms"]) == ({"taken": 500, "of": 2000}, 2, [])


def test_backfill_whose_length_is_not_known(database: Database) -> None:
    put(database, "otx", walk=Walk(NOW, NOW, offset=20))
    assert "otx           0  -              20 pulses taken" in lines("source", "list")
    assert told("otx")["walk"] == {"taken": 20, "of": None, "seconds_left": None}


def test_status_of_a_backfill_that_runs(database: Database) -> None:
    put(database, "otx", walk=Walk(NOW, NOW, offset=20, count=40))
    with locks.hold(database, locks.pull("otx")):
        with database.write() as connection:
            runs.advance(connection, runs.begin(connection, "otx"), 20, 300)
        (line,) = (one for one in lines("status") if one.startswith("Last pull"))
    assert line.startswith("Last pull from otx: running, started ")
    assert line.endswith(", 20 pulses read")


def test_source_that_fails_says_why_and_when_it_is_tried_again(database: Database) -> None:
    again = datetime.now(UTC) + 5 * MINUTE
    put(database, "otx", completed=NOW - HOUR, failing=NOW - HOUR / 2, error="OTX answered 504 [a]", next_try=again)
    since, until = (f"{moment:%Y-%m-%d %H:%M:%S} UTC" for moment in (NOW - HOUR / 2, again))
    assert f"  otx has failed since {since}; tried again at {until}: OTX answered 504 [a]" in lines("status")
    found = told("otx")
    assert (found["failing_since"], found["next_try"]) == (instant(NOW - HOUR / 2), instant(again))
    assert (found["error"], found["alarms"]) == ("OTX answered 504 [a]", [])


def test_time_of_another_try_that_is_over_is_not_promised(database: Database) -> None:
    put(database, "otx", completed=NOW, failing=NOW, error="OTX answered 504", next_try=NOW - MINUTE)
    assert f"  otx has failed since {NOW:%Y-%m-%d %H:%M:%S} UTC: OTX answered 504" in lines("source", "list")


def test_source_that_was_not_complete_for_long_is_an_alarm(database: Database) -> None:
    put(database, "otx", completed=NOW - 8.5 * HOUR)
    put(database, "shut", completed=NOW - 8.5 * HOUR)
    alarms = [line for line in lines("status") if "ALARM" in line]
    assert alarms == [
        "  ALARM (stale): The source otx was not pulled completely for 8h. What is published goes on being served."
    ]
    assert (told("otx", "status")["alarms"], told("shut", "status")["alarms"]) == (["stale"], [])


def test_alarm_is_seen_also_where_no_worker_has_told_of_it(database: Database) -> None:
    put(database, "otx", completed=NOW, alarms="stale")  # somebody was told, and it is over
    put(database, "partner", completed=NOW - 8 * HOUR)
    assert (told("otx")["alarms"], told("partner")["alarms"]) == ([], ["stale"])


def test_removals_that_are_held_say_what_to_do(database: Database) -> None:
    put(database, "partner", completed=NOW, held=1200)
    claim(database, "partner", SUBSCRIPTION, 1)
    (line,) = (one for one in lines("status") if "ALARM" in one)
    assert line == (
        "  ALARM (held): 1,200 pulses have left the source partner at once. They are served on; if they may "
        "go: pulsegate pull --source partner --accept-removals"
    )
    found = told("partner")
    assert (found["removals_held"], found["alarms"]) == (1200, ["held"])


def test_files_and_a_source_that_is_no_longer_named_are_shown(database: Database) -> None:
    claim(database, FILES, FILE, 1, 2)
    put(database, "former", completed=NOW - 100 * HOUR)
    claim(database, "former", SUBSCRIPTION, 2)
    shown = lines("source", "list")
    assert "files         2  -" in shown
    assert any(line.endswith("not in the settings: 'pulsegate source remove former'") for line in shown)
    assert not any("ALARM" in line for line in shown)
    assert [(one["name"], one["active"], one["pulses"]) for one in json.loads(run("source", "list", "--json"))][4:] == [
        ("former", False, 1), ("files", False, 2),
    ]  # fmt: skip


def test_demo_has_one_source_whatever_the_settings_name(tmp_path: Path) -> None:
    assert [(one["name"], one["active"]) for one in json.loads(run("--demo", "source", "list", "--json"))] == [
        ("otx", True)
    ]


# --- Removal ---------------------------------------------------------------------------------------------------------


def test_source_that_is_no_longer_named_is_removed(database: Database) -> None:
    put(database, "former", held=0)
    claim(database, "former", SUBSCRIPTION, 1, 2)
    claim(database, "otx", SUBSCRIPTION, 2)
    assert run("source", "remove", "former") == (
        "former is forgotten; 1 pulses are withdrawn with the next publication ('pulsegate publish'). "
        "Restart the worker if it was started when the settings still named it\n"
    )
    assert "former" not in run("source", "list")
    assert told("otx")["pulses"] == 1


def test_own_indicators_are_no_source_that_can_be_removed(database: Database) -> None:
    claim(database, OWN, HAND, 1)
    assert "own           1  -" in run("source", "list")
    with pytest.raises(UsageError, match="own: stands for your own indicators"):
        run("source", "remove", "own")


def test_files_are_removed(database: Database) -> None:
    claim(database, FILES, FILE, 1)
    assert run("source", "remove", "files").startswith("files is forgotten; 1 pulses")
    assert "files" not in run("source", "list")


@pytest.mark.parametrize("name", ["otx", "partner", "shut"])
def test_source_that_is_named_is_not_removed(name: str) -> None:
    with pytest.raises(UsageError, match=f"{name}: is still in the settings. Take it out of there first"):
        run("source", "remove", name)


def test_source_that_nobody_knows_is_not_removed() -> None:
    with pytest.raises(UsageError, match=r"x: there is no such source\. 'pulsegate source list' shows them"):
        run("source", "remove", "x")


def test_source_that_is_being_pulled_is_not_removed(database: Database) -> None:
    put(database, "former", held=0)
    with (
        locks.hold(database, locks.pull("former")),
        pytest.raises(BusyError, match=r"another process is at work on it \(pull\.former\)"),
    ):
        run("source", "remove", "former")
