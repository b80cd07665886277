"""Durations as people write them: ``100ms``, ``90s``, ``15m``, ``6h``, ``30d``."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, PlainSerializer

from pulsegate.settings.section import Written

_UNITS = {"ms": "milliseconds", "s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_FORM = re.compile(r"\s*(\d{1,18})\s*(ms|s|m|h|d)\s*", re.ASCII)
LONGEST = timedelta(days=36_500)  # there must be a date so long before now, and after


def parse_duration(text: object) -> timedelta:
    """The duration that ``text`` writes; ValueError (with the forms there are) for all else, and beyond LONGEST."""
    if isinstance(text, timedelta):
        return text
    match = _FORM.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise ValueError(f"{text!r} is no duration; write 100ms, 90s, 15m, 6h or 30d")
    try:
        found = timedelta(**{_UNITS[match[2]]: int(match[1])})
    except OverflowError:
        found = timedelta.max
    if found > LONGEST:
        raise ValueError(f"{text!r} is too long a duration; write at most 36500d")
    return found


def format_duration(value: timedelta) -> str:
    """``value`` in the largest unit that keeps it whole (to the millisecond)."""
    milliseconds = round(value.total_seconds() * 1000)
    for unit, size in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000)):
        if milliseconds and milliseconds % size == 0:
            return f"{milliseconds // size}{unit}"
    return f"{milliseconds}ms"


Duration = Annotated[
    timedelta,
    BeforeValidator(parse_duration),
    PlainSerializer(format_duration, return_type=str),
    Written("a duration"),
]


def _at_least_a_second(value: timedelta) -> timedelta:
    if value < timedelta(seconds=1):
        raise ValueError("write at least 1s")
    return value


Seconds = Annotated[Duration, AfterValidator(_at_least_a_second), Written("a duration, at least `1s`")]


def roughly(age: timedelta) -> str:
    """``age`` in whole minutes, from two hours on in whole hours."""
    unit = timedelta(hours=1) if age >= timedelta(hours=2) else timedelta(minutes=1)
    return format_duration(age // unit * unit) if age >= unit else "a moment"
