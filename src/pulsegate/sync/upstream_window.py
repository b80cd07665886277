"""What the labels in an answer say about the window that was asked for: pure decisions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from pulsegate.errors import UpstreamError

if TYPE_CHECKING:  # cabby is loaded where a client is made
    from pulsegate.sync.upstream_answer import Sent

ROUNDED = timedelta(seconds=1)  # some servers keep labels to the millisecond or the second
NO_WINDOWS = "Set segment: none, to poll everything each time, if that server has no such labels"


class Labels:
    """What the labels of one answer say about its window."""

    def __init__(self, begin: datetime, end: datetime | None) -> None:
        self._begin, self._end = begin, end
        self._latest = begin
        self._outside: datetime | None = None
        self._are_missing = False

    def inside(self, sent: Iterable[Sent]) -> Iterator[Sent]:
        """The blocks in the window."""
        for one in sent:
            if one.label is None:
                self._are_missing = True
            elif one.label < self._begin - ROUNDED or (self._end and one.label > self._end + ROUNDED):
                self._outside = one.label
                continue
            else:
                self._latest = max(self._latest, one.label)
            yield one

    def reached(self, told: datetime | None) -> datetime:
        """Where the next window begins, if the answer tells that it reaches to ``told``; UpstreamError: it can't be."""
        if self._outside is not None:
            raise _unfit(f"it sent a content block labelled {self._outside.isoformat()}, outside {self._window}")
        if told is None and (self._end is not None or self._are_missing):
            raise _unfit(f"its answer for {self._window} has no end label, by which the next poll would begin")
        if told is None:  # a stock OpenTAXII only repeats an end that it is given
            return self._latest
        if told < self._begin - ROUNDED or (self._end is not None and told <= self._begin):
            raise _unfit(f"its answer's end label, {told.isoformat()}, does not lie after the begin of {self._window}")
        return min(max(told, self._begin), self._end or told)

    @property
    def _window(self) -> str:
        end = "now" if self._end is None else self._end.isoformat()
        return f"the window from {self._begin.isoformat()} to {end}"


def _unfit(message: str) -> UpstreamError:
    return UpstreamError(message, hint=NO_WINDOWS)
