"""What is wrong with a source for long enough that somebody must be told: pure decisions from its row."""

from __future__ import annotations

from datetime import datetime, timedelta

from pulsegate.settings.duration import format_duration
from pulsegate.store.sources import Source

STALE, HELD = "stale", "held"


def complaints(source: Source, stale_after: timedelta, now: datetime, brings: str = "pulses") -> dict[str, str]:
    """The alarms that are due, each with its text for people; empty when all is well. ``brings``: what comes."""
    found = {}
    whole = source.completed or source.since
    if now - whole > stale_after:
        found[STALE] = _stale(source, now - whole, brings)
    if source.held:
        found[HELD] = (
            f"{source.held:,} {brings} have left {_left(source, brings)} at once. They are served on; "
            f"if they may go: pulsegate pull --source {source.name} --accept-removals"
        )
    return found


def _left(source: Source, brings: str) -> str:
    return f"the subscription of {source.name}" if brings == "pulses" else source.name


def _stale(source: Source, age: timedelta, brings: str) -> str:
    pulled = "was never pulled completely" if source.completed is None else "was not pulled completely"
    text = f"The source {source.name} {pulled} for {_roughly(age)}."
    if source.failing is not None:
        text += f" It has failed since {source.failing:%Y-%m-%d %H:%M} UTC: {(source.error or '').rstrip('.')}."
    if source.walk is not None:
        of = f" of {source.walk.count:,}" if source.walk.count else ""
        text += f" {source.walk.offset:,}{of} {brings} are taken."
    return f"{text} What is published goes on being served."


def cleared(source: Source, kind: str) -> str:
    """That it is well again."""
    if kind == HELD:
        return f"No removals of {source.name} wait for a confirmation any more"
    return f"The source {source.name} was pulled completely again"


def _roughly(age: timedelta) -> str:
    unit = timedelta(hours=1) if age >= timedelta(hours=2) else timedelta(minutes=1)
    return format_duration(age // unit * unit) if age >= unit else "a moment"
