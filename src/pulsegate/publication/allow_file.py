"""The allow list as a file: a table with everything, or a text with an entry a line; each read as it was written."""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from pulsegate.curation.allow_list import KINDS, entries_of
from pulsegate.curation.entry_file import lines_of
from pulsegate.errors import ReportError
from pulsegate.model.decisions import LONGEST_REASON, Allowed
from pulsegate.reports.fields import expiration, harmless, original
from pulsegate.store.digests import storable
from pulsegate.values.text import clean_line

COLUMNS = ("kind", "text", "reason", "expires", "account", "since")
LONGEST_ACCOUNT = 256
_TOLD = 20  # faults that an error tells


class AllowFormat(StrEnum):
    """How a file is read."""

    AUTO = "auto"
    TEXT = "text"
    CSV = "csv"


class AllowExport(StrEnum):
    """How a file is written."""

    CSV = "csv"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class Told:
    """An entry of a file; None and an empty text: the file does not tell."""

    kind: str
    text: str
    reason: str = ""
    expires: datetime | None = None
    account: str = ""
    since: datetime | None = None


def read(text: str, form: AllowFormat, name: str) -> list[Told]:
    """The entries, each once: the last of two. ReportError names the lines of the file ``name`` that are wrong."""
    found, faults = sift(text, form, name)
    if faults:
        told = [f"line {number}: {fault}" for number, fault in faults[:_TOLD]]
        count = len(faults) - _TOLD
        more = [f"and {count} more"] if count > 0 else []
        raise ReportError("; ".join([*told, *more]), resource=name, hint="Nothing is stored")
    return found


def sift(text: str, form: AllowFormat, name: str, limit: int | None = None) -> tuple[list[Told], list[tuple[int, str]]]:
    """The entries, each once, and the lines that are wrong, each with its number and the reason.

    ReportError when the file as a whole can't be read, or has more than ``limit`` lines with entries.
    """
    is_table = form is AllowFormat.CSV or (form is AllowFormat.AUTO and _is_table(text))
    found: dict[tuple[str, str], Told] = {}
    faults: list[tuple[int, str]] = []
    for place, (number, one) in enumerate(_of_table(text, name) if is_table else _of_text(text)):
        if limit is not None and place >= limit:
            raise ReportError(f"has more than {limit:,} entries", resource=name, hint="Use 'pulsegate allow import'")
        if isinstance(one, str):
            faults.append((number, one))
        else:
            found.update({(each.kind, each.text): each for each in one})
    return list(found.values()), faults


def as_csv(entries: Iterable[Allowed]) -> str:
    """A table with ``COLUMNS``. No table program takes a cell of it for a formula."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for one in entries:
        cells = (one.kind, one.text, one.reason, _written(one.expires), one.account, _written(one.since))
        writer.writerow([harmless(cell) for cell in cells])
    return storable(out.getvalue())


def as_text(entries: Collection[Allowed]) -> str:
    """An entry a line, the reasons as comments. ReportError for one that a text can't carry."""
    known = {(one.kind, one.text) for one in entries}
    lines = []
    for one in entries:
        line = f".{one.text}" if one.kind == "subtree" else one.text
        if not _comes_back(line, (one.kind, one.text), known):
            raise ReportError("can't be written as a line of text", resource=one.text, hint="Use --format csv")
        lines.append(f"{line}  # {one.reason}" if one.reason else line)
    return storable("".join(f"{line}\n" for line in lines))


def _written(moment: datetime | None) -> str:
    return "" if moment is None else moment.isoformat()


def _comes_back(line: str, entry: tuple[str, str], known: Collection[tuple[str, str]]) -> bool:
    """Whether the line is read as this entry and as none that is not there."""
    found = [(each.kind, each.text) for _, one in _of_text(line) if not isinstance(one, str) for each in one]
    return entry in found and all(one in known for one in found)


Lines = Iterator[tuple[int, list[Told] | str]]
"""Of each line its number, and its entries or what is wrong with it."""


def _of_text(text: str) -> Lines:
    for number, line in lines_of(text):
        try:
            yield number, [Told(kind.value, one) for kind, one in entries_of(line)]
        except ValueError as error:
            yield number, str(error)


def _is_table(text: str) -> bool:
    return {"kind", "text"} <= set(_header(text)[1])


def _header(text: str) -> tuple[str, list[str]]:
    """What parts the cells, and the names of the columns."""
    first = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=first.count)
    cells = next(csv.reader([first], delimiter=delimiter), [])
    return delimiter, [cell.strip().lower() for cell in cells]


def _of_table(text: str, name: str) -> Lines:
    delimiter, titles = _header(text)
    if "text" not in titles:
        raise ReportError(
            "has no column named text", resource=name, hint=f"Its first line names the columns: {','.join(COLUMNS)}"
        )
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    number = 1
    try:
        next(rows)
        number = rows.line_num + 1
        for row in rows:
            cells = {title: original(cell) for title, cell in zip(titles, row, strict=False)}
            if any(cell.strip() for cell in row):
                yield number, _of_row(cells)
            number = rows.line_num + 1
    except csv.Error as error:
        yield number, str(error)


def _of_row(cells: dict[str, str]) -> list[Told] | str:
    reason, account = clean_line(cells.get("reason", "")), clean_line(cells.get("account", ""))
    if len(account) > LONGEST_ACCOUNT or len(reason) > LONGEST_REASON:
        return f"an account has {LONGEST_ACCOUNT} characters at most, a reason {LONGEST_REASON:,}"
    try:
        expires, since = expiration(cells.get("expires", "")), expiration(cells.get("since", ""))
        found = _entries(cells.get("kind", "").strip().lower(), cells.get("text", "").strip())
    except ValueError as error:
        return str(error)
    return [Told(kind, text, reason, expires, account, since) for kind, text in found]


def _entries(kind: str, text: str) -> list[tuple[str, str]]:
    """As the row says; a text that is in normal form means that one entry. ValueError for what does not fit."""
    if kind not in ("", *(one.value for one in KINDS)):
        raise ValueError(f'"{kind[:40]}" is no kind; there are {", ".join(KINDS)}')
    found = [(one.value, each) for one, each in entries_of(text, subtree=kind == "subtree")]
    if kind and found[0][0] != kind:
        raise ValueError(f"{text!r} is of kind {found[0][0]}, not {kind}")
    return [(found[0][0], text)] if (found[0][0], text) in found else found
