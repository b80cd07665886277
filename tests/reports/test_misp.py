"""MISP's JSON, as its export and its API give it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from pulsegate.errors import ReportError
from pulsegate.model.indicator import Indicator, RawIndicator
from pulsegate.model.tlp import TLP
from pulsegate.reports import Format, Reading, read
from pulsegate.reports.misp import TYPES
from pulsegate.values.normalise import normalise

MD5 = "d41d8cd98f00b204e9800998ecf8427e"
SHA1 = "da39a3ee5e6b4b0d3255bfef95601890afd80709"
SHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def attribute(kind: str, value: Any, **more: Any) -> dict[str, Any]:
    return {"type": kind, "value": value, "to_ids": True, "timestamp": "1700000000"} | more


def event(*attributes: Any, **more: Any) -> dict[str, Any]:
    return {"Event": {"info": "A campaign", "Attribute": list(attributes)} | more}


def parse(document: Any) -> Reading:
    return read(json.dumps(document).encode())


def values(found: Reading) -> list[tuple[str, str]]:
    return [(one.indicator.type, one.indicator.value) for one in found.accepted]


def test_attribute_with_all_that_is_said_of_it() -> None:
    (one,) = parse(event(attribute("domain", "a.example", comment="C2"))).accepted
    assert one.indicator == RawIndicator(
        "domain",
        "a.example",
        created=datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC),
        title="A campaign",
        description="C2",
    )
    assert (one.tlp, one.where) == (None, "event 1, attribute 1")


SAMPLES = {
    "ip-src": "1.2.3.4", "ip-dst": "1.2.3.0/24", "ip-src|port": "1.2.3.4|443", "ip-dst|port": "2001:db8::1|80",
    "domain": "a.example", "hostname": "www.a.example", "hostname|port": "www.a.example|80",
    "domain|ip": "a.example|1.2.3.4", "url": "hxxp://a.example/|x", "uri": "/gate.php", "md5": MD5, "sha1": SHA1,
    "sha256": SHA256, "imphash": MD5, "pehash": SHA1, "filename|md5": f"a|b.exe|{MD5}", "filename|sha1": f"a|{SHA1}",
    "filename|sha256": f"a.exe|{SHA256}", "filename|imphash": f"a|{MD5}", "filename|pehash": f"a|{SHA1}",
    "malware-sample": f"a.exe|{MD5}", "email": "a@b.example", "email-src": "a@b.example", "email-dst": "a@b.example",
    "email-reply-to": "a@b.example", "mutex": "Global\\x", "vulnerability": "CVE-2024-1234", "ja3-fingerprint-md5": MD5,
    "x509-fingerprint-md5": MD5, "x509-fingerprint-sha1": SHA1, "x509-fingerprint-sha256": SHA256,
    "btc": "1BoatSLRHtKNngkdXEeobR76b53LETtpyT",
}  # fmt: skip


@pytest.mark.parametrize("kind", list(TYPES))
def test_type_has_a_value_that_is_one(kind: str) -> None:
    found = parse(event(attribute(kind, SAMPLES[kind])))
    assert found.rejected == []
    read_as = [normalise(one.indicator) for one in found.accepted]
    assert all(isinstance(one, Indicator) for one in read_as)
    assert len(read_as) == (2 if kind == "domain|ip" else 1)


def test_parts_of_composed_values() -> None:
    found = parse(event(*(attribute(kind, SAMPLES[kind]) for kind in ("domain|ip", "filename|md5", "hostname|port"))))
    assert values(found) == [
        ("domain", "a.example"),
        ("IPv4", "1.2.3.4"),
        ("FileHash-MD5", MD5),
        ("hostname", "www.a.example"),
    ]


def test_rule_is_named_by_its_text() -> None:
    (one,) = parse(event(attribute("yara", "rule x { condition: true }"))).accepted
    found = normalise(one.indicator)
    assert isinstance(found, Indicator)
    assert (found.type, len(found.value), one.indicator.content) == ("YARA", 40, "rule x { condition: true }")


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (attribute("AS", "AS1"), 'attributes of type "AS" are not taken'),
        (attribute("filename", "invoice.doc"), 'attributes of type "filename" are not taken'),
        (attribute("domain", "a.example", to_ids=False), "it is not marked as an indicator (to_ids)"),
        (attribute("domain", "a.example", deleted=True), "it is deleted"),
        ("text", "not an attribute"),
    ],
)
def test_what_is_no_indicator_is_refused(bad: Any, reason: str) -> None:
    found = parse(event(bad, attribute("domain", "b.example")))
    assert [(one.where, one.reason) for one in found.rejected] == [("event 1, attribute 1", reason)]
    assert values(found) == [("domain", "b.example")]


@pytest.mark.parametrize(
    ("of_event", "of_attribute", "level"),
    [
        (["tlp:green"], [], TLP.GREEN),
        (["tlp:green"], ["TLP:RED"], TLP.RED),
        (["tlp:red"], ["tlp:clear"], TLP.WHITE),
        (["tlp:green", "tlp:amber", "other:x"], [], TLP.AMBER),
        (["tlp:ex:chr"], [], TLP.RED),
        (["misp:x"], [], None),
    ],
)
def test_level_is_that_of_the_tags(of_event: list[str], of_attribute: list[str], level: TLP | None) -> None:
    def tags(names: list[str]) -> list[dict[str, str]]:
        return [{"name": name} for name in names]

    found = parse(event(attribute("domain", "a.example", Tag=tags(of_attribute)), Tag=tags(of_event)))
    assert [one.tlp for one in found.accepted] == [level]


def test_attributes_of_objects() -> None:
    inner = {"name": "file", "Attribute": [attribute("md5", MD5), attribute("filename", "x")]}
    found = parse(event(Object=[inner]))
    assert [(one.where, one.indicator.value) for one in found.accepted] == [("event 1, object 1, attribute 1", MD5)]
    assert [one.where for one in found.rejected] == ["event 1, object 1, attribute 2"]


@pytest.mark.parametrize("wrap", [
    lambda one: one, lambda one: one["Event"], lambda one: [one], lambda one: {"response": [one]},
    lambda one: {"response": one["Event"]},
])  # fmt: skip
def test_forms_of_the_document(wrap: Any) -> None:
    assert values(parse(wrap(event(attribute("domain", "a.example"))))) == [("domain", "a.example")]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"{", "it is no JSON"),
        (b"[]", "it holds no MISP event"),
        (b'{"a": 1}', "it holds no MISP event"),
        (b"[" * 100_000, "it is nested too deep"),
        (b"[" + b"9" * 5000 + b"]", "it is no JSON"),
    ],
)
def test_document_that_is_no_event(data: bytes, reason: str) -> None:
    with pytest.raises(ReportError, match=reason):
        read(data, Format.MISP)
