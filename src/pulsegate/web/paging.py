"""Pages of long lists by key: a page begins after (or ends before) a row, so that the last costs what the first does.

The query fetches ``SIZE + 1`` rows in the direction of the position; ``cut`` makes the page of them.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar
from urllib.parse import quote, urlencode

from flask import request
from werkzeug.routing import IntegerConverter

from pulsegate.store.digests import storable

SIZE = 50
LARGEST = 2**31 - 1  # key that PostgreSQL's integers have
Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Position:
    """``key``: of the row that the page comes after (``backwards``: before); None: the list's first page."""

    key: tuple[Any, ...] | None = None
    backwards: bool = False


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """``previous`` and ``next``: the addresses of the pages beside it, None where there is none."""

    rows: Sequence[Row]
    previous: str | None
    next: str | None


class RowKey(IntegerConverter):
    """``<int:…>`` in the path of a page: the key of a row, so nothing that no database takes."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **({"max": LARGEST} | options))


def pk(text: str) -> int:
    """``type=`` of a parameter that names a row by its key. ValueError for what can be none."""
    found = int(text)
    if not 0 < found <= LARGEST:
        raise ValueError("no key is so large")
    return found


def position() -> Position:
    """What the request asks for; the first page when it can't be read."""
    for name in ("after", "before"):
        text = request.args.get(name)
        if text:
            key = _read(text)
            return Position(key, backwards=name == "before") if key is not None else Position()
    return Position()


def row_key(where: Position) -> int | None:
    """The position in a list whose key is that of a row; None, the first page, where it can't be one."""
    first = where.key[0] if where.key else None
    return first if isinstance(first, int) else None


def cut(rows: Sequence[Row], where: Position, key: Callable[[Row], tuple[Any, ...]]) -> Page[Row]:
    """The page of up to ``SIZE + 1`` rows that were fetched at that position, in the order of the query."""
    more = len(rows) > SIZE
    shown = list(rows[:SIZE])
    if where.backwards:
        shown.reverse()
    has_previous = more if where.backwards else where.key is not None
    has_next = True if where.backwards else more
    return Page(
        shown,
        address("before", key(shown[0])) if shown and has_previous else None,
        address("after", key(shown[-1])) if shown and has_next else None,
    )


def address(name: str, key: tuple[Any, ...]) -> str:
    """This page's address with its filters, at another position."""
    kept = [(one, value) for one, value in request.args.items(multi=True) if one not in ("after", "before")]
    return f"{request.root_path}{quote(request.path)}?{urlencode([*kept, (name, _write(key))])}"


def _write(key: tuple[Any, ...]) -> str:
    texts = [{"t": one.isoformat()} if isinstance(one, datetime) else one for one in key]
    return base64.urlsafe_b64encode(json.dumps(texts, separators=(",", ":")).encode()).decode().rstrip("=")


def _read(text: str) -> tuple[Any, ...] | None:
    try:
        found = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        return tuple(map(_part, found))
    except (ValueError, binascii.Error, KeyError, TypeError, OverflowError, RecursionError):
        return None


def _part(one: Any) -> Any:
    """A part of a key. ValueError for one that no database takes."""
    if isinstance(one, dict):
        moment = datetime.fromisoformat(one["t"])
        if moment.tzinfo is None:
            raise ValueError("without a zone it is no moment")
        return moment.astimezone(UTC)
    if isinstance(one, int) and abs(one) > LARGEST:
        raise ValueError("no key is so large")
    if isinstance(one, str) and storable(one) != one:
        raise ValueError("no text has that")
    return one
