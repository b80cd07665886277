"""docs/settings.md is what the models tell, and what it tells is true."""

from __future__ import annotations

import re
from datetime import timedelta
from inspect import cleandoc
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import pytest
import yaml
from pydantic import AfterValidator, Field, ValidationError

from pulsegate.errors import SettingsError
from pulsegate.settings import Settings, load, reference
from pulsegate.settings.duration import Duration, format_duration, parse_duration
from pulsegate.settings.reference import Part, parts
from pulsegate.settings.section import File, Section, Written

FILE = Path(__file__).parents[2] / "docs" / "settings.md"
EVERY = list(parts(Part(Settings)))
MILLISECOND = timedelta(milliseconds=1)


def keys(wanted=lambda _told, _part, _key: True):
    """Those keys of all sections of which what may be written, the section and the name are so."""
    return [
        pytest.param(part, key, id=f"{part.path}.{key}")
        for part in EVERY
        for key, field in part.model.model_fields.items()
        if wanted(reference.written(field), part, key)
    ]


def cells(part, key):
    """The key's row: variable (where there is one), what may be written, default, meaning."""
    text = reference.page().split(f"# {part.heading}\n")[1]
    return re.search(rf"^\| `{key}` \| (.*) \|$", text, re.MULTILINE)[1].split(" | ")


def test_page_is_what_the_models_tell():
    assert FILE.read_text(encoding="utf-8") == reference.page(), "run: make settings"


@pytest.mark.parametrize("part", EVERY, ids=lambda part: part.path)
def test_section_has_its_sentence(part):
    assert vars(part.model)["__doc__"], (
        f"give {part.model.__name__} a docstring: it is what docs/settings.md says of it"
    )


@pytest.mark.parametrize(("part", "key"), keys())
def test_key_has_its_meaning(part, key):
    assert part.model.model_fields[key].description, f"give {part.model.__name__}.{key} a description"


def test_headings_are_each_other_s():
    assert len({part.anchor for part in EVERY}) == len(EVERY)


def fault(variable):
    """What is said of a variable whose value is hardly right."""
    try:
        load({variable: "hardly"})
    except SettingsError as error:
        return str(error)
    return ""


@pytest.mark.parametrize(("part", "key"), keys(lambda _told, part, key: part.variable(key)))
def test_variable_is_one(part, key):
    variable = part.variable(key)
    assert cells(part, key)[0] == f"`{variable}`"
    assert "is no setting" not in fault(variable.replace("__…", ""))
    assert "is no setting" in fault(variable.replace("__…", "") + "_X")


@pytest.mark.parametrize("part", [part for part in EVERY if part.model.example], ids=lambda part: part.path)
def test_example_loads_and_sets_the_section(part, tmp_path):
    (tmp_path / "opentaxii.yml").write_text(reference.example(part), encoding="utf-8")
    load({"PULSEGATE_CONFIG": str(tmp_path / "opentaxii.yml")})
    given = yaml.safe_load(reference.example(part))["pulsegate"]
    for one in part.way:
        given = given[one.keys[0]]
        given = given[0] if isinstance(given, list) else given
    assert set(given) <= set(part.model.model_fields)
    assert f"```yaml\n{reference.example(part)}\n```" in reference.page()


def refused(part, key, value):
    """Whether the key may not be so, in a section that is right otherwise."""
    others = yaml.safe_load(part.model.example) if part.model.example else {}
    if (part.path, key) == ("collections", "max_age"):
        others = {"name": "partners", "kind": "inbox"}  # it is for these only
    try:
        part.model.model_validate({**others, key: value})
    except ValidationError:
        return True
    return False


def bounds():
    """Each bound that is told, with a value on it and one beyond it."""
    for part, key in (one.values for one in keys()):
        told = reference.written(part.model.model_fields[key])
        low = re.search(r"at least `(\w+)`|, `(\w+)` to", told)
        high = re.search(r"at most `(\w+)`|to `(\w+)`", told)
        for found, step in ((low, -1), (high, 1)):
            if found:
                on = found[1] or found[2]
                yield pytest.param(part, key, on, step, id=f"{part.path}.{key} {on}")


@pytest.mark.parametrize(("part", "key", "on", "step"), list(bounds()))
def test_bound_is_as_told(part, key, on, step):
    beyond = str(int(on) + step) if on.isdigit() else format_duration(parse_duration(on) + step * MILLISECOND)
    assert not refused(part, key, on)
    assert refused(part, key, beyond)


