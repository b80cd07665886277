"""What OTX, and what stands before it, was seen to do wrong: the kinds, their measures, and whom they strike."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from pulsegate.otx.simulation.answer import Request
from pulsegate.otx.simulation.api import IDS, SUBSCRIBED, limit_of, page_of

REMOVED = "removed"
MODIFIED = "modified"


class Misbehaviour(StrEnum):
    """The kinds of trouble."""

    INTERNAL_ERROR = "internal error"  # 500
    BAD_GATEWAY = "bad gateway"  # 502, HTML
    UNAVAILABLE = "unavailable"  # 503, HTML
    GATEWAY_TIMEOUT = "gateway time-out"  # 504, HTML: what large subscriptions get for hours
    TOO_SLOW = "too slow"  # 504 to pages beyond `depth` rows, and to those of more than `most`
    RATE_LIMIT = "rate limit"  # 429 with Retry-After
    ASKS_FOR_KEY = "asks for key"  # 429 that means: please authenticate
    SILENCE = "silence"  # no answer at all
    DRIP = "drip"  # a good answer, `rate` bytes a second
    CUT = "cut"  # the connection ends in mid body
    HTML = "html"  # 200 with an HTML page
    EMPTY_PAGE = "empty page"  # 200, no results, count 0
    EMPTY_BODY = "empty body"  # 200, nothing
    NO_RESULTS = "no results"  # 200, an object that is no page
    NOT_AN_OBJECT = "not an object"  # 200, a JSON list
    FOREIGN_NEXT = "foreign next"  # a good page whose `next` names another host
    REDIRECT = "redirect"  # 302 to another host
    HUGE_BODY = "huge body"  # a good page with so many bytes more
    GZIP_BOMB = "gzip bomb"  # the same, compressed to a thousandth
    BROKEN_GZIP = "broken gzip"  # a compressed body, damaged
    WRONG_COUNT = "wrong count"  # a good page whose `count` is `off` by so many
    NO_COUNT = "no count"  # a good page without `count`
    UNREADABLE = "unreadable"  # a page of pulses with rows between them that are none
    DUPLICATES = "duplicates"  # a page after the first begins with the last row of the one before, too
    SHIFT = "shift"  # before a page after the first, pulses already sent are removed, or others modified: rows move
    SHORT_IDS = "short ids"  # the ids of the subscription without the last `share` of them, and with a count to match
    EMPTY_IDS = "empty ids"  # no ids of the subscription, and count 0


@dataclass(slots=True)
class Trouble:
    """One misbehaviour: which requests it strikes, how often, and its measures."""

    kind: Misbehaviour
    path: str | None = None  # below /api/v1; None: every path that the kind can concern
    page: int | None = None  # None: every page
    times: int | None = None  # None: until told to behave
    retry_after: str | None = "1"  # the header of RATE_LIMIT: seconds or an HTTP date; None: no header
    seconds: float = 30.0  # of SILENCE
    size: int = 64 * 1024 * 1024  # bytes that HUGE_BODY and GZIP_BOMB add
    host: str = "http://198.51.100.1"  # of FOREIGN_NEXT and REDIRECT
    depth: int | None = None  # rows, counted from the newest, beyond which TOO_SLOW strikes; None: nowhere
    most: int | None = None  # rows that TOO_SLOW bears in one page; None: any number
    rate: float = 1000.0  # bytes a second of DRIP
    off: int = 1  # what WRONG_COUNT adds; less than 0 takes away
    which: str = REMOVED  # or MODIFIED: what SHIFT does
    many: int = 1  # pulses that SHIFT concerns
    share: float = 0.5  # of the ids that SHORT_IDS leaves out; at least one

    def __post_init__(self) -> None:
        """ValueError: there is no such shift."""
        if self.which not in (REMOVED, MODIFIED) or self.many < 1:
            raise ValueError(f"SHIFT is of one pulse or more, {REMOVED} or {MODIFIED}; not {self.many} {self.which}")

    def strikes(self, request: Request) -> bool:
        """Whether ``request`` is one of its own."""
        on_page = self.page is None or request.query.get("page", "1") == str(self.page)
        return self.times != 0 and on_page and self.path in (None, request.path) and self._concerns(request)

    def _concerns(self, request: Request) -> bool:
        """Whether a request is of the sort that the kind can spoil at all."""
        concerns = _CONCERNS.get(self.kind)
        return concerns is None or concerns(self, request)


def is_list(request: Request) -> bool:
    """Whether the answer is a page."""
    return request.path in _LISTS or request.path.endswith("/indicators")


def _is_too_slow(trouble: Trouble, request: Request) -> bool:
    limit, page = limit_of(request), page_of(request)
    too_deep = trouble.depth is not None and limit * page > trouble.depth
    return is_list(request) and (too_deep or (trouble.most is not None and limit > trouble.most))


_LISTS = (SUBSCRIBED, IDS, "/pulses/events", "/search/pulses")
_CONCERNS: dict[Misbehaviour, Callable[[Trouble, Request], bool]] = {
    Misbehaviour.TOO_SLOW: _is_too_slow,
    Misbehaviour.WRONG_COUNT: lambda _t, request: is_list(request),
    Misbehaviour.NO_COUNT: lambda _t, request: is_list(request),
    Misbehaviour.UNREADABLE: lambda t, request: request.path == SUBSCRIBED or (t.path is not None and is_list(request)),
    Misbehaviour.DUPLICATES: lambda _t, request: is_list(request) and page_of(request) > 1,
    Misbehaviour.SHIFT: lambda _t, request: request.path in (SUBSCRIBED, IDS) and page_of(request) > 1,
    Misbehaviour.SHORT_IDS: lambda _t, request: request.path == IDS,
    Misbehaviour.EMPTY_IDS: lambda _t, request: request.path == IDS,
}
