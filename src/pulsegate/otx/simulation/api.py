"""The paths of OTX's API that the local OTX answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar
from urllib.parse import unquote, urlencode

from pulsegate.model.indicator import IndicatorType
from pulsegate.otx.dates import read_date
from pulsegate.otx.fields import flag_of, number_of
from pulsegate.otx.simulation.answer import Answer, Request, json_answer, refusal
from pulsegate.otx.simulation.feed import Feed

T = TypeVar("T")
ROOT = "/api/v1"
DEFAULT_LIMIT = 10
_NOT_FOUND = refusal(404, "Not found.")
# OTX reports how long its parts took; nothing here takes any time worth telling.
_TIMINGS = {"prefetch_pulse_ids": False, "t": 0, "t2": 0.0, "t3": 0.0}


@dataclass(frozen=True, slots=True)
class API:
    """OTX's API over a feed, as one user sees it. ``max_indicators`` is how many of a pulse's a page carries."""

    feed: Feed
    owner: str
    max_indicators: int

    def answer(self, request: Request) -> Answer:
        """The answer to a request whose key is good."""
        lists = {
            "/pulses/subscribed": self._subscribed,
            "/pulses/subscribed_pulse_ids": self._ids,
            "/pulses/events": self._events,
            "/pulses/indicators/types": _types,
        }
        found = lists.get(request.path)
        return self._one(request) if found is None else found(request)

    def _one(self, request: Request) -> Answer:
        """What stands under a pulse's id or a user's name."""
        match tuple(unquote(part) for part in request.path.strip("/").split("/")):
            case ("pulses", identity):
                pulse = self.feed.pulse(identity)
                return _NOT_FOUND if pulse is None else json_answer(self._shortened(pulse))
            case ("pulses", identity, "indicators"):
                return self._indicators(request, identity)
            case ("users", name):
                return self._user(self.owner if name == "me" else name)
        return _NOT_FOUND

    def _ids(self, request: Request) -> Answer:
        return _page(request, self.feed.subscribed(), lambda entry: entry.id)

    def _subscribed(self, request: Request) -> Answer:
        since = _moment(request, "modified_since")
        if isinstance(since, Answer):
            return since
        entries = self.feed.subscribed(since, request.query.get("author_name"))
        return _page(request, entries, lambda entry: self._shortened(entry.data), _TIMINGS)

    def _events(self, request: Request) -> Answer:
        since = _moment(request, "since")
        return since if isinstance(since, Answer) else _page(request, self.feed.events(since), lambda event: event)

    def _indicators(self, request: Request, identity: str) -> Answer:
        pulse = self.feed.pulse(identity)
        if pulse is None:
            return _NOT_FOUND
        rows = pulse.get("indicators")
        rows = rows if isinstance(rows, list) else []
        if not flag_of(request.query.get("include_inactive"), missing=False):
            rows = [row for row in rows if not isinstance(row, dict) or flag_of(row.get("is_active"), missing=True)]
        return _page(request, rows, lambda row: row)

    def _user(self, name: str) -> Answer:
        pulses = self.feed.authors().get(name)
        if pulses is None and name != self.owner:
            return _NOT_FOUND
        return json_answer({"username": name, "user_id": 1, "pulse_count": pulses or 0, "subscriber_count": 0})

    def _shortened(self, pulse: Mapping[str, object]) -> Mapping[str, object]:
        """The pulse with at most ``max_indicators`` of its indicators."""
        rows = pulse.get("indicators")
        if not isinstance(rows, list) or len(rows) <= self.max_indicators:
            return pulse
        return {**pulse, "indicators": rows[: self.max_indicators], "more_indicators": True}


def _types(_request: Request) -> Answer:
    return json_answer({"detail": [{"name": kind.value, "description": ""} for kind in IndicatorType]})


def _moment(request: Request, name: str) -> datetime | Answer | None:
    """The time in a parameter; None without it; the refusal when it is no date."""
    text = request.query.get(name)
    return None if text is None else read_date(text) or refusal(400, f"{name}: not a date")


def _page(
    request: Request, rows: Sequence[T], shown: Callable[[T], object], extra: Mapping[str, object] | None = None
) -> Answer:
    """The page of ``rows`` that the request asks for by ``limit`` and ``page`` (from 1)."""
    limit = max(number_of(request.query.get("limit"), DEFAULT_LIMIT), 1)
    page = max(number_of(request.query.get("page"), 1), 1)
    start, end = (page - 1) * limit, page * limit
    data = {
        "count": len(rows),
        "next": _address(request, page + 1) if end < len(rows) else None,
        "previous": _address(request, page - 1) if page > 1 else None,
        "results": [shown(row) for row in rows[start:end]],
    }
    return json_answer({**data, **(extra or {})})


def _address(request: Request, page: int) -> str:
    return f"{request.base}{ROOT}{request.path}?{urlencode({**request.query, 'page': page})}"
