"""Reading pulses, indicators and pages in all their variants."""

from __future__ import annotations

import hashlib
import json
import math
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pulsegate.errors import OTXAnswerError, PulseFormatError
from pulsegate.model.indicator import RawIndicator, Rejection
from pulsegate.model.pulse import Pulse
from pulsegate.model.tlp import TLP
from pulsegate.otx.documents import documents
from pulsegate.otx.parse import Page, ReadIndicators, ReadPulse, read_indicators, read_page, read_pulse

CORPUS = Path(__file__).parents[3] / "shared" / "corpus"
ID = "64d31e8a5133613a90976b3f"
CREATED = datetime(2023, 8, 9, 5, 5, 14, 946000, tzinfo=UTC)


def a_pulse(**fields):
    base = {
        "id": ID,
        "name": "A pulse",
        "author_name": "someone",
        "created": "2023-08-09T05:05:14.946000",
        "indicators": [],
    }
    return {**base, "modified": base["created"], **fields}


def a_row(**fields):
    return {"id": 3735598369, "indicator": "192.0.2.1", "type": "IPv4", **fields}


def read_row(**fields):
    return read_indicators([a_row(**fields)]).indicators[0]


def test_pulse_with_all_fields():
    data = a_pulse(
        description="First line\r\nsecond &amp; last",
        modified="2023-09-01T00:00:00",
        tlp="amber",
        revision=7,
        public=0,
        adversary="Paper Lantern",
        tags=["phishing", "invoice"],
        references=["https://reports.example.com/1"],
        targeted_countries=["Finland"],
        malware_families=["LanternLoader"],
        attack_ids=["T1566"],
        industries=["Finance"],
        extract_source=["report.pdf"],
        more_indicators=True,
        indicators=[
            a_row(
                created="2023-08-09T05:05:15",
                content="",
                title="Scanner",
                description="seen &lt;often&gt;",
                expiration="2023-09-07T00:00:00",
                is_active=0,
                role="scanning_host",
            )
        ],
    )
    expected = Pulse(
        id=ID,
        name="A pulse",
        author="someone",
        created=CREATED,
        modified=datetime(2023, 9, 1, tzinfo=UTC),
        description="First line\nsecond & last",
        tlp=TLP.AMBER,
        revision=7,
        public=False,
        adversary="Paper Lantern",
        tags=("phishing", "invoice"),
        references=("https://reports.example.com/1",),
        targeted_countries=("Finland",),
        malware_families=("LanternLoader",),
        attack_ids=("T1566",),
        industries=("Finance",),
        extract_source=("report.pdf",),
    )
    indicator = RawIndicator(
        type="IPv4",
        value="192.0.2.1",
        otx_id="3735598369",
        created=datetime(2023, 8, 9, 5, 5, 15, tzinfo=UTC),
        expiration=datetime(2023, 9, 7, tzinfo=UTC),
        active=False,
        role="scanning_host",
        title="Scanner",
        description="seen <often>",
    )
    assert read_pulse(data) == ReadPulse(expected, (indicator,), more_indicators=True, unreadable=())


def test_pulse_with_every_field_null():
    data = a_pulse(**dict.fromkeys(
        ["description", "modified", "tlp", "revision", "public", "adversary", "tags", "references", "targeted_countries",
         "malware_families", "attack_ids", "industries", "extract_source", "more_indicators", "author_name"]
    ))  # fmt: skip
    assert read_pulse(data) == ReadPulse(
        Pulse(id=ID, name="A pulse", author="", created=CREATED, modified=CREATED),
        (),
        more_indicators=False,
        unreadable=(),
    )


