"""Packages that others send: cut out of their message, checked like our own, and otherwise left as they were sent."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from lxml import etree

from pulsegate.errors import ContentError, ConversionError, UnsupportedContentError
from pulsegate.stix import schema
from pulsegate.stix.schema import Version

VERSIONS: tuple[Version, ...] = ("1.1.1", "1.2")
"""The versions that are taken, and whose schemas are checked."""

# A reader that bounds the depth at libxml2's 256 must still be able to read a package within a TAXII message.
MAX_DEPTH = 100

_INDICATOR = "{http://stix.mitre.org/stix-1}Indicator"


@dataclass(frozen=True, slots=True)
class Package:
    """A valid STIX_Package in UTF-8, without an XML declaration, and the number of indicators in it."""

    content: bytes
    version: Version
    indicators: int


def receive(element: etree._Element, max_bytes: int) -> Package:
    """The package whose root is ``element`` of a larger message, checked.

    ContentError says what is wrong with it; UnsupportedContentError, that it is STIX of a version that is not taken.
    """
    return examine(cut_out(element), max_bytes)


def receive_content(node: object, max_bytes: int) -> Package:
    """The one element that is the content of a block of a TAXII message, as libtaxii gives it; raises as ``receive``.

    libtaxii turns text that looks like XML into an element of no message, and takes the first of several nodes.
    """
    around = node.getparent() if isinstance(node, etree._Element) else None  # noqa: SLF001
    if not isinstance(node, etree._Element) or around is None:  # noqa: SLF001
        raise ContentError("its content is text (escaped XML, or CDATA); send the STIX_Package as an element")
    if node.getroottree().docinfo.doctype:
        raise ContentError("the message has a document type declaration; send it without, and without entities")
    elements = [one for one in around if isinstance(one.tag, str)]
    if len(elements) != 1 or len(around) != 1 or (around.text or "").strip() or (node.tail or "").strip():
        raise ContentError("its content is more than one element; send one STIX_Package in each block")
    return receive(node, max_bytes)


def cut_out(element: etree._Element) -> bytes:
    """``element`` as a document of its own, in UTF-8, with the namespaces that it takes from the elements around it.

    What those declare and the element doesn't use is left away, so that the canonical form is that of the document
    that was put into the message. A prefix also counts as used where it may be one of a QName: before a colon in an
    attribute or a text (``xsi:type``, ids).
    """
    raw: bytes = etree.tostring(element, encoding="utf-8", xml_declaration=False, with_tail=False)
    around = element.getparent()
    outer = {} if around is None else around.nsmap
    end = raw.index(b">")
    opening, rest = raw[:end], raw[end:]
    for prefix, namespace in outer.items():
        if element.nsmap.get(prefix) == namespace and not _uses(element, raw, prefix):
            opening = _without(opening, prefix)
    return opening + rest


def _uses(element: etree._Element, raw: bytes, prefix: str | None) -> bool:
    if prefix is None:
        return any(one.prefix is None for one in element.iter(etree.Element))
    return re.search(rb"(?<![\w.\-])" + re.escape(prefix.encode()) + rb":", raw) is not None


def _without(opening: bytes, prefix: str | None) -> bytes:
    """The start tag without the declaration of ``prefix``; declarations come before the attributes in it."""
    name = b"xmlns" if prefix is None else b"xmlns:" + re.escape(prefix.encode())
    return re.sub(rb"\s" + name + rb"=(\"[^\"]*\"|'[^']*')", b"", opening, count=1)


def examine(xml: bytes, max_bytes: int) -> Package:
    """The checks: size, form, depth, no processing instruction, root, version, schema. Raises as ``receive`` does."""
    if len(xml) > max_bytes:
        raise ContentError(f"it has {len(xml)} bytes, more than the {max_bytes} that are taken")
    try:
        root = schema.parse(xml)
        _check_nodes(root)
        version = _version(root)
        schema.validate(root, version)
    except ConversionError as error:
        raise ContentError(error.message) from error
    return Package(xml, version, sum(1 for _ in root.iter(_INDICATOR)))


def _check_nodes(root: etree._Element) -> None:
    if next(root.iter(etree.ProcessingInstruction), None) is not None:
        raise ContentError("it holds a processing instruction; a package has none")
    if any(depth > MAX_DEPTH for depth in _depths(root)):
        raise ContentError(f"its elements are nested more than {MAX_DEPTH} deep")


def _depths(root: etree._Element) -> Iterator[int]:
    depth = 0
    for event, _ in etree.iterwalk(root, events=("start", "end")):
        depth += 1 if event == "start" else -1
        yield depth


def _version(root: etree._Element) -> Version:
    if root.tag != schema.ROOT:
        raise ContentError(f"its root is {root.tag}, not a STIX_Package of STIX 1.x ({schema.ROOT})")
    said = root.get("version")
    for version in VERSIONS:
        if said == version:
            return version
    raise UnsupportedContentError(f"it is a package of STIX version {said}; {' and '.join(VERSIONS)} are taken")