@pytest.mark.parametrize(("part", "key"), keys())
def test_bound_of_a_number_is_told(part, key):
    field = part.model.model_fields[key]
    for mark in field.metadata:
        for bound in (getattr(mark, "ge", None), getattr(mark, "le", None)):
            assert bound is None or f"`{bound}`" in reference.written(field)


@pytest.mark.parametrize(("part", "key"), keys(lambda told, _part, _key: told == "a duration"))
def test_duration_of_which_no_bound_is_told_may_be_nothing(part, key):
    assert not refused(part, key, "0s")


@pytest.mark.parametrize(("part", "key"), keys(lambda told, _part, _key: "`a,b`" in told))
def test_list_that_may_be_written_in_one_line(part, key):
    with pytest.raises(ValidationError) as caught:
        part.model.model_validate({key: "?,?", "no": 1})
    assert "list_type" not in {one["type"] for one in caught.value.errors()}


@pytest.mark.parametrize(
    ("part", "key"), keys(lambda told, _part, _key: told.startswith("a list") and " or " not in told)
)
def test_list_that_may_not(part, key):
    assert refused(part, key, "a,b")


# A model of another kind of settings: what is in it, and nowhere else, must be found.


class Inner(Section):
    """What is ``inside``."""

    example: ClassVar[str] = cleandoc("""
        file: /a
        """)

    word: Literal["a", "b"] = Field("a", description="a | b")
    file: File = Field(description="where")


class More(Inner):
    """More of it."""

    often: Annotated[Duration, AfterValidator(lambda value: value), Written("now and then")] | None = Field(
        None, description="how often"
    )
    many: Annotated[int, Field(ge=2)] = Field(2, description="how many")


class Middle(Section):
    """Between."""

    left: Inner | None = Field(None, description="the left one")
    named: dict[str, Inner] = Field({}, description="by name")


class Outer(Section):
    """All of it."""

    middle: Middle = Field(Middle(), description="more keys")
    entries: list[More] | None = Field(None, description="some")


def test_sections_are_found_in_sections_lists_and_mappings():
    found = list(parts(Part(Outer)))
    assert [(one.heading, one.model, one.variable(next(iter(one.model.model_fields)))) for one in found] == [
        ("`pulsegate`", Outer, "PULSEGATE_MIDDLE__…"),
        ("`middle`", Middle, "PULSEGATE_MIDDLE__LEFT__…"),
        ("`middle.left`", Inner, "PULSEGATE_MIDDLE__LEFT__WORD"),
        ("An entry of `middle.named`", Inner, None),
        ("An entry of `entries`", More, None),
    ]


def test_section_is_told_with_its_way_its_example_and_its_keys_the_required_ones_first():
    assert reference.page(Part(Outer)).split("\n### ")[2].split("\n## ")[0] == (
        "An entry of `middle.named`\n\n"
        "What is `inside`.\n\n"
        "In `opentaxii.yml`: `pulsegate:` → `middle:` → `named:` → each name\n\n"
        "```yaml\npulsegate:\n  middle:\n    named:\n      NAME:\n        file: /a\n```\n\n"
        "| key | what may be written | default | meaning |\n"
        "| --- | --- | --- | --- |\n"
        "| `file` | a file | required | where |\n"
        "| `word` | `a` or `b` | `a` | a \\| b |\n"
    )


def test_section_that_has_all_of_another_tells_only_what_is_its_own():
    assert reference.page(Part(Outer)).split("each entry of the list\n\n")[1] == (
        "```yaml\npulsegate:\n  entries:\n    - file: /a\n```\n\n"
        "It takes every key of [`middle.left`](#middleleft), and:\n\n"
        "| key | what may be written | default | meaning |\n"
        "| --- | --- | --- | --- |\n"
        "| `often` | now and then | none | how often |\n"
        "| `many` | a whole number, at least `2` | `2` | how many |\n"
    )


def test_default_of_each_form():
    told = {key: cells(EVERY[0], key)[2] for key in ("host", "drain", "own", "tls", "domain")}
    assert told == {"host": "`127.0.0.1`", "drain": "`0ms`", "own": "`[]`", "tls": "`{}`", "domain": "none"}
