"""Asks a server, at the address that its clients use, what an appliance asks before it polls; for a test by hand.

A poll itself is not sent: it would stand in the poll log as one of the appliance's.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any
from urllib.parse import urlsplit

import libtaxii.messages_11 as tm11
from libtaxii.common import generate_message_id
from libtaxii.constants import (
    VID_TAXII_HTTP_10,
    VID_TAXII_HTTPS_10,
    VID_TAXII_SERVICES_11,
    VID_TAXII_XML_11,
)
from lxml import etree

from pulsegate.store import accounts, state
from pulsegate.store.database import Database
from pulsegate.store.polls import spellings
from pulsegate.taxii.auth import TOKEN_SECRET
from pulsegate.taxii.tokens import Tokens

TIMEOUT = 10.0  # seconds
MAX_ANSWER = 2_000_000
TOKEN_LIFE = timedelta(seconds=30)
_UNAUTHORIZED = 401
# OpenSSL's numbers of what is wrong with a certificate (x509_vfy.h).
_FAULTS = {
    10: "expired",
    9: "not-yet-valid",
    18: "self-signed",
    19: "own-ca",
    20: "own-ca",
    62: "other-name",
    64: "other-name",
}


class State(StrEnum):
    """How a step of the test went."""

    GOOD = "good"
    BAD = "bad"
    DOUBTFUL = "doubtful"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Step:
    """``name``: which step; ``code``: what was found, with ``values`` that say more of it."""

    name: str
    state: State
    code: str = ""
    values: dict[str, Any] = field(default_factory=dict)


class _StopError(Exception):
    """Nothing that comes after this step can be tested."""


def probe(
    database: Database, address: str, path: str, collection: str, account: str, *, is_ours: bool
) -> Iterator[Step]:
    """The steps one after the other, until one fails that all others need.

    ``is_ours``: the host is the settings'. Only there, and never past a certificate that nobody vouches for, a token of
    the account is sent: whoever asks for the test, or stands in between, must not get an administrator's.
    """
    try:
        yield _resolve(address)
        may_send = is_ours
        for step in _shake_hands(address):
            may_send = may_send and (step.state is State.GOOD or step.code == "plain")
            yield step
        yield _discover(address, path)
        if may_send:
            yield _list(database, address, path, collection, account)
        else:
            yield Step("rights", State.SKIPPED, "not-sent")
    except _StopError as stop:
        yield stop.args[0]


def _resolve(address: str) -> Step:
    host, port = urlsplit(address).hostname or "", urlsplit(address).port
    try:
        found = sorted({str(one[4][0]) for one in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)})
    except (OSError, UnicodeError) as error:
        raise _stop("name", "unknown", host=host, reason=_reason(error)) from error
    return Step("name", State.GOOD, "", {"host": host, "addresses": ", ".join(found)})


def _shake_hands(address: str) -> Iterator[Step]:
    """A connection; with HTTPS the certificate as a client sees it that trusts what this machine trusts."""
    parts = urlsplit(address)
    where = (parts.hostname or "", parts.port or 0)
    try:
        with socket.create_connection(where, TIMEOUT) as plain:
            yield Step("connection", State.GOOD, "", {"address": address})
            if parts.scheme == "https":
                yield _certificate(plain, where[0])
            else:
                yield Step("certificate", State.DOUBTFUL, "plain")
    except OSError as error:
        raise _stop("connection", "refused", address=address, reason=_reason(error)) from error


def _certificate(plain: socket.socket, host: str) -> Step:
    try:
        with ssl.create_default_context().wrap_socket(plain, server_hostname=host) as secure:
            found = secure.getpeercert() or {}
            return Step("certificate", State.GOOD, "", {"until": str(found.get("notAfter", ""))})
    except ssl.SSLCertVerificationError as error:
        code = _FAULTS.get(error.verify_code, "invalid")
        doubtful = code in ("self-signed", "own-ca")
        return Step("certificate", State.DOUBTFUL if doubtful else State.BAD, code, {"reason": error.verify_message})
    except ssl.SSLError as error:
        raise _stop("certificate", "no-tls", reason=_reason(error)) from error


def _discover(address: str, path: str) -> Step:
    """Without a password the server must ask for one, in the words of TAXII: Cabby takes no other answer."""
    message = tm11.DiscoveryRequest(message_id=generate_message_id())
    status, headers, body = _ask(address, path, message, None)
    if "X-TAXII-Content-Type" not in headers:
        raise _stop("taxii", "not-taxii", status=status)
    if status == _UNAUTHORIZED:
        return Step("taxii", State.GOOD, "asks-for-password")
    return Step("taxii", State.BAD, "open", {"status": status, "bytes": len(body)})


def _list(database: Database, address: str, path: str, collection: str, account: str) -> Step:
    """The collections as the account gets them, by a token in place of its password."""
    message = tm11.CollectionInformationRequest(message_id=generate_message_id())
    with database.write() as connection:
        secret = state.secret(connection, TOKEN_SECRET)
        stored = accounts.stored_by_name(connection, account)
    if stored is None:
        raise _stop("rights", "no-account", account=account)
    status, _, body = _ask(address, path, message, Tokens(secret, TOKEN_LIFE).make(stored))
    values: dict[str, Any] = {"account": account, "collection": collection, "status": status}
    if status == _UNAUTHORIZED:
        return Step("rights", State.BAD, "refused", values)
    names = _names(body)
    if names.isdisjoint(spellings(collection)):
        return Step("rights", State.BAD, "not-listed", values | {"count": len(names)})
    return Step("rights", State.GOOD, "", values | {"count": len(names)})


def _names(body: bytes) -> set[str]:
    parser = etree.XMLParser(resolve_entities=False, no_network=True)
    try:
        root = etree.fromstring(body, parser)
    except etree.XMLSyntaxError:
        return set()
    return {str(one.get("collection_name")) for one in root.iter("{*}Collection")}


def _ask(address: str, path: str, message: Any, token: str | None) -> tuple[int, Any, bytes]:
    """The answer, whatever the certificate is: that has a step of its own."""
    is_secure = address.startswith("https:")
    headers = {
        "Content-Type": "application/xml",
        "Accept": "application/xml",
        "User-Agent": "Pulsegate test of the connection",
        "X-TAXII-Content-Type": VID_TAXII_XML_11,
        "X-TAXII-Accept": VID_TAXII_XML_11,
        "X-TAXII-Services": VID_TAXII_SERVICES_11,
        "X-TAXII-Protocol": VID_TAXII_HTTPS_10 if is_secure else VID_TAXII_HTTP_10,
    }
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    parts = urlsplit(address)
    where = (parts.hostname or "", parts.port)
    connection = (
        HTTPSConnection(*where, timeout=TIMEOUT, context=_anything())
        if is_secure
        else HTTPConnection(*where, timeout=TIMEOUT)
    )
    try:
        connection.request("POST", path, body=message.to_xml(), headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read(MAX_ANSWER)
    except (HTTPException, OSError) as error:
        raise _stop("taxii", "no-answer", reason=_reason(error)) from error
    finally:
        connection.close()


def _anything() -> ssl.SSLContext:
    made = ssl.create_default_context()
    made.check_hostname = False
    made.verify_mode = ssl.CERT_NONE
    return made


def _stop(name: str, code: str, **values: Any) -> _StopError:
    return _StopError(Step(name, State.BAD, code, values))


def _reason(error: BaseException) -> str:
    return str(getattr(error, "strerror", None) or error)[:300]
