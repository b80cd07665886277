"""The HTTP session below the OTXv2 package: bounded in time and size, and the key goes to OTX's own host only."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any
from urllib.parse import SplitResult, urljoin, urlsplit

import requests
from requests.adapters import HTTPAdapter

from pulsegate.errors import OTXAnswerError, OTXUnavailableError
from pulsegate.otx import failures

CHUNK = 65_536  # bytes read at a time
MAX_ERROR_BODY = 65_536  # bytes of an error's body that are read for its words
MAX_REDIRECTS = 3
URL_HINT = "Check otx.url"
_SUCCESS = range(200, 300)
_PORTS = {"http": 80, "https": 443}


class BoundedSession(requests.Session):
    """A session whose ``get`` returns a whole successful answer or raises an OTXError.

    ``timeout``: seconds to connect and of silence while reading; ``patience``: seconds for a whole answer, however
    slowly it drips; ``max_body``: bytes of a body after decoding. Nothing is retried here: the caller knows better.
    """

    def __init__(self, *, timeout: tuple[float, float], patience: float, max_body: int) -> None:
        super().__init__()
        # Proxies and certificates come from the settings; a .netrc or a variable must not send the key elsewhere.
        self.trust_env = False
        self.timeout = timeout
        self.patience = patience
        self.max_body = max_body
        self.mount("http://", HTTPAdapter(max_retries=0))
        self.mount("https://", HTTPAdapter(max_retries=0))

    def get(self, url: str | bytes, **options: Any) -> requests.Response:
        """The answer to a GET, with its whole body read. Raises what ``failures`` makes of everything else."""
        address = url.decode() if isinstance(url, bytes) else url
        asked, started = _asked(address), time.monotonic()

        def seconds() -> float:
            return time.monotonic() - started

        try:
            answer = self._follow(address, options)
            with answer:
                return self._whole(answer, asked, seconds)
        except (requests.exceptions.RequestException, OSError) as error:
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

    def _whole(self, answer: requests.Response, asked: str, seconds: Callable[[], float]) -> requests.Response:
        if answer.status_code not in _SUCCESS:
            body = _beginning(answer)
            raise failures.from_answer(asked, answer.status_code, answer.headers, body, seconds=seconds())
        parts, size = [], 0
        for part in answer.iter_content(CHUNK):
            parts.append(part)
            size += len(part)
            if size > self.max_body:
                raise OTXAnswerError(f"OTX's answer is larger than {self.max_body:,} bytes; not read", resource=asked)
            if seconds() > self.patience:
                raise OTXUnavailableError(f"OTX's answer wasn't complete after {seconds():.0f} s", resource=asked)
        answer._content = b"".join(parts)  # noqa: SLF001 - where requests keeps a body; OTXv2 calls .json() on it
        return answer


def _beginning(answer: requests.Response) -> bytes:
    """The first bytes of an error's body; an error whose body breaks off stays that error."""
    try:
        return next(answer.iter_content(MAX_ERROR_BODY), b"")
    except requests.exceptions.RequestException:
        return b""


def _asked(url: str) -> str:
    """Path and query: what an error names as asked for."""
    parts = urlsplit(url)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path


def _within_origin(url: str, location: str) -> str | None:
    """Where ``location`` leads from ``url``; None when that is another scheme, host or port, or no URL at all."""
    try:
        target = urljoin(url, location)
        return target if _origin(urlsplit(target)) == _origin(urlsplit(url)) else None
    except ValueError:
        return None


def _origin(parts: SplitResult) -> tuple[str, str | None, int | None]:
    return parts.scheme, parts.hostname, parts.port or _PORTS.get(parts.scheme)
