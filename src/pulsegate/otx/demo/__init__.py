"""The demo's pulses: of our own making, dated relative to the present, with documentation addresses and names only."""

from __future__ import annotations

import json
import re
import zlib
from datetime import datetime, timedelta
from importlib import resources
from typing import Any

from pulsegate.otx.dates import write_date

_AGE = re.compile(r"([+-])((?:\d+[dhms])+)")
_STEP = re.compile(r"(\d+)([dhms])")
_UNITS = {"d": "days", "h": "hours", "m": "minutes", "s": "seconds"}
_DATES = ("created", "modified", "expiration")
_FIRST_ID = 4_000_000_000  # OTX's ids of indicators are larger than 2^31
_PULSE = {
    "description": "", "tlp": "white", "revision": 1, "public": 1, "adversary": "", "more_indicators": False,
    "tags": [], "references": [], "targeted_countries": [], "malware_families": [], "attack_ids": [],
    "industries": [], "extract_source": [],
}  # fmt: skip
_INDICATOR = {"content": "", "title": "", "description": "", "expiration": None, "is_active": 1, "role": None}


def demo_pulses(now: datetime) -> list[dict[str, object]]:
    """The demo's pulses as OTX would send them at ``now`` (aware): all fields there, ids stable, newest first."""
    files = resources.files(__name__).iterdir()
    pulses = [_read(file.read_text(encoding="utf-8"), now) for file in files if file.name.endswith(".json")]
    return sorted(pulses, key=lambda pulse: str(pulse["modified"]), reverse=True)


def _read(text: str, now: datetime) -> dict[str, object]:
    """One file: what it leaves out is filled in, its ages become dates."""
    pulse: dict[str, Any] = {**_PULSE, **json.loads(text)}
    rows = [_row(pulse, row, now) for row in pulse["indicators"]]
    return {**_dated(pulse, now), "indicators": rows}


def _row(pulse: dict[str, Any], row: dict[str, Any], now: datetime) -> dict[str, Any]:
    stable = zlib.crc32(f"{pulse['id']} {row['type']} {row['indicator']}".encode())
    return _dated({**_INDICATOR, "id": _FIRST_ID + stable, "created": pulse["created"], **row}, now)


def _dated(record: dict[str, Any], now: datetime) -> dict[str, Any]:
    return {key: _date(value, now) if key in _DATES else value for key, value in record.items()}


def _date(age: str | None, now: datetime) -> str | None:
    """``-2d3h`` (or ``+30d``) as a date of OTX's form. ValueError: it is written otherwise."""
    if age is None:
        return None
    match = _AGE.fullmatch(age)
    if match is None:
        raise ValueError(f"{age!r} is no age such as -2d3h")
    span = sum((timedelta(**{_UNITS[unit]: int(n)}) for n, unit in _STEP.findall(match[2])), timedelta())
    return write_date(now + span if match[1] == "+" else now - span)
