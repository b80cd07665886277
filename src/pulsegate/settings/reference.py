"""The reference of all settings, docs/settings.md, made from their models: ``make settings``.

Sections are found by walking the fields, so a new one is in it by itself.
"""

from __future__ import annotations

import inspect
import json
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby
from pathlib import Path
from textwrap import indent
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from pulsegate.settings.fields import Form, held
from pulsegate.settings.load import PREFIX
from pulsegate.settings.schema import Settings
from pulsegate.settings.section import Section, Written, split

HEAD = """# Settings

Every key of `opentaxii.yml`, section by section. [The README](../README.md#settings) says how settings are given: by
the file, and by the environment variables named here. `pulsegate config check` says what is in force, and what is
wrong. This page is made by `make settings` from the program itself; a test holds it true.

| what may be written | how |
| --- | --- |
| a duration | `100ms`, `90s`, `15m`, `6h`, `30d`; at most `36500d` |
| a size | `500kB`, `5MB`, `1GB`, or the number of bytes |
| a share | `20%` or `0.2` |
| a list | `[a, b]`, in a variable too; in the file also an entry a line, behind `-` |
| a file, a folder | its path; one that doesn't begin with `/` is taken from the folder in which the command is called |

"none" as a default: nothing is set. "required": an entry without it is refused. Where a variable ends in `__…`, the
name of a key of that section follows. A section or a list that a variable gives as a whole (`PULSEGATE_OTX='{…}'`)
takes the place of the file's; nothing of that is left.
"""
_PLAIN = {str: "text", SecretStr: "text", int: "a whole number", bool: "`true` or `false`", Path: "a file"}
_HELD = {Form.KEYS: "keys", Form.LIST: "a list of entries", Form.NAMED: "names, with keys of each"}


@dataclass(frozen=True, slots=True)
class Part:
    """A section, and where it stands: below one key of ``parent``, or below several that hold the same."""

    model: type[Section]
    keys: tuple[str, ...] = ()
    form: Form = Form.KEYS
    parent: Part | None = None

    @property
    def way(self) -> tuple[Part, ...]:
        """From the whole settings down to this one, without the former."""
        return (*self.parent.way, self) if self.parent else ()

    @property
    def path(self) -> str:
        """The keys with dots, as messages spell them."""
        return ".".join(one.keys[0] for one in self.way)

    @property
    def heading(self) -> str:
        if self.parent is None:
            return "`pulsegate`"
        above = self.parent
        inside = any(one.form is not Form.KEYS for one in above.way)
        prefix = "" if inside or not above.path else f"{above.path}."
        name = " and ".join(f"`{prefix}{key}`" for key in self.keys)
        name = name if self.form is Form.KEYS else f"An entry of {name}"
        return f"{name} of an entry of `{above.path}`" if inside else name

    @property
    def anchor(self) -> str:
        """As GitHub makes it of the heading."""
        return re.sub(r"[^\w\- ]", "", self.heading).lower().replace(" ", "-")

    def variable(self, key: str) -> str | None:
        """The environment variable of the key; None: entries have none of their own."""
        if any(one.form is not Form.KEYS for one in self.way):
            return None
        found = held(self.model.model_fields[key].annotation)
        rest = "__…" if found and found.form is Form.KEYS else ""
        return PREFIX + "__".join([*(one.keys[0] for one in self.way), key]).upper() + rest


def parts(root: Part) -> Iterator[Part]:
    """The section and every one that it holds, each before those in it, in the order of the fields."""
    yield root
    found = ((key, held(field.annotation)) for key, field in root.model.model_fields.items())
    for inner, keys in groupby(((key, one) for key, one in found if one), key=lambda pair: pair[1]):
        yield from parts(Part(inner.model, tuple(key for key, _ in keys), inner.form, root))


def page(root: Part | None = None) -> str:
    """The reference, as Markdown."""
    every = list(parts(root or Part(Settings)))
    return "\n".join([HEAD, *(_section(one, every) for one in every)])


def _section(part: Part, every: list[Part]) -> str:
    basis = next((one for one in every if one.model in part.model.__mro__[1:]), None)
    keys = list(inspect.get_annotations(part.model) if basis else part.model.model_fields)
    keys = [key for key in keys if key in part.model.model_fields]
    keys.sort(key=lambda key: not part.model.model_fields[key].is_required())
    level = "###" if part.parent and part.parent.parent else "##"
    blocks = [f"{level} {part.heading}", _sentence(part.model), _place(part)]
    if part.model.example:
        blocks.append(f"```yaml\n{example(part)}\n```")
    if basis:
        blocks.append(f"It takes every key of [`{basis.path}`](#{basis.anchor}), and:")
    return "\n\n".join([*blocks, _table(part, keys, every)]) + "\n"


