"""Cleaning and conversion."""

from __future__ import annotations

from bench.pulses import invent
from bench.timing import timed
from pulsegate.model.collection import Profile
from pulsegate.otx.parse import read_pulse
from pulsegate.stix import blocks
from pulsegate.sync.intake import clean


def run(size: int) -> None:
    raw = list(invent(max(1, size // 500), 500))
    with timed() as seconds:
        read = [read_pulse(one) for one in raw]
    _say("read", size, seconds())
    with timed() as seconds:
        cleaned = [(one.pulse, clean(one.indicators)[0]) for one in read]
    _say("clean", size, seconds())
    for profile in Profile:
        with timed() as seconds:
            count = sum(1 for pulse, found in cleaned for _ in blocks(pulse, found, profile))
        _say(f"convert and check, profile {profile} ({count} blocks)", size, seconds())


def _say(what: str, size: int, seconds: float) -> None:
    print(f"{what}: {size / seconds:,.0f} indicators/s")
