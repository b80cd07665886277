"""Which reader takes a file: as it is told, or by what the file begins with."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import BinaryIO

from pulsegate.reports import misp, stix, table, text
from pulsegate.reports.reading import Entry, Reading
from pulsegate.reports.streams import head

_JSON = re.compile(r"\{|\[\s*[\{\]]")


class Format(StrEnum):
    """The formats that are read. ``auto``: found out."""

    AUTO = "auto"
    TEXT = "text"
    CSV = "csv"
    STIX = "stix"
    MISP = "misp"


READERS: Mapping[Format, Callable[[BinaryIO], Iterator[Entry]]] = MappingProxyType(
    {Format.TEXT: text.entries, Format.CSV: table.entries, Format.STIX: stix.entries, Format.MISP: misp.entries}
)


def entries(stream: BinaryIO, form: Format = Format.AUTO) -> Iterator[Entry]:
    """What the file holds, in its order, read as it is asked for. ``stream`` must be one that can be sought in.

    ReportError comes before the first entry: with a file that can't be read as a whole nothing is begun.
    """
    beginning = head(stream)
    return READERS[detect(beginning) if form is Format.AUTO else form](stream)


def read(data: bytes, form: Format = Format.AUTO) -> Reading:
    """All of a file that is in memory."""
    return Reading.of(entries(io.BytesIO(data), form))


def detect(beginning: str) -> Format:
    """The format of a file that begins so."""
    stripped = beginning.lstrip("\ufeff \t\r\n")
    if stripped.startswith("<"):
        return Format.STIX
    if _JSON.match(stripped):
        return Format.MISP
    rows = [line for line in stripped.splitlines()[:1] if not line.startswith("#")]
    return Format.CSV if any(_is_table(row) for row in rows) else Format.TEXT


def _is_table(line: str) -> bool:
    """Whether the line is a header, or a row with a type in one of its first two cells."""
    try:
        cells = next(csv.reader([line], delimiter=table.delimiter(line), skipinitialspace=True), [])
    except csv.Error:
        return False
    return table.is_header(cells) or (len(cells) > 1 and table.has_type(cells))
