"""Which windows a mail gateway asks for: its age cut into segments, then what came since."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

MOST = 5_000  # segments


@dataclass(frozen=True, slots=True)
class Window:
    """What lies after ``begin`` and not after ``end``; None: until the server's present."""

    begin: datetime
    end: datetime | None

    def __str__(self) -> str:
        end = "now" if self.end is None else f"{self.end:%Y-%m-%d %H:%M:%S}"
        return f"{self.begin:%Y-%m-%d %H:%M:%S} .. {end}"

    def holds(self, label: datetime) -> bool:
        return self.begin < label and (self.end is None or label <= self.end)


def segments(now: datetime, age: timedelta, span: timedelta) -> Iterator[Window]:
    """The age until now, cut into segments that touch each other, the oldest first; the last one may be shorter."""
    begin = now - age
    while begin < now:
        end = min(begin + span, now)
        yield Window(begin, end)
        begin = end


def count(age: timedelta, span: timedelta) -> int:
    """How many segments that makes."""
    return -(-age // span)
