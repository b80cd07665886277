"""Asking a source until it answers: a few times, with growing waits, and for less while it is in trouble."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Generic, TypeVar

import structlog

from pulsegate.errors import RateLimitedError, TooLargeError, UnavailableError
from pulsegate.otx.failures import OTXMissingError
from pulsegate.otx.parse import Page
from pulsegate.sync.wanted import Pace

log = structlog.get_logger(__name__)
T = TypeVar("T")

TRIES = 5  # of one request within a run: a page of 20 becomes one of 1; a failed run goes on there later
MAX_WAIT = timedelta(minutes=5)
GROW_AFTER = 8  # answers in a row, before a page that was made smaller is doubled again


class Asking:
    """Asks at the pace that is set. Raises what is left after so many ``tries``; at once what waiting doesn't mend."""

    def __init__(self, pace: Pace, tries: int = TRIES) -> None:
        self._pace = pace
        self._tries = tries

    def without_waiting(self) -> Asking:
        """One that asks once."""
        return Asking(self._pace, tries=1)

    def __call__(self, request: Callable[[], T], ask_for_less: Callable[[], bool] = lambda: False) -> T:
        """What ``request`` gives. ``ask_for_less`` is called before another try; false: it asks for little already."""
        wait = self._pace.backoff
        attempt = 1
        while True:
            try:
                return request()
            except TooLargeError:
                if not ask_for_less():
                    raise
            except UnavailableError as error:
                if not isinstance(error, RateLimitedError):
                    ask_for_less()
                if attempt == self._tries:
                    raise
                seconds = self._wait(error, wait)
                log.warning("source.unavailable", attempt=attempt, reason=error.message, wait=round(seconds, 1))
                self._pace.sleep(seconds)
                wait = min(wait * 2, MAX_WAIT)
                attempt += 1

    def _wait(self, error: UnavailableError, wait: timedelta) -> float:
        told = error.retry_after if isinstance(error, RateLimitedError) else None
        longest = MAX_WAIT.total_seconds()
        return min(max(told or 0.0, self._pace.jitter(min(wait.total_seconds(), longest))), longest)


def is_unsaid(start: int, asked: int, received: int, count: int | None) -> bool:
    """Whether rows must follow a page that names no next one: by its count, unless it is short, as a last page is.

    The first page is short where OTX gives fewer rows at once than were asked for.
    """
    return count is not None and 0 < received < count - start and (received >= asked or not start)


@dataclass(frozen=True, slots=True)
class Piece(Generic[T]):
    """A page, with the place of its first row in the whole list, and how many rows were asked for."""

    start: int
    asked: int
    page: Page[T]

    @property
    def end(self) -> int:
        """The place after its last row. Rows beyond those asked for are no rows of the list: they don't count."""
        return self.start + min(len(self.page.results), self.asked)

    @property
    def goes_on(self) -> bool:
        """Whether rows follow: the page names a next one, or only its count says so."""
        return self.page.has_next or is_unsaid(self.start, self.asked, self.end - self.start, self.page.count)


class Pager(Generic[T]):
    """Pages of one list, by the place where they begin. ``fetch`` gets the page's number, from 1, and its size."""

    def __init__(self, ask: Asking, fetch: Callable[[int, int], Page[T]], size: int, most: int | None = None) -> None:
        self._ask = ask
        self._fetch = fetch
        self.size = size
        self._most = most or size
        self._answers = 0

    def at(self, offset: int) -> Piece[T]:
        """The page that holds the row at ``offset``; it may begin before it."""
        piece = self._ask(lambda: self._piece(offset), self._shrink)
        self._answers += 1
        if self._answers >= GROW_AFTER and self.size < self._most:
            self.size, self._answers = min(2 * self.size, self._most), 0
        return piece

    def all(self) -> Iterator[Piece[T]]:
        """All pages, one after the other; the last one is the first that says so, or is empty.

        Where only the count says that more follow, a page that isn't there is the end.
        """
        piece = self.at(0)
        yield piece
        while piece.goes_on and piece.end > piece.start:
            self.fit(piece)
            try:
                following = self.at(piece.end)
            except OTXMissingError:
                if piece.page.has_next:
                    raise
                return
            piece = following
            yield piece

    def fit(self, piece: Piece[Any]) -> None:
        """Where fewer rows came than were asked for, and more are there, that is the most that OTX gives."""
        received = piece.end - piece.start
        if piece.goes_on and 0 < received < piece.asked:
            self.size = self._most = min(self.size, received)

    def _piece(self, offset: int) -> Piece[T]:
        size = self.size
        number = offset // size + 1
        return Piece((number - 1) * size, size, self._fetch(number, size))

    def _shrink(self) -> bool:
        self._answers = 0
        if self.size == 1:
            return False
        self.size = max(1, self.size // 2)
        return True
