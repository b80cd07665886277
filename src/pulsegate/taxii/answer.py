"""A Poll_Response that is written while its blocks are read, so that an answer of any size takes the same memory."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from libtaxii.constants import VID_TAXII_XML_11

from pulsegate.store.collections import STIX_BINDING, STIX_BINDINGS
from pulsegate.store.versions import Measure, Version

STIX_111 = STIX_BINDINGS["1.1.1"]
BINDINGS = (STIX_BINDING, STIX_111)  # of all that can be polled, the one that is preferred first
PIECE = 256 * 1024  # bytes that go to the socket at once, about
_NEWER, _OLDER = b'version="1.2"', b'version="1.1.1"'
_LABEL = len("2026-01-01T00:00:00.000000+00:00")


@dataclass(slots=True)
class Sent:
    """What went out of an answer. ``whole`` once its last byte was handed over."""

    blocks: int = 0
    indicators: int = 0
    bytes: int = 0
    whole: bool = False


@dataclass(slots=True)
class PollAnswer:
    """A Poll_Response as OpenTAXII's server takes it, and a WSGI server sends it.

    ``message``: libtaxii's Poll_Response, 1.0 or 1.1, without blocks. ``older``: 1.2 packages are sent as 1.1.1.
    ``measure``: what ``blocks`` come to, where all of them are of our own binding; None: unknown. ``on_end`` is called
    once, when the answer was sent, or broken off.
    """

    message: Any
    blocks: Iterable[Version]
    older: bool = False
    measure: Measure | None = None
    compressed: bool = False
    on_end: Callable[[Sent], None] = lambda _: None
    sent: Sent = field(default_factory=Sent)
    _written_around: tuple[bytes, bytes] | None = None

    @property
    def version(self) -> str:
        return str(self.message.version)

    @property
    def length(self) -> int | None:
        """The bytes of the body; None where they can't be told beforehand."""
        if self.measure is None or self.compressed:
            return None
        head, tail = self._envelope()
        older = len(_OLDER) - len(_NEWER) if self.older else 0
        frame = sum(map(len, _frame(self.version, STIX_111 if self.older else STIX_BINDING, None))) + _LABEL
        return len(head) + len(tail) + self.measure.bytes + self.measure.blocks * (frame + older)

    def __iter__(self) -> Iterator[bytes]:
        for piece in _squeezed(self._written()) if self.compressed else self._written():
            self.sent.bytes += len(piece)
            yield piece
        self.sent.whole = True

    def close(self) -> None:
        """Called by the WSGI server when it is done, however the answer ended (PEP 3333)."""
        done, self.on_end = self.on_end, lambda _: None
        done(self.sent)

    def _written(self) -> Iterator[bytes]:
        head, tail = self._envelope()
        parts, size = [head], len(head)
        for one in self.blocks:
            content, binding = (one.content, one.binding) if not self.older else as_older(one)
            before, after, end = _frame(self.version, binding, one.message)
            label = one.label.isoformat(timespec="microseconds").encode()
            parts += (before, content, after, label, end)
            size += len(content)
            self.sent.blocks += 1
            self.sent.indicators += one.indicators
            if size >= PIECE:
                yield b"".join(parts)
                parts, size = [], 0
        parts.append(tail)
        yield b"".join(parts)

    def _envelope(self) -> tuple[bytes, bytes]:
        """What stands before the blocks, and after them. The element always has a child, its end label."""
        if self._written_around is None:
            text: bytes = self.message.to_xml()
            at = text.rindex(b"</")
            self._written_around = text[:at], text[at:]
        return self._written_around


@lru_cache
def _frame(version: str, binding: str, message: str | None) -> tuple[bytes, bytes, bytes]:
    """What stands before a block's content, between it and its label, and after that."""
    if version != VID_TAXII_XML_11:
        return (
            b"<taxii:Content_Block><taxii:Content_Binding>%s</taxii:Content_Binding><taxii:Content>"
            % _escaped(binding),
            b"</taxii:Content><taxii:Timestamp_Label>",
            b"</taxii:Timestamp_Label></taxii:Content_Block>",
        )
    said = b"<taxii_11:Message>%s</taxii_11:Message>" % _escaped(message) if message else b""
    return (
        b'<taxii_11:Content_Block><taxii_11:Content_Binding binding_id="%s"/><taxii_11:Content>' % _escaped(binding),
        b"</taxii_11:Content><taxii_11:Timestamp_Label>",
        b"</taxii_11:Timestamp_Label>%s</taxii_11:Content_Block>" % said,
    )


def as_older(one: Version) -> tuple[bytes, str]:
    """The package as STIX 1.1.1: ours differ in the version of the root element only, which stands first."""
    if one.binding != STIX_BINDING:
        return one.content, one.binding
    return one.content.replace(_NEWER, _OLDER, 1), STIX_111


def _squeezed(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Gzip (RFC 1952), at a level that costs little: what is sent was made of few words."""
    press = zlib.compressobj(level=1, wbits=zlib.MAX_WBITS | 16)
    for piece in pieces:
        if out := press.compress(piece):
            yield out
    yield press.flush()


def _escaped(text: str) -> bytes:
    for sign, written in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ('"', "&quot;")):
        text = text.replace(sign, written)
    return text.encode()
