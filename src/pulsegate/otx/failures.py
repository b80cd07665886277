"""What went wrong at OTX, as our errors: what was asked, what came back, what to do; and never the key."""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Mapping
from datetime import UTC, datetime

import requests
import urllib3

from pulsegate.errors import (
    OTXAnswerError,
    OTXError,
    OTXKeyError,
    OTXRateLimitedError,
    OTXUnavailableError,
    TooLargeError,
)
from pulsegate.otx.dates import read_http_date

KEY_HINT = "The key stands on otx.alienvault.com under Settings; set it as otx.api_key or OTX_API_KEY"
CA_HINT = "If a proxy or a private OTX uses a certificate authority of its own, name its PEM file in otx.ca_file"
PROXY_HINT = "Check otx.proxy"
WAIT_HINT = "What is stored goes on being served; check the network, otx.url and otx.proxy, or wait and pull again"
_SHOWN = 200  # characters of OTX's own words in an error
_SERVER_ERRORS = range(500, 600)
_ASKS_FOR_KEY = re.compile(r"authenticat|anonymous|log ?in|sign ?in|sign ?up|invalid (api )?key", re.IGNORECASE)
_SECONDS_IN_WORDS = re.compile(r"in (\d{1,7}) ?s(?:ec|\b)", re.IGNORECASE)
_SECONDS = re.compile(r"\d{1,9}", re.ASCII)


class OTXMissingError(OTXAnswerError):
    """What was asked for isn't there: OTX answered 404, or an empty page."""


class OTXTooLargeError(OTXAnswerError, TooLargeError):
    """An answer, or a part of it that must be held at once, is larger than the client takes. It wasn't read on."""


def from_answer(asked: str, status: int, headers: Mapping[str, str], body: bytes, *, seconds: float) -> OTXError:
    """The error behind an answer that is no success. ``asked`` is path and query, ``seconds`` how long it took."""
    detail = detail_of(body)
    said = f", saying {detail!r}" if detail else ""
    if status in (401, 403):
        return OTXKeyError(f"OTX refused the key with {status}{said}", resource=asked, hint=KEY_HINT)
    if status == requests.codes.too_many_requests:
        return _from_429(asked, headers, detail)
    if status == requests.codes.not_found:
        return OTXMissingError(f"OTX doesn't know it (404){said}", resource=asked)
    if status == requests.codes.proxy_authentication_required:
        return OTXError("the proxy asks for a name and a password (407)", resource=asked, hint=PROXY_HINT)
    if status in _SERVER_ERRORS or status == requests.codes.request_timeout:
        return OTXUnavailableError(f"OTX answered {status} after {seconds:.1f} s{said}", resource=asked)
    return OTXAnswerError(f"OTX answered {status}{said}", resource=asked)


def _from_429(asked: str, headers: Mapping[str, str], detail: str) -> OTXError:
    """Too many requests, or no valid key: OTX answers both with 429 and tells them apart only in its words."""
    if _ASKS_FOR_KEY.search(detail):
        return OTXKeyError(f"OTX asks to authenticate (429), saying {detail!r}", resource=asked, hint=KEY_HINT)
    wait = retry_after(headers.get("Retry-After", ""), datetime.now(UTC))
    if wait is None and (match := _SECONDS_IN_WORDS.search(detail)):
        wait = float(match[1])
    said = f", saying {detail!r}" if detail else ""
    when = "" if wait is None else f"; it asks to wait {wait:.0f} s"
    return OTXRateLimitedError(f"{asked}: OTX answered 429, too many requests{said}{when}", retry_after=wait)


def retry_after(header: str, now: datetime) -> float | None:
    """The seconds, from 0, that a ``Retry-After`` (RFC 9110, 10.2.3: seconds or a date) asks for; None: unreadable."""
    text = header.strip()
    if _SECONDS.fullmatch(text):
        return float(text)
    moment = read_http_date(text)
    return None if moment is None else max((moment - now).total_seconds(), 0.0)


def detail_of(body: bytes) -> str:
    """OTX's own words in an error's JSON body, on one line; empty when the body is something else."""
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    if not isinstance(data, dict):
        return ""
    words = next((data[key] for key in ("detail", "error", "message") if isinstance(data.get(key), str)), "")
    return "".join(letter for letter in " ".join(words.split()) if letter.isprintable())[:_SHOWN]


def from_exception(asked: str, error: Exception, *, seconds: float) -> OTXError:
    """The error behind an exception of requests, or of what it calls, before or within an answer."""
    if isinstance(error, requests.exceptions.SSLError):
        return _from_tls(asked, error)
    for cause, kind, words, hint in _CAUSES:
        if isinstance(error, cause):
            # A silence in the TLS handshake is a bare ConnectionError to requests.
            told = _SILENCE if "timed out" in str(error) else words
            return kind(told.format(seconds=seconds, reason=_reason(error)), resource=asked, hint=hint)
    return OTXError(f"can't be asked for ({type(error).__name__})", resource=asked)


_SILENCE = "OTX didn't answer; given up after {seconds:.1f} s"
# The first class that fits decides, so the special ones come first.
_CAUSES: tuple[tuple[type[Exception], type[OTXError], str, str | None], ...] = (
    (requests.exceptions.ProxyError, OTXUnavailableError, "the proxy can't be reached or refuses", PROXY_HINT),
    (requests.exceptions.InvalidProxyURL, OTXError, "the proxy's address is no URL", PROXY_HINT),
    (requests.exceptions.Timeout, OTXUnavailableError, _SILENCE, None),
    (requests.exceptions.ConnectionError, OTXUnavailableError, "OTX can't be reached ({reason})", None),
    (urllib3.exceptions.ReadTimeoutError, OTXUnavailableError, _SILENCE, None),
    (urllib3.exceptions.HTTPError, OTXUnavailableError, "OTX's answer broke off", None),
    (zlib.error, OTXUnavailableError, "OTX's answer came damaged", None),
    (requests.exceptions.RequestException, OTXError, "can't be asked for ({reason})", None),
    # requests raises a bare OSError for a CA file that isn't there.
    (OSError, OTXError, "can't be asked for ({reason})", CA_HINT),
)


def _from_tls(asked: str, error: Exception) -> OTXError:
    words = str(error)
    if "WRONG_VERSION_NUMBER" in words or "EOF occurred" in words:
        return OTXUnavailableError("OTX's address doesn't speak TLS", resource=asked, hint="Check otx.url")
    return OTXError("OTX's certificate isn't trusted, so nothing was sent", resource=asked, hint=CA_HINT)


def _reason(error: BaseException) -> str:
    """The plainest words in a chain of exceptions: the operating system's."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, OSError) and seen.strerror:
            return seen.strerror
        reason = getattr(seen, "reason", None) or next(iter(seen.args), None)
        seen = reason if isinstance(reason, BaseException) else seen.__cause__ or seen.__context__
    return type(error).__name__
