"""The HTTP session below cabby: bounded in time and size, and the password goes to the server's own address only."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import requests
import urllib3
from lxml import etree
from requests.adapters import HTTPAdapter

from pulsegate.errors import UpstreamError, UpstreamRateLimitedError, UpstreamTooLargeError, UpstreamUnavailableError
from pulsegate.otx import body
from pulsegate.otx.failures import retry_after

TAXII_HEADER, TAXII_11 = "X-TAXII-Content-Type", "urn:taxii.mitre.org:message:xml:1.1"
ACCOUNT_HINT = "Check username and password of the upstream"
URL_HINT = "Write the address of its poll service in url"
SEGMENT_HINT = "Set a shorter segment"
MAX_ANSWER = 8_000_000_000  # bytes of one result, all of its parts together
MAX_PROLOG = 65_536  # bytes before the root element
PATIENCE = 900.0  # seconds of waiting for one content block, however slowly it drips
_AWAY = (408, 429, 500, 502, 503, 504)


class Meter:
    """What one result has cost: in all, and since the last content block (``mark``)."""

    def __init__(self, max_answer: int, max_block: int, patience: float) -> None:
        self._max_answer, self._max_block, self._patience = max_answer, max_block, patience
        self.begin()

    def begin(self) -> None:
        """A new result."""
        self._total = 0
        self.mark()

    def mark(self) -> None:
        """A content block was read to its end."""
        self._size, self._waited = 0, 0.0

    def add(self, size: int, seconds: float) -> None:
        """So many bytes more after so many seconds of waiting."""
        self._total += size
        self._size += size
        self._waited += seconds
        if self._total > self._max_answer:
            raise UpstreamTooLargeError(f"its answer is larger than {self._max_answer:,} bytes", hint=SEGMENT_HINT)
        if self._size > self._max_block:
            raise UpstreamTooLargeError(
                f"a content block, or what stands in the place of one, is larger than {self._max_block:,} bytes",
                hint="Raise taxii.max_block, if its packages are that large",
            )
        if self._waited > self._patience:
            raise UpstreamUnavailableError(f"no content block was complete after {self._waited:.0f} s")


class BoundedSession(requests.Session):
    """A session whose ``post`` returns a TAXII 1.1 message, to be read as it comes, or raises an UpstreamError.

    Nothing is retried or redirected here. A Status_Message that comes with an HTTP error is given like any other
    message; ``wait`` is then what the HTTP header asks for, in seconds.
    """

    _cabby_key_password = None  # cabby looks for it

    def __init__(self, meter: Meter, verify: str | bool, proxy: str | None) -> None:
        super().__init__()
        # Proxies and certificates come from the settings; a .netrc or a variable must not send the password elsewhere.
        self.trust_env = False
        self.verify = verify
        self.proxies = {"http": proxy, "https": proxy} if proxy else {}
        self.headers.update({"Accept-Encoding": body.ACCEPTED, "User-Agent": "Pulsegate"})
        self.mount("http://", HTTPAdapter(max_retries=0))
        self.mount("https://", HTTPAdapter(max_retries=0))
        self.wait: float | None = None
        self._meter = meter
        self._open: urllib3.BaseHTTPResponse | None = None

    def post(self, url: str | bytes, data: Any = None, json: Any = None, **options: Any) -> requests.Response:
        """The answer, its body unread; the one before it is closed."""
        self.drop()
        answer = super().post(url, data=data, json=json, allow_redirects=False, **options)
        self._open = answer.raw
        self.wait = retry_after(answer.headers.get("Retry-After", ""), datetime.now(UTC))
        _check(answer, self.wait, has_account=self.auth is not None)
        pieces = body.pieces(answer)
        answer.headers.pop("Content-Encoding", None)  # cabby would decode it once more
        answer.status_code = requests.codes.ok  # what it means says the message
        answer.raw = _Body(pieces, self._meter)
        return answer

    def get_redirect_target(self, resp: requests.Response) -> str | None:  # noqa: ARG002 - the base's signature
        """None: requests prepares the next request even when it may not follow, and reads the whole body for it."""
        return None

    def drop(self) -> None:
        """Close what is left of the last answer."""
        if self._open is not None:
            self._open.close()
            self._open.release_conn()
            self._open = None


def _check(answer: requests.Response, wait: float | None, *, has_account: bool) -> None:
    """Whether it is a TAXII 1.1 message; what else it is, as an error."""
    status = answer.status_code
    kind = answer.headers.get(TAXII_HEADER, "")
    if kind == TAXII_11:
        encoding = answer.headers.get("Content-Encoding", "").strip().lower()
        if encoding not in ("", "identity", "gzip", "x-gzip"):
            raise UpstreamError(f"its answer is encoded as {encoding[:40]!r}, which wasn't asked for")
        return
    if answer.is_redirect:
        where = answer.headers["Location"][:200]
        raise UpstreamError(f"it redirects to {where!r}; not followed, as the password would go there", hint=URL_HINT)
    if status in (401, 403):
        hint = ACCOUNT_HINT if has_account else "Set username and password of the upstream"
        raise UpstreamError(f"it refuses the account ({status})", hint=hint)
    if status == requests.codes.proxy_authentication_required:
        raise UpstreamError("the proxy asks for a name and a password (407)", hint="Check proxy of the upstream")
    if status == requests.codes.too_many_requests or (status in _AWAY and wait is not None):
        raise UpstreamRateLimitedError(f"it answered {status} and asks to wait", retry_after=wait)
    if status in _AWAY:
        raise UpstreamUnavailableError(f"it answered {status}")
    what = f"a TAXII message of the kind {kind[:80]!r}" if kind else "something that is no TAXII message"
    raise UpstreamError(f"it answered {status} with {what}", hint=URL_HINT)


class _Body:
    """The body as the file that cabby's parser reads: metered, and without a document type declaration.

    cabby's parser takes documents of any size, and with that turns off what bounds the expansion of entities.
    """

    def __init__(self, pieces: Iterator[bytes], meter: Meter) -> None:
        self._pieces = pieces
        self._meter = meter
        self._left = b""
        self._prolog: etree.XMLPullParser | None = etree.XMLPullParser(
            events=("start",), resolve_entities=False, no_network=True, load_dtd=False
        )
        self._seen = 0

    def read(self, size: int = -1) -> bytes:
        """The next bytes, ``size`` at most; none at the end."""
        while not self._left:
            started = time.monotonic()
            piece = next(self._pieces, None)
            self._meter.add(len(piece or b""), time.monotonic() - started)
            if piece is None:
                return b""
            self._look(piece)
            self._left = piece
        cut = len(self._left) if size < 0 else size
        given, self._left = self._left[:cut], self._left[cut:]
        return given

    def _look(self, piece: bytes) -> None:
        """Until the root element has begun."""
        if self._prolog is None:
            return
        self._seen += len(piece)
        try:
            self._prolog.feed(piece)
            _, root = next(iter(self._prolog.read_events()), (None, None))
        except etree.XMLSyntaxError as error:
            raise UpstreamError(f"its answer is not well-formed XML: {error.msg}") from error
        if root is None and self._seen <= MAX_PROLOG:
            return
        if root is None or root.getroottree().docinfo.doctype:
            raise UpstreamError("its answer has a document type declaration, which no TAXII message has")
        self._prolog = None
