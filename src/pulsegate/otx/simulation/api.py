"""The paths of OTX's API that the local OTX answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import unquote, urlencode

from pulsegate.model.indicator import IndicatorType
from pulsegate.otx.fields import flag_of, number_of
from pulsegate.otx.simulation.answer import Answer, Request, dumped, json_answer, page_answer, refusal
from pulsegate.otx.simulation.entry import Entry
from pulsegate.otx.simulation.feed import Feed
from pulsegate.otx.simulation.subscription import Subscription
from pulsegate.values.dates import read_date

T = TypeVar("T")
ROOT = "/api/v1"
SUBSCRIBED = "/pulses/subscribed"
IDS = "/pulses/subscribed_pulse_ids"
DEFAULT_LIMIT = 10
ASKS_FOR_KEY = "You have exceeded the anonymous rate limit. Please authenticate with an API key."
_NOT_FOUND = refusal(404, "Not found.")
# OTX reports how long its parts took; nothing here takes any time worth telling.
_TIMINGS = {"prefetch_pulse_ids": False, "t": 0, "t2": 0.0, "t3": 0.0}


@dataclass(frozen=True, slots=True)
class Closed:
    """OTX's API as those see it who have a wrong key or none."""

    has_key: bool

    def answer(self, _request: Request) -> Answer:
        """The refusal."""
        return refusal(403, "Authentication required") if self.has_key else refusal(429, ASKS_FOR_KEY)


@dataclass(frozen=True, slots=True)
class API:
    """OTX's API over a feed, as the user sees it whose ``subscription`` it is."""

    feed: Feed
    subscription: Subscription
    owner: str

    def answer(self, request: Request) -> Answer:
        """The answer to a request whose key is good."""
        lists = {
            SUBSCRIBED: self._subscribed,
            IDS: self._ids,
            "/pulses/events": self._events,
            "/search/pulses": self._search,
            "/pulses/indicators/types": _types,
        }
        found = lists.get(request.path)
        return self._one(request) if found is None else found(request)

    def listing(self, request: Request) -> list[Entry]:
        """The pulses that all pages of a list of the subscription hold."""
        since = read_date(request.query.get("modified_since"))
        return self.subscription.listing(since, request.query.get("author_name"))

    def _one(self, request: Request) -> Answer:
        """What stands under a pulse's id or a user's name."""
        match tuple(unquote(part) for part in request.path.strip("/").split("/")):
            case ("pulses", identity):
                entry = self.feed.entry(identity)
                return _NOT_FOUND if entry is None else Answer(200, entry.text())
            case ("pulses", identity, "indicators"):
                return self._indicators(request, identity)
            case ("users", name):
                return self._user(self.owner if name == "me" else name)
        return _NOT_FOUND

    def _ids(self, request: Request) -> Answer:
        return _page(request, self.subscription.listing(), lambda entry: dumped(entry.id))

    def _subscribed(self, request: Request) -> Answer:
        refused = _no_moment(request, "modified_since")
        return refused or _page(request, self.listing(request), Entry.text, _TIMINGS)

    def _events(self, request: Request) -> Answer:
        refused = _no_moment(request, "since")
        return refused or _page(request, self.subscription.events(read_date(request.query.get("since"))), dumped)

    def _search(self, request: Request) -> Answer:
        found = self.feed.found(request.query.get("q", ""))
        return _page(request, found, _without_indicators, {"exact_match": ""})

    def _indicators(self, request: Request, identity: str) -> Answer:
        entry = self.feed.entry(identity)
        if entry is None:
            return _NOT_FOUND
        rows = self.feed.rows(entry)
        if not flag_of(request.query.get("include_inactive"), missing=False):
            rows = [row for row in rows if not isinstance(row, dict) or flag_of(row.get("is_active"), missing=True)]
        return _page(request, rows, dumped)

    def _user(self, name: str) -> Answer:
        pulses = self.feed.authors().get(name)
        if pulses is None and name != self.owner:
            return _NOT_FOUND
        return json_answer({"username": name, "user_id": 1, "pulse_count": pulses or 0, "subscriber_count": 0})


def _without_indicators(entry: Entry) -> bytes:
    head = {key: value for key, value in entry.pulse().items() if key not in ("indicators", "more_indicators")}
    return dumped({**head, "indicator_count": entry.indicators})


def _types(_request: Request) -> Answer:
    return json_answer({"detail": [{"name": kind.value, "description": ""} for kind in IndicatorType]})


def _no_moment(request: Request, name: str) -> Answer | None:
    """The refusal when a parameter that is given is no date."""
    text = request.query.get(name)
    return None if text is None or read_date(text) else refusal(400, f"{name}: not a date")


def limit_of(request: Request) -> int:
    """How many rows a page that is asked for has."""
    return max(number_of(request.query.get("limit"), DEFAULT_LIMIT), 1)


def page_of(request: Request) -> int:
    """Which page is asked for, from 1."""
    return max(number_of(request.query.get("page"), 1), 1)


def _page(
    request: Request, rows: Sequence[T], shown: Callable[[T], bytes], extra: Mapping[str, object] | None = None
) -> Answer:
    """The page of ``rows`` that the request asks for."""
    limit, page = limit_of(request), page_of(request)
    start, end = (page - 1) * limit, page * limit
    return page_answer(
        len(rows),
        _address(request, page + 1) if end < len(rows) else None,
        _address(request, page - 1) if page > 1 else None,
        map(shown, rows[start:end]),
        extra or {},
    )


def _address(request: Request, page: int) -> str:
    return f"{request.base}{ROOT}{request.path}?{urlencode({**request.query, 'page': page})}"