@pytest.mark.parametrize(
    ("fields", "attribute", "expected"),
    [
        ({"TLP": "white"}, "tlp", TLP.WHITE),
        ({"tlp": None, "TLP": "RED"}, "tlp", TLP.RED),
        ({"tlp": 7}, "tlp", TLP.GREEN),
        ({"tlp": "", "TLP": "Red"}, "tlp", TLP.RED),
        ({"tlp": "white", "TLP": "red"}, "tlp", TLP.RED),
        ({"tlp": "TLP: RED"}, "tlp", TLP.RED),
        ({"tlp": "tlp_red"}, "tlp", TLP.RED),
        ({"tlp": "Red (no sharing)"}, "tlp", TLP.RED),
        ({"tlp": "TLP-AMBER"}, "tlp", TLP.AMBER),
        ({"tlp": "TLP:AMBER+STRICT"}, "tlp", TLP.AMBER),
        ({"tlp": ["amber"]}, "tlp", TLP.AMBER),
        ({"tlp": "TLP:CLEAR"}, "tlp", TLP.WHITE),
        ({"tlp": "infrared"}, "tlp", TLP.GREEN),
        ({"author_name": None, "author": {"username": "nested", "id": "3"}}, "author", "nested"),
        ({"author_name": None, "author": "plain"}, "author", "plain"),
        ({"author_name": "Tab\there &#39;quoted&#39;"}, "author", "Tab here 'quoted'"),
        ({"name": " One\tname &amp; more\n"}, "name", "One name & more"),
        ({"name": 2023}, "name", "2023"),
        ({"name": None}, "name", f"Pulse {ID}"),
        ({"revision": 3.0}, "revision", 3),
        ({"revision": "12"}, "revision", 12),
        ({"revision": -1}, "revision", 0),
        ({"revision": math.nan}, "revision", 0),
        ({"revision": math.inf}, "revision", 0),
        ({"revision": 10**400}, "revision", 0),
        ({"revision": 2**40}, "revision", 2**31 - 1),
        ({"revision": "many"}, "revision", 0),
        ({"public": "0"}, "public", False),
        ({"public": False}, "public", False),
        ({"public": "1"}, "public", True),
        ({"adversary": {"name": "Paper Lantern"}}, "adversary", "Paper Lantern"),
        ({"adversary": ""}, "adversary", ""),
        ({"references": [""]}, "references", ()),
        ({"references": "https://a.example"}, "references", ("https://a.example",)),
        ({"references": ["https://a.example", None, "https://a.example", " "]}, "references", ("https://a.example",)),
        ({"references": [{"url": "https://a.example"}]}, "references", ("https://a.example",)),
        ({"extract_source": ""}, "extract_source", ()),
        ({"tags": [" a\u0000b ", 7, ["deep"], "全角，"]}, "tags", ("ab", "7", "全角，")),
        (
            {"malware_families": [{"id": "Emotet!MTB", "display_name": "Emotet", "target": None}]},
            "malware_families",
            ("Emotet",),
        ),
        ({"malware_families": [{"id": "Emotet", "display_name": None}, {}]}, "malware_families", ("Emotet",)),
        (
            {"attack_ids": [{"id": "T1059", "name": "Interpreter", "display_name": "T1059 - Interpreter"}]},
            "attack_ids",
            ("T1059",),
        ),
        ({"targeted_countries": [840]}, "targeted_countries", ("840",)),
    ],
)
def test_pulse_variants(fields, attribute, expected):
    assert getattr(read_pulse(a_pulse(**fields)).pulse, attribute) == expected


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("2023-08-09T05:05:14.946000", CREATED),
        ("2023-08-09T05:05:14.946", CREATED),
        ("2023-08-09T05:05:14.946Z", CREATED),
        ("2023-08-09T07:05:14.946000+02:00", CREATED),
        ("2023-08-09 05:05:14.946", CREATED),
        (" 2023-08-09T05:05:14 ", CREATED.replace(microsecond=0)),
        ("2023-08-09", datetime(2023, 8, 9, tzinfo=UTC)),
        (1691557514, CREATED.replace(microsecond=0)),
        (None, None),
        ("", None),
        ("soon", None),
        ("0001-01-01T00:00:00+05:00", None),
        (True, None),
        (math.nan, None),
        (10**400, None),
        ({"date": 1}, None),
    ],
)
def test_dates_of_an_indicator(written, expected):
    assert (read_row(created=written).created, read_row(expiration=written).expiration) == (expected, expected)


