"""OTX's dates: no zone (UTC), seconds to microseconds, with or without ``Z``, sometimes missing or garbage."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from pulsegate.values.dates import to_utc

OBJECT_ID = re.compile(r"[0-9a-f]{24}")
_EARLIEST_OBJECT_ID = datetime(2010, 1, 1, tzinfo=UTC)  # OTX is younger; an older time is no time but a counter
_LATEST_OBJECT_ID = datetime(2100, 1, 1, tzinfo=UTC)


def read_http_date(header: str) -> datetime | None:
    """The time, aware and in UTC, in a header such as ``Date`` (RFC 9110, 5.6.7); None when it is no date."""
    try:
        return to_utc(parsedate_to_datetime(header))
    except (ValueError, OverflowError, TypeError):
        return None


def object_id_time(object_id: str) -> datetime | None:
    """The time of creation, to the second, that a 24-digit ObjectId begins with; None when that time is implausible."""
    if OBJECT_ID.fullmatch(object_id) is None:
        return None
    moment = datetime.fromtimestamp(int(object_id[:8], 16), UTC)
    return moment if _EARLIEST_OBJECT_ID <= moment < _LATEST_OBJECT_ID else None


def write_date(moment: datetime) -> str:
    """``moment`` as OTX writes and reads dates: UTC without a zone, six fractional digits."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds")
