"""OTX as a pull sees it, without a network: pages of raw pulses, and the failures that are due."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from pulsegate.otx.failures import OTXMissingError
from pulsegate.otx.parse import Page

CREATED = "2024-05-01T10:00:00.000000"


def pulse_id(number: int) -> str:
    return f"{number:024x}"


def row(value: str, kind: str = "domain", **fields: Any) -> dict[str, Any]:
    return {"id": 1, "type": kind, "indicator": value, **fields}


def raw(number: int, *values: str, **fields: Any) -> dict[str, Any]:
    """A pulse as OTX sends it, with these domains."""
    base = {
        "id": pulse_id(number),
        "name": f"Pulse {number}",
        "author_name": "someone",
        "created": CREATED,
        "modified": CREATED,
        "indicators": [row(value) for value in values],
    }
    return base | fields


@dataclass
class FakeOTX:
    """Scripted pages of each list, and single pulses; an exception in a list is raised once in its place."""

    pages: list[Any] = field(default_factory=list)
    indicators: dict[str, list[Any]] = field(default_factory=dict)
    name: Any = None
    single: dict[str, Any] = field(default_factory=dict)
    found: dict[str, list[Any]] = field(default_factory=dict)
    ids: Any = None
    happened: Any = None
    asked: list[tuple[Any, ...]] = field(default_factory=list)
    sinces: list[datetime | None] = field(default_factory=list)

    def owner(self) -> str | None:
        self.asked.append(("owner",))
        if isinstance(self.name, list):
            return _next(self.name, 0)
        return self.name

    def subscribed(self, page: int = 1, limit: int | None = None, modified_since: datetime | None = None) -> Page[Any]:
        self.asked.append(("subscribed", page, limit))
        self.sinces.append(modified_since)
        return _page(self.pages, page)

    def subscribed_pulse_ids(self, page: int = 1, limit: int | None = None) -> Page[str]:
        """Not there unless a test says what it answers."""
        if self.ids is None:
            raise OTXMissingError("OTX doesn't know it (404)")
        self.asked.append(("ids", page, limit))
        return _page(self.ids, page)

    def events(self, since: datetime | None = None, page: int = 1, limit: int | None = None) -> Page[Any]:
        if self.happened is None:
            raise OTXMissingError("OTX doesn't know it (404)")
        self.asked.append(("events", since, page))
        return _page(self.happened, page)

    def pulse(self, identity: str) -> Any:
        self.asked.append(("pulse", identity))
        if identity not in self.single:
            raise OTXMissingError("OTX doesn't know it (404)")
        found = self.single[identity]
        return _next(found, 0) if isinstance(found, list) else found

    def search(self, words: str, page: int = 1, limit: int | None = None) -> Page[Any]:
        self.asked.append(("search", words, page))
        return _page(self.found[words], page)

    def pulse_indicators(
        self, identity: str, page: int = 1, limit: int | None = None, *, include_inactive: bool = True
    ) -> Page[Any]:
        self.asked.append(("indicators", identity, page, limit, include_inactive))
        return _page(self.indicators[identity], page)


def _page(pages: list[Any], number: int) -> Page[Any]:
    if number > max(1, len(pages)):
        raise OTXMissingError("OTX doesn't know it (404)")
    found = _next(pages, number - 1) if pages else []
    rest = [one for one in pages[number:] if not isinstance(one, Exception)]
    return found if isinstance(found, Page) else Page(found, None, bool(rest))


def _next(values: list[Any], place: int) -> Any:
    """The value there; an error is raised and then gone."""
    if isinstance(values[place], Exception):
        raise values.pop(place)
    return values[place]


@dataclass
class Naps:
    """Sleeps that take no time."""

    taken: list[float] = field(default_factory=list)

    def __call__(self, seconds: float) -> None:
        self.taken.append(seconds)

    def __iter__(self) -> Iterator[timedelta]:
        return (timedelta(seconds=one) for one in self.taken)
