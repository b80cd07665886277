"""Shares as people write them: ``20%``, ``0.2``."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer

from pulsegate.settings.section import Written

_FORM = re.compile(r"\s*(\d{1,3}(?:\.\d{1,6})?)\s*(%?)\s*", re.ASCII)


def parse_share(text: object) -> float:
    """The share, from 0 to 1, that ``text`` writes; ValueError (with the forms there are) for anything else."""
    match = None if isinstance(text, bool) else _FORM.fullmatch(str(text))
    value = float(match[1]) / (100 if match[2] else 1) if match else -1.0
    if not 0 <= value <= 1:
        raise ValueError(f"{text!r} is no share; write 20% or 0.2")
    return value


def format_share(value: float) -> str:
    return f"{value:.6%}".rstrip("%").rstrip("0").rstrip(".") + "%"


Share = Annotated[
    float, BeforeValidator(parse_share), PlainSerializer(format_share, return_type=str), Written("a share")
]
