"""The body of an answer as it arrives: plain or gzip, decoded in small pieces, whatever was sent."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

import requests
import urllib3

from pulsegate.errors import OTXAnswerError

ACCEPTED = "gzip"  # the value of Accept-Encoding: nothing else is decoded
CHUNK = 65_536  # bytes of a piece, at most
_GZIP = 16 + zlib.MAX_WBITS


def pieces(answer: requests.Response) -> Iterator[bytes]:
    """The body of ``answer`` (asked for as a stream), decoded, in pieces of at most ``CHUNK`` bytes.

    A piece may be empty: bytes came that decode to nothing yet. Nothing waits for a piece to be full, so that a body
    that drips is seen to. Raises zlib.error for broken gzip, OTXAnswerError for any other encoding, and what urllib3
    raises when the connection fails.
    """
    encoding = answer.headers.get("Content-Encoding", "").strip().lower()
    if encoding in ("", "identity"):
        return _raw(answer.raw)
    if encoding in ("gzip", "x-gzip"):
        return _unpacked(_raw(answer.raw))
    raise OTXAnswerError(f"OTX's answer is encoded as {encoding[:40]!r}, which wasn't asked for")


def _raw(raw: urllib3.BaseHTTPResponse) -> Iterator[bytes]:
    while piece := raw.read1(CHUNK, decode_content=False):
        yield piece


def _unpacked(packed: Iterator[bytes]) -> Iterator[bytes]:
    """The content of one or more gzip members (RFC 1952, 2.2)."""
    unpack = zlib.decompressobj(_GZIP)
    for piece in packed:
        waiting = piece
        while waiting:
            if unpack.eof:
                unpack = zlib.decompressobj(_GZIP)
            yield unpack.decompress(waiting, CHUNK)
            waiting = unpack.unused_data if unpack.eof else unpack.unconsumed_tail
    if not unpack.eof:
        raise zlib.error("the gzip stream is incomplete")
