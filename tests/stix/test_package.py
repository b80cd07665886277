import os
import subprocess
import sys
import tracemalloc
import warnings
from datetime import timedelta
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree
from sdv.validators import STIXSchemaValidator
from stix.core import STIXPackage

from pulsegate.errors import ConversionError
from pulsegate.model.collection import Profile
from pulsegate.model.indicator import IndicatorType
from pulsegate.model.tlp import TLP
from pulsegate.stix import MAPPING, check, render

GOLDEN = Path(__file__).parent / "golden"
AWKWARD = "a & b < c > d \" e ' f ]]> g"
NASTY = [
    AWKWARD,
    "<![CDATA[x]]><evil/>",
    "<![CDATA[ never closed",
    "]]>",
    "##comma##",
    "a##comma##b###comma###c",
    "1,2,3",
    "日本語のパルス",
    "🦊🦊",
    "&amp;lt;",
    "{0} %s",
]
OBSERVED = [kind for kind in IndicatorType if MAPPING[kind].observe]
# No longer than what is cut nowhere: a malware family as a TTP, at 200 characters.
fit = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"), min_size=1, max_size=200
)


def reparse(xml):
    with warnings.catch_warnings():  # python-stix warns of the header fields that 1.2 deprecates
        warnings.simplefilter("ignore")
        return STIXPackage.from_xml(BytesIO(xml))


def values(package):
    """What python-stix's own parser makes of each indicator: its value, wherever it stands."""
    return [_value(indicator) for indicator in package.indicators]


def _value(indicator):
    if indicator.indicated_ttps:
        return indicator.indicated_ttps[0].item.exploit_targets[0].item.vulnerabilities[0].cve_id
    if indicator.test_mechanisms:
        mechanism = indicator.test_mechanisms[0]
        return (getattr(mechanism, "rule", None) and mechanism.rule.value) or mechanism.specification.value
    properties = indicator.observable.object_.properties
    if properties.custom_properties:
        return properties.custom_properties[0].value
    if getattr(properties, "hashes", None):
        return properties.hashes[0].simple_hash_value.value
    for name in ("address_value", "value", "file_path", "name"):
        if getattr(properties, name, None) is not None:
            return getattr(properties, name).value
    raise AssertionError(properties)


@pytest.mark.parametrize("kind", IndicatorType)
def test_package_of_each_type_is_golden(pulse, make, kind):
    xml = render(pulse, [make(kind)])
    golden = GOLDEN / f"{kind}.xml"
    pretty = etree.tostring(etree.fromstring(xml), pretty_print=True, encoding="unicode")
    if "PULSEGATE_WRITE_GOLDEN" in os.environ:
        golden.write_text(pretty, encoding="utf-8")
    assert pretty == golden.read_text(encoding="utf-8")


def test_package_for_the_appliance_is_golden(pulse, make):
    xml = render(pulse, [make(kind) for kind in (IndicatorType.IPV4, IndicatorType.SHA256)], Profile.ESA)
    golden = GOLDEN / "esa.xml"
    pretty = etree.tostring(etree.fromstring(xml), pretty_print=True, encoding="unicode")
    if "PULSEGATE_WRITE_GOLDEN" in os.environ:
        golden.write_text(pretty, encoding="utf-8")
    assert pretty == golden.read_text(encoding="utf-8")


@pytest.mark.parametrize("kind", IndicatorType)
def test_package_of_each_type_is_valid(pulse, make, kind):
    xml = render(pulse, [make(kind)])
    check(xml)
    check(xml.replace(b'version="1.2"', b'version="1.1.1"', 1), "1.1.1")


@pytest.mark.parametrize("version", ["1.2", "1.1.1"])
def test_package_satisfies_the_validator_itself(pulse, every, version):
    xml = render(pulse, every).replace(b'version="1.2"', f'version="{version}"'.encode(), 1)
    result = STIXSchemaValidator().validate(BytesIO(xml))
    assert (result.is_valid, [str(error) for error in result.errors]) == (True, [])


def test_package_without_indicators_is_valid(pulse):
    check(render(pulse, []))


