"""The documentation against the code: every command, type, example and link is as it says.

docs/settings.md is made from the code; ``settings/test_reference.py`` holds it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from pulsegate.cli.commands import app
from pulsegate.cli.setup import load_settings, make_policy
from pulsegate.model.indicator import IndicatorType, RawIndicator, Rejection
from pulsegate.settings import Settings, load, reference
from pulsegate.settings.appliance import PREFERRED, source_form
from pulsegate.stix.mapping import MAPPING
from pulsegate.store.tables import metadata
from pulsegate.values.normalise import normalise

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
SECURITY = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
VALUES = (ROOT / "docs" / "values.md").read_text(encoding="utf-8")
GUIDES = ["docs/esa.md", "docs/curation.md", "docs/air-gap.md", "docs/operation.md", "docs/README.ja.md"]


def section(heading: str, text: str = README) -> str:
    """What stands below the heading, up to the next one."""
    found = re.search(rf"^#+ {re.escape(heading)}\n(.*?)(?=^#+ |\Z)", text, re.MULTILINE | re.DOTALL)
    assert found, f"there is no heading {heading!r}"
    return found[1]


def rows(text: str) -> Iterator[list[str]]:
    """The cells of each row of the tables in the text, without heads."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        if not line.startswith("| ---") and not following.startswith("| ---"):
            yield [cell.strip() for cell in line.strip("|").split(" | ")]


@pytest.mark.parametrize("row", list(rows(section("Settings"))), ids=lambda row: row[0])
def test_setting_of_the_readme_is_as_the_reference_has_it(row: list[str]) -> None:
    *path, key = row[0].strip("`").split(".")
    part = next(one for one in reference.parts(reference.Part(Settings)) if one.path == ".".join(path))
    assert row[:3] == [row[0], f"`{part.variable(key)}`", reference.default(part.model, key)]


def commands() -> dict[str, str]:
    """Every command of the program and its help."""

    def walk(name: str, command: Any) -> Iterator[tuple[str, str]]:
        inner = getattr(command, "commands", None)
        if inner is None:
            yield name, command.help or ""
            return
        for word, one in inner.items():
            if not one.hidden:
                yield from walk(f"{name} {word}", one)

    return dict(walk("pulsegate", typer.main.get_command(app)))


COMMANDS = commands()


@pytest.mark.parametrize("name", list(COMMANDS))
def test_command_has_help_and_its_row(name: str) -> None:
    help_ = COMMANDS[name].strip()
    assert help_, f"give the function of '{name}' a docstring: it is the command's help"
    found = [row for row in rows(section("Commands")) if row[0] == f"`{name}`"]
    advice = f"put this row below 'Commands' in README.md:\n| `{name}` | {help_.splitlines()[0]} |"
    assert len(found) == 1, advice
    assert found[0][1], advice


def test_every_described_command_exists() -> None:
    described = {row[0].strip("`") for row in rows(section("Commands"))}
    assert described - COMMANDS.keys() == set(), "take these rows out of 'Commands' in README.md"


