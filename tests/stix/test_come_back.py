"""STIX 1.x: our own packages come back, and what others write is taken as far as it can be matched by itself."""

from __future__ import annotations

import hashlib
import io
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from packages import package
from pulsegate.errors import ReportError
from pulsegate.model.collection import Profile
from pulsegate.model.indicator import Indicator, IndicatorType
from pulsegate.model.pulse import Pulse
from pulsegate.model.tlp import TLP
from pulsegate.reports import Format, Reading, read, stix
from pulsegate.reports.observables import DELIMITER
from pulsegate.stix import expressible, render
from pulsegate.values.normalise import normalise

GOLDEN = Path(__file__).parent / "golden"
CREATED = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)
RULE = "rule bad { condition: true }"
PULSE = Pulse("5f0c1d2e3f4a5b6c7d8e9f00", "A pulse", "someone", CREATED, CREATED, tlp=TLP.AMBER)
END = CREATED + timedelta(days=30)


@pytest.fixture
def made(make):
    """``make``, with the type as a plain text and a YARA rule named by its text, as OTX has both."""

    def build(kind: IndicatorType, value: str | None = None, **fields: object) -> Indicator:
        if kind is IndicatorType.YARA:
            value, fields = hashlib.sha1(RULE.encode()).hexdigest(), {**fields, "content": RULE}
        found = make(kind, value, **fields)
        return replace(found, raw=replace(found.raw, type=kind.value))

    return build


def came_back(found: Reading) -> list[Indicator]:
    assert found.rejected == []
    read_as = [normalise(one.indicator) for one in found.accepted]
    assert all(isinstance(one, Indicator) for one in read_as)
    return [one for one in read_as if isinstance(one, Indicator)]


@pytest.mark.parametrize("profile", list(Profile))
@pytest.mark.parametrize("kind", list(IndicatorType))
@pytest.mark.parametrize("told", [True, False])
def test_our_own_packages_come_back(made, profile: Profile, kind: IndicatorType, told: bool) -> None:
    fields = {"title": "A title", "description": "Seen & <once>.", "expiration": END} if told else {}
    sent = made(kind, **fields)
    if expressible(kind, sent.value, sent.raw.content, profile):
        pytest.skip("the profile has no such type")
    found = read(render(PULSE, [sent], profile))
    (one,) = came_back(found)
    assert one.identity == sent.identity
    kept = ("created", "expiration", "title", "description", "content")
    assert [getattr(one.raw, name) for name in kept] == [getattr(sent.raw, name) for name in kept]
    assert [each.tlp for each in found.accepted] == [TLP.AMBER]


@pytest.mark.parametrize(
    "value", [f"http://a.example/{DELIMITER}", f"http://a.example/#{DELIMITER}#x", "http://a.example/a,b"]
)
def test_value_with_the_delimiter_in_it_comes_back(made, value: str) -> None:
    (one,) = came_back(read(render(PULSE, [made(IndicatorType.URL, value)])))
    assert one.value == value


def test_names_get_the_type_that_they_have() -> None:
    found = read(package("a.example", "www.a.example"))
    assert [one.type for one in came_back(found)] == ["domain", "hostname"]
    assert [(one.tlp, one.indicator.title) for one in found.accepted] == [(None, ""), (None, "")]


def golden(kind: str, **swaps: str) -> bytes:
    text = (GOLDEN / f"{kind}.xml").read_text(encoding="utf-8")
    for old, new in swaps.items():
        key = {"condition": 'condition="Equals"', "operator": "</indicator:Observable>"}.get(old, old)
        assert key in text
        text = text.replace(key, new)
    return text.encode()


def reasons(found: Reading) -> list[str]:
    return [one.reason for one in found.rejected]


@pytest.mark.parametrize("condition", ["Contains", "DoesNotEqual", "StartsWith", "FitsPattern", "InclusiveBetween"])
def test_other_condition_is_refused(condition: str) -> None:
    found = read(golden("IPv4", condition=f'condition="{condition}"'))
    assert (found.accepted, reasons(found)) == ([], [f"the condition {condition} is not taken, only Equals"])


@pytest.mark.parametrize("version", ["1.1.1", "1.2"])
def test_value_without_a_condition_is_taken(version: str) -> None:
    sent = golden("IPv4", condition="").replace(b'version="1.2"', f'version="{version}"'.encode())
    assert [one.value for one in came_back(read(sent))] == ["192.0.2.1"]


def test_several_values_in_one_field() -> None:
    sent = golden("IPv4").replace(b">192.0.2.1<", b">192.0.2.1##comma## 192.0.2.2<")
    assert [one.value for one in came_back(read(sent))] == ["192.0.2.1", "192.0.2.2"]
    together = read(sent.replace(b'condition="Equals"', b'condition="Equals" apply_condition="ALL"'))
    assert (together.accepted, reasons(together)) == ([], ["several values that must be met together"])


def test_own_delimiter() -> None:
    sent = golden("IPv4").replace(
        b'condition="Equals">192.0.2.1<', b'condition="Equals" delimiter=";">192.0.2.1;192.0.2.9<'
    )
    assert [one.value for one in came_back(read(sent))] == ["192.0.2.1", "192.0.2.9"]


