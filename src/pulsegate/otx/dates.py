"""OTX's dates: no zone (UTC), seconds to microseconds, with or without ``Z``, sometimes missing or garbage."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

OBJECT_ID = re.compile(r"[0-9a-f]{24}")
_EARLIEST_OBJECT_ID = datetime(2010, 1, 1, tzinfo=UTC)  # OTX is younger; an older time is no time but a counter
_LATEST_OBJECT_ID = datetime(2100, 1, 1, tzinfo=UTC)


def read_date(value: object) -> datetime | None:
    """The time, aware and in UTC, that ``value`` writes; None for null and for anything that is no date.

    A text is read as ISO 8601, a number as seconds since 1970.
    """
    if value is None:
        return None
    try:
        if isinstance(value, str):
            return _to_utc(datetime.fromisoformat(value.strip()))
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
            return datetime.fromtimestamp(value, UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return None


def read_http_date(header: str) -> datetime | None:
    """The time, aware and in UTC, in a header such as ``Date`` (RFC 9110, 5.6.7); None when it is no date."""
    try:
        return _to_utc(parsedate_to_datetime(header))
    except (ValueError, OverflowError, TypeError):
        return None


def _to_utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def object_id_time(object_id: str) -> datetime | None:
    """The time of creation, to the second, that a 24-digit ObjectId begins with; None when that time is implausible."""
    if OBJECT_ID.fullmatch(object_id) is None:
        return None
    moment = datetime.fromtimestamp(int(object_id[:8], 16), UTC)
    return moment if _EARLIEST_OBJECT_ID <= moment < _LATEST_OBJECT_ID else None


def write_date(moment: datetime) -> str:
    """``moment`` as OTX writes and reads dates: UTC without a zone, six fractional digits."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds")
