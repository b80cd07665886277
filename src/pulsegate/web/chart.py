"""A chart of what came and went by day, as shapes: the template draws them as SVG."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta

from pulsegate.store.tallies import Tally

DAYS = 30
STEP, BAR = 20, 14  # of a day, and of its bar, in the chart's units
HEIGHT = 70  # of the tallest bar to either side of the middle
MIDDLE = 80


@dataclass(frozen=True, slots=True)
class Day:
    """``x``: of its bars; ``up`` and ``down``: their heights from the middle."""

    day: date
    added: int
    removed: int
    x: float
    up: float
    down: float


def days(tallies: Iterable[Tally], today: date) -> list[Day]:
    """The last 30 days, those without numbers too.

    Heights grow with the square root of the numbers: the first day of a feed has a million, and the others must not
    vanish beside it.
    """
    sums: dict[date, tuple[int, int]] = {}
    for one in tallies:
        added, removed = sums.get(one.day, (0, 0))
        sums[one.day] = (added + one.added, removed + one.removed)
    most = max((number for pair in sums.values() for number in pair), default=0)
    dates = [today - timedelta(days=DAYS - 1 - place) for place in range(DAYS)]
    return [_day(place, one, *sums.get(one, (0, 0)), most) for place, one in enumerate(dates)]


def _day(place: int, day: date, added: int, removed: int, most: int) -> Day:
    left = place * STEP + (STEP - BAR) / 2
    return Day(day, added, removed, left, _height(added, most), _height(removed, most))


def _height(number: int, most: int) -> float:
    """At least a line where there is something."""
    return max(1.5, round(HEIGHT * math.sqrt(number / most), 1)) if number else 0.0
