"""A chart of what came and went by day, as shapes: the template draws them as SVG."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta

from pulsegate.store.tallies import Tally

DAYS = 30
STEP, BAR = 20, 14  # of a day, and of its bar, in the chart's units
HEIGHT = 70  # of the tallest bar to either side of the middle
FAR = 3  # times the usual


@dataclass(frozen=True, slots=True)
class Day:
    """``x``: of its bars; ``up`` and ``down``: their heights from the middle; ``is_cut``: a bar is taller than that."""

    day: date
    added: int
    removed: int
    x: float
    up: float
    down: float
    is_cut: bool


@dataclass(frozen=True, slots=True)
class Chart:
    """``top``: the number that the tallest bar stands for."""

    days: list[Day]
    top: int

    @property
    def is_empty(self) -> bool:
        return not self.top


def chart(tallies: Iterable[Tally], today: date) -> Chart:
    """The last 30 days, those without numbers too.

    The scale is linear, and made for most of the days: the first one of a feed may have a million, and the others must
    not vanish beside it. Taller bars are cut.
    """
    sums: dict[date, tuple[int, int]] = {}
    for one in tallies:
        added, removed = sums.get(one.day, (0, 0))
        sums[one.day] = (added + one.added, removed + one.removed)
    top = _top([number for pair in sums.values() for number in pair if number])
    dates = [today - timedelta(days=DAYS - 1 - place) for place in range(DAYS)]
    return Chart([_day(place, one, *sums.get(one, (0, 0)), top) for place, one in enumerate(dates)], top)


def _top(numbers: list[int]) -> int:
    """The greatest number, unless it is far beyond nine of ten."""
    ordered = sorted(numbers)
    usual = ordered[int(0.9 * (len(ordered) - 1))] if ordered else 0
    return min(ordered[-1], FAR * usual) if ordered else 0


def _day(place: int, day: date, added: int, removed: int, top: int) -> Day:
    left = place * STEP + (STEP - BAR) / 2
    return Day(day, added, removed, left, _height(added, top), _height(removed, top), max(added, removed) > top)


def _height(number: int, top: int) -> float:
    """At least a line where there is something."""
    return max(1.5, round(HEIGHT * min(1.0, number / top), 1)) if number else 0.0
