"""Whether an appliance has stopped: by its own interval, whatever else its polls look like."""

from __future__ import annotations

from datetime import timedelta

import pytest

from pulsegate.sync.rhythm import Beat, rhythm
from sync.pulls import NOW

MINUTE, SECOND = timedelta(minutes=1), timedelta(seconds=1)


def ago(*minutes):
    return [NOW - minute * MINUTE for minute in minutes]


HOURLY = ago(60, 120, 180, 240)
SEGMENTS = [start + part * SECOND for start in HOURLY for part in range(12)]  # a window fetched in pieces
CATCHING_UP = [NOW - 10 * MINUTE + part * 5 * SECOND for part in range(60)]


@pytest.mark.parametrize(
    ("times", "beat", "usual"),
    [
        (HOURLY, Beat.STEADY, 60),
        (ago(180, 240, 300, 360), Beat.STEADY, 60),
        (ago(181, 241, 301, 361), Beat.STOPPED, 60),
        (ago(15, 20, 25, 30), Beat.STEADY, 5),  # 15 minutes without a poll say nothing
        (ago(16, 21, 26, 31), Beat.STOPPED, 5),
        ([*ago(60, 120, 180), *ago(600, 660)], Beat.STEADY, 60),  # an outage that is over
        ([*HOURLY, *ago(125)], Beat.STEADY, 57.5),  # once by hand
        (SEGMENTS, Beat.STEADY, 3600 / 60 - 11 / 60),
        (CATCHING_UP, Beat.STEADY, 5 / 60),  # it has polled in one round only: taken as it is
        (ago(900, 960), Beat.UNKNOWN, None),
        (ago(5000), Beat.UNKNOWN, None),
        ([*ago(1, 2), *ago(3)], Beat.STEADY, 1),
        (ago(-5, 55, 115), Beat.STEADY, 60),  # the clock was put back
    ],
)
def test_judgement(times, beat, usual):
    found = rhythm(times, NOW)
    assert (found.beat, found.usual) == (beat, None if usual is None else timedelta(minutes=usual))
    assert found.last == max(times)
    assert rhythm(times[::-1], NOW) == found


def test_due_is_when_it_has_stopped():
    found = rhythm(HOURLY, NOW)
    assert found.due == NOW + 120 * MINUTE
    assert rhythm(HOURLY, found.due).beat is Beat.STEADY
    assert rhythm(HOURLY, found.due + SECOND).beat is Beat.STOPPED
