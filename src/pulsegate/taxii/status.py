"""Status_Messages that can be written whatever a client has sent: what goes back of it is cleaned and bounded.

OpenTAXII's own breaks on control characters, on the details of a TAXII 1.0 message and on ids that are none in the
version that the client accepts (TAXII XML Message Binding, 1.1 section 3.6, 1.0 section 3.5).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import libtaxii.messages_10 as tm10
import libtaxii.messages_11 as tm11
from libtaxii.common import generate_message_id
from libtaxii.constants import VID_TAXII_XML_10, VID_TAXII_XML_11
from opentaxii.taxii.exceptions import StatusMessageException
from opentaxii.taxii.http import HTTP_X_TAXII_ACCEPT, HTTP_X_TAXII_CONTENT_TYPE, get_http_headers
from werkzeug.datastructures import Headers

MAX_TEXT = 2000  # characters of a message or detail; a schema's complaints about a large message have no end
NOTHING_KNOWN = "0"  # the id that is answered when the request's could not be read
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # XML 1.0, section 2.2


def write_status(error: StatusMessageException, sent: Headers, is_secure: bool) -> tuple[bytes, Any]:
    """The XML and the HTTP headers of the Status_Message for ``error``, in the version that the client accepts."""
    version = _version(sent)
    message = _message_10(error) if version == VID_TAXII_XML_10 else _message_11(error)
    return message.to_xml(pretty_print=True), get_http_headers(version, is_secure)


def _version(sent: Headers) -> str:
    """What the client accepts, else what it sent, else 1.1."""
    for name in (HTTP_X_TAXII_ACCEPT, HTTP_X_TAXII_CONTENT_TYPE):
        if sent.get(name) in (VID_TAXII_XML_10, VID_TAXII_XML_11):
            return str(sent[name])
    return str(VID_TAXII_XML_11)


def _message_11(error: StatusMessageException) -> Any:
    details = error.status_details or {}
    if not isinstance(details, Mapping):
        details = {"ITEM": details}
    return tm11.StatusMessage(
        message_id=generate_message_id(),
        in_response_to=_id(error),
        status_type=error.status_type,
        status_detail={name: _clean(value) for name, value in details.items()},
        message=_clean(error.message),
    )


def _message_10(error: StatusMessageException) -> Any:
    """Ids of 1.0 are numbers, and its detail is one text."""
    given = _id(error)
    return tm10.StatusMessage(
        message_id=generate_message_id(),
        in_response_to=given if re.fullmatch("[0-9]+", given) else NOTHING_KNOWN,
        status_type=error.status_type,
        status_detail=_line(error.status_details),
        message=_clean(error.message),
    )


def _id(error: StatusMessageException) -> str:
    return str(error.in_response_to or NOTHING_KNOWN)


def _line(details: Any) -> str | None:
    """The details as one text: of several the values, between commas."""
    if not details:
        return None
    values = list(details.values()) if isinstance(details, Mapping) else [details]
    flat = [one for value in values for one in (value if isinstance(value, list) else [value])]
    return str(_clean(", ".join(map(str, flat))))


def _clean(value: Any) -> Any:
    """``value`` with what XML can't hold taken out of its texts, and these cut."""
    if isinstance(value, list):
        return [_clean(one) for one in value]
    return _NOT_XML.sub("\ufffd", value[:MAX_TEXT]) if isinstance(value, str) else value
