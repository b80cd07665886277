"""Numbers of bytes as people write them: ``500kB``, ``5MB``, ``1GB``, or the plain number."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer

from pulsegate.settings.section import Written

_UNITS = {"GB": 1_000_000_000, "MB": 1_000_000, "kB": 1_000, "": 1}
_FORM = re.compile(r"\s*(\d{1,12})\s*(GB|MB|kB|)\s*", re.ASCII)


def parse_size(text: object) -> int:
    """The number of bytes that ``text`` writes; ValueError (with the forms there are) for anything else."""
    match = _FORM.fullmatch(str(text)) if isinstance(text, str | int) and not isinstance(text, bool) else None
    if match is None or not int(match[1]):
        raise ValueError(f"{text!r} is no size; write 500kB, 5MB or 1GB")
    return int(match[1]) * _UNITS[match[2]]


def format_size(value: int) -> str:
    """``value`` in the largest unit that keeps it whole."""
    unit, size = next((unit, size) for unit, size in _UNITS.items() if value % size == 0)
    return f"{value // size}{unit}"


Size = Annotated[int, BeforeValidator(parse_size), PlainSerializer(format_size, return_type=str), Written("a size")]