def _sentence(model: type[Section]) -> str:
    return inspect.cleandoc(vars(model).get("__doc__") or "").replace("``", "`")


def _place(part: Part) -> str:
    """The keys that lead to the section, in words."""
    words = [" or ".join(f"`{key}:`" for key in one.keys) + _STANDS[one.form] for one in part.way]
    return f"In `opentaxii.yml`: {' → '.join(['`pulsegate:`', *words])}"


_STANDS = {Form.KEYS: "", Form.LIST: " → each entry of the list", Form.NAMED: " → each name"}


def example(part: Part) -> str:
    """The model's example, below the keys that lead to it."""
    text = part.model.example
    for one in reversed(part.way):
        match one.form:
            case Form.LIST:
                text = "- " + indent(text, "  ").strip()
            case Form.NAMED:
                text = "NAME:\n" + indent(text, "  ")
        text = f"{one.keys[0]}:\n" + indent(text, "  ")
    return "pulsegate:\n" + indent(text, "  ")


def _table(part: Part, keys: Iterable[str], every: list[Part]) -> str:
    variables = {key: part.variable(key) for key in keys}
    has_variables = any(variables.values())
    head = ["key", *(["variable"] if has_variables else []), "what may be written", "default", "meaning"]
    rows = [head, ["---"] * len(head)]
    for key, variable in variables.items():
        field = part.model.model_fields[key]
        inner = next((one for one in every if one.parent == part and key in one.keys), None)
        rows.append(
            [
                f"`{key}`",
                *([f"`{variable}`"] if has_variables else []),
                written(field) + (f", see [below](#{inner.anchor})" if inner else ""),
                default(part.model, key),
                field.description or "",
            ]
        )
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |" for cells in rows)


def default(model: type[Section], key: str) -> str:
    """The default as the file would write it."""
    field = model.model_fields[key]
    if field.default is PydanticUndefined:
        return "required"
    if field.default is None:
        return "none"
    if isinstance(field.default, Section):
        return "`{}`"
    value = model.model_construct().model_dump(mode="json", include={key})[key]
    return f"`{value}`" if isinstance(value, str) and value else f"`{json.dumps(value)}`"


def written(field: FieldInfo) -> str:
    """What may be written for the key, in words."""
    if found := held(field.annotation):
        return _HELD[found.form]
    return _or(dict.fromkeys(_forms(field.annotation, field.metadata)))


def _forms(annotation: Any, marks: Iterable[Any] = ()) -> Iterator[str]:
    """Each form that a value of the type may have, as words."""
    marks = list(marks)
    told = [one.words for one in marks if isinstance(one, Written)]
    inner = get_args(annotation)
    origin = get_origin(annotation)
    if told:
        yield told[-1] + _bounds(marks) + _in_one_line(marks)
    elif origin is Annotated:
        yield from _forms(inner[0], [*inner[1:], *marks])
    elif origin is Literal:
        yield from (f"`{one}`" for one in inner)
    elif origin is list:
        yield f"a list of {_or(_forms(inner[0]))}{_in_one_line(marks)}"
    elif origin is dict:
        yield f"{_or(_forms(inner[1]))} for each of some names"
    elif inner:
        yield from (form for one in inner if one is not type(None) for form in _forms(one, marks))
    elif issubclass(annotation, StrEnum):
        yield from (f"`{one}`" for one in annotation)
    elif annotation is bool:
        yield from ("`true`", "`false`")
    else:
        yield _PLAIN[annotation] + _bounds(marks)


def _in_one_line(marks: Iterable[Any]) -> str:
    return ", or `a,b`" if any(getattr(one, "func", None) is split for one in marks) else ""


def _bounds(marks: Iterable[Any]) -> str:
    low = next((one.ge for one in marks if hasattr(one, "ge")), None)
    high = next((one.le for one in marks if hasattr(one, "le")), None)
    if low is not None and high is not None:
        return f", `{low}` to `{high}`"
    if low is not None:
        return f", at least `{low}`"
    return "" if high is None else f", at most `{high}`"


def _or(forms: Iterable[str]) -> str:
    *others, last = forms
    return f"{', '.join(others)} or {last}" if others else last


if __name__ == "__main__":
    sys.stdout.write(page())
