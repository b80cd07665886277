import pytest

from pulsegate.model.collection import Profile
from pulsegate.model.indicator import IndicatorType
from pulsegate.stix import MAPPING, expressible

ESA = {
    IndicatorType.IPV4,
    IndicatorType.IPV6,
    IndicatorType.DOMAIN,
    IndicatorType.HOSTNAME,
    IndicatorType.URL,
    IndicatorType.URI,
    IndicatorType.MD5,
    IndicatorType.SHA1,
    IndicatorType.SHA256,
}


def test_mapping_covers_every_type_once():
    assert set(MAPPING) == set(IndicatorType)
    assert len(MAPPING) == 21


def test_mapping_is_immutable():
    with pytest.raises(TypeError):
        MAPPING[IndicatorType.IPV4] = None


@pytest.mark.parametrize("kind", IndicatorType)
def test_form_has_one_builder(kind):
    form = MAPPING[kind]
    assert (form.observe is None) != (form.attach is None)


def test_esa_takes_what_the_appliance_uses():
    assert {kind for kind, form in MAPPING.items() if form.not_esa is None} == ESA


@pytest.mark.parametrize("kind", sorted(set(IndicatorType) - ESA))
def test_expressible_for_esa_states_why_not(kind):
    reason = expressible(kind, "x", "rule", Profile.ESA)
    assert reason == MAPPING[kind].not_esa
    assert "mail gateway" in reason


@pytest.mark.parametrize(
    ("kind", "value", "content", "profile", "reason"),
    [
        (IndicatorType.CIDR, "198.51.100.0/30", "", Profile.FULL, None),
        (IndicatorType.URI, "http://bad.example/", "", Profile.ESA, None),
        (
            IndicatorType.URI,
            "/gate.php",
            "",
            Profile.ESA,
            "a URI without scheme and host matches nothing on the mail gateway",
        ),
        (IndicatorType.URI, "/gate.php", "", Profile.FULL, None),
        (IndicatorType.YARA, "abc", "rule x {}", Profile.FULL, None),
        (
            IndicatorType.YARA,
            "abc",
            " \n",
            Profile.FULL,
            "no rule text: OTX sent the name of a YARA rule without the rule",
        ),
        (IndicatorType.CVE, "CVE-2024-00001", "", Profile.FULL, None),
        (
            IndicatorType.CVE,
            "CVE-2024-XYZ",
            "",
            Profile.FULL,
            "no CVE number: STIX takes CVE-, four digits, - and digits only",
        ),
        (IndicatorType.OSQUERY, "SELECT 1", "", Profile.FULL, None),
        (IndicatorType.OSQUERY, "abc", "select 1", Profile.FULL, None),
        (
            IndicatorType.OSQUERY,
            "abc",
            "",
            Profile.FULL,
            "no query text: OTX sent an osquery indicator without the statement",
        ),
    ],
)
def test_expressible_by_value_and_content(kind, value, content, profile, reason):
    assert expressible(kind, value, content, profile) == reason


TOO_LARGE = "the mail gateway matches single addresses, not networks; only one of at most {} addresses is written {}"


@pytest.mark.parametrize(
    ("value", "expand", "fits"),
    [
        ("198.51.100.0/24", 256, True),
        ("198.51.100.0/24", 255, False),
        ("198.51.100.0/23", 256, False),
        ("0.0.0.0/0", 256, False),
        ("198.51.100.4/31", 2, True),
        ("198.51.100.4/31", 1, False),
        ("2001:db8::ff00/120", 256, True),
        ("2001:db8::/64", 256, False),
        ("::/0", 1, False),
    ],
)
def test_expressible_network_by_its_size(value, expand, fits):
    reason = expressible(IndicatorType.CIDR, value, "", Profile.ESA, expand)
    assert reason == (None if fits else TOO_LARGE.format(expand, "address by address"))
    assert expressible(IndicatorType.CIDR, value, "", Profile.FULL, expand) is None


def test_expressible_network_where_none_is_expanded():
    found = expressible(IndicatorType.CIDR, "198.51.100.0/30", "", Profile.ESA, 0)
    assert found == "the mail gateway matches single addresses, not networks"
