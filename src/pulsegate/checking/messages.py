"""The requests of TAXII 1.1 that a poll needs (TAXII XML Message Binding 1.1), and what goes with them over HTTP."""

from __future__ import annotations

import secrets
from datetime import datetime

from lxml import etree

from pulsegate.checking.windows import Window

NAMESPACE = "http://taxii.mitre.org/messages/taxii_xml_binding-1.1"
XML_BINDING = "urn:taxii.mitre.org:message:xml:1.1"
STIX_BINDINGS = {"1.1.1": "urn:stix.mitre.org:xml:1.1.1", "1.2": "urn:stix.mitre.org:xml:1.2"}  # what it reads
_SERVICES = "urn:taxii.mitre.org:services:1.1"
_PROTOCOL = "urn:taxii.mitre.org:protocol:{}:1.0"


def headers(address: str) -> dict[str, str]:
    """What stands above each request (TAXII HTTP Protocol Binding 1.0, section 3), as Cabby writes it."""
    return {
        "Accept": "application/xml",
        "Content-Type": "application/xml",
        "User-Agent": "Pulsegate check",
        "X-TAXII-Accept": XML_BINDING,
        "X-TAXII-Content-Type": XML_BINDING,
        "X-TAXII-Protocol": _PROTOCOL.format("https" if address.startswith("https:") else "http"),
        "X-TAXII-Services": _SERVICES,
    }


def poll(collection: str, window: Window, *, binding: str | None = None) -> bytes:
    """A Poll_Request for all of the window; ``binding``: the only content that is wanted."""
    message = _message("Poll_Request", collection_name=collection)
    _add(message, "Exclusive_Begin_Timestamp", _label(window.begin))
    if window.end is not None:
        _add(message, "Inclusive_End_Timestamp", _label(window.end))
    parameters = etree.SubElement(message, _name("Poll_Parameters"), allow_asynch="false")
    _add(parameters, "Response_Type", "FULL")
    if binding is not None:
        etree.SubElement(parameters, _name("Content_Binding"), binding_id=binding)
    return _bytes(message)


def fulfilment(collection: str, result_id: str, part: int) -> bytes:
    """A Poll_Fulfillment for one more part of a result."""
    return _bytes(
        _message("Poll_Fulfillment", collection_name=collection, result_id=result_id, result_part_number=str(part))
    )


def discovery() -> bytes:
    return _bytes(_message("Discovery_Request"))


def collections() -> bytes:
    return _bytes(_message("Collection_Information_Request"))


def _message(name: str, **attributes: str) -> etree._Element:
    identity = {"message_id": str(secrets.randbelow(10**18))}
    return etree.Element(_name(name), identity | attributes, nsmap={"taxii_11": NAMESPACE})


def _name(local: str) -> str:
    return f"{{{NAMESPACE}}}{local}"


def _add(parent: etree._Element, name: str, text: str) -> None:
    etree.SubElement(parent, _name(name)).text = text


def _label(moment: datetime) -> str:
    return moment.isoformat(timespec="microseconds")


def _bytes(message: etree._Element) -> bytes:
    return bytes(etree.tostring(message))  # ASCII without a declaration, which a stock OpenTAXII refuses
