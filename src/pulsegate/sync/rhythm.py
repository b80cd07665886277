"""How often an appliance polls, and whether it has stopped: pure decisions from when it polled lately."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import pairwise
from statistics import median

ROUND = timedelta(seconds=30)  # polls that follow each other faster are one round: a window in segments, or in parts
MISSED = 3  # intervals without a poll
SHORTEST = timedelta(minutes=15)  # the silence that says anything; an appliance is restarted in less
FEWEST = 3  # rounds that make a rhythm


class Beat(StrEnum):
    """``STEADY``: it polls; ``STOPPED``: it did; ``UNKNOWN``: it has polled too seldom to say."""

    STEADY = "steady"
    STOPPED = "stopped"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Rhythm:
    """``usual``: the time between two rounds of polls, None where it is not known. ``due``: stopped, from then on."""

    beat: Beat
    last: datetime
    usual: timedelta | None = None
    due: datetime | None = None


def usual_interval(times: Sequence[datetime]) -> timedelta | None:
    """The median of the times between rounds of polls, so that one outage, and one poll by hand, don't change it.

    ``times``: of the last polls of one account in one collection, in any order. Polls less than 30 seconds apart are
    one round: an appliance that fetches a long window in segments, or an answer in parts, polls many times in a row.
    A client that polls more often than that all the time is taken as it is. None: there are fewer than three rounds.
    """
    gaps = [later - earlier for earlier, later in pairwise(sorted(times))]
    between = [gap for gap in gaps if gap >= ROUND]
    rests = between or gaps
    return timedelta(seconds=median(gap.total_seconds() for gap in rests)) if len(rests) >= FEWEST - 1 else None


def rhythm(times: Sequence[datetime], now: datetime) -> Rhythm:
    """Judge by the times of the last polls of one account in one collection, in any order; at least one.

    It has stopped when it has not polled for three times its own usual interval, and for 15 minutes at the least. One
    without a usual interval has nothing that could have stopped.
    """
    last, usual = max(times), usual_interval(times)
    if usual is None:
        return Rhythm(Beat.UNKNOWN, last)
    due = last + max(MISSED * usual, SHORTEST)
    return Rhythm(Beat.STOPPED if now > due else Beat.STEADY, last, usual, due)
