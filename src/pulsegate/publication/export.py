"""What a full poll of a collection would give, as a file: a table, plain values, STIX, JSON lines. Streamed.

As STIX it is one package that holds each block's package as a related one, since each has a header of its own: title,
source, TLP. The marking of such a package, which means the whole document where it stands alone, is made to mean that
package only.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import fields
from datetime import UTC, datetime
from itertools import chain
from types import MappingProxyType

import structlog
from lxml import etree

from pulsegate.errors import ConversionError
from pulsegate.model.collection import CollectionKind
from pulsegate.model.indicator import Rejection
from pulsegate.publication.forms import ExportFormat
from pulsegate.publication.pushed import packages, taken_apart
from pulsegate.reports import Proposed
from pulsegate.reports.fields import harmless
from pulsegate.stix import check, names
from pulsegate.stix.schema import ROOT, parse
from pulsegate.store import held
from pulsegate.store.collections import StoredCollection
from pulsegate.store.database import Database, now
from pulsegate.store.digests import storable
from pulsegate.store.held import Held
from pulsegate.store.versions import Version
from pulsegate.values.normalise import normalise

log = structlog.get_logger(__name__)

COLUMNS = ("type", "value", "pulse", "author", "since", "expires", "tlp")
_STIX = names.NAMESPACES["stix"]
_MARKING = names.NAMESPACES["marking"]
_EVERYTHING = ("//node() | //@*", "//node()|//@*", "//node()")
_PACKAGE_ONLY = "../../../../descendant-or-self::node() | ../../../../descendant-or-self::node()/@*"
_GAP = b"<stix:Related_Package/>"


def export(database: Database, stored: StoredCollection, form: ExportFormat) -> Iterator[bytes]:
    """The file, in pieces. OutdatedRevisionError: it took longer than what was superseded is kept."""
    return _WRITERS[form](database, stored)


def _rows(database: Database, stored: StoredCollection) -> Iterator[Held]:
    if stored.collection.kind is CollectionKind.INBOX:
        yield from _pushed(database, stored)
        return
    with database.read() as connection:
        yield from held.rows(connection, stored.id)


def _pushed(database: Database, stored: StoredCollection) -> Iterator[Held]:
    """The values of the packages of an inbox, whose senders have no pulses; what is no value is left out."""
    for block in packages(database, stored):
        for one in taken_apart(block):
            found = normalise(one.indicator) if isinstance(one, Proposed) else None
            if not isinstance(one, Proposed) or found is None or isinstance(found, Rejection):
                continue
            raw, level = found.raw, one.tlp.value if one.tlp else ""
            since, end = block.label, raw.expiration
            yield Held(
                found.type.value, found.value, "", "", since, end, level, raw.title, raw.description, raw.content
            )


def _csv(database: Database, stored: StoredCollection) -> Iterator[bytes]:
    yield _line(COLUMNS)
    for one in _rows(database, stored):
        cells = (one.type, one.value, one.pulse, one.author, _instant(one.since), _instant(one.expires), one.tlp)
        yield _line(harmless(cell) for cell in cells)


def _line(cells: Iterable[str]) -> bytes:
    out = io.StringIO()
    csv.writer(out).writerow([storable(cell) for cell in cells])
    return out.getvalue().encode()


def _text(database: Database, stored: StoredCollection) -> Iterator[bytes]:
    """Each value once, of an inbox as often as it was pushed; one with a line break in it is none of a list."""
    if stored.collection.kind is CollectionKind.INBOX:
        yield from (f"{one.value}\n".encode() for one in _pushed(database, stored) if "\n" not in one.value)
        return
    with database.read() as connection:
        yield from (f"{one}\n".encode() for one in held.values(connection, stored.id) if "\n" not in one)


def _jsonl(database: Database, stored: StoredCollection) -> Iterator[bytes]:
    for one in _rows(database, stored):
        row = {field.name: getattr(one, field.name) for field in fields(Held)}
        row |= {"since": _instant(one.since), "expires": _instant(one.expires) or None}
        yield storable(json.dumps(row, ensure_ascii=False) + "\n").encode()


def _instant(moment: datetime | None) -> str:
    if moment is None:
        return ""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _stix(database: Database, stored: StoredCollection) -> Iterator[bytes]:
    with database.read() as connection:
        moment = now(connection)
    is_ours = stored.collection.kind is not CollectionKind.INBOX
    found = (_within(block) if is_ours else _foreign(block) for block in packages(database, stored))
    there = (one for one in found if one is not None)
    first = next(there, None)
    before, after = _around(stored.collection.name, moment, empty=first is None)
    yield before
    for one in chain(() if first is None else (first,), there):
        yield b"<stix:Related_Package>" + one + b"</stix:Related_Package>\n"
    yield after


def _around(name: str, moment: datetime, *, empty: bool) -> tuple[bytes, bytes]:
    """What stands before and after the packages."""
    spaces = {prefix: names.NAMESPACES[prefix] for prefix in ("stix", names.PREFIX)}
    root = etree.Element(f"{{{_STIX}}}STIX_Package", nsmap=spaces)
    root.set("id", names.name("package", names.key("export", name, moment.isoformat())))
    root.set("version", "1.2")
    root.set("timestamp", moment.isoformat())
    header = etree.SubElement(root, f"{{{_STIX}}}STIX_Header")
    etree.SubElement(header, f"{{{_STIX}}}Title").text = f"Collection {name}"
    if not empty:
        etree.SubElement(etree.SubElement(root, f"{{{_STIX}}}Related_Packages"), f"{{{_STIX}}}Related_Package")
    before, _, after = etree.tostring(root, encoding="UTF-8", xml_declaration=True).partition(_GAP)
    return before, after + b"\n"


def _within(block: Version) -> bytes:
    """One of our own packages as it stands in another one: nothing is parsed, only its root's name is changed."""
    opening, closing = b"<stix:STIX_Package ", b"</stix:STIX_Package>"
    content = block.content.strip()
    assert content.startswith(opening)
    assert content.endswith(closing)
    inner = b"<stix:Package " + content[len(opening) : -len(closing)] + b"</stix:Package>"
    reach = "<marking:Controlled_Structure>{}</marking:Controlled_Structure>"
    return inner.replace(reach.format(_EVERYTHING[0]).encode(), reach.format(_PACKAGE_ONLY).encode(), 1)


def _foreign(block: Version) -> bytes | None:
    """A package that somebody pushed, as it stands in another one; None where STIX 1.2 can't be made of it."""
    root = parse(block.content)
    root.set("version", "1.2")
    try:
        check(etree.tostring(root))
    except ConversionError as error:
        log.warning("export.block_left_out", block=block.id, reason=error.message)
        return None
    root.tag = ROOT.replace("STIX_Package", "Package")
    for one in root.iterfind(f"{{{_STIX}}}STIX_Header//{{{_MARKING}}}Controlled_Structure"):
        if (one.text or "").strip() in _EVERYTHING:
            one.text = _PACKAGE_ONLY
    found: bytes = etree.tostring(root, encoding="utf-8", xml_declaration=False)
    return found


_WRITERS: Mapping[ExportFormat, Callable[[Database, StoredCollection], Iterator[bytes]]] = MappingProxyType(
    {ExportFormat.CSV: _csv, ExportFormat.TEXT: _text, ExportFormat.STIX: _stix, ExportFormat.JSONL: _jsonl}
)
