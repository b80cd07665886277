"""Tables: CSV with or without a header, in the delimiters and encodings that table programs write; OTX's own export."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import BinaryIO

from pulsegate.model.indicator import RawIndicator
from pulsegate.reports.fields import expiration, guess, named_type, original, tlp
from pulsegate.reports.reading import Entry, Proposed, refusal
from pulsegate.reports.streams import lines
from pulsegate.values.text import clean_line, clean_text

DELIMITERS = ",;\t"
_COLUMNS = {
    "type": ("type", "indicatortype", "ioctype", "valuetype", "kind"),
    "value": ("value", "indicator", "ioc", "iocvalue", "indicatorvalue", "observable"),
    "title": ("title", "name"),
    "description": ("description", "desc", "comment", "comments", "note", "notes"),
    "tlp": ("tlp", "tlplevel", "marking"),
    "expires": ("expires", "expiration", "expirationdate", "expiry", "expirydate", "validuntil", "validto"),
    "role": ("role",),
    "content": ("content", "rule"),
}
_NAMES = {synonym: column for column, synonyms in _COLUMNS.items() for synonym in synonyms}
_ORDER = ("title", "description", "tlp", "expires", "role")  # of what comes after type and value without a header
Row = Mapping[str, str]


def entries(stream: BinaryIO) -> Iterator[Entry]:
    """The rows, in any order of columns; unknown columns are passed over. ReportError comes before the first one."""
    found = lines(stream)
    first = next(found, "")
    while first and not first.strip():
        first = next(found, "")
    header: Sequence[str] | None = None
    for number, cells in _rows(chain((first,), found), delimiter(first)):
        if isinstance(cells, str):
            yield refusal(f"line {number}", "", cells)
        elif not any(cell.strip() for cell in cells) or cells[0].lstrip().startswith("#"):
            continue
        elif header is None and is_header(cells):
            header = [_column(cell) for cell in cells]
        else:
            yield _entry(_named(cells, header or ()), f"line {number}")


def delimiter(line: str) -> str:
    """The delimiter of the table, by its first line."""
    return max(DELIMITERS, key=line.count)


def is_header(cells: Sequence[str]) -> bool:
    """Whether the cells are names of columns, one of them that of the value."""
    return "value" in [_column(cell) for cell in cells]


def has_type(cells: Sequence[str]) -> bool:
    """Whether one of the first two cells names a type, as in a table without a header."""
    return any(_is_type(cell) for cell in cells[:2])


def _column(cell: str) -> str:
    return _NAMES.get(re.sub(r"[\W_]", "", cell[:60]).lower(), "")


def _rows(text: Iterator[str], separator: str) -> Iterator[tuple[int, list[str] | str]]:
    """The number of the line where each row ends, and its cells, or why there are none."""
    reader = csv.reader(text, delimiter=separator, skipinitialspace=True)
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield reader.line_num, f"not a row of a table: {error}"
        else:
            yield reader.line_num, cells


def _named(cells: Sequence[str], header: Sequence[str]) -> Row:
    """The cells by their columns; of two columns for one thing the first that says something."""
    row: dict[str, str] = {}
    for name, cell in zip(header or _guessed_header(cells), cells, strict=False):
        if name and not row.get(name):
            row[name] = original(cell)
    return row


def _guessed_header(cells: Sequence[str]) -> Sequence[str]:
    """Type and value, or value and type, or the value alone; then the others in their order."""
    if len(cells) > 1 and _is_type(cells[0]):
        return ("type", "value", *_ORDER)
    return ("value", "type", *_ORDER) if len(cells) > 1 and _is_type(cells[1]) else ("value", *_ORDER)


def _is_type(cell: str) -> bool:
    try:
        return named_type(cell) is not None
    except ValueError:
        return False


def _entry(row: Row, where: str) -> Entry:
    value = row.get("value", "")
    rule = row.get("content", "")
    try:
        kind = named_type(row.get("type", "")) or guess(value)[0]
        indicator = RawIndicator(
            kind.value,
            value,
            expiration=expiration(row.get("expires", "")),
            role=clean_line(row.get("role", "")),
            title=clean_text(row.get("title", "")),
            description=clean_text(row.get("description", "")),
            content=rule,
        )
        level = tlp(row.get("tlp", ""))
    except ValueError as error:
        return refusal(where, value, str(error))
    return Proposed(indicator, level, where)
