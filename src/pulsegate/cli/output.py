"""What commands print: tables and sentences for people on stdout, JSON alone with ``--json``; logs go to stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any
from urllib.parse import urlsplit

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pulsegate.cli import visible
from pulsegate.store.digests import storable

AsJSON = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else, for programs.")]


class _Plain(Console):
    """Shows the texts of strangers; none of them gets at the terminal."""

    def render_str(self, text: str, **how: Any) -> Text:
        return super().render_str(visible.block(text), **how)


people = _Plain(highlight=False, soft_wrap=True)
errors = _Plain(stderr=True, highlight=False, soft_wrap=True)
_CONTROLS = {number: f"\\u{number:04x}" for number in range(0x7F, 0xA0)}  # that JSON leaves as they are


def without_password(address: str) -> str:
    """The address with its user's password, if any, taken out."""
    parts = urlsplit(address)
    if parts.password is None:
        return address
    return parts._replace(netloc=f"{parts.username}:***@{parts.netloc.rpartition('@')[2]}").geturl()


def print_json(value: Any) -> None:
    sys.stdout.write(_json(value, indent=2) + "\n")


def print_json_line(value: Any) -> None:
    sys.stdout.write(_json(value) + "\n")


def _json(value: Any, indent: int | None = None) -> str:
    encoding = (sys.stdout.encoding or "utf-8").lower().replace("-", "")
    is_narrow = encoding != "utf8"  # there Python would escape what is missing, and not as JSON does
    text = json.dumps(value, ensure_ascii=is_narrow, indent=indent, default=_encode)
    return storable(text).translate(_CONTROLS)


def _encode(value: Any) -> Any:
    if isinstance(value, datetime):
        return instant(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")


def instant(moment: datetime | None) -> str | None:
    """``2026-01-31T23:59:59.000000Z``: UTC with six fractional digits."""
    if moment is None:
        return None
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def when(moment: datetime | None) -> str:
    """The instant for people, to the second."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC" if moment else "-"


def print_table(titles: Sequence[str], rows: Iterable[Sequence[object]], *, empty: str) -> None:
    """A plain table; ``empty`` is said when there are no rows. Numbers stand to the right."""
    lines = [list(row) for row in rows]
    if not lines:
        people.print(empty, markup=False)
        return
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for index, title in enumerate(titles):
        number = all(isinstance(line[index], int) for line in lines)
        table.add_column(title, justify="right" if number else "left", overflow="fold")
    for line in lines:
        table.add_row(*(_escape(cell) for cell in line))
    _Plain(highlight=False, width=None if sys.stdout.isatty() else 200).print(table)


def _escape(cell: object) -> str:
    return "" if cell is None else str(cell).replace("[", r"\[")
