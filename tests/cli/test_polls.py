"""``pulsegate polls`` and the polls in ``status``, over a file with records."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from pulsegate.cli.commands import app
from pulsegate.errors import UsageError
from pulsegate.store import polls
from pulsegate.store.database import Database
from pulsegate.store.polls import PollRecord

NOW = datetime.now(UTC)
NEWEST = PollRecord(
    time=NOW - timedelta(minutes=5), account="gateway", address="192.0.2.7", agent="cabby", collection="user_A+[b]B",
    begin=None, end=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), part=None, blocks=2, indicators=30, bytes=4000,
    seconds=0.25, outcome="answered",
)  # fmt: skip
REFUSED = replace(
    NEWEST, time=NOW - timedelta(hours=2), account=None, begin=NEWEST.end, end=None, blocks=0, outcome="UNAUTHORIZED",
    detail="wrong password",
)  # fmt: skip
OLDEST = replace(NEWEST, time=NOW - timedelta(days=2), account="branch", collection="subscribed")


@pytest.fixture(autouse=True)
def recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, install: Callable[[Path], str]) -> None:
    monkeypatch.setenv("COLUMNS", "250")
    database = Database(install(tmp_path))
    with database.write() as connection:
        polls.insert_many(connection, [OLDEST, REFUSED, NEWEST])
    database.close()


def run(*words: str) -> str:
    result = CliRunner().invoke(app, words, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def listed(*words: str) -> list[Any]:
    return json.loads(run("polls", "--json", *words))


def test_polls_as_json_have_every_field() -> None:
    assert listed("--limit", "1") == [
        {
            "time": NEWEST.time.isoformat(timespec="microseconds").replace("+00:00", "Z"), "account": "gateway",
            "address": "192.0.2.7", "agent": "cabby", "collection": "user_A+[b]B", "begin": None,
            "end": "2026-01-02T03:04:05.000000Z", "part": None, "blocks": 2, "indicators": 30, "bytes": 4000,
            "seconds": 0.25, "outcome": "answered", "detail": None, "request": None,
        }
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("words", "accounts"),
    [
        ((), ["gateway", None, "branch"]),
        (("--since", "24h"), ["gateway", None]),
        (("--since", "36500d"), ["gateway", None, "branch"]),
        (("--account", "branch"), ["branch"]),
        (("--collection", "user_A [b]B"), ["gateway", None]),
        (("--outcome", "UNAUTHORIZED"), [None]),
        (("--limit", "2"), ["gateway", None]),
    ],
)
def test_polls_are_filtered_newest_first(words: tuple[str, ...], accounts: list[str | None]) -> None:
    assert [one["account"] for one in listed(*words)] == accounts


def test_polls_for_people_say_who_asked_for_what() -> None:
    head, *lines = run("polls").splitlines()
    assert head.split() == [
        "time", "account", "address", "collection", "after", "until", "blocks", "indicators", "bytes", "seconds",
        "outcome",
    ]  # fmt: skip
    assert [line.split()[3] for line in lines] == ["gateway", "-", "branch"]
    assert "user_A+[b]B" in lines[0]
    assert "the start" in lines[0]
    assert "2026-01-02 03:04:05 UTC" in lines[0]
    assert lines[1].rstrip().endswith("UNAUTHORIZED: wrong password")


def test_no_polls_are_said() -> None:
    assert run("polls", "--account", "nobody") == "No poll is recorded.\n"


def test_since_that_is_no_duration_is_wrong_usage() -> None:
    with pytest.raises(UsageError, match="'yesterday' is no duration"):
        run("polls", "--since", "yesterday")


def test_status_shows_the_last_poll_of_each_account() -> None:
    told = json.loads(run("status", "--json"))
    assert [(one["account"], one["collection"]) for one in told["polls"]] == [
        ("branch", "subscribed"), ("gateway", "user_A+[b]B"),
    ]  # fmt: skip
    assert list(told) == [
        "pulses",
        "indicators",
        "quarantined",
        "last_pull",
        "sources",
        "collections",
        "polls",
        "relay",
    ]
    branch, gateway = run("status").splitlines()[-2:]
    assert (branch.split()[0], gateway.split()[0]) == ("branch", "gateway")
