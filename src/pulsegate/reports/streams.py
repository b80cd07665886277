"""Files as streams: bounds, and lines of text in whatever encoding table programs and editors write."""

from __future__ import annotations

import codecs
import io
from collections.abc import Iterator
from typing import BinaryIO

from pulsegate.errors import ReportError

MAX_BYTES = 512_000_000
MAX_JSON = 64_000_000  # read as a whole
MAX_ENTRIES = 2_000_000
MAX_LINE = 200_000  # characters; what is longer comes in pieces
HEAD = 65_536  # bytes by which a format is told
_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_FALLBACK = "pulsegate.windows"
_PIECE = 1 << 20


def _as_windows(error: UnicodeError) -> tuple[str, int]:
    """What is not UTF-8 is the code page of Western Windows, which Excel writes unless told otherwise."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return error.object[error.start : error.end].decode("cp1252", "replace"), error.end


codecs.register_error(_FALLBACK, _as_windows)


def size(stream: BinaryIO, most: int = MAX_BYTES) -> int:
    """Bytes in the file, which is at its beginning then. ReportError when they are more than ``most``."""
    length = stream.seek(0, io.SEEK_END)
    stream.seek(0)
    if length > most:
        raise ReportError(f"it has {length:,} bytes, more than the {most:,} that are read", hint="Split it")
    return length


def head(stream: BinaryIO) -> str:
    """The beginning of the file as text. ReportError when it is none."""
    stream.seek(0)
    raw = stream.read(HEAD)
    stream.seek(0)
    if raw.startswith(b"PK\x03\x04"):
        raise ReportError("it is a ZIP file or a workbook, not text", hint="Save it as CSV, or unpack it")
    encoding = _encoding(raw)
    if encoding != "utf-16" and b"\0" in raw:
        raise ReportError("it is a binary file, not text", hint="Save it as UTF-8")
    errors = "replace" if encoding == "utf-16" else _FALLBACK
    return codecs.getincrementaldecoder(encoding)(errors).decode(raw)


def _encoding(raw: bytes) -> str:
    return "utf-16" if raw.startswith(_UTF_16) else "utf-8-sig"


def lines(stream: BinaryIO) -> Iterator[str]:
    """The lines, each ended by LF. ReportError, before the first one, when the file is not within bounds."""
    size(stream)
    _count(stream)
    encoding = _encoding(stream.read(2))
    stream.seek(0)
    text = io.TextIOWrapper(stream, encoding, errors="replace" if encoding == "utf-16" else _FALLBACK)
    try:
        while line := text.readline(MAX_LINE):
            yield line
    finally:
        text.detach()  # else the wrapper closes the file


def _count(stream: BinaryIO) -> None:
    number = 0
    while piece := stream.read(_PIECE):
        number += piece.count(b"\n")
    stream.seek(0)
    if number > MAX_ENTRIES:
        raise too_many(number, "lines")


def too_many(number: int, what: str) -> ReportError:
    return ReportError(f"it has {number:,} {what}, more than the {MAX_ENTRIES:,} that are read", hint="Split it")
