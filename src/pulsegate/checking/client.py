"""HTTP as a TAXII client speaks it: a POST, its answer streamed and bounded; the password goes to one host only."""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import requests
import urllib3
from requests.adapters import HTTPAdapter
from requests.utils import get_environ_proxies

from pulsegate.checking import messages
from pulsegate.checking.faults import CLOCKS
from pulsegate.checking.findings import Fault
from pulsegate.errors import OTXAnswerError
from pulsegate.otx import body
from pulsegate.otx.dates import read_http_date
from pulsegate.otx.transport import origin

CONNECT = 10.0  # seconds
SILENCE = 60.0  # seconds in which nothing comes
SLOW = 10.0  # seconds until the first byte
MAX_ANSWER = 16 * 2**30  # bytes, unpacked
_OK, _UNAUTHORIZED = 200, 401
_NO_SERVICE = (404, 405)
_REDIRECTS = range(300, 400)
_FAILURES = (requests.exceptions.RequestException, urllib3.exceptions.HTTPError, OSError)


class FailedError(Exception):
    """No answer that can be read; ``fault`` says why. ``again``: another try may help."""

    def __init__(self, fault: Fault, *, again: bool = False) -> None:
        super().__init__(fault.what)
        self.fault = fault
        self.again = again


class OutOfTimeError(Exception):
    """All the time that the check may take is over."""


@dataclass(frozen=True, slots=True)
class Head:
    """What stands above an answer. ``seconds``: until it came; ``clock``: seconds that the server's clock is ahead."""

    status: int
    headers: Mapping[str, str]
    seconds: float
    clock: float | None

    def faults(self, *, gzip: bool) -> Iterator[Fault]:
        """What is wrong with it, though it can be read; ``gzip``: that was asked for."""
        encoding = self.headers.get("Content-Encoding", "identity").lower()
        if encoding not in (("identity", "gzip", "x-gzip") if gzip else ("identity",)):
            yield Fault("encoding", f"The answer is packed ({encoding[:40]}), which was not asked for")
        kind = self.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if kind not in ("application/xml", "text/xml"):
            yield Fault("content-type", f"The Content-Type is {kind[:60] or 'not told'}, not application/xml")
        if self.seconds > SLOW:
            yield Fault("slow", f"The first byte came after {self.seconds:.1f} s")
        if self.clock is not None and abs(self.clock) > CLOCKS.total_seconds():
            side = "ahead of" if self.clock > 0 else "behind"
            yield Fault("clock", f"The server's clock is {abs(self.clock):.0f} s {side} this machine's")


class Body:
    """The body of an answer, unpacked, as a stream."""

    def __init__(self, answer: requests.Response, left: Callable[[], float]) -> None:
        self._answer = answer
        self._pieces: Iterator[bytes] | None = None
        self._left = left
        self._size = 0

    def read(self, _size: int = 0) -> bytes:
        """The next piece, of at most ``body.CHUNK`` bytes; none at the end. FailedError, OutOfTimeError."""
        try:
            if self._pieces is None:
                self._pieces = body.pieces(self._answer)
            for piece in self._pieces:
                self._left()
                self._size += len(piece)
                if self._size > MAX_ANSWER:
                    raise FailedError(Fault("too-large", f"The answer is larger than {MAX_ANSWER >> 30} GB"))
                if piece:
                    return piece
        except (*_FAILURES, zlib.error, OTXAnswerError) as error:
            raise FailedError(_while_reading(error), again=True) from error
        return b""


class _Session(requests.Session):
    def get_redirect_target(self, resp: requests.Response) -> str | None:  # noqa: ARG002 - the base's signature
        """None: requests prepares the next request even when it may not follow, and reads the whole body for it."""
        return None


