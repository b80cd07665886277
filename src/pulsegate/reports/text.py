"""Plain text: one value a line, defanged or not. What follows a ``#`` at the beginning or after white space is none."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import BinaryIO

from pulsegate.model.indicator import RawIndicator
from pulsegate.reports.fields import guess
from pulsegate.reports.reading import Entry, Proposed, refusal
from pulsegate.reports.streams import lines

_COMMENT = re.compile(r"(?:^|\s)#.*", re.DOTALL)


def entries(stream: BinaryIO) -> Iterator[Entry]:
    """The values, each with the type that it plainly has. ReportError comes before the first of them."""
    for number, line in enumerate(lines(stream), start=1):
        if text := _COMMENT.sub("", line).strip():
            yield value(text, f"line {number}")


def value(text: str, where: str) -> Entry:
    """One value that came without a type."""
    try:
        kind, _ = guess(text)
    except ValueError as error:
        return refusal(where, text, str(error))
    return Proposed(RawIndicator(kind.value, text), where=where)
