"""Invented pulses in any number, as OTX sends them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)


def invent(pulses: int, indicators: int) -> Iterator[dict[str, Any]]:
    """``pulses`` pulses of ``indicators`` indicators each; a tenth of the values stands in several pulses."""
    return _invent(pulses, indicators, shared=True)


def unique(pulses: int, indicators: int) -> Iterator[dict[str, Any]]:
    """``pulses`` pulses of ``indicators`` indicators each, no value of which stands in two."""
    return _invent(pulses, indicators, shared=False)


def _invent(pulses: int, indicators: int, *, shared: bool) -> Iterator[dict[str, Any]]:
    for number in range(pulses):
        moment = BEGINNING + timedelta(minutes=number)
        yield {
            "id": f"{number:024x}",
            "name": f"Invented pulse {number}",
            "description": "A description of the usual length, of something that never happened. " * 4,
            "author_name": f"author{number % 7}",
            "created": moment.isoformat(),
            "modified": (moment + timedelta(seconds=30)).isoformat(),
            "tlp": "white",
            "tags": ["invented", f"family{number % 50}"],
            "references": ["https://reports.example.com/invented"],
            "indicators": [_indicator(number, place, moment, shared=shared) for place in range(indicators)],
        }


def _indicator(pulse: int, place: int, moment: datetime, *, shared: bool) -> dict[str, Any]:
    number = place if shared and place % 10 == 0 else pulse * 1_000_000 + place
    seed = hashlib.sha256(str(number).encode()).hexdigest()
    kind, value = (
        ("domain", f"{seed[:12]}.names-of-the-bench.org"),
        (
            "IPv4",
            _address(pulse, place)
            if not shared
            else f"{1 + int(seed[:2], 16) % 9}.{int(seed[2:4], 16)}.{int(seed[4:6], 16)}.{int(seed[6:8], 16)}",
        ),
        ("URL", f"http://{seed[:10]}.names-of-the-bench.net/{seed[10:30]}?a=1&b=2"),
        ("FileHash-SHA256", seed),
        ("hostname", f"www.{seed[:12]}.names-of-the-bench.com"),
    )[place % 5]
    return {"id": number, "type": kind, "indicator": value, "created": moment.isoformat(), "is_active": 1}


def _address(pulse: int, place: int) -> str:
    """An address that no other pulse has, of those that are nobody's private ones."""
    number = pulse * 200 + place
    return f"{11 + (number >> 24)}.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
