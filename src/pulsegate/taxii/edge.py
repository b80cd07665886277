"""What is settled about a request before anything of TAXII sees it: who sent it, by which address, and how long it is.

Headers by which a proxy tells who its client is are believed of trusted proxies only, and taken away from all others.
"""

from __future__ import annotations

import io
import re
import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import structlog
from opentaxii.taxii.exceptions import FailureStatus
from structlog.contextvars import bind_contextvars, clear_contextvars
from werkzeug.datastructures import EnvironHeaders, Headers
from werkzeug.exceptions import ClientDisconnected, RequestEntityTooLarge

from pulsegate.model.network import Networks
from pulsegate.model.subject import normal_subject, subject_of_certificate
from pulsegate.taxii.status import write_status

log = structlog.get_logger(__name__)

Environment = dict[str, Any]
WSGI = Callable[[Environment, Callable[..., Any]], Iterable[bytes]]

PEER_CERTIFICATE = "pulsegate.peer_certificate"
"""The peer's verified certificate (DER), as the server process found it; None or absent when there is none."""

CLIENT_SUBJECT = "pulsegate.client_subject"
"""The subject of the client's verified certificate (RFC 4514, see ``model/subject.py``); absent when there is none."""

REQUEST_ID = "pulsegate.request_id"
"""What stands for the request in the logs, in the poll log and in the answer's ``X-Request-Id``."""

BY_STRANGER = "pulsegate.by_stranger"
"""Set when a proxy that the settings don't name has passed the request on: REMOTE_ADDR is then not its client's."""

_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}")
_FORWARDED = ("FORWARDED", "X_FORWARDED_FOR", "X_FORWARDED_PROTO", "X_FORWARDED_HOST", "X_FORWARDED_PORT")
_HOST = re.compile(r"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:\d{1,5})?")
_PAIR = re.compile(r'\s*([A-Za-z]+)=("(?:[^"\\]|\\.)*"|[^\s;,"]*)\s*')
_PIECE = 64 * 1024
_DEFAULT_PORTS = {"http": "80", "https": "443"}


@dataclass(frozen=True, slots=True)
class Edge:
    """What is believed and allowed.

    ``proxies``: whose forwarding headers are believed. ``client_header``: the header in which they write the subject
    of their client's certificate. ``scheme``: that of the public address, where it is configured. ``max_body``: the
    longest body of a request, in octets. ``refuses_itself``: paths whose application says itself that a body is too
    long, in its own form; it can't read more of it either.
    """

    proxies: Networks = field(default_factory=Networks)
    client_header: str | None = None
    scheme: str | None = None
    max_body: int = 10_000_000
    refuses_itself: tuple[str, ...] = ()

    def around(self, application: WSGI) -> WSGI:
        """The application behind this edge."""

        def call(environment: Environment, start_response: Callable[..., Any]) -> Iterable[bytes]:
            start_response = self._numbered(environment, start_response)
            self._identify(environment)
            if _length(environment) > self.max_body and not self._is_left_to_others(environment):
                return self._refuse(environment, start_response)
            environment["wsgi.input"] = _Body(environment["wsgi.input"], self.max_body)
            return application(environment, start_response)

        return call

    def _numbered(self, environment: Environment, start_response: Callable[..., Any]) -> Callable[..., Any]:
        """The request has an id from here on: a trusted proxy's, or a new one. All that this thread logs bears it."""
        given = environment.pop("HTTP_X_REQUEST_ID", "") if environment.get("REMOTE_ADDR", "") in self.proxies else ""
        found = given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(8)
        environment[REQUEST_ID] = found
        clear_contextvars()
        bind_contextvars(request=found)

        def answer(status: str, headers: list[tuple[str, str]], *error: Any) -> Any:
            return start_response(status, [*headers, ("X-Request-Id", found)], *error)

        return answer

    def _is_left_to_others(self, environment: Environment) -> bool:
        return any(is_below(environment.get("PATH_INFO", ""), one) for one in self.refuses_itself)

    def _identify(self, environment: Environment) -> None:
        """REMOTE_ADDR, the scheme, HTTP_HOST and the client's subject, as far as they can be believed."""
        is_proxy = environment.get("REMOTE_ADDR", "") in self.proxies
        given = {name: environment.pop(f"HTTP_{name}", "") for name in _FORWARDED}
        environment.pop(CLIENT_SUBJECT, None)
        environment.pop(BY_STRANGER, None)
        if not is_proxy and any(given.values()):
            environment[BY_STRANGER] = "yes"
        found = self._told_subject(environment, is_proxy=is_proxy)
        if not is_proxy or self.client_header is None:
            found = _subject_of(environment.get(PEER_CERTIFICATE))
        if found is not None:
            environment[CLIENT_SUBJECT] = found
        if is_proxy:
            self._forward(environment, given)

    def _told_subject(self, environment: Environment, *, is_proxy: bool) -> str | None:
        if self.client_header is None:
            return None
        text = environment.pop("HTTP_" + self.client_header.upper().replace("-", "_"), "")
        if not text:
            return None
        if not is_proxy:
            log.warning("edge.header_dropped", header=self.client_header, client=environment.get("REMOTE_ADDR"))
            return None
        try:
            return normal_subject(text.encode("latin-1").decode())  # PEP 3333: bytes as latin-1
        except ValueError as error:
            log.warning("edge.subject_refused", header=self.client_header, reason=str(error))
            return None

    def _forward(self, environment: Environment, given: Mapping[str, str]) -> None:
        """Take over what a trusted proxy says of its client. RFC 7239 wins over the X-Forwarded ones."""
        hops = _forwarded(given["FORWARDED"]) or _x_forwarded(given)
        hop: Mapping[str, str] = {}
        for hop in reversed(hops):
            if _address(hop.get("for", "")) not in self.proxies:
                break
        if address := _address(hop.get("for", "")):
            environment["REMOTE_ADDR"] = address
            environment.pop("REMOTE_PORT", None)
        scheme = hop.get("proto", "").lower() or self.scheme
        if scheme in _DEFAULT_PORTS:
            environment["wsgi.url_scheme"] = scheme
        if _HOST.fullmatch(hop.get("host", "")):
            environment["HTTP_HOST"] = hop["host"]

    def _refuse(self, environment: Environment, start_response: Callable[..., Any]) -> Iterable[bytes]:
        secure = environment.get("wsgi.url_scheme") == "https"
        body, headers = too_large(EnvironHeaders(environment), self.max_body, secure=secure)
        log.warning("edge.body_refused", client=environment.get("REMOTE_ADDR"), length=environment["CONTENT_LENGTH"])
        start_response("413 Content Too Large", [*headers.items(), ("Content-Length", str(len(body)))])
        return [body]


