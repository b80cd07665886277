"""``pulsegate quarantine``: what could not be taken in, shown and tried again."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from pulsegate.cli.commands import app
from pulsegate.curation.policy import Policy
from pulsegate.errors import UsageError
from pulsegate.intake.taking import Claim, Intake, take
from pulsegate.publication.marking import Marker
from pulsegate.store import failures, pulses, quarantine
from pulsegate.store.database import Database
from pulsegate.store.quarantine import INDICATOR, PULSE, Quarantined
from pulsegate.store.sources import SUBSCRIPTION
from sync.fakes import pulse_id, raw, row

SENT = raw(1, "a.example")
LONG = Quarantined(PULSE, pulse_id(3), "pulse", pulse_id(3), "it has no name", None, source="otx")
CUT = Quarantined(PULSE, pulse_id(4), "pulse", pulse_id(4), "it has no name", '{"id": "4", "na', source="otx")


@pytest.fixture(autouse=True)
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, install: Callable[[Path], str]) -> Iterator[Database]:
    """A pulse that is readable by now, one with a value that is none and b.example."""
    monkeypatch.setenv("COLUMNS", "250")
    found = Database(install(tmp_path))
    add(found, Quarantined(PULSE, pulse_id(1), "pulse", pulse_id(1), "it has no name", json.dumps(SENT), source="otx"))
    take(
        found,
        [raw(2) | {"indicators": [row("b.example"), row("a b")]}],
        Intake(),
        Claim("otx", SUBSCRIPTION),
        Marker(found, Policy()),
    )
    yield found
    found.close()


def add(database: Database, *entries: Quarantined) -> None:
    with database.write() as connection:
        for entry in entries:
            quarantine.add(connection, entry)


def fail_to_write(database: Database) -> None:
    with database.write() as connection:
        (found,) = pulses.indicators_of(connection, pulses.get(connection, pulse_id(2)).pk)
        failures.mark(connection, found.pk, "full", "no such object")


def run(*words: str) -> str:
    result = CliRunner().invoke(app, ["quarantine", *words], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def listed() -> list[Any]:
    return json.loads(run("list", "--json"))


def without_time(found: dict[str, Any]) -> dict[str, Any]:
    assert found.pop("since").endswith("Z")
    return found


def test_what_is_quarantined_is_listed(database: Database) -> None:
    fail_to_write(database)
    *others, unwritten = listed()
    assert [without_time(one) for one in others] == [
        {
            "id": 1, "kind": "pulse", "pulse": pulse_id(1), "type": "pulse", "value": pulse_id(1),
            "reason": "it has no name", "source": "otx",
        },
        {
            "id": 2, "kind": "indicator", "pulse": pulse_id(2), "type": "domain", "value": "a b",
            "reason": "not a domain name: white space inside", "source": "otx",
        },
    ]  # fmt: skip
    assert unwritten == {
        "id": None, "kind": "unwritten", "pulse": pulse_id(2), "type": "domain", "value": "b.example",
        "reason": "full: no such object", "source": None, "since": None,
    }  # fmt: skip


def test_what_is_quarantined_is_listed_for_people(database: Database) -> None:
    fail_to_write(database)
    head, *lines = run("list").splitlines()
    assert head.split() == ["id", "what", "pulse", "type", "value", "reason", "since"]
    assert [line.split()[:3] for line in lines] == [
        ["1", "pulse", pulse_id(1)], ["2", "indicator", pulse_id(2)], ["unwritten", pulse_id(2), "domain"],
    ]  # fmt: skip


def test_of_a_long_value_the_list_shows_the_beginning_and_the_entry_all(database: Database) -> None:
    add(database, Quarantined(INDICATOR, pulse_id(2), "domain", "a" * 100_000, "no domain name", '"a"', source="otx"))
    text = run("list")
    assert len(text) < 2_000
    assert "(100,000 characters)" in text
    assert listed()[-1]["value"] == "a" * 100_000
    assert "a" * 100_000 in run("show", "3")


def test_entry_is_shown_with_all_that_was_sent() -> None:
    shown = json.loads(run("show", "1", "--json"))
    assert shown["raw"] == SENT
    assert shown["reason"] == "it has no name"
    text = run("show", "1")
    assert text.startswith(f"pulse {pulse_id(1)}: it has no name\nof pulse {pulse_id(1)}, from otx, since ")
    assert json.loads(text[text.index("{") :]) == SENT


def test_what_is_no_json_in_an_entry_is_none_in_what_is_printed(database: Database) -> None:
    add(
        database,
        Quarantined(PULSE, pulse_id(5), "pulse", pulse_id(5), "bad", '{"a": [NaN, -Infinity, 1]}', source="otx"),
    )
    text = run("show", "3", "--json")
    assert json.loads(text, parse_constant=pytest.fail)["raw"] == {"a": [None, None, 1]}


def test_entry_with_dirt_in_it_is_shown(database: Database) -> None:
    take(
        database,
        [{"id": "x", "name": "[red] \0 \ud800 日本語"}],
        Intake(),
        Claim("otx", SUBSCRIPTION),
        Marker(database, Policy()),
    )
    found = json.loads(run("show", "3", "--json"))
    assert ascii(found["raw"]["name"]) == ascii("[red] \0 \ud800 日本語")
    assert '"name": "[red] \\u0000 \\ud800 日本語"' in run("show", "3")


def test_entry_that_was_not_kept_is_shown(database: Database) -> None:
    add(database, LONG)
    assert json.loads(run("show", "3", "--json"))["raw"] is None
    assert run("show", "3").endswith("It was too long to keep.\n")


def test_entry_that_an_older_version_cut_is_shown_as_far_as_it_goes(database: Database) -> None:
    add(database, CUT)
    assert json.loads(run("show", "3", "--json"))["raw"] == CUT.raw


@pytest.mark.parametrize("words", [("show", "9"), ("retry", "1", "9")])
def test_entry_that_is_not_there(words: tuple[str, ...]) -> None:
    with pytest.raises(UsageError, match="9: there is no such entry"):
        run(*words)
    assert len(listed()) == 2


def test_all_is_tried_again_and_published(database: Database) -> None:
    add(database, LONG, CUT)
    fail_to_write(database)
    assert CliRunner().invoke(app, ["publish"], catch_exceptions=False).exit_code == 0
    assert json.loads(run("retry", "--json")) == {"taken": 2, "refused": 1, "not_kept": 2}
    preview = CliRunner().invoke(app, ["preview", "subscribed", "--json"], catch_exceptions=False)
    assert {json.loads(line)["value"] for line in preview.stdout.splitlines()} == {"a.example", "b.example"}
    assert [one["kind"] for one in listed()] == ["indicator", "pulse", "pulse"]


def test_some_are_tried_again_and_what_can_not_be_written_is_left_alone(database: Database) -> None:
    fail_to_write(database)
    assert run("retry", "2") == "0 taken, 1 refused again\n"
    assert run("retry", "1") == "1 taken, 0 refused again\n"
    assert [one["kind"] for one in listed()] == ["indicator", "unwritten"]


def test_what_was_not_kept_says_what_to_do(database: Database) -> None:
    add(database, LONG)
    assert run("retry", "3").splitlines() == [
        "0 taken, 0 refused again",
        "1 were too long to keep; 'pulsegate pull --full' asks OTX for them again",
    ]


def test_nothing_is_quarantined(database: Database) -> None:
    with database.write() as connection:
        for entry in quarantine.every(connection):
            quarantine.remove(connection, entry)
    assert (listed(), run("list")) == ([], "Nothing is quarantined.\n")
    assert run("retry") == "0 taken, 0 refused again\n"
