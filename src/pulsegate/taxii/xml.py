"""A look at the XML of a request before OpenTAXII parses it: nothing in it may cost more than it is long."""

from __future__ import annotations

import codecs
import re
from typing import NoReturn
from xml.parsers import expat

from opentaxii.taxii.exceptions import BadMessageStatus

MAX_DEPTH = 200
MAX_ATTRIBUTES = 256  # of one element, declarations of namespaces included
MAX_NAMES = 2000  # lxml keeps each name that it has seen for as long as the thread lives
_ENCODINGS = {"utf-8", "utf-16", "us-ascii", "iso-8859-1"}  # those that every parser reads alike


def check(body: bytes) -> None:
    """Raise BadMessageStatus for what is not well-formed, has a DTD, nests too deep, or has too much of something."""
    parser = expat.ParserCreate()
    depth = 0
    names: set[str] = set()

    def start(name: str, attributes: list[str]) -> None:
        nonlocal depth
        depth += 1
        names.add(name)
        names.update(attributes[::2])
        if len(names) > MAX_NAMES:
            _refuse(f"it has more than {MAX_NAMES} different names of elements and attributes")
        if depth > MAX_DEPTH:
            _refuse(f"it nests deeper than {MAX_DEPTH} elements")
        if len(attributes) > 2 * MAX_ATTRIBUTES:
            _refuse(f"an element has more than {MAX_ATTRIBUTES} attributes")

    def end(_name: str) -> None:
        nonlocal depth
        depth -= 1

    parser.ordered_attributes = True
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.StartDoctypeDeclHandler = _on_doctype
    parser.XmlDeclHandler = _on_declaration
    try:
        parser.Parse(body, True)
    except expat.ExpatError as error:
        raise BadMessageStatus(f"Request was invalid XML: {error}") from error


def plain(body: bytes) -> bytes:
    """The same document in UTF-8 without an XML declaration; for one that ``check`` has let pass.

    libtaxii reads every message as UTF-8, and one that declares its encoding between single quotes not at all.
    """
    encoding = next((name for start, name in _STARTS if body.startswith(start)), None)
    if encoding is None:
        found = _DECLARATION.match(body)
        if found is None:
            return body
        encoding = (found[1] or b"utf-8").decode().lower()
        if encoding not in _ENCODINGS:  # a codec of Python's that no parser of XML knows
            _refuse(f"its encoding is none of {', '.join(sorted(_ENCODINGS))}")
    text = body.decode(encoding).removeprefix("\ufeff")
    return _DECLARATION.sub(b"", text.encode(), count=1)


# At the very beginning, and with white space after its name: what comes later, or is named otherwise, is content.
_DECLARATION = re.compile(rb"""\A<\?xml\s(?:[^>]*?\sencoding\s*=\s*["']([A-Za-z0-9._-]+)["'])?[^>]*\?>\s*""")
_STARTS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
    (b"<\0", "utf-16-le"),
    (b"\0<", "utf-16-be"),
)


def _refuse(reason: str) -> NoReturn:
    raise BadMessageStatus(f"Request was refused: {reason}")


def _on_doctype(*_: object) -> None:
    _refuse("it has a document type declaration (DTD), which no TAXII message needs")


def _on_declaration(_version: str, encoding: str | None, _standalone: int) -> None:
    if encoding is not None and encoding.lower() not in _ENCODINGS:
        _refuse(f"its encoding is none of {', '.join(sorted(_ENCODINGS))}")