def test_package_of_a_bare_pulse_is_valid(pulse, make):
    bare = type(pulse)(id=pulse.id, name="", author="", created=pulse.created, modified=pulse.modified)
    check(render(bare, [make(IndicatorType.IPV4, created=None)]))


def test_package_is_the_same_bytes_again(pulse, every):
    assert render(pulse, every) == render(pulse, list(every))


def test_package_is_the_same_bytes_in_another_process(tmp_path):
    script = tmp_path / "one.py"
    script.write_text(
        "import sys\n"
        "from datetime import UTC, datetime\n"
        "from pulsegate.model.indicator import Indicator, IndicatorType, RawIndicator\n"
        "from pulsegate.model.pulse import Pulse\n"
        "from pulsegate.stix import render\n"
        "time = datetime(2024, 5, 6, tzinfo=UTC)\n"
        "pulse = Pulse('0' * 24, 'n', 'a', time, time, malware_families=('x',))\n"
        "kinds = (IndicatorType.IPV4, IndicatorType.MD5, IndicatorType.CVE, IndicatorType.BITCOIN_ADDRESS)\n"
        "entries = [Indicator(kind, 'CVE-2024-00001', RawIndicator(kind, '')) for kind in kinds]\n"
        "sys.stdout.buffer.write(render(pulse, entries))\n",
        encoding="utf-8",
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-W", "ignore", script],
            check=True,
            capture_output=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "2")
    }
    assert len(outputs) == 1


def test_ids_derive_from_pulse_and_identity(pulse, make):
    one, other = make(IndicatorType.DOMAIN), make(IndicatorType.IPV4)

    def ids(*entries, profile=Profile.FULL):
        root = etree.fromstring(render(pulse, entries, profile))
        return root.get("id"), [node.get("id") for node in root.iter("{http://stix.mitre.org/stix-1}Indicator")]

    package, (first, second) = ids(one, other)
    assert ids(one)[1] == [first]
    assert ids(one, profile=Profile.ESA)[1] == [first]
    assert ids(make(IndicatorType.HOSTNAME, one.value))[1] == [first]
    assert len({package, first, second, ids(one)[0], ids(other)[0]}) == 5


def test_every_id_is_in_the_declared_namespace(pulse, every):
    root = etree.fromstring(render(pulse, every))
    ids = [element.get("id") for element in root.iter() if element.get("id")]
    assert root.nsmap["pulsegate"] == "urn:pulsegate:otx"
    assert all(identifier.startswith("pulsegate:") for identifier in ids)
    assert len(set(ids)) == len(ids)
    assert not [element for element in root.iter() if element.get("idref")]


def test_namespaces_are_only_what_is_needed(pulse, make):
    bare = type(pulse)(id=pulse.id, name="n", author="a", created=pulse.created, modified=pulse.modified)
    root = etree.fromstring(render(bare, [make(IndicatorType.IPV4)]))
    assert set(root.nsmap) == {
        *("stix", "stixCommon", "stixVocabs", "indicator", "cybox", "cyboxCommon", "marking", "tlpMarking"),
        *("AddressObj", "xsi", "pulsegate"),
    }
    assert root.attrib.keys() == ["id", "version", "timestamp"]


def test_values_come_back_through_python_stix(pulse, every):
    expected = [entry.raw.content or entry.value for entry in every]
    assert values(reparse(render(pulse, every))) == expected


def test_hash_types_come_back(pulse, make):
    kinds = [kind for kind in IndicatorType if kind.startswith("FileHash")]
    package = reparse(render(pulse, [make(kind) for kind in kinds]))
    got = [str(one.observable.object_.properties.hashes[0].type_.value) for one in package.indicators]
    assert got == [kind.removeprefix("FileHash-") for kind in kinds]


@pytest.mark.parametrize("nasty", NASTY)
@pytest.mark.parametrize("kind", OBSERVED)
def test_nasty_value_comes_back_once(pulse, make, kind, nasty):
    xml = render(pulse, [make(kind, nasty, title="t")])
    check(xml)
    root = etree.fromstring(xml)
    texts = [element.text for element in root.find(".//{*}Object").iter() if element.text]
    assert texts.count(nasty) == 1
    assert values(reparse(xml)) == [nasty]
    assert root.find(".//{*}Observable/{*}Title").text == f"{kind} - {nasty}"


