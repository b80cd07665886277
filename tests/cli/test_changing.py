"""``pulsegate collection add`` and ``edit``: what they say, what they change, and what they refuse."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import structlog
import yaml
from structlog.testing import capture_logs
from typer.testing import CliRunner

from pulsegate.cli.changing import with_values
from pulsegate.cli.commands import app
from pulsegate.cli.setup import load_settings, open_installation, prepare
from pulsegate.errors import SettingsError, StoreError, UsageError
from pulsegate.model.collection import Collection, Profile, Rule
from pulsegate.model.indicator import IndicatorType
from pulsegate.model.tlp import TLP
from pulsegate.store import blocks, collections, taken
from pulsegate.store.collections import Origin, StoredCollection
from pulsegate.store.database import Database
from store.test_pulses import a_name, a_pulse

PHISHING = a_pulse(1, name="Phishing wave", tlp=TLP.WHITE)
TOOLS = a_pulse(2, name="Tools", tlp=TLP.AMBER)


@pytest.fixture(autouse=True)
def store(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    """Two pulses, in a database of either kind; the settings have the collection ``kept``."""
    monkeypatch.setenv("PULSEGATE_DATABASE", database.url)
    monkeypatch.setenv("PULSEGATE_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("PULSEGATE_COLLECTIONS", "[{name: kept}]")
    with database.write() as connection:
        found = [
            taken.Taken(PHISHING, [a_name("a.example"), a_name("b.example", role="trojan")]),
            taken.Taken(TOOLS, [a_name("c.example")]),
        ]
        taken.put_many(connection, found, taken.unmarked)
    opened: list[Database] = []
    monkeypatch.setattr("pulsegate.cli.setup.Database", lambda url: opened.append(Database(url)) or opened[-1])
    yield database
    for one in opened:  # the end of a process does it else
        one.close()


def run(*words: str) -> str:
    result = CliRunner().invoke(app, words, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def told(*words: str) -> Any:
    return json.loads(run(*words, "--json"))


def lines(*words: str) -> list[str]:
    return [line.rstrip() for line in run(*words).splitlines()]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "phishing.yml"
    path.write_text("profile: esa\ninclude: {words: [phish*]}\n", encoding="utf-8")
    return path


def stored(store: Database, name: str = "phishing") -> StoredCollection | None:
    with store.read() as connection:
        return collections.get(connection, name)


def values(store: Database, name: str = "phishing") -> list[str]:
    found = stored(store, name)
    assert found is not None
    with store.read() as connection:
        return sorted(one.value for one in blocks.listed(connection, found.id))


# --- Adding ----------------------------------------------------------------------------------------------------------


def test_collection_is_tried_and_nothing_is_written(store: Database, file: Path) -> None:
    assert lines("collection", "add", "phishing", "--file", str(file), "--dry-run") == [
        "phishing would be new, with 2 indicators.",
        "",
        "Coming:",
        "type    value      pulse",
        "domain  a.example  Phishing wave",
        "domain  b.example  Phishing wave",
    ]
    with store.read() as connection:
        assert collections.every(connection) == []


def test_collection_is_added_and_published_at_once(store: Database, file: Path) -> None:
    assert lines("collection", "add", "phishing", "--file", str(file))[0] == "phishing is new, with 2 indicators."
    found = stored(store)
    assert found is not None
    rules = Rule(words=frozenset({"phish*"}))
    assert found.collection == Collection("phishing", profile=Profile.ESA, include=rules)
    assert found.origin is Origin.COMMAND
    assert values(store) == ["a.example", "b.example"]
    assert values(store, "subscribed") == ["a.example", "b.example", "c.example"]


def test_collection_that_is_shown_can_be_added_under_another_name(store: Database, file: Path, tmp_path: Path) -> None:
    run("collection", "add", "phishing", "--file", str(file))
    shown = yaml.safe_load(run("collection", "show", "phishing"))
    del shown["name"]
    (tmp_path / "again.yml").write_text(yaml.safe_dump(shown), encoding="utf-8")
    run("collection", "add", "again", "--file", str(tmp_path / "again.yml"))
    assert values(store, "again") == values(store)


def test_added_collection_for_programs(file: Path) -> None:
    expected = {
        "name": "phishing",
        "new": True,
        "dry_run": True,
        "held": 0,
        "coming": 2,
        "going": 0,
        "examples": {
            "coming": [
                {
                    "type": "domain",
                    "value": value,
                    "pulse": PHISHING.id,
                    "pulse_name": "Phishing wave",
                    "rule": "in",
                    "reason": "nothing speaks against it",
                }
                for value in ("a.example", "b.example")
            ],
            "going": [],
        },
    }
    command = ("collection", "add", "phishing", "--file", str(file))
    assert told(*command, "--dry-run") == expected
    done = {"dry_run": False, "published": {"added": 2, "removed": 0, "failed": 0}}
    assert told(*command) == expected | done


def test_inbox_is_added(store: Database, tmp_path: Path) -> None:
    (tmp_path / "inbox.yml").write_text("{name: partners, kind: inbox, max_age: 90d}", encoding="utf-8")
    assert lines("collection", "add", "partners", "--file", str(tmp_path / "inbox.yml")) == [
        "partners is new, with 0 indicators.",
        "It is an inbox: what clients push comes in, whatever pulses hold.",
    ]
    assert lines("collection", "edit", "partners", "--set", "max_age=1d") == [
        "partners held 0 indicators; 0 came and 0 went.",
        "It is an inbox: what clients push comes in, whatever pulses hold.",
    ]


@pytest.mark.parametrize(
    ("name", "text", "error", "message"),
    [
        ("kept", "{}", UsageError, "kept: stands in the settings file. Change it there"),
        ("subscribed", "{}", SettingsError, "'subscribed' is a name that Pulsegate gives itself"),
        ("other", "{name: phishing}", UsageError, "names the collection 'phishing', the command 'other'"),
        ("other", "[a]", UsageError, "holds no keys of a collection"),
        ("other", "", UsageError, "holds no keys of a collection"),
        ("other", "{a", SettingsError, "is not valid YAML"),
        ("other", "{includ: {}}", SettingsError, "collection other: includ is no setting; did you mean include?"),
        ("other", "{include: {tag: [a]}}", SettingsError, "include.tag is no setting; did you mean tags?"),
        ("other", "{include: {words: ['']}}", SettingsError, "include.words: '' is no word"),
        ("other", "{include: {attack_ids: [x]}}", SettingsError, "include.attack_ids: 'x' is no ATT&CK id"),
        ("other", "{kind: inbox, ttl: {IPv4: 1d}}", SettingsError, "no rule applies; leave out ttl"),
    ],
)
def test_collection_that_is_not_added(
    store: Database, tmp_path: Path, name: str, text: str, error: type[Exception], message: str
) -> None:
    path = tmp_path / "wrong.yml"
    path.write_text(text, encoding="utf-8")
    for more in ([], ["--dry-run"]):
        with pytest.raises(error, match=message.replace("?", r"\?")) as caught:
            run("collection", "add", name, "--file", str(path), *more)
        assert getattr(caught.value, "exit_code", None) == 2
        assert stored(store, name) is None


def test_collection_that_is_there_is_not_added(file: Path) -> None:
    run("collection", "add", "phishing", "--file", str(file))
    with pytest.raises(
        UsageError, match=r"phishing: is there already\. 'pulsegate collection edit phishing' changes it"
    ):
        run("collection", "add", "phishing", "--file", str(file))


def test_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="can't be read: No such file"):
        run("collection", "add", "phishing", "--file", str(tmp_path / "none.yml"))


# --- Editing ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def added(file: Path) -> None:
    run("collection", "add", "phishing", "--file", str(file))


@pytest.mark.usefixtures("added")
def test_change_is_tried_and_nothing_is_written(store: Database) -> None:
    before = stored(store)
    change = ("--set", "include.words=", "--set", "exclude.roles=Trojan,x")
    assert lines("collection", "edit", "phishing", *change, "--dry-run") == [
        "phishing holds 2 indicators; 1 would come and 1 would go.",
        "",
        "Coming:",
        "type    value      pulse",
        "domain  c.example  Tools",
        "",
        "Going:",
        "type    value      rule           reason",
        "domain  b.example  exclude.roles  its role trojan is excluded",
    ]
    assert (stored(store), values(store)) == (before, ["a.example", "b.example"])


@pytest.mark.usefixtures("added")
def test_change_is_published_at_once(store: Database) -> None:
    found = told("collection", "edit", "phishing", "--set", "include={tlp: [amber]}")
    assert (found["coming"], found["going"]) == (1, 2)
    assert found["published"] == {"added": 1, "removed": 2, "failed": 0}
    assert [(one["value"], one["rule"]) for one in found["examples"]["going"]] == [
        ("a.example", "include.tlp"), ("b.example", "include.tlp"),
    ]  # fmt: skip
    assert values(store) == ["c.example"]


@pytest.mark.usefixtures("added")
def test_more_examples_than_are_shown(store: Database) -> None:
    many = [a_name(f"{number:02}.example") for number in range(12)]
    with store.write() as connection:
        taken.put_many(connection, [taken.Taken(a_pulse(3, name="Many"), many)], taken.unmarked)
    found = lines("collection", "edit", "phishing", "--set", "include.words=many", "--dry-run")
    assert found[0] == "phishing holds 2 indicators; 12 would come and 2 would go."
    assert "Coming, 10 of 12:" in found
    assert "Going:" in found


BEFORE = Collection("phishing", profile=Profile.ESA, include=Rule(words=frozenset({"phish*"})))


@pytest.mark.parametrize(
    ("values", "after"),
    [
        (["include.words=a, b"], {"include": Rule(words=frozenset({"a", "b"}))}),
        (["include.words=[a, 'b, c']"], {"include": Rule(words=frozenset({"a", "b, c"}))}),
        (["include.words=2024"], {"include": Rule(words=frozenset({"2024"}))}),
        (["exclude.tags=no"], {"exclude": Rule(tags=frozenset({"no"}))}),
        (["include.max_age=1d", "include.words="], {"include": Rule(max_age=timedelta(days=1))}),
        (["include={tags: [a]}"], {"include": Rule(tags=frozenset({"a"}))}),
        (["include="], {"include": Rule()}),
        (["expand=16"], {"expand": 16}),
        (["expand="], {}),
        (["protections=false"], {"protections": frozenset()}),
        (["protections=[single-label]"], {"protections": frozenset({"single-label"})}),
        (["description=yes"], {"description": "yes"}),
        (["description=a: [b = c"], {"description": "a: [b = c"}),
        (["profile=full", "ttl.IPv4=30d"], {"profile": Profile.FULL, "ttl": {IndicatorType.IPV4: timedelta(days=30)}}),
    ],
)
def test_values_that_are_set(values: list[str], after: dict[str, Any]) -> None:
    assert with_values(BEFORE, values) == replace(BEFORE, **after)


@pytest.mark.usefixtures("added")
def test_file_gives_all_rules_anew(store: Database, tmp_path: Path) -> None:
    path = tmp_path / "new.yml"
    path.write_text("name: phishing\nttl: {IPv4: 30d}\n", encoding="utf-8")
    run("collection", "edit", "phishing", "--file", str(path))
    found = stored(store)
    assert found is not None
    assert (found.collection.profile, found.collection.include) == (Profile.FULL, Rule())
    assert values(store) == ["a.example", "b.example", "c.example"]


@pytest.mark.usefixtures("added")
@pytest.mark.parametrize(
    ("words", "error", "message"),
    [
        (["phishing"], UsageError, "takes either --file or --set"),
        (["phishing", "--set", "expand=1", "--file", "f"], UsageError, "takes either --file or --set"),
        (["phishing", "--set", "expand"], UsageError, "--set expand: takes KEY=VALUE"),
        (["phishing", "--set", "=1"], UsageError, "takes KEY=VALUE"),
        (["phishing", "--set", "expand=["], SettingsError, "--set expand: is not valid YAML"),
        (
            ["phishing", "--set", "expand=300"],
            SettingsError,
            "collection phishing: expand: .* less than or equal to 256",
        ),
        (["phishing", "--set", "profile.x=1"], UsageError, "profile has no keys of its own"),
        (["phishing", "--set", "incude.tags=a"], SettingsError, r"incude is no setting; did you mean include\?"),
        (["phishing", "--set", "name=other"], UsageError, "A collection keeps its name"),
        (["none", "--set", "expand=1"], UsageError, "none: there is no such collection"),
        (["kept", "--set", "expand=1"], UsageError, "kept: stands in the settings file. Change it there"),
        (["subscribed", "--set", "expand=1"], UsageError, "subscribed: is kept by Pulsegate itself"),
    ],
)
def test_change_that_is_refused(store: Database, words: list[str], error: type[Exception], message: str) -> None:
    before = stored(store)
    for more in ([], ["--dry-run"]):
        with pytest.raises(error, match=message) as caught:
            run("collection", "edit", *words, *more)
        assert getattr(caught.value, "exit_code", None) == 2
    assert stored(store) == before


@pytest.mark.usefixtures("added")
def test_collection_of_another_kind_is_refused(store: Database, tmp_path: Path) -> None:
    (tmp_path / "inbox.yml").write_text("kind: inbox", encoding="utf-8")
    with pytest.raises(StoreError, match="of kind rules, and can't become one of kind inbox"):
        run("collection", "edit", "phishing", "--file", str(tmp_path / "inbox.yml"))
    assert values(store) == ["a.example", "b.example"]


# --- Who keeps a collection ------------------------------------------------------------------------------------------


def start() -> list[str]:
    """What a start of the server, say, warns of: collections that the settings no longer name."""
    with capture_logs() as logs:
        structlog.configure(wrapper_class=structlog.BoundLogger)
        prepare(open_installation(load_settings()))
    return [one["collection"] for one in logs if one["event"] == "collection.not_in_settings"]


@pytest.mark.usefixtures("added")
def test_start_leaves_alone_what_was_added_by_command(store: Database) -> None:
    before = stored(store)
    assert start() == []
    assert stored(store) == before


@pytest.mark.usefixtures("added")
def test_start_warns_of_what_the_settings_name_no_longer(monkeypatch: pytest.MonkeyPatch, store: Database) -> None:
    monkeypatch.delenv("PULSEGATE_COLLECTIONS")
    assert start() == ["kept"]
    run("collection", "edit", "kept", "--set", "expand=1")
    found = stored(store, "kept")
    assert found is not None
    assert (found.origin, found.collection.expand) == (Origin.COMMAND, 1)
    assert start() == []


@pytest.mark.usefixtures("added")
def test_settings_that_name_a_collection_have_it_from_then_on(monkeypatch: pytest.MonkeyPatch, store: Database) -> None:
    monkeypatch.setenv("PULSEGATE_COLLECTIONS", "[{name: phishing, expand: 4}]")
    assert start() == ["kept"]
    found = stored(store)
    assert found is not None
    assert (found.origin, found.collection) == (Origin.SETTINGS, Collection("phishing", expand=4))
    with pytest.raises(UsageError, match="phishing: stands in the settings file"):
        run("collection", "remove", "phishing")


@pytest.mark.usefixtures("added")
def test_collection_that_was_added_is_removed(store: Database) -> None:
    run("collection", "remove", "phishing")
    assert stored(store) is None
