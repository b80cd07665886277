"""Cleaning and conversion, of large pulses and of pulses of the usual size."""

from __future__ import annotations

from bench.pulses import invent
from bench.timing import timed
from pulsegate.intake.taking import clean
from pulsegate.model.collection import Profile
from pulsegate.model.indicator import Indicator
from pulsegate.model.pulse import Pulse
from pulsegate.otx.parse import read_pulse
from pulsegate.stix import blocks

EACH = (500, 50)
"""Indicators in a pulse: a full block, and the average of a million indicators in 20,000 pulses."""


def run(size: int) -> None:
    for each in EACH:
        print(f"pulses of {each} indicators")
        _convert(_cleaned(size, each), size)


def _cleaned(size: int, each: int) -> list[tuple[Pulse, list[Indicator]]]:
    raw = list(invent(max(1, size // each), each))
    with timed() as seconds:
        read = [read_pulse(one) for one in raw]
    _say("read", size, seconds())
    with timed() as seconds:
        cleaned = [(one.pulse, clean(one.indicators)[0]) for one in read]
    _say("clean", size, seconds())
    return cleaned


def _convert(cleaned: list[tuple[Pulse, list[Indicator]]], size: int) -> None:
    for profile in Profile:
        with timed() as seconds:
            count = sum(1 for pulse, found in cleaned for _ in blocks(pulse, found, profile))
        _say(f"convert and check, profile {profile} ({count} blocks)", size, seconds())


def _say(what: str, size: int, seconds: float) -> None:
    print(f"  {what}: {size / seconds:,.0f} indicators/s")