@pytest.mark.parametrize("kind", [IndicatorType.YARA, IndicatorType.OSQUERY])
@pytest.mark.parametrize("nasty", NASTY)
def test_nasty_rule_comes_back(pulse, make, read, kind, nasty):
    xml = render(pulse, [make(kind, content=nasty)])
    check(xml)
    assert read(xml, "Rule") + read(xml, "Specification") == [nasty]


@given(value=fit)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_comes_back_from_every_field(pulse, make, value):
    other = type(pulse)(
        id=pulse.id,
        name=value,
        author=value,
        created=pulse.created,
        modified=pulse.modified,
        description=value,
        adversary=value,
        malware_families=(value,),
        attack_ids=(value,),
        tags=(value,),
        references=(value,),
    )
    kinds = [*OBSERVED, IndicatorType.YARA]
    entries = [make(kind, value, title=value, description=value) for kind in kinds]
    xml = render(other, entries)
    check(xml)
    root = etree.fromstring(xml)
    header = root.find("{*}STIX_Header")
    assert header.find("{*}Title").text == value
    assert header.find("{*}Description").text == value
    assert header.find("{*}Information_Source/{*}Contributing_Sources//{*}Name").text == value
    assert root.find("{*}Threat_Actors/{*}Threat_Actor/{*}Title").text == value
    assert {node.text for node in root.iterfind("{*}TTPs/{*}TTP/{*}Title")} == {value}
    for indicator in root.iterfind("{*}Indicators/{*}Indicator"):
        assert indicator.find("{*}Title").text == value
        assert indicator.find("{*}Description").text == value
        assert indicator.find("{*}Producer/{*}Identity/{*}Name").text == value


@pytest.mark.parametrize("field", ["value", "title", "description", "content"])
@pytest.mark.parametrize("char", ["\x00", "\x1b", "\ufffe", "\udc80"])
def test_indicator_with_an_unfit_character_is_refused(pulse, make, field, char):
    fields = {"value": "abc", "content": "rule", "title": "t", "description": "d", field: f"x{char}"}
    entry = make(IndicatorType.YARA, **fields)
    with pytest.raises(ConversionError, match=f"U\\+{ord(char):04X}"):
        render(pulse, [entry])


@pytest.mark.parametrize(
    "field",
    ["id", "name", "author", "description", "adversary", "tags", "references", "malware_families", "attack_ids"],
)
def test_pulse_with_an_unfit_character_is_refused(pulse, make, field):
    fields = {name: getattr(pulse, name) for name in type(pulse).__slots__}
    fields[field] = ("x\ud800",) if isinstance(fields[field], tuple) else "x\ud800"
    with pytest.raises(ConversionError, match=r"U\+D800") as error:
        render(type(pulse)(**fields), [make(IndicatorType.IPV4)])
    assert error.value.resource == fields["id"]


@pytest.mark.parametrize(("tlp", "color"), [(level, level.upper()) for level in TLP])
def test_marking_of_each_level(pulse, make, tlp, color):
    fields = {name: getattr(pulse, name) for name in type(pulse).__slots__} | {"tlp": tlp}
    root = etree.fromstring(render(type(pulse)(**fields), [make(IndicatorType.IPV4)]))
    found = [node.get("color") for node in root.iter("{*}Marking_Structure")]
    assert found == [color, color]
    assert root.find("{*}STIX_Header/{*}Handling//{*}Controlled_Structure").text == "//node() | //@*"


def test_header_says_what_the_pulse_says(pulse, read):
    header = etree.fromstring(render(pulse, [])).find("{*}STIX_Header")
    xml = etree.tostring(header)
    assert read(xml, "Title") == ["A pulse"]
    assert read(xml, "Package_Intent") == ["Indicators - Watchlist"]
    assert read(xml, "Short_Description") == ["https://otx.alienvault.com/pulse/5f0c1d2e3f4a5b6c7d8e9f00"]
    assert read(xml, "Name") == ["Alienvault OTX", "example-author"]
    assert read(xml, "Reference") == ["https://blog.example/post?a=1&b=2"]
    assert read(xml, "Produced_Time") == ["2024-05-06T07:08:09+00:00"]
    description, context = read(xml, "Description")
    assert description == "What it is about."
    assert context.splitlines() == [
        "Tags: phishing, example",
        "Adversary: Example Bear",
        "Malware families: ExampleRAT",
        "ATT&CK: T1566",
        "Targeted countries: Japan",
        "Industries: Energy",
        "References: see: the printed issue",
    ]