def test_observables_outside_of_indicators() -> None:
    text = golden("IPv4").decode()
    start, end = text.index("<indicator:Observable "), text.index("</indicator:Observable>")
    inner = text[start:end].replace("indicator:Observable", "cybox:Observable") + "</cybox:Observable>"
    observables = f'<stix:Observables cybox_major_version="2" cybox_minor_version="1">{inner}</stix:Observables>'
    whole = text[: text.index("  <stix:Indicators>")] + observables + "</stix:STIX_Package>"
    found = read(whole.encode())
    assert [one.value for one in came_back(found)] == ["192.0.2.1"]
    assert [one.tlp for one in found.accepted] == [TLP.GREEN]


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("<stix:Indicator ", '<stix:Indicator negate="true" ', "an indicator that is negated"),
        ("<indicator:Observable ", '<indicator:Observable negate="true" ', "an observable that is negated"),
        ("ipv4-addr", "asn", "addresses of the category asn are not taken"),
        (
            "AddressObj:AddressObjectType",
            "AddressObj:PortObjectType",
            "objects of the type PortObjectType are not taken",
        ),
        ("AddressObj:Address_Value", "AddressObj:VLAN_Name", "the Address object holds no value that is taken"),
    ],
)
def test_what_can_not_be_matched_by_itself_is_refused(old: str, new: str, reason: str) -> None:
    found = read(golden("IPv4").decode().replace(old, new).encode())
    assert (found.accepted, reasons(found)) == ([], [reason])
    assert found.rejected[0].where == "line 40"


@pytest.mark.parametrize(("operator", "values"), [("OR", ["192.0.2.1", "192.0.2.1"]), ("AND", [])])
def test_compositions(operator: str, values: list[str]) -> None:
    text = golden("IPv4").decode()
    start, end = text.index("<cybox:Object "), text.index("</indicator:Observable>")
    one = f"<cybox:Observable>{text[start:end]}</cybox:Observable>"
    both = f'<cybox:Observable_Composition operator="{operator}">{one}{one}</cybox:Observable_Composition>'
    found = read((text[:start] + both + text[end:]).encode())
    assert [each.indicator.value for each in found.accepted] == values
    assert reasons(found) == ([] if values else ["observables that must be met together"])


def test_file_is_known_by_its_hash_not_by_its_path() -> None:
    text = golden("FileHash-MD5").decode()
    path = "<FileObj:File_Path>C:\\x\\y.exe</FileObj:File_Path>"
    found = read(text.replace("<FileObj:Hashes>", path + "<FileObj:Hashes>").encode())
    assert [one.indicator.type for one in found.accepted] == ["FileHash-MD5"]
    assert reasons(found) == ["a path that counts only together with a hash"]


@pytest.mark.parametrize(
    ("color", "level"), [("WHITE", TLP.WHITE), ("AMBER", TLP.AMBER), ("RED", TLP.RED), ("PURPLE", TLP.RED)]
)
def test_level_of_the_package_and_of_the_indicator(color: str, level: TLP) -> None:
    whole = golden("IPv4")
    head, mark, rest = whole.partition(b'color="GREEN"')
    of_indicator = read(head + mark + rest.replace(b'"GREEN"', f'"{color}"'.encode()))
    assert [one.tlp for one in of_indicator.accepted] == [level]
    of_package = read(head + f'color="{color}"'.encode() + rest.replace(b'color="GREEN"', b""))
    assert [one.tlp for one in of_package.accepted] == [level]


def test_end_that_is_no_date(made) -> None:
    sent = render(PULSE, [made(IndicatorType.IPV4, expiration=END)]).replace(END.isoformat().encode(), b"soon")
    assert reasons(read(sent)) == ['"soon" is no date; write it as 2026-12-31 or 2026-12-31T18:00Z']


def test_expired_indicator_is_read_as_it_is(made) -> None:
    old = replace(PULSE, modified=datetime(2001, 1, 1, tzinfo=UTC))
    (one,) = read(render(old, [made(IndicatorType.IPV4, expiration=CREATED)])).accepted
    assert one.indicator.expiration == CREATED


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"<a/>", "its root is a, not a STIX_Package"),
        (package("a.example")[:-5], "it is no well-formed XML"),
        (b"", "it is no well-formed XML"),
        (b'<!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>', "no document type declaration"),
        (package("a.example").replace(b"a.example", b"&a;"), "it is no well-formed XML"),
        (package(title="<stix:x>" * 130 + "</stix:x>" * 130), "nested more than 120 deep"),
        (package("a.example") + b"<x/>", "it is no well-formed XML"),
    ],
)
def test_file_that_is_no_package(data: bytes, reason: str) -> None:
    with pytest.raises(ReportError, match=reason):
        read(data, Format.STIX)


def test_context_is_bounded_for_each_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stix, "MAX_CONTEXT", 30)
    inner = package(title="x").replace(b"stix:STIX_Package", b"stix:Package").decode()
    related = f"<stix:Related_Package>{inner}</stix:Related_Package>" * 20
    whole = (
        package("a.example")
        .decode()
        .replace(
            "</stix:STIX_Package>", f"<stix:Related_Packages>{related}</stix:Related_Packages></stix:STIX_Package>"
        )
    )
    assert len(read(whole.encode()).accepted) == 1
    with pytest.raises(ReportError, match="it has more than 30 elements that are no indicators"):
        read(package("a.example", title="<stix:x/>" * 30))


def test_packages_in_a_package_are_read_with_their_own_level() -> None:
    inner = golden("IPv4").replace(b"stix:STIX_Package", b"stix:Package")
    head = package("a.example", "b.example")
    related = (
        b"<stix:Related_Packages><stix:Related_Package>" + inner + b"</stix:Related_Package></stix:Related_Packages>"
    )
    whole = head.replace(b"</stix:STIX_Package>", related + b"</stix:STIX_Package>")
    found = read(whole)
    assert [(one.indicator.value, one.tlp) for one in found.accepted] == [
        ("a.example", None),
        ("b.example", None),
        ("192.0.2.1", TLP.GREEN),
    ]


def test_stream_is_left_open() -> None:
    from pulsegate.reports import entries

    for data in (package("a.example"), b"a.example\n", b"value\na.example\n"):
        stream = io.BytesIO(data)
        assert len(list(entries(stream))) == 1
        assert not stream.closed
