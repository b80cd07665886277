"""The client of OTX's REST API: the OTXv2 package, page by page, over a session of ours."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import quote

import OTXv2

from pulsegate.errors import OTXAnswerError, OTXError, OTXUnavailableError
from pulsegate.otx.checks import checked_ca_file, checked_key, checked_proxy, checked_url
from pulsegate.otx.dates import write_date
from pulsegate.otx.failures import WAIT_HINT, OTXMissingError
from pulsegate.otx.fields import first, text_of
from pulsegate.otx.head import NOT_AN_OBJECT, NOT_JSON, first_head, pulse_head
from pulsegate.otx.parse import Page, read_page
from pulsegate.otx.transport import BoundedSession

T = TypeVar("T")
SUBSCRIBED_PULSE_IDS = f"{OTXv2.API_V1_ROOT}/pulses/subscribed_pulse_ids"
OWNER = f"{OTXv2.API_V1_ROOT}/users/me"
MAX_BODY = 16 * 1024 * 1024  # bytes: a page of a few pulses; what is larger is asked for in smaller pages
STREAMED = 64  # times max_body: what is read of an answer of which only a little is kept
_SHORTEST_KEY = 8  # a shorter one is no secret, and its letters are in every message


class OTXClient:
    """OTX as one API key sees it. For one thread at a time; close it, or use it as a context manager.

    ``timeout`` is (seconds to connect, seconds of silence while reading), ``patience`` the seconds that one whole
    answer may take, ``max_body`` the bytes that one may have (``STREAMED`` times as many where only a head is kept).
    Pages count from 1 and are counted by the caller: OTX's ``next`` is never followed. Every method raises
    OTXKeyError (no valid key), OTXRateLimitedError (429, with ``retry_after``), OTXUnavailableError (5xx, no
    connection, time-out, cut or damaged answer: try later), OTXAnswerError (an answer that the API doesn't promise;
    OTXMissingError for 404, OTXTooLargeError beyond ``max_body``) or OTXError (proxy, certificate). Nothing is retried.
    """

    def __init__(
        self,
        url: str,
        api_key: str,
        *,
        timeout: tuple[float, float] = (10.0, 60.0),
        patience: float = 900.0,
        page_size: int = 20,
        proxy: str | None = None,
        ca_file: Path | None = None,
        max_body: int = MAX_BODY,
        user_agent: str = "Pulsegate",
    ) -> None:
        self.url = checked_url(url)
        self.page_size = page_size
        self._key = checked_key(api_key)
        self._session = BoundedSession(timeout=timeout, patience=patience, max_body=max_body)
        proxy = checked_proxy(proxy)
        self._otx = OTXv2.OTXv2(
            self._key,
            proxy=proxy,
            proxy_https=proxy,
            server=self.url,
            user_agent=user_agent,
            verify=checked_ca_file(ca_file),
        )
        self._otx.request_session = self._session

    def __repr__(self) -> str:
        return f"OTXClient({self.url!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close its connections."""
        self._session.close()

    def subscribed(
        self,
        page: int = 1,
        limit: int | None = None,
        modified_since: datetime | None = None,
        author: str | None = None,
    ) -> Page[object]:
        """A page of the subscribed pulses, newest ``modified`` first, for ``read_pulse``."""
        return self._page(OTXv2.SUBSCRIBED, _subscribed(page, limit or self.page_size, modified_since, author))

    def subscribed_head(
        self, page: int = 1, *, modified_since: datetime | None = None, author: str | None = None
    ) -> dict[str, object]:
        """The pulse on a page of one, without its indicators, for ``read_pulse``: for one that is too large to be read.

        Its ``indicators`` are null, so ``read_pulse`` says that there are more. OTXMissingError: the page is empty.
        """
        return self._streamed(OTXv2.SUBSCRIBED, _subscribed(page, 1, modified_since, author), first_head)

    def subscribed_pulse_ids(self, page: int = 1, limit: int | None = None) -> Page[str]:
        """A page of the ids of all subscribed pulses: what is missing in it was unsubscribed or deleted."""
        read = self._page(SUBSCRIBED_PULSE_IDS, {"limit": limit or self.page_size, "page": page})
        ids = [_id_of(row) for row in read.results]
        if not all(ids):
            raise OTXAnswerError("a row of the page has no pulse id", resource=SUBSCRIBED_PULSE_IDS)
        return Page(ids, read.count, read.has_next, read.date)

    def events(self, since: datetime | None = None, page: int = 1, limit: int | None = None) -> Page[object]:
        """A page of what happened to the subscription: (un)subscribed users and pulses, deleted pulses."""
        query: dict[str, object] = {"limit": limit or self.page_size, "page": page}
        if since is not None:
            query["since"] = write_date(since)
        return self._page(OTXv2.EVENTS, query)

    def pulse(self, pulse_id: str) -> dict[str, object]:
        """One pulse, for ``read_pulse``. OTXMissingError: there is none with this id."""
        path = OTXv2.PULSE_DETAILS + quote(pulse_id, safe="")
        return self._ask(path, {}, lambda data: data)

    def pulse_head(self, pulse_id: str) -> dict[str, object]:
        """One pulse as ``subscribed_head`` gives it. OTXMissingError: there is none with this id."""
        return self._streamed(OTXv2.PULSE_DETAILS + quote(pulse_id, safe=""), {}, pulse_head)

    def pulse_indicators(
        self, pulse_id: str, page: int = 1, limit: int | None = None, *, include_inactive: bool = True
    ) -> Page[object]:
        """A page of a pulse's indicators, for ``read_indicators``."""
        path = f"{OTXv2.PULSE_DETAILS}{quote(pulse_id, safe='')}/indicators"
        paging = {"limit": limit or self.page_size, "page": page}
        return self._page(path, {**paging, "include_inactive": int(include_inactive)})

    def search(self, query: str, page: int = 1, limit: int | None = None) -> Page[object]:
        """A page of all pulses that match ``query``, subscribed or not; the rows are pulses without indicators."""
        return self._page(OTXv2.SEARCH_PULSES, {"q": query, "page": page, "limit": limit or self.page_size})

    def owner(self) -> str | None:
        """The user name of the key's owner; None when OTX doesn't tell."""
        try:
            name = self._ask(OWNER, {}, lambda data: text_of(first(data, "username", "user_name", "name")))
        except OTXMissingError:
            return None
        return name.strip() or None

    def _page(self, path: str, query: dict[str, object]) -> Page[object]:
        return replace(self._ask(path, query, read_page), date=self._session.date)

    def _ask(self, path: str, query: dict[str, object], read: Callable[[dict[str, object]], T]) -> T:
        """What ``read`` makes of the JSON object that OTX answers."""
        with self._telling(path):
            return read(self._decoded(path, query))

    def _decoded(self, path: str, query: dict[str, object]) -> dict[str, object]:
        try:
            data: Any = self._otx.get(self._otx.create_url(path, **query))
        except (ValueError, RecursionError) as error:  # requests' JSONDecodeError is a ValueError
            raise OTXAnswerError(NOT_JSON) from error
        if not isinstance(data, dict):
            raise OTXAnswerError(NOT_AN_OBJECT)
        return data

    def _streamed(
        self, path: str, query: dict[str, object], read: Callable[[Iterator[bytes], int], dict[str, object]]
    ) -> dict[str, object]:
        """What ``read`` makes of the pieces of OTX's answer, which may be larger than ``max_body``."""
        longest, url, otx = self._session.max_body, self._otx.create_url(path, **query), self._otx
        with (
            self._telling(path),
            self._session.opened(
                url, STREAMED * longest, headers=otx.headers, proxies=otx.proxies, verify=otx.verify
            ) as (_, pieces),
        ):
            return read(pieces, longest)

    @contextmanager
    def _telling(self, path: str) -> Iterator[None]:
        """Errors say what was asked for and what to do, without the key."""
        try:
            yield
        except OTXError as error:
            asked = error.resource or path
            error.resource = f"{self.url}{asked}" if asked.startswith("/") else asked
            if isinstance(error, OTXUnavailableError):
                error.hint = error.hint or WAIT_HINT
            self._hide_key(error)
            raise

    def _hide_key(self, error: OTXError) -> None:
        """OTX's own words may repeat the key; ours and the logs don't."""
        if len(self._key) >= _SHORTEST_KEY:
            error.message = error.message.replace(self._key, "…")
        error.args = (error.message,)


def _subscribed(page: int, limit: int, since: datetime | None, author: str | None) -> dict[str, object]:
    """The query for a page of the subscription."""
    query: dict[str, object] = {"limit": limit, "page": page}
    if since is not None:
        query["modified_since"] = write_date(since)
    if author is not None:
        query["author_name"] = author
    return query


def _id_of(row: object) -> str:
    """The pulse's id in a row of ``subscribed_pulse_ids``, written as ``parse.pulse_id`` writes it."""
    value = first(row, "id", "pulse_id", "_id") if isinstance(row, dict) else row
    return text_of(value).strip().lower()