class Client:
    """Sends messages to one server. ``account``: user name and password, None for none."""

    def __init__(self, address: str, account: tuple[str, str] | None, *, ca_file: Path | None, seconds: float) -> None:
        self.account = account
        self._origin = origin(address)
        self._until = time.monotonic() + seconds
        self._session = _Session()
        # A .netrc must not send another password, nor a variable another answer to whom is trusted.
        self._session.trust_env = False
        self._session.headers.clear()
        self._session.verify = str(ca_file) if ca_file else True
        self._session.proxies.update(get_environ_proxies(address))
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, HTTPAdapter(max_retries=0))

    @property
    def uses_proxy(self) -> bool:
        return bool(self._session.proxies.get(self._origin[0]) or self._session.proxies.get("all"))

    def may_send(self, address: str) -> bool:
        """Whether the password may go there: to the scheme, host and port that were named."""
        try:
            return origin(address) == self._origin
        except ValueError:  # what a server tells may be no URL
            return False

    def left(self) -> float:
        """Seconds that are left. OutOfTimeError: none."""
        seconds = self._until - time.monotonic()
        if seconds <= 0:
            raise OutOfTimeError
        return seconds

    def close(self) -> None:
        self._session.close()

    @contextmanager
    def asking(
        self, address: str, message: bytes, *, gzip: bool = False, account: tuple[str, str] | None = None
    ) -> Iterator[tuple[Head, Body]]:
        """The answer to a message, whatever its status. FailedError, OutOfTimeError."""
        assert self.may_send(address), address
        headers = messages.headers(address) | {"Accept-Encoding": "gzip" if gzip else "identity"}
        started = time.monotonic()
        try:
            answer = self._session.post(
                address,
                data=message,
                headers=headers,
                auth=_basic(account or self.account),
                timeout=(min(CONNECT, self.left()), min(SILENCE, self.left())),
                allow_redirects=False,
                stream=True,
            )
        except _FAILURES as error:
            raise FailedError(_while_asking(error), again=True) from error
        try:
            seconds = time.monotonic() - started
            yield (
                Head(answer.status_code, answer.headers, seconds, _clock(answer.headers, seconds)),
                Body(answer, self.left),
            )
        finally:
            answer.close()


def check_status(head: Head, content: Body) -> None:
    """FailedError, unless there is a TAXII message to be read."""
    if head.status in _REDIRECTS:
        raise FailedError(
            Fault("redirect", f"HTTP {head.status}: it leads to {head.headers.get('Location', '?')[:200]}")
        )
    if head.status == _UNAUTHORIZED:
        raise FailedError(Fault("unauthorized", "HTTP 401: user name or password are refused"))
    if head.status != _OK:
        if head.status in _NO_SERVICE:
            raise FailedError(Fault("path", f"HTTP {head.status}{_said(content)}"))
        again = head.status >= 500 or head.status == 429  # noqa: PLR2004
        raise FailedError(Fault("http", f"HTTP {head.status}{_said(content)}"), again=again)
    told = head.headers.get("X-TAXII-Content-Type")
    if told is None:
        raise FailedError(Fault("not-taxii", f"The answer has no X-TAXII-Content-Type header{_said(content)}"))
    if told.strip() != messages.XML_BINDING:
        raise FailedError(Fault("taxii-version", f"The answer's X-TAXII-Content-Type is {told[:80]}"))


def _said(content: Body) -> str:
    """The beginning of a body, for people."""
    try:
        text = content.read()[:300].decode("utf-8", "replace")
    except FailedError:
        return ""
    line = " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())
    return f", with {line[:120]!r}" if line else ""


def _basic(account: tuple[str, str] | None) -> requests.auth.HTTPBasicAuth | None:
    if account is None:
        return None
    return requests.auth.HTTPBasicAuth(*(text.encode() for text in account))


def _clock(headers: Mapping[str, str], seconds: float) -> float | None:
    """By how many seconds the server's clock is ahead, as its Date header says; None: it doesn't."""
    told = read_http_date(headers.get("Date", ""))
    if told is None:
        return None
    ahead = (told - datetime.now(UTC)).total_seconds()
    return 0.0 if abs(ahead) < seconds + 1 else ahead


def _while_asking(error: Exception) -> Fault:
    if isinstance(error, requests.exceptions.SSLError):
        return Fault("certificate", f"TLS fails: {_reason(error)}")
    if isinstance(error, requests.exceptions.ProxyError):
        return Fault("connection", f"The proxy fails: {_reason(error)}")
    if isinstance(error, requests.exceptions.ConnectTimeout):
        return Fault("connection", f"No connection within {CONNECT:.0f} s")
    if isinstance(error, requests.exceptions.Timeout):
        return Fault("timeout", "No answer came in time")
    if isinstance(error, requests.exceptions.ConnectionError) and "refused" in str(error).lower():
        return Fault("connection", "The connection is refused")
    return Fault("cut", f"No answer came: {_reason(error)}")


def _while_reading(error: Exception) -> Fault:
    if isinstance(error, urllib3.exceptions.ReadTimeoutError | TimeoutError):
        return Fault("timeout", "The answer stopped in the middle")
    if isinstance(error, zlib.error | OTXAnswerError):
        return Fault("encoding", "The answer can't be unpacked")
    return Fault("cut", f"The answer breaks off: {_reason(error)}")


def _reason(error: BaseException) -> str:
    """The plainest words in a chain of exceptions."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, OSError) and seen.strerror:
            return seen.strerror
        inner = getattr(seen, "reason", None) or next(
            (one for one in seen.args if isinstance(one, BaseException)), None
        )
        following = inner if isinstance(inner, BaseException) else seen.__cause__ or seen.__context__
        if following is None:
            return (str(seen) or type(seen).__name__)[:200]
        seen = following
    return type(error).__name__
