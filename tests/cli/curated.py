"""A store with a few pulses in a database of either kind, and the commands on it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from pulsegate.cli.commands import app
from pulsegate.model.indicator import Indicator, IndicatorType, RawIndicator
from pulsegate.model.pulse import Pulse
from pulsegate.model.tlp import TLP
from pulsegate.publication.marking import Marker
from pulsegate.store import taken
from pulsegate.store.database import Database
from store.test_pulses import a_name, a_pulse

WAVE = a_pulse(1, name="Phishing wave", author="alice", tlp=TLP.WHITE, tags=("Phishing",))
TOOLS = a_pulse(2, name="Tools", author="bob", tlp=TLP.AMBER, tags=("tools",))
COLLECTIONS = "[{name: checked, review: true}, {name: strict, review: changes}, {name: each, deduplicate: false}]"


def a_value(kind: IndicatorType, value: str) -> Indicator:
    return Indicator(kind, value, RawIndicator(kind.value, value))


URL = a_value(IndicatorType.URL, "http://cdn.shop.example.net/x")
ADDRESS = a_value(IndicatorType.IPV4, "45.9.148.3")
PRIVATE = a_value(IndicatorType.IPV4, "10.1.2.3")


@pytest.fixture(autouse=True)
def store(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Database:
    """Two pulses, published, one value in both; the settings have collections with and without a review."""
    monkeypatch.setenv("PULSEGATE_DATABASE", database.url)
    monkeypatch.setenv("PULSEGATE_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("PULSEGATE_COLLECTIONS", COLLECTIONS)
    monkeypatch.setenv("COLUMNS", "250")
    monkeypatch.setattr("getpass.getuser", lambda: "carol")
    put(database, WAVE, [a_name("shop.example.net"), a_name("a.shop.example.net"), URL, ADDRESS])
    put(database, TOOLS, [a_name("shop.example.net"), a_name("tool.example.org"), PRIVATE])
    run("publish")
    return database


def put(database: Database, pulse: Pulse, found: Sequence[Indicator]) -> None:
    """Take a pulse in as a pull does, with the marks that the settings ask for."""
    from pulsegate.cli.setup import load_settings, make_policy

    marker = Marker(database, make_policy(load_settings()))
    with database.write() as connection:
        taken.put(connection, pulse, list(found), marker)


def call(*words: str, stdin: bytes | None = None) -> Result:
    return CliRunner().invoke(app, list(words), catch_exceptions=False, input=stdin)


def run(*words: str, stdin: bytes | None = None) -> str:
    result = call(*words, stdin=stdin)
    assert result.exit_code == 0, result.output
    return result.stdout


def told(*words: str, stdin: bytes | None = None) -> Any:
    return json.loads(run(*words, "--json", stdin=stdin))


def lines(*words: str) -> list[str]:
    return [line.rstrip() for line in run(*words).splitlines()]


def served(name: str = "subscribed") -> list[str]:
    """What a poll gives, as values."""
    return sorted(json.loads(line)["value"] for line in run("preview", name, "--json").splitlines())


def rule(value: str, collection: str = "subscribed") -> str:
    """By which rule the value is in or out."""
    found = told("explain", value)["collections"]
    return next(one["rule"] for one in found if one["name"] == collection)
