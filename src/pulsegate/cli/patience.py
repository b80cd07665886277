"""How long a slow client is waited for, and a socket that waits no longer."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Callable
from typing import Any

SILENCE = 30.0  # seconds for which one receiving or sending may stand still
_PIECE = 256 * 1024  # octets that are handed to the system at once
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: close with a reset


class ClientGoneError(ConnectionError):
    """The client hung up."""


class ClientTooSlowError(ClientGoneError):
    """The client was waited for long enough."""


class Patience:
    """Seconds to wait for a client: waiting uses them up, and octets that get through give some back.

    So a client that goes on at ``rate`` octets a second or more is served for as long as it takes, and one that
    drips or stands still is given up after about ``seconds``. Time in which the client is not waited for is free.
    """

    def __init__(self, seconds: float, rate: float) -> None:
        self.left = self._most = seconds
        self._rate = rate

    def spend(self, seconds: float, octets: int) -> None:
        self.left = min(self._most, self.left - seconds + octets / self._rate)

    def renew(self) -> None:
        """For the next request, or the next answer."""
        self.left = self._most


class PatientSocket:
    """A client's socket, plain or TLS. Its blocking calls end with ClientTooSlowError when patience is out.

    A request may take 30 s and what a line of 1 Mbit/s needs; an answer may stand still for 30 s, and 60 s in all if
    the client does not take 8 kB a second.
    """

    def __init__(self, inner: socket.socket) -> None:
        self.inner = inner
        self.receiving = Patience(30.0, 125_000)
        self.sending = Patience(60.0, 8_000)
        self._timeout: float | None = None
        self._applied: float | None = None
        self.is_doomed = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def fileno(self) -> int:
        return self.inner.fileno()

    def setblocking(self, flag: bool) -> None:
        """Blocking means: for as long as patience lasts."""
        self.settimeout(SILENCE if flag else 0.0)

    def settimeout(self, seconds: float | None) -> None:
        self._timeout = SILENCE if seconds is None else seconds
        self._apply(self._timeout)

    def gettimeout(self) -> float | None:
        return self._timeout

    def recv(self, size: int, flags: int = 0) -> bytes:
        octets: bytes = self._wait(self.receiving, lambda: self.inner.recv(size, flags), len)
        return octets

    def send(self, data: bytes | memoryview) -> int:
        sent: int = self._wait(self.sending, lambda: self.inner.send(data), int)
        return sent

    def sendall(self, data: bytes) -> None:
        """All of it, in pieces, so that it is seen whether the client takes them."""
        view = memoryview(data)
        while view:
            view = view[self.send(view[:_PIECE]) :]

    def doom(self) -> None:
        """Let the close be a reset, so that no client takes what it got for a whole answer."""
        self.is_doomed = True
        try:
            self.inner.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        except OSError:
            return  # the client closed it already

    def _apply(self, seconds: float | None) -> None:
        if seconds != self._applied:
            self.inner.settimeout(seconds)
            self._applied = seconds

    def _wait(self, patience: Patience, call: Callable[[], Any], count: Callable[[Any], int]) -> Any:
        if not self._timeout:
            return call()
        self._apply(max(0.001, min(self._timeout, patience.left)))
        began = time.monotonic()
        try:
            result = call()
        except TimeoutError as error:
            raise ClientTooSlowError("the client is too slow") from error
        except OSError as error:
            raise ClientGoneError(error.errno, "the client hung up") from error
        patience.spend(time.monotonic() - began, count(result))
        if patience.left <= 0:
            raise ClientTooSlowError("the client is too slow")
        return result
