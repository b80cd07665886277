"""The way to a server before anything is sent: its name, a connection, its certificate."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import certifi

from pulsegate.checking.client import CONNECT, FailedError
from pulsegate.checking.findings import Fault
from pulsegate.otx.transport import origin

ENDS_SOON = timedelta(days=14)
# OpenSSL's numbers of what is wrong with a certificate (x509_vfy.h), as said to people.
_FAULTS = {
    9: "is not valid yet",
    10: "has expired",
    18: "is signed by itself",
    19: "is of an authority that is not trusted here",
    20: "is of an authority that is not trusted here",
    62: "is for another host name",
    64: "is for another address",
}


def look(address: str, ca_file: Path | None) -> Iterator[str | Fault]:
    """Lines that say how it went, and what is worth knowing. FailedError: it can't be reached, or not be trusted."""
    scheme, host, port = origin(address)
    yield f"{host} is {', '.join(_resolved(host, port))}"
    started = time.monotonic()
    try:
        with socket.create_connection((host, port), CONNECT) as plain:
            yield f"connected to port {port} in {(time.monotonic() - started) * 1000:.0f} ms"
            if scheme == "https":
                yield from _shake_hands(plain, host, ca_file)
    except OSError as error:
        reason = "it takes too long" if isinstance(error, TimeoutError) else error.strerror or str(error)
        raise FailedError(Fault("connection", f"No connection to {host}, port {port}: {reason}")) from error


def plain_http(address: str) -> Iterator[Fault]:
    if origin(address)[0] == "http":
        yield Fault("plain-http", "Plain HTTP")


def _resolved(host: str, port: int) -> list[str]:
    try:
        return sorted({str(one[4][0]) for one in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)})
    except (OSError, UnicodeError) as error:
        raise FailedError(Fault("name", f"The name {host} has no address")) from error


def _shake_hands(plain: socket.socket, host: str, ca_file: Path | None) -> Iterator[str | Fault]:
    context = ssl.create_default_context(cafile=str(ca_file or certifi.where()))
    try:
        with context.wrap_socket(plain, server_hostname=host) as secure:
            until = _until(secure)
            yield f"{secure.version()}; the certificate is good until {until:%Y-%m-%d}"
            if until - datetime.now(UTC) < ENDS_SOON:
                yield Fault("certificate-ends", f"The certificate ends on {until:%Y-%m-%d %H:%M} UTC")
    except ssl.SSLCertVerificationError as error:
        what = _FAULTS.get(error.verify_code) or f"can't be verified ({error.verify_message})"
        raise FailedError(Fault("certificate", f"The certificate {what}")) from error
    except ssl.SSLError as error:
        raise FailedError(Fault("certificate", f"No TLS 1.2 or 1.3 there: {error.reason or error}")) from error


def _until(secure: ssl.SSLSocket) -> datetime:
    told = str((secure.getpeercert() or {}).get("notAfter", ""))
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(told), UTC)
