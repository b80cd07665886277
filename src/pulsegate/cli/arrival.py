"""Whether a request has come in far enough to be worth a thread, told from its first bytes."""

from __future__ import annotations

import re

from pulsegate.taxii.edge import is_below

BUFFER = 128 * 1024  # octets of a request that are kept before a thread takes over
_MAX_CHUNK_LINE = 8192
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d{1,15})[ \t]*\r\n", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding:", re.IGNORECASE)
_TARGET = re.compile(rb"(?:\r\n)*[^\s:]+ (?:https?://[^/\s]*)?(/[^\s?]*)", re.IGNORECASE)
_LONGEST_LINE = 8192  # octets
_EXPECT = re.compile(rb"\r\nexpect:", re.IGNORECASE)


class Arrival:
    """The octets of one request as they come in (RFC 9112).

    This only decides when a thread takes the request over; gunicorn's parser then reads it from the beginning and
    judges it. What is malformed is complete here, so that the parser may refuse it. ``max_body``: octets; a longer
    body is not waited for.
    """

    def __init__(self, max_body: int) -> None:
        self.received = bytearray()
        self._max_body = max_body
        self._searched = 0  # no end of the header section begins before here
        self._body: int | None = None  # where the body begins
        self._end: int | None = None  # where it ends, where that is known
        self._chunk = 0  # where the next chunk's size line begins

    def add(self, octets: bytes) -> bool:
        """Take what came in; True when a thread should take over."""
        self.received += octets
        return len(self.received) >= BUFFER or self._is_complete()

    def is_for(self, mount: str) -> bool:
        """Whether the request is plainly for what lies at ``mount``. One that spells it otherwise is not."""
        found = _TARGET.match(self.received, 0, _LONGEST_LINE)
        return found is not None and is_below(found[1].decode("latin-1"), mount)

    def take(self) -> bytes:
        """Everything that came in; this is empty again afterwards, for the next request of the connection."""
        octets = bytes(self.received)
        self.__init__(self._max_body)  # type: ignore[misc]  # as new
        return octets

    def _is_complete(self) -> bool:
        if self._body is None and not self._read_head():
            return False
        if self._end is not None:
            return len(self.received) >= self._end
        return self._has_last_chunk()

    def _read_head(self) -> bool:
        end = self.received.find(b"\r\n\r\n", self._searched)
        if end < 0:
            self._searched = max(0, len(self.received) - 3)
            return False
        head = bytes(self.received[: end + 2])
        self._body = self._chunk = end + 4
        length = _LENGTH.search(head)
        size = int(length[1]) if length else 0
        is_chunked = _CHUNKED.search(head) is not None
        if _EXPECT.search(head) or size > self._max_body or (is_chunked and length):
            self._end = self._body  # the client waits to be told to go on, or gets a refusal
        elif not is_chunked:
            self._end = self._body + size
        return True

    def _has_last_chunk(self) -> bool:
        """Walk over the chunks (section 7.1), each of them once."""
        while self._chunk <= min(len(self.received), self._max_body):
            end = self.received.find(b"\r\n", self._chunk, self._chunk + _MAX_CHUNK_LINE)
            if end < 0:
                return len(self.received) - self._chunk >= _MAX_CHUNK_LINE
            try:
                size = int(bytes(self.received[self._chunk : end]).partition(b";")[0], 16)
            except ValueError:
                return True
            if size <= 0:
                return self.received.find(b"\r\n\r\n", end) >= 0
            self._chunk = end + 2 + size + 2
        return self._chunk > self._max_body