@pytest.mark.parametrize(
    "reference",
    ["http://a.example/%zz", "http://[::1", "see blog: x", "::", "http://a.example:port/", "#a#b", "100%", "", "a b"],
)
def test_reference_that_is_no_address_keeps_the_package_valid(pulse, make, reference):
    fields = {name: getattr(pulse, name) for name in type(pulse).__slots__} | {"references": (reference,)}
    check(render(type(pulse)(**fields), [make(IndicatorType.IPV4)]))


def test_indicator_says_what_otx_says(pulse, make):
    entry = make(IndicatorType.DOMAIN, title="T", description="D")
    untitled = make(IndicatorType.IPV4, created=None)
    first, second = reparse(render(pulse, [entry, untitled])).indicators
    assert (first.title, str(first.description), first.observable.title) == ("T", "D", "domain - bad.example")
    assert (second.title, second.description) == ("IPv4 - 192.0.2.1", None)
    assert (first.timestamp, second.timestamp) == (pulse.created, pulse.modified)
    assert [str(one.confidence.value) for one in (first, second)] == ["High", "High"]
    assert (first.producer.identity.name, str(first.producer.description)) == ("example-author", "Alienvault OTX")
    assert [str(kind) for kind in first.indicator_types] == ["Domain Watchlist"]


def test_valid_time_only_with_an_expiration(pulse, make):
    end = pulse.created + timedelta(days=30)
    xml = render(pulse, [make(IndicatorType.IPV4), make(IndicatorType.DOMAIN, expiration=end)])
    first, second = reparse(xml).indicators
    assert len(first.valid_time_positions) == 0
    window = second.valid_time_positions[0]
    assert (window.start_time.value, window.end_time.value) == (pulse.created, end)


def test_appliance_gets_one_plain_observable_each(pulse, make):
    entries = [make(kind) for kind, form in MAPPING.items() if form.not_esa is None]
    xml = render(pulse, entries, Profile.ESA)
    check(xml)
    root = etree.fromstring(xml)
    names = {etree.QName(node).localname for node in root.iter()}
    assert names.isdisjoint(
        {"TTP", "TTPs", "Threat_Actor", "Test_Mechanism", "Exploit_Target", "Observable_Composition"}
    )
    for indicator in root.iterfind("{*}Indicators/{*}Indicator"):
        assert len(indicator.findall("{*}Observable/{*}Object/{*}Properties")) == 1
        assert indicator.xpath(".//@condition[. != 'Equals']") == []
        assert indicator.xpath(".//@delimiter | .//@apply_condition") == []


@pytest.mark.parametrize("kind", sorted(kind for kind, form in MAPPING.items() if form.not_esa))
def test_appliance_is_refused_what_it_does_not_use(pulse, make, kind):
    with pytest.raises(ConversionError) as error:
        render(pulse, [make(kind)], Profile.ESA)
    assert error.value.message == MAPPING[kind].not_esa


def test_long_texts_are_cut(pulse, make, read):
    fields = {name: getattr(pulse, name) for name in type(pulse).__slots__} | {"description": "x" * 50}
    xml = render(type(pulse)(**fields), [make(IndicatorType.IPV4, title="y" * 2000)], text_limit=10)
    assert read(xml, "Description")[0] == "xxxxxxxxx…"
    assert read(xml, "Title")[1] == "y" * 999 + "…"


def test_memory_stays_flat_over_many_packages(pulse, every):
    for _ in range(20):
        check(render(pulse, every))
    tracemalloc.start()
    try:
        render(pulse, every)
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(150):
            render(pulse, every)
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert grown < 100_000  # 150 packages are 6 MB
