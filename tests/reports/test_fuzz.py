"""Whatever the bytes: a Reading, or an error that says what is wrong with the file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pulsegate.errors import PulsegateError
from pulsegate.model.indicator import RawIndicator
from pulsegate.model.tlp import TLP
from pulsegate.reports import Format, Reading, read
from pulsegate.values.normalise import normalise

GOLDEN = [one.read_bytes() for one in sorted((Path(__file__).parents[1] / "stix" / "golden").glob("*.xml"))]
BUDGET = settings(max_examples=250, deadline=None, suppress_health_check=list(HealthCheck))

WORDS = st.sampled_from(
    ["a.example", "1.2.3.4", "hxxp://a[.]example/x", "type", "value", "tlp", "red", "expires", "2026-12-31", "'=1", '"',
     ",", ";", "\t", "\n", "\r", "\0", "#", "domain", "URL", "\ufeff", "🦊", "\ud800", "[", "{", "<", "&#0;", "=1+1"]
)  # fmt: skip
TABLES = st.lists(WORDS | st.text(max_size=9), max_size=40).map("".join)
KEYS = st.sampled_from(["Event", "response", "Attribute", "Object", "Tag", "name", "type", "value", "to_ids", "info",
                        "timestamp", "comment", "deleted"])  # fmt: skip
LEAVES = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9)
    | st.sampled_from(["md5", "yara", "domain|ip", "ip-src", "a.example|1.2.3.4", "tlp:red", "tlp:x", "1700000000"])
)  # fmt: skip
DOCUMENTS = st.recursive(LEAVES, lambda one: st.lists(one, max_size=4) | st.dictionaries(KEYS, one, max_size=6))


def check(data: bytes, form: Format) -> Reading | None:
    try:
        found = read(data, form)
    except PulsegateError:
        return None
    for one in found.accepted:
        assert type(one.indicator) is RawIndicator
        assert type(one.indicator.type) is str
        assert one.tlp is None or one.tlp in TLP
        assert one.where
        normalise(one.indicator)
    assert all(one.where and one.reason for one in found.rejected)
    return found


@pytest.mark.parametrize("form", list(Format))
@given(st.binary(max_size=300))
@BUDGET
def test_any_bytes(form: Format, data: bytes) -> None:
    check(data, form)


@pytest.mark.parametrize("form", [Format.TEXT, Format.CSV, Format.AUTO])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@given(text=TABLES)
@BUDGET
def test_any_text(form: Format, encoding: str, text: str) -> None:
    check(text.encode(encoding, "replace"), form)


@given(DOCUMENTS)
@BUDGET
def test_any_json(document: object) -> None:
    check(json.dumps(document).encode(), Format.MISP)
    check(json.dumps({"Event": {"info": "x", "Attribute": [document], "Object": document}}).encode(), Format.MISP)


@st.composite
def bent(draw: st.DrawFn) -> bytes:
    """A package with some pieces of it moved, doubled, or replaced."""
    data = bytearray(draw(st.sampled_from(GOLDEN)))
    for _ in range(draw(st.integers(1, 5))):
        start, length = draw(st.integers(0, len(data))), draw(st.integers(0, 40))
        pieces = st.sampled_from(
            [b"", b"<", b">", b"&x;", b'"', b'condition="Contains"', b"##comma##", b"<!--", b"\xff"]
        )
        piece = draw(pieces | st.binary(max_size=8) | st.just(bytes(data[start // 2 : start // 2 + length])))
        data[start : start + length] = piece
    return bytes(data)


@given(bent())
@BUDGET
def test_any_package(data: bytes) -> None:
    check(data, Format.STIX)


SWAPS = st.lists(
    st.tuples(
        st.sampled_from(["Equals", "GREEN", "OR", "ipv4-addr", "MD5", "FQDN", "Observable", "Properties", "Title", "Rule",
                         "AddressObjectType", "FileObjectType", "Address_Value", "STIX_Header", "Indicator"]),
        st.sampled_from(["Contains", "PURPLE", "", "Observables", "Indicator", "Related_Object", "Value", "STIX_Package",
                         "URIObjectType", "CustomObjectType", "Package", "Hash"]),
    ),
    max_size=4,
)  # fmt: skip


@given(st.sampled_from(GOLDEN), SWAPS)
@BUDGET
def test_any_package_that_is_well_formed(data: bytes, swaps: list[tuple[str, str]]) -> None:
    text = data.decode()
    for old, new in swaps:
        text = text.replace(old, new)
    check(text.encode(), Format.STIX)
