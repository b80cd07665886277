"""Pulses in files: pages of the API, lists of pulses or of pages, single pulses, JSON lines; plain or gzip."""

from __future__ import annotations

import codecs
import gzip
import io
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

from pulsegate.errors import PulseFormatError
from pulsegate.otx.jsonstream import JSONStream

EXPECTED = "Expected pulses as OTX's API gives them: a page with results, a list of pulses, or one pulse a line"
_GZIP = b"\x1f\x8b"
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_ROWS = ("results", "pulses")  # the members of a page that hold its pulses
_MARKS = frozenset({"id", "_id", "pulse_id", "name", "indicators"})  # a pulse has one of these at the very least


def documents(path: Path) -> Iterator[object]:
    """The pulses in the file at ``path``, undecided (for ``read_pulse``), one at a time in constant memory.

    A file is gzip when its bytes say so, whatever its name; its text is UTF-8 (with or without a byte order mark) or
    UTF-16 with one. PulseFormatError names the file: it can't be read, is empty, cut, not JSON, or holds no pulses.
    Pulses before the fault have been given by then.
    """
    try:
        with path.open("rb") as file:
            yield from _from_bytes(file)
    except UnicodeDecodeError as error:
        raise _fault(path, "is not UTF-8 text") from error
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise _fault(path, "is a damaged or incomplete gzip file") from error
    except OSError as error:
        raise _fault(path, f"can't be read: {error.strerror or error}") from error
    except RecursionError as error:
        raise _fault(path, "is nested too deep") from error
    except _NoPulsesError as error:
        raise _fault(path, str(error)) from error
    except ValueError as error:
        raise _fault(path, f"is not JSON: {error}") from error


class _NoPulsesError(ValueError):
    """JSON that holds something else."""


def _fault(path: Path, message: str) -> PulseFormatError:
    return PulseFormatError(message, resource=str(path), hint=EXPECTED)


def _from_bytes(file: BinaryIO) -> Iterator[object]:
    buffered = cast("io.BufferedReader", file)
    if buffered.peek(2)[:2] == _GZIP:
        with gzip.open(buffered) as unpacked:
            yield from _from_text(cast("io.BufferedReader", unpacked))
    else:
        yield from _from_text(buffered)


def _from_text(file: io.BufferedReader) -> Iterator[object]:
    encoding = "utf-16" if file.peek(2)[:2] in _UTF16 else "utf-8-sig"
    text = io.TextIOWrapper(file, encoding=encoding)
    try:
        stream = JSONStream(text.read)
        if not stream.peek():
            raise _NoPulsesError("is empty")
        while start := stream.peek():
            yield from _from_value(stream, start)
    finally:
        text.detach()  # its owner closes the file


def _from_value(stream: JSONStream, start: str, *, in_list: bool = False) -> Iterator[object]:
    """The pulses of one top-level value, or of one element of a list. Within a list a fault concerns one pulse only."""
    if start == "[":
        for _ in stream.elements():
            yield from _from_value(stream, stream.peek(), in_list=True)
    elif start == "{":
        yield from _from_object(stream, in_list=in_list)
    elif in_list:
        yield stream.value()
    else:
        raise _NoPulsesError(f"holds a bare value ({str(stream.value())[:40]!r}) where a pulse belongs")


def _from_object(stream: JSONStream, *, in_list: bool) -> Iterator[object]:
    """The pulses of a page, as they come; or the object itself when it looks like a pulse."""
    pulse: dict[str, object] = {}
    is_page = False
    for key in stream.members():
        if key in _ROWS and stream.peek() == "[":
            is_page = True
            for _ in stream.elements():
                yield stream.value()
        else:
            pulse[key] = stream.value()
    if is_page:
        return
    if not in_list and not _MARKS & pulse.keys():
        raise _NoPulsesError(f"holds an object without pulses (its fields: {', '.join(list(pulse)[:5]) or 'none'})")
    yield pulse