def examples() -> Iterator[Any]:
    """The settings that pages for users show."""
    for page in ("README.md", *GUIDES):
        text = (ROOT / page).read_text(encoding="utf-8")
        found = re.findall(r"^```yaml\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
        yield from (pytest.param(example, id=f"{page} {number}") for number, example in enumerate(found))


@pytest.mark.parametrize("example", list(examples()))
def test_yaml_example_loads(example: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert list(yaml.safe_load(example)) == ["pulsegate"], "begin the example with 'pulsegate:'"
    (tmp_path / "opentaxii.yml").write_text(example, encoding="utf-8")
    monkeypatch.setenv("PULSEGATE_CONFIG", str(tmp_path / "opentaxii.yml"))
    make_policy(load_settings())


@pytest.mark.parametrize("page", ["docs/esa.md", "docs/README.ja.md"])
def test_fields_of_the_appliance_are_those_that_the_program_prints(page: str) -> None:
    """What does not depend on the installation, value by value."""
    form = source_form(Settings(), PREFERRED)
    told = dict(
        row[:2] for row in rows((ROOT / page).read_text(encoding="utf-8").replace("\n   |", "\n|")) if len(row) == 2
    )
    assert told["Polling Path"] == f"`{form.path}`"
    assert told["Collection Name"].startswith(f"`{form.collection}`")
    assert told["Polling Interval"].startswith(f"`{form.interval.seconds // 60} minutes`")
    assert told["Age of Threat Feeds"].startswith(f"`{form.age.days} days`")
    assert told["Time Span of Poll Segment"].startswith(f"`{form.segment.days} days`")
    assert told["Polling Port"].startswith(f"`{form.port}`")


@pytest.mark.parametrize("page", GUIDES)
def test_guide_names_commands_that_exist(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    written = re.findall(r"(?:^|`|\$ )pulsegate (?:--demo )?([a-z]+(?: [a-z][a-z-]+)?)", text, re.MULTILINE)
    assert written
    unknown = [one for one in written if not {f"pulsegate {one}", f"pulsegate {one.split()[0]}"} & COMMANDS.keys()]
    assert unknown == []


def test_shipped_settings_load_and_have_the_mail_gateway() -> None:
    found = load({"PULSEGATE_CONFIG": str(ROOT / "opentaxii.yml")})
    assert [(one.name, one.profile) for one in found.collections] == [("mail-gateway", "esa")]


@pytest.mark.parametrize("type_", list(IndicatorType))
def test_indicator_type_has_its_row(type_: IndicatorType) -> None:
    form = MAPPING[type_]
    found = [row for row in rows(section("What becomes of each type", VALUES)) if row[0] == f"`{type_}`"]
    advice = f"below 'What becomes of each type' in docs/values.md, the row of {type_} must say"
    assert len(found) == 1, f"{advice} how it is written"
    assert found[0][2] == (form.watchlist or "–"), f"{advice} {form.watchlist or '–'!r} in its third cell"
    served = "yes" if form.not_esa is None else "no"
    assert re.split("[;:]", found[0][3])[0] == served, f"{advice} {served!r} in its last cell"


@pytest.mark.parametrize("row", list(rows(section("What happens to values", VALUES))), ids=lambda row: row[1])
def test_value_becomes_what_the_table_says(row: list[str]) -> None:
    kind, value = row[0].strip("`"), row[1].strip("`")
    found = normalise(RawIndicator(type=kind, value=value))
    becomes = f"rejected: {found.reason}" if isinstance(found, Rejection) else f"`{found.type}` `{found.value}`"
    assert row == [f"`{kind}`", f"`{value}`", becomes]


@pytest.mark.parametrize("table", list(metadata.tables))
def test_table_is_in_the_architecture(table: str) -> None:
    found = [row for row in rows(section("The tables", ARCHITECTURE)) if row[0] == f"`{table}`"]
    assert len(found) == 1, f"put a row for the table {table} below 'The tables' in docs/architecture.md"


@pytest.mark.parametrize("name", sorted(set(re.findall(r"`([a-z_]+/[a-z_]+\.py)`", ARCHITECTURE))))
def test_module_of_the_architecture_exists(name: str) -> None:
    assert any((ROOT / base / name).is_file() for base in ("src/pulsegate", ".")), f"docs/architecture.md names {name}"


def headings(text: str) -> set[str]:
    """As links name them."""
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title).strip().lower().replace(" ", "-") for title in titles}


PAGES = sorted(str(one.relative_to(ROOT)) for one in [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    targets = [target for target in re.findall(r"\]\(([^)]+)\)", text) if not target.startswith("https://")]
    lost = []
    for target in targets:
        name, _, place = target.partition("#")
        file = (ROOT / page).parent / name if name else ROOT / page
        if not file.is_file() or (place and place not in headings(file.read_text(encoding="utf-8"))):
            lost.append(target)
    assert lost == []


# Of each attack the row: what it is, what stands against it, and the tests that try it.
ATTACKS = [row for row in rows(SECURITY) if len(row) == 3]
NOT_HELD_OFF = "not held off"


@pytest.mark.parametrize("row", ATTACKS, ids=lambda row: row[0][:60])
def test_attack_has_its_tests(row: list[str]) -> None:
    """Each attack of docs/security.md is tried by tests that exist, or is told to be not held off."""
    attack, _, told = row
    named = re.findall(r"`(tests/\w+/\w+\.py)::(\w+)`", told)
    assert named or told == NOT_HELD_OFF, f"name the test that tries: {attack}"
    for path, name in named:
        assert (ROOT / path).is_file(), f"docs/security.md names {path}"
        text = (ROOT / path).read_text(encoding="utf-8")
        assert re.search(rf"^def {name}\(", text, re.MULTILINE), f"docs/security.md names {path}::{name}"


@pytest.mark.parametrize("name", sorted(set(re.findall(r"`([a-z_]+(?:/[a-z_]+)+\.py)`", SECURITY))))
def test_module_of_the_security_page_exists(name: str) -> None:
    assert any((ROOT / base / name).is_file() for base in ("src/pulsegate", ".")), f"docs/security.md names {name}"
