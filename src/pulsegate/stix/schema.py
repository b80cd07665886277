"""The STIX schemas, compiled once for each version: nothing is stored that they do not take."""

from __future__ import annotations

from functools import lru_cache
from threading import Lock
from typing import Literal

from lxml import etree
from sdv.validators.stix.schema import STIXSchemaValidator, _XmlSchemaValidator

from pulsegate.errors import ConversionError

Version = Literal["1.2", "1.1.1"]

MAX_BYTES = 16_000_000

_XS = "{http://www.w3.org/2001/XMLSchema}"
ROOT = "{http://stix.mitre.org/stix-1}STIX_Package"
_compiling = Lock()
# An XMLSchema has one error log, which two threads must not share.
_validating = Lock()


def check(xml: bytes, version: Version = "1.2") -> None:
    """Raise ConversionError unless ``xml`` is a well-formed STIX_Package, valid against the schemas of ``version``.

    The message is the first thing that is wrong. Entities are not resolved, nothing is fetched, and a document
    of more than ``MAX_BYTES`` is refused unread.
    """
    root = parse(xml)
    if root.tag != ROOT:
        raise ConversionError(f"the root is {root.tag}, not a STIX_Package")
    if root.get("version") != version:
        raise ConversionError(f"the package says version {root.get('version')}, not {version}")
    validate(root, version)


def validate(root: etree._Element, version: Version) -> None:
    """Raise ConversionError unless the document of ``root`` is valid against the schemas of ``version``."""
    schema = _schema(version)
    with _validating:
        if schema.validate(root):
            return
        first = schema.error_log[0]
        raise ConversionError(f"not valid STIX {version}, line {first.line}: {first.message}")


def parse(xml: bytes) -> etree._Element:
    """The root of a well-formed document within bounds; ConversionError otherwise. Nothing is resolved or fetched."""
    if len(xml) > MAX_BYTES:
        raise ConversionError(f"the package has {len(xml)} bytes, more than {MAX_BYTES}")
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        root = etree.fromstring(xml, parser)
    except etree.XMLSyntaxError as error:
        raise ConversionError(f"not well-formed: {error.msg}") from error
    if root.getroottree().docinfo.doctype:
        raise ConversionError("a package has no document type declaration")
    return root


def _schema(version: Version) -> etree.XMLSchema:
    with _compiling:
        return _compile(version)


@lru_cache
def _compile(version: Version) -> etree.XMLSchema:
    """One schema that imports every schema of ``version`` in the stix-validator package; about 0.1 s."""
    # The validator has no public way to keep its schema: it builds one for each document.
    locations = _XmlSchemaValidator(STIXSchemaValidator._SCHEMAS[version])._schemalocs  # noqa: SLF001
    schema = etree.Element(f"{_XS}schema", targetNamespace="urn:pulsegate:schemas")
    for namespace, location in sorted((ns, loc) for ns, loc in locations.items() if ns):
        etree.SubElement(schema, f"{_XS}import", namespace=namespace, schemaLocation=location)
    return etree.XMLSchema(schema)
