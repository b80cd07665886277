"""``pulsegate lists``: what the warning lists say of a value."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from pulsegate.cli import app
from pulsegate.curation.choices import TABLE


def run(*words: str) -> str:
    result = CliRunner().invoke(app, ["lists", *words])
    assert result.exit_code == 0, result.output
    return result.stdout


def test_every_list_is_listed_with_its_reason() -> None:
    assert json.loads(run("list", "--json")) == [{"name": n, "mode": m, "reason": r} for n, m, r in TABLE]
    assert all(name in run("list") for name, _, _ in TABLE)


@pytest.mark.parametrize("text", ["8.8.8.8", "8[.]8[.]8[.]8"])
def test_value_on_lists(text: str) -> None:
    found = {(one["type"], one["value"], one["list"], one["mode"]) for one in json.loads(run("check", text, "--json"))}
    assert ("IPv4", "8.8.8.8", "public-dns-v4", "block") in found
    assert "8.8.8.8 (IPv4): the warning list public-dns-v4" in run("check", text)


def test_value_on_no_list() -> None:
    assert json.loads(run("check", "bad.example.org.invalid-name.net", "--json")) == []
    assert "is on none of the" in run("check", "bad.example.org.invalid-name.net")


def test_text_that_is_no_value() -> None:
    result = CliRunner().invoke(app, ["lists", "check", ""])
    assert result.exception is not None
    assert "is no value of any type" in str(result.exception)
