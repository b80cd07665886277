"""Single fields of OTX's JSON in all the variants seen: null, a number as text, a text or an object for a list."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from pulsegate.values.text import clean_line

MAX_NUMBER = 2**31 - 1  # what an INTEGER column holds
MAX_BITS = 13_000  # Python refuses to write out integers of more than 4,300 digits
_NO = frozenset({"0", "0.0", "false", "no"})
_NOTHING = frozenset({"", "none", "null"})
NAMES = ("display_name", "name", "id")


def first(record: Mapping[str, object], *keys: str) -> object:
    """The first value under ``keys`` that is there and not null; None when none is."""
    return next((record[key] for key in keys if record.get(key) is not None), None)


def text_of(value: object) -> str:
    """``value`` as text, untouched when it is one: numbers are written out, anything else is empty."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return ""
    if isinstance(value, int):
        return str(value) if value.bit_length() < MAX_BITS else ""
    if isinstance(value, float) and math.isfinite(value):
        return str(int(value)) if value.is_integer() else repr(value)
    return ""


def number_of(value: object, default: int = 0) -> int:
    """``value`` (a number, or one written as text) as an integer from 0 to MAX_NUMBER; ``default`` if it is neither."""
    if isinstance(value, bool):
        return int(value)
    try:
        number = float(value) if isinstance(value, str | int | float) else math.nan
    except (ValueError, OverflowError):
        return default
    return int(min(max(number, 0), MAX_NUMBER)) if math.isfinite(number) else default


def flag_of(value: object, *, missing: bool) -> bool:
    """``value`` (true, 0/1, "0", …) as yes or no; ``missing`` when it is null, or text that says nothing."""
    if value is None:
        return missing
    if value == 1:
        return True
    if isinstance(value, str):
        word = value.strip().lower()
        return missing if word in _NOTHING else word not in _NO
    return bool(value)


def words_of(value: object, keys: Iterable[str] = NAMES) -> tuple[str, ...]:
    """The words of a list, each a clean line, in their order and once; empty ones go. A lone text is a list of one.

    An element that is an object gives the first of its ``keys`` that has a text.
    """
    values = value if isinstance(value, list) else [value]
    lines = (clean_line(_word(element, keys)) for element in values)
    return tuple(dict.fromkeys(line for line in lines if line))


def _word(value: object, keys: Iterable[str]) -> str:
    if not isinstance(value, dict):
        return text_of(value)
    return next((text for text in (text_of(value.get(key)) for key in keys) if text.strip()), "")