@pytest.mark.parametrize(
    ("created", "modified", "expected"),
    [
        ("2023-08-09T05:05:14.946", None, (CREATED, CREATED)),
        ("2023-08-09T05:05:14.946", "garbage", (CREATED, CREATED)),
        # Modified before it was created: OTX sorts by it, so it is kept.
        ("2023-08-09T05:05:14.946", "2023-08-01", (CREATED, datetime(2023, 8, 1, tzinfo=UTC))),
        # The ObjectId begins with its time of creation.
        (None, None, (CREATED.replace(microsecond=0), CREATED.replace(microsecond=0))),
        ("garbage", "2023-08-10", (CREATED.replace(microsecond=0), datetime(2023, 8, 10, tzinfo=UTC))),
    ],
)
def test_times_of_a_pulse(created, modified, expected):
    pulse = read_pulse(a_pulse(id="64d31e8a5133613a90976b3f", created=created, modified=modified)).pulse
    assert (pulse.created, pulse.modified) == expected


def test_times_of_a_pulse_whose_id_tells_none():
    pulse = read_pulse(a_pulse(id=f"{1:024x}", created=None, modified="2023-08-10")).pulse
    assert pulse.created == pulse.modified == datetime(2023, 8, 10, tzinfo=UTC)


@pytest.mark.parametrize("field", ["id", "_id", "pulse_id"])
def test_id_under_each_name_in_lower_case(field):
    data = {key: value for key, value in a_pulse().items() if key != "id"}
    assert read_pulse({**data, field: ID.upper()}).pulse.id == ID


def test_id_missing_is_made_of_the_content():
    data = a_pulse(id=None, tags=["x"])
    expected = hashlib.sha256(b"A pulse\nsomeone\n2023-08-09T05:05:14.946000").hexdigest()[:24]
    assert (read_pulse(data).pulse.id, read_pulse({**data, "tags": []}).pulse.id) == (expected, expected)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (None, "a pulse is a JSON object. Expected the fields id, name, indicators, …"),
        ([], "a pulse is a JSON object. Expected the fields id, name, indicators, …"),
        ("text", "a pulse is a JSON object. Expected the fields id, name, indicators, …"),
        ({}, "has neither an id nor a name, so it is no pulse"),
        ({"id": ID}, f"{ID}: has neither a name nor indicators, so it is no pulse"),
        (a_pulse(id="12 34"), "12 34: a pulse's id is 24 hex digits"),
        (a_row(), "3735598369: is an indicator, not a pulse"),
        (a_pulse(indicators="none"), f"{ID}: its indicators are no list"),
        (a_pulse(id=f"{1:024x}", created=None, modified=None), f"{1:024x}: tells no time: neither created nor modified is a date"),
    ],
)  # fmt: skip
def test_no_pulse(data, message):
    with pytest.raises(PulseFormatError) as caught:
        read_pulse(data)
    assert str(caught.value) == message


@pytest.mark.parametrize("fields", [{"indicators": None}, {}])
def test_pulse_without_indicators_counts_as_sent_without_them(fields):
    data = {key: value for key, value in a_pulse().items() if key != "indicators"}
    read = read_pulse({**data, **fields})
    assert (read.indicators, read.more_indicators) == ((), True)


@pytest.mark.parametrize(
    ("fields", "attribute", "expected"),
    [
        ({"id": 2**40}, "otx_id", str(2**40)),
        ({"id": None, "_id": "55e6bfb14637f22cb6057466"}, "otx_id", "55e6bfb14637f22cb6057466"),
        ({"id": None}, "otx_id", None),
        ({"id": 31.0}, "otx_id", "31"),
        ({"indicator": " evil[.]example\t"}, "value", " evil[.]example\t"),
        ({"indicator": 1234567890}, "value", "1234567890"),
        ({"indicator": 1.5}, "value", "1.5"),
        ({"type": "Some New Type"}, "type", "Some New Type"),
        ({"type": None}, "type", ""),
        ({"is_active": 0}, "active", False),
        ({"is_active": "0"}, "active", False),
        ({"is_active": False}, "active", False),
        ({"is_active": 1}, "active", True),
        ({"is_active": "1"}, "active", True),
        ({"is_active": True}, "active", True),
        ({"is_active": None}, "active", True),
        ({"is_active": ""}, "active", True),
        ({"is_active": "null"}, "active", True),
        ({"role": None}, "role", ""),
        ({"role": "trojan"}, "role", "trojan"),
        ({"description": "a\u0000b &amp;amp; c"}, "description", "ab & c"),
        ({"content": "a &lt;b&gt;"}, "content", "a <b>"),
        (
            {"type": "YARA", "content": 'rule a { strings: $x = "&lt;\u0001\ufffe" }\r\n '},
            "content",
            'rule a { strings: $x = "&lt;" }\r\n ',
        ),
    ],
)
def test_indicator_variants(fields, attribute, expected):
    assert getattr(read_row(**fields), attribute) == expected


