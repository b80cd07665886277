"""What is wrong with a source for long enough that somebody must be told: pure decisions from its row."""

from __future__ import annotations

from datetime import datetime, timedelta

from pulsegate.settings.duration import roughly
from pulsegate.store.sources import RELAYED, Source

STALE, HELD = "stale", "held"


def complaints(source: Source, stale_after: timedelta, now: datetime, brings: str = "pulses") -> dict[str, str]:
    """The alarms that are due, each with its text for people; empty when all is well. ``brings``: what comes."""
    found = {}
    whole = source.completed or source.since
    if now - whole > stale_after:
        found[STALE] = _stale(source, now - whole, brings)
    if source.held:
        found[HELD] = (
            f"{source.held:,} {brings} have left the source {source.name} at once. They are served on; "
            f"if they may go: pulsegate pull --source {source.name} --accept-removals"
        )
    return found


def _stale(source: Source, age: timedelta, brings: str) -> str:
    pulled = "was never pulled completely" if source.completed is None else "was not pulled completely"
    failed = taken = ""
    if source.failing is not None:
        error = (source.error or "").rstrip(".")
        failed = f" It has failed since {source.failing:%Y-%m-%d %H:%M} UTC: {error}."
    if source.walk is not None:
        of = f" of {source.walk.count:,}" if source.walk.count else ""
        taken = f" {source.walk.offset:,}{of} {brings} are taken."
    served = "What is published goes on being served."
    return f"The source {source.name} {pulled} for {roughly(age)}.{taken}{failed} {served}"


def cleared(source: Source, kind: str) -> str:
    """That it is well again."""
    if kind == HELD:
        return f"No removals of {source.name} wait for a confirmation any more"
    if source.name.startswith(RELAYED):
        return f"A new bundle of {source.name.removeprefix(RELAYED)} was taken"
    return f"The source {source.name} was pulled completely again"
