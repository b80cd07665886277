"""The labels of one transaction: unique, rising, and after everything that a poll was ever answered."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


def back(moment: datetime, by: timedelta) -> datetime:
    """``by`` before ``moment``, or EARLIEST."""
    return EARLIEST if by >= moment - EARLIEST else moment - by


@dataclass(slots=True)
class Labels:
    """``frontier``: the last label given, or later. ``answered``: the latest end that a poll may have been answered."""

    frontier: datetime
    answered: datetime
    now: datetime

    def give(self, modified: datetime) -> datetime:
        """The pulse's ``modified`` where that lies after everything answered, else the time of publication.

        So a first backfill, the oldest pulse first, spreads over time as on OTX, and nothing slips in behind a client.
        """
        base = modified if self.answered < modified <= self.now else self.now
        self.frontier = max(base, self.frontier + MICROSECOND)
        return self.frontier
