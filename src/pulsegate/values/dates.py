"""Dates as people and programs write them: with or without a zone (then UTC), sometimes missing or garbage."""

from __future__ import annotations

import math
from datetime import UTC, datetime


def read_date(value: object) -> datetime | None:
    """The time, aware and in UTC, that ``value`` writes; None for null and for anything that is no date.

    A text is read as ISO 8601, a number as seconds since 1970.
    """
    if value is None:
        return None
    try:
        if isinstance(value, str):
            return to_utc(datetime.fromisoformat(value.strip()))
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
            return datetime.fromtimestamp(value, UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return None


def to_utc(moment: datetime) -> datetime:
    """``moment``, aware and in UTC; without a zone it is taken for UTC. OverflowError where UTC has no such year."""
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