def test_indicator_with_the_least():
    read = read_indicators([{"indicator": "192.0.2.1", "type": "IPv4"}])
    assert read == ReadIndicators((RawIndicator("IPv4", "192.0.2.1"),), ())


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (None, Rejection(RawIndicator("", "null"), "not an object with a type and a value")),
        ("192.0.2.1", Rejection(RawIndicator("", "192.0.2.1"), "not an object with a type and a value")),
        ([["x"]], Rejection(RawIndicator("", "a list"), "not an object with a type and a value")),
        ({"type": "IPv4"}, Rejection(RawIndicator("IPv4", ""), "has no value")),
        ({"type": "IPv4", "indicator": "  "}, Rejection(RawIndicator("IPv4", "  "), "has no value")),
        ({"type": "IPv4", "indicator": True}, Rejection(RawIndicator("IPv4", ""), "its value is no text")),
        ({"type": "IPv4", "indicator": math.nan}, Rejection(RawIndicator("IPv4", ""), "its value is no text")),
        (
            {"type": "IPv4", "indicator": {"a": 1}, "id": 5},
            Rejection(RawIndicator("IPv4", "", otx_id="5"), "its value is no text"),
        ),
    ],
)
def test_indicator_that_is_none_is_rejected_and_stops_nothing(row, expected):
    good = RawIndicator("IPv4", "192.0.2.1", otx_id="3735598369")
    assert read_indicators([row, a_row()]) == ReadIndicators((good,), (expected,))


def test_rows_that_are_no_list():
    with pytest.raises(PulseFormatError, match=r"^indicators are a JSON list$"):
        read_indicators({"indicator": "192.0.2.1"})


def test_unreadable_rows_are_kept_apart_in_a_pulse():
    read = read_pulse(a_pulse(indicators=[7, a_row()]))
    assert (len(read.indicators), read.unreadable) == (
        1, (Rejection(RawIndicator("", "7"), "not an object with a type and a value"),)
    )  # fmt: skip


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({"results": []}, Page([], None, has_next=False)),
        ({"results": [1, None], "count": 12, "next": "http://x.example/?page=2"}, Page([1, None], 12, has_next=True)),
        ({"results": [], "count": "3", "next": ""}, Page([], 3, has_next=False)),
    ],
)
def test_page(data, expected):
    assert read_page(data) == expected


@pytest.mark.parametrize("data", [None, [], "x", {}, {"results": None}, {"results": {"a": 1}}, {"detail": "no"}])
def test_no_page(data):
    with pytest.raises(OTXAnswerError, match=r"^is not a page: it has no list of results$"):
        read_page(data)


def test_deep_nesting_in_odd_places_is_no_trouble():
    deep = json.loads("[" * 400 + "]" * 400)
    read = read_pulse(a_pulse(tags=deep, adversary=deep, indicators=[deep, a_row(role=deep)]))
    assert (read.pulse.tags, read.pulse.adversary, len(read.indicators), len(read.unreadable)) == ((), "", 1, 1)


@pytest.mark.corpus
@pytest.mark.skipif(not CORPUS.is_dir(), reason="the real pulses aren't beside this checkout")
def test_real_pulses_are_read_and_nothing_is_lost():
    files = sorted(CORPUS.glob("*.json"))
    read = [read_pulse(data) for path in files for data in documents(path)]
    known = {pulse.pulse.id for pulse in read}
    counts = (len(read), len(known), sum(len(pulse.indicators) for pulse in read), sum(len(p.unreadable) for p in read))
    assert counts == (90, 90, sum(path.read_text("utf-8").count('"indicator": ') for path in files), 0)
    assert {indicator.type for pulse in read for indicator in pulse.indicators} == {
        "IPv4", "domain", "hostname", "URL", "URI", "email", "CVE", "YARA", "FileHash-MD5", "FileHash-SHA1", "FileHash-SHA256",
    }  # fmt: skip
