"""The HTTP session below the OTXv2 package: bounded in time and size, and the key goes to OTX's own host only."""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError

from pulsegate.errors import OTXAnswerError, OTXError, OTXUnavailableError
from pulsegate.otx import body, failures
from pulsegate.otx.dates import read_http_date
from pulsegate.otx.decoding import decoded
from pulsegate.otx.failures import OTXTooLargeError

ENCODING = "utf-8-sig"  # of JSON between systems (RFC 8259, 8.1); bytes that are none become U+FFFD
FAULTS = (requests.exceptions.RequestException, HTTPError, zlib.error, OSError)  # of the way to OTX
MAX_ERROR_BODY = 65_536  # bytes of an error's body that is read for its words
MAX_REDIRECTS = 3
URL_HINT = "Check otx.url"
_SUCCESS = range(200, 300)
_PORTS = {"http": 80, "https": 443}


class BoundedSession(requests.Session):
    """A session whose ``get`` returns a whole successful answer or raises an OTXError.

    ``timeout``: seconds to connect and of silence while reading; ``patience``: seconds for a whole answer, however
    slowly it drips; ``max_body``: bytes of a body, as sent and as decoded. Nothing is retried here: the caller knows
    better. ``date`` is when the last successful answer says that it was given; None: it doesn't say.
    """

    def __init__(self, *, timeout: tuple[float, float], patience: float, max_body: int) -> None:
        super().__init__()
        # Proxies and certificates come from the settings; a .netrc or a variable must not send the key elsewhere.
        self.trust_env = False
        self.timeout = timeout
        self.patience = patience
        self.max_body = max_body
        self.date: datetime | None = None
        self.headers["Accept-Encoding"] = body.ACCEPTED
        self.mount("http://", HTTPAdapter(max_retries=0))
        self.mount("https://", HTTPAdapter(max_retries=0))

    def get(self, url: str | bytes, **options: Any) -> requests.Response:
        """The answer to a GET, with its whole body read. Raises what ``failures`` makes of everything else."""
        address = url.decode() if isinstance(url, bytes) else url
        with self.opened(address, self.max_body, **options) as (answer, pieces):
            answer._content = b"".join(pieces)  # noqa: SLF001 - where requests keeps a body
            answer.encoding = ENCODING
            # OTXv2 calls it. That of requests refuses more, and what depends on whether simplejson is installed.
            answer.json = partial(decoded, answer.text)  # type: ignore[method-assign]
            return answer

    @contextmanager
    def opened(self, url: str, most: int, **options: Any) -> Iterator[tuple[requests.Response, Iterator[bytes]]]:
        """A successful answer to a GET, and its body of at most ``most`` bytes in pieces, some of them empty.

        Raises what ``failures`` makes of everything else, also while the pieces are read.
        """
        asked, started = _asked(url), time.monotonic()

        def seconds() -> float:
            return time.monotonic() - started

        try:
            with self._follow(url, options) as answer:
                if answer.status_code not in _SUCCESS:
                    words = _words(self._bounded(answer, MAX_ERROR_BODY, asked, seconds))
                    raise failures.from_answer(asked, answer.status_code, answer.headers, words, seconds=seconds())
                self.date = read_http_date(answer.headers.get("Date", ""))
                yield answer, self._bounded(answer, most, asked, seconds)
        except FAULTS as error:
            raise failures.from_exception(asked, error, seconds=seconds()) from error

    def get_redirect_target(self, resp: requests.Response) -> str | None:  # noqa: ARG002 - the base's signature
        """None: requests prepares the next request even when it may not follow, and reads the whole body for it."""
        return None

    def _follow(self, url: str, options: dict[str, Any]) -> requests.Response:
        """The answer, after redirects within OTX's own scheme, host and port; any other one would give the key away."""
        asked = _asked(url)
        for _ in range(MAX_REDIRECTS + 1):
            answer = super().get(url, timeout=self.timeout, stream=True, allow_redirects=False, **options)
            if not answer.is_redirect:
                return answer
            answer.close()
            target = _within_origin(url, answer.headers["Location"])
            if target is None:
                raise OTXAnswerError("OTX redirects to another host; not followed", resource=asked, hint=URL_HINT)
            url = target
        raise OTXAnswerError("OTX redirects in a circle", resource=asked, hint=URL_HINT)

    def _bounded(
        self, answer: requests.Response, most: int, asked: str, seconds: Callable[[], float]
    ) -> Iterator[bytes]:
        """The body in pieces, given up where it is larger than ``most`` or takes longer than ``patience``."""
        sent, size = answer.raw, 0
        too_large = OTXTooLargeError(f"OTX's answer is larger than {most:,} bytes; not read", resource=asked)
        if (sent.length_remaining or 0) > most:  # it says so itself
            raise too_large
        for piece in body.pieces(answer):
            size += len(piece)
            if max(size, sent.tell()) > most:
                raise too_large
            if seconds() > self.patience:
                raise OTXUnavailableError(f"OTX's answer wasn't complete after {seconds():.0f} s", resource=asked)
            yield piece


def _words(pieces: Iterator[bytes]) -> bytes:
    """An error's body; an error whose body is too large, breaks off or is encoded oddly stays that error."""
    try:
        return b"".join(pieces)
    except (*FAULTS, OTXError):
        return b""


def _asked(url: str) -> str:
    """Path and query: what an error names as asked for."""
    parts = urlsplit(url)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path


def _within_origin(url: str, location: str) -> str | None:
    """Where ``location`` leads from ``url``; None when that is another scheme, host or port, or no URL at all."""
    try:
        target = urljoin(url, location)
        return target if origin(target) == origin(url) else None
    except ValueError:
        return None


def origin(url: str) -> tuple[str, str, int]:
    """Scheme, host and port (RFC 6454, section 4). ValueError: it is no URL."""
    parts = urlsplit(url)
    return parts.scheme, parts.hostname or "", parts.port or _PORTS.get(parts.scheme, 0)
