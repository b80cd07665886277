"""Status_Messages, whatever the client has sent."""

from __future__ import annotations

from typing import Any

import libtaxii.messages_10 as tm10
import libtaxii.messages_11 as tm11
import pytest
from libtaxii.constants import VID_TAXII_XML_10, VID_TAXII_XML_11
from opentaxii.taxii.exceptions import StatusMessageException
from werkzeug.datastructures import Headers

from pulsegate.taxii.status import write_status
from taxii.filled import SCHEMAS


def written(error: StatusMessageException, **sent: str) -> Any:
    """The message, checked, and read in the version that its HTTP header names."""
    xml, headers = write_status(error, Headers({name.replace("_", "-"): text for name, text in sent.items()}), False)
    version = headers["X-TAXII-Content-Type"]
    checked = SCHEMAS[version].validate_string(xml)
    assert checked.valid, checked.error_log
    return (tm10 if version == VID_TAXII_XML_10 else tm11).get_message_from_xml(xml)


def test_characters_that_xml_can_not_hold_are_replaced_and_texts_are_cut() -> None:
    dirt = "a\0\x1b\ud800\ufffe日本 😀<&>" + "x" * 10_000_000
    error = StatusMessageException("NOT_FOUND", "p1", dirt, {"ITEM": dirt})
    clean = "a\ufffd\ufffd\ufffd\ufffd日本 😀<&>"
    found = written(error)
    assert (found.message[:13], found.status_detail["ITEM"][:13]) == (clean + "x", clean + "x")
    assert (len(found.message), len(found.status_detail["ITEM"])) == (2000, 2000)


@pytest.mark.parametrize(
    ("sent", "version"),
    [
        ({}, VID_TAXII_XML_11),
        ({"X_TAXII_Content_Type": VID_TAXII_XML_10}, VID_TAXII_XML_10),
        ({"X_TAXII_Content_Type": VID_TAXII_XML_10, "X_TAXII_Accept": VID_TAXII_XML_11}, VID_TAXII_XML_11),
        ({"X_TAXII_Content_Type": VID_TAXII_XML_10, "X_TAXII_Accept": "urn:none"}, VID_TAXII_XML_10),
        ({"X_TAXII_Content_Type": "urn:none"}, VID_TAXII_XML_11),
    ],
)
def test_version_is_the_one_that_the_client_accepts_or_sent(sent: dict[str, str], version: str) -> None:
    assert written(StatusMessageException("FAILURE", "1"), **sent).version == version


@pytest.mark.parametrize(
    ("details", "text"),
    [
        (None, None),
        ("nothing", "nothing"),
        ({"ITEM": "nothing"}, "nothing"),
        ({"SUPPORTED_CONTENT": ["a", "b"], "X": 3}, "a, b, 3"),
    ],
)
def test_details_of_1_0_are_one_text(details: Any, text: str | None) -> None:
    found = written(StatusMessageException("FAILURE", "1", status_details=details), X_TAXII_Accept=VID_TAXII_XML_10)
    assert found.status_detail == text


def test_detail_of_1_1_that_has_no_name_gets_one() -> None:
    assert written(StatusMessageException("FAILURE", "1", status_details="x")).status_detail == {"ITEM": "x"}


@pytest.mark.parametrize(("given", "told"), [("p1", "0"), ("12", "12"), ("12\n", "0"), ("٣", "0"), (None, "0")])
def test_id_that_1_0_can_not_name_is_0(given: str | None, told: str) -> None:
    found = written(StatusMessageException("FAILURE", given), X_TAXII_Accept=VID_TAXII_XML_10)
    assert found.in_response_to == told
