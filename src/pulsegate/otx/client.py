"""The client of OTX's REST API: the OTXv2 package, page by page, over a session of ours."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import quote, urlsplit

import OTXv2

from pulsegate.errors import OTXAnswerError, OTXError, OTXKeyError, OTXUnavailableError
from pulsegate.otx.dates import write_date
from pulsegate.otx.failures import KEY_HINT, WAIT_HINT, OTXMissingError
from pulsegate.otx.fields import first, text_of
from pulsegate.otx.parse import Page, read_page
from pulsegate.otx.transport import BoundedSession

T = TypeVar("T")
SUBSCRIBED_PULSE_IDS = f"{OTXv2.API_V1_ROOT}/pulses/subscribed_pulse_ids"
OWNER = f"{OTXv2.API_V1_ROOT}/users/me"
_SHORTEST_KEY = 8  # a shorter one is no secret, and its letters are in every message
_KEY = re.compile(r"[!-~]+")


class OTXClient:
    """OTX as one API key sees it. For one thread at a time; close it, or use it as a context manager.

    ``timeout`` is (seconds to connect, seconds of silence while reading), ``patience`` the seconds that one whole
    answer may take, ``max_body`` the bytes that one may have. Pages count from 1 and are counted by the caller:
    OTX's ``next`` is never followed. Every method raises OTXKeyError (no valid key), OTXRateLimitedError (429, with
    ``retry_after``), OTXUnavailableError (5xx, no connection, time-out, cut answer: try later), OTXAnswerError (an
    answer that the API doesn't promise; OTXMissingError for 404) or OTXError (proxy, certificate). Nothing is retried.
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
        max_body: int = 256 * 1024 * 1024,
        user_agent: str = "Pulsegate",
    ) -> None:
        self.url = _checked_url(url)
        self.page_size = page_size
        self._key = _checked_key(api_key)
        self._session = BoundedSession(timeout=timeout, patience=patience, max_body=max_body)
        proxy = _checked_proxy(proxy)
        self._otx = OTXv2.OTXv2(
            self._key,
            proxy=proxy,
            proxy_https=proxy,
            server=self.url,
            user_agent=user_agent,
            verify=_checked_ca_file(ca_file),
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
        query: dict[str, object] = {"limit": limit or self.page_size, "page": page}
        if modified_since is not None:
            query["modified_since"] = write_date(modified_since)
        if author is not None:
            query["author_name"] = author
        return self._page(OTXv2.SUBSCRIBED, query)

    def subscribed_pulse_ids(self, page: int = 1, limit: int | None = None) -> Page[str]:
        """A page of the ids of all subscribed pulses: what is missing in it was unsubscribed or deleted."""
        read = self._page(SUBSCRIBED_PULSE_IDS, {"limit": limit or self.page_size, "page": page})
        ids = [_id_of(row) for row in read.results]
        if not all(ids):
            raise OTXAnswerError("a row of the page has no pulse id", resource=SUBSCRIBED_PULSE_IDS)
        return Page(ids, read.count, read.has_next)

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

    def pulse_indicators(
        self, pulse_id: str, page: int = 1, limit: int | None = None, *, include_inactive: bool = True
    ) -> Page[object]:
        """A page of a pulse's indicators, for ``read_indicators``."""
        path = f"{OTXv2.PULSE_DETAILS}{quote(pulse_id, safe='')}/indicators"
        paging = {"limit": limit or self.page_size, "page": page}
        return self._page(path, {**paging, "include_inactive": int(include_inactive)})

    def owner(self) -> str | None:
        """The user name of the key's owner; None when OTX doesn't tell."""
        try:
            name = self._ask(OWNER, {}, lambda data: text_of(first(data, "username", "user_name", "name")))
        except OTXMissingError:
            return None
        return name.strip() or None

    def _page(self, path: str, query: dict[str, object]) -> Page[object]:
        return self._ask(path, query, read_page)

    def _ask(self, path: str, query: dict[str, object], read: Callable[[dict[str, object]], T]) -> T:
        """What ``read`` makes of the JSON object that OTX answers."""
        try:
            return read(self._decoded(path, query))
        except OTXError as error:
            asked = error.resource or path
            error.resource = f"{self.url}{asked}" if asked.startswith("/") else asked
            if isinstance(error, OTXUnavailableError):
                error.hint = error.hint or WAIT_HINT
            self._hide_key(error)
            raise

    def _decoded(self, path: str, query: dict[str, object]) -> dict[str, object]:
        try:
            data: Any = self._otx.get(self._otx.create_url(path, **query))
        except (ValueError, RecursionError) as error:  # requests' JSONDecodeError is a ValueError
            raise OTXAnswerError("OTX's answer is not JSON", resource=path) from error
        if not isinstance(data, dict):
            raise OTXAnswerError("OTX's answer is not a JSON object", resource=path)
        return data

    def _hide_key(self, error: OTXError) -> None:
        """OTX's own words may repeat the key; ours and the logs don't."""
        if len(self._key) >= _SHORTEST_KEY:
            error.message = error.message.replace(self._key, "…")
        error.args = (error.message,)


def _id_of(row: object) -> str:
    """The pulse's id in a row of ``subscribed_pulse_ids``, written as ``parse.pulse_id`` writes it."""
    value = first(row, "id", "pulse_id", "_id") if isinstance(row, dict) else row
    return text_of(value).strip().lower()


def _checked_url(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise OTXError("is not the address of an OTX", resource="otx.url", hint="Write https://otx.alienvault.com")
    return url.rstrip("/")


def _checked_key(api_key: str) -> str:
    """The key without surrounding space. A key that no header can carry is refused here: libraries would quote it."""
    key = api_key.strip()
    if not key:
        raise OTXKeyError("there is no API key", resource="otx.api_key", hint=KEY_HINT)
    if _KEY.fullmatch(key) is None:
        raise OTXKeyError("the API key has characters that no key has", resource="otx.api_key", hint=KEY_HINT)
    return key


def _checked_proxy(proxy: str | None) -> str | None:
    try:
        parts = urlsplit(proxy or "")
        fits = not proxy or (parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0)
    except ValueError:
        fits = False
    if not fits:
        raise OTXError("is not the address of an HTTP proxy", resource="otx.proxy", hint="Write http://host:port")
    return proxy or None


def _checked_ca_file(path: Path | None) -> str | bool:
    if path is None:
        return True
    if not path.is_file():
        raise OTXError(f"{path} is no file", resource="otx.ca_file", hint="Name a PEM file of certificates to trust")
    return str(path)