def is_below(path: str, mount: str) -> bool:
    """Whether what is mounted there answers for the path."""
    return path == mount or path.startswith(f"{mount}/")


class _Body(io.RawIOBase):
    """A request's body that ends with RequestEntityTooLarge where it becomes too long.

    Werkzeug's own ``max_content_length`` cuts a body without a Content-Length there, and lets the piece pass for whole.
    """

    def __init__(self, body: Any, most: int) -> None:
        self._body = body
        self._left = most

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            octets = self._body.read(len(buffer))
        except (OSError, ValueError) as error:  # the client's, of its connection or its framing
            raise ClientDisconnected from error
        self._left -= len(octets)
        if self._left < 0:
            raise RequestEntityTooLarge
        buffer[: len(octets)] = octets
        return len(octets)

    def readall(self) -> bytes:
        return b"".join(iter(lambda: self.read(_PIECE) or b"", b""))


def _subject_of(certificate: bytes | None) -> str | None:
    if certificate is None:
        return None
    try:
        return subject_of_certificate(certificate)
    except ValueError as error:
        log.warning("edge.subject_refused", reason=str(error))
        return None


def too_large(headers: Headers, max_body: int, *, secure: bool) -> tuple[bytes, Mapping[str, str]]:
    """The Status_Message (and its headers) for a request that is too long."""
    failure = FailureStatus(f"The message is longer than {max_body:,} octets; send less in one message")
    return write_status(failure, headers, secure)


def _length(environment: Environment) -> int:
    text = environment.get("CONTENT_LENGTH") or "0"
    return int(text) if text.isascii() and text.isdigit() else 0


def _x_forwarded(given: Mapping[str, str]) -> list[dict[str, str]]:
    """One entry for each hop, the client's first.

    A proxy that appends to one header need not append to the others: scheme and host are the last ones, for each hop.
    """
    common = {"proto": _last(given["X_FORWARDED_PROTO"]), "host": _last(given["X_FORWARDED_HOST"])}
    port = _last(given["X_FORWARDED_PORT"])
    is_usual = _DEFAULT_PORTS.get(common["proto"].lower()) == port
    if common["host"] and port and not is_usual and ":" not in common["host"].rpartition("]")[2]:
        common["host"] += f":{port}"
    addresses = [one.strip() for one in given["X_FORWARDED_FOR"].split(",")]
    return [common | {"for": one} for one in addresses]


def _last(text: str) -> str:
    return text.rpartition(",")[2].strip()


def _forwarded(text: str) -> list[dict[str, str]]:
    """RFC 7239, section 4: one entry for each hop, the client's first; empty for what is not written so."""
    hops: list[dict[str, str]] = [{}]
    position = 0
    while text and position <= len(text):
        pair = _PAIR.match(text, position)
        if pair is None:
            return []
        hops[-1][pair[1].lower()] = re.sub(r"\\(.)", r"\1", pair[2].strip('"'))
        separator = text[pair.end() : pair.end() + 1]
        if separator == ",":
            hops.append({})
        elif separator not in ("", ";"):
            return []
        position = pair.end() + 1
    return hops if text else []


def _address(text: str) -> str:
    """The address of ``192.0.2.1``, ``192.0.2.1:4711``, ``2001:db8::1`` or ``[2001:db8::1]:4711``; else empty."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    return text if text in Networks.of(["0.0.0.0/0", "::/0"]) else ""
