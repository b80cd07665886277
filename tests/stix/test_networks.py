"""Small networks in the profile of the appliance: as many indicators, each with one plain address."""

from __future__ import annotations

import itertools
from dataclasses import replace
from ipaddress import ip_network

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from pulsegate.model.collection import Profile
from pulsegate.model.indicator import Indicator, IndicatorType, RawIndicator
from pulsegate.stix import Block, Failure, blocks, check, networks, render
from pulsegate.stix.drafts import draft
from pulsegate.stix.package import TEXT_LIMIT
from support import read_values


@pytest.fixture
def network(make):
    return lambda value="198.51.100.4/30", **raw: make(IndicatorType.CIDR, value, **raw)


def one_block(pulse, indicators, **bounds):
    (found,) = blocks(pulse, indicators, Profile.ESA, expand=256, **bounds)
    assert isinstance(found, Block)
    return found


def ids(xml):
    return [node.get("id") for node in etree.fromstring(xml).iter("{*}Indicator", "{*}Observable", "{*}Object")]


def test_network_becomes_its_addresses(pulse, make, network):
    entries = [make(IndicatorType.DOMAIN), network(), make(IndicatorType.IPV4)]
    block = one_block(pulse, entries)
    assert read_values(block.content) == [
        ("name", "bad.example"),
        *(("address", f"198.51.100.{number}") for number in (4, 5, 6, 7)),
        ("address", "192.0.2.1"),
    ]
    assert block.indicators == tuple(entries)
    check(block.content)


def test_address_of_a_network_is_written_as_any_other_address(pulse, make, network):
    """Apart from its ids and its description, it is what the address would be if it were listed by itself."""
    entry = network("198.51.100.4/31", title="A title")
    block = one_block(pulse, [entry])
    (address, *_) = networks.expanded([entry], Profile.ESA)
    alone = make(IndicatorType.IPV4, "198.51.100.4", title="A title", description="Of the network 198.51.100.4/31.")
    mine, other = (
        etree.tostring(next(etree.fromstring(xml).iter("{*}Indicator"))).decode()
        for xml in (block.content, render(pulse, [alone], Profile.ESA))
    )
    assert address.value == "198.51.100.4"
    for ours, theirs in zip(ids(block.content)[:3], ids(render(pulse, [alone], Profile.ESA)), strict=True):
        assert ours != theirs
        assert ours in mine
        mine = mine.replace(ours, theirs)
    assert mine == other


@pytest.mark.parametrize(
    ("value", "kind", "first", "last"),
    [
        ("198.51.100.0/24", "ipv4-addr", "198.51.100.0", "198.51.100.255"),
        ("2001:db8::ff00/120", "ipv6-addr", "2001:db8::ff00", "2001:db8::ffff"),
    ],
)
def test_largest_network_has_room_in_a_block(pulse, network, value, kind, first, last):
    pulse = replace(pulse, name="&" * 9_000, description="&" * 90_000, references=("&" * 90_000,))
    block = one_block(pulse, [network(value, title="&" * 9_000, description="&" * 9_000)])
    values = [found for _, found in read_values(block.content)]
    assert (len(values), values[0], values[-1]) == (256, first, last)
    assert len(block.content) < 1_000_000
    root = etree.fromstring(block.content)
    assert {node.get("category") for node in root.iter("{*}Properties")} == {kind}


def test_title_and_description_of_the_network_are_kept_as_far_as_there_is_room(pulse, network, read):
    found = one_block(pulse, [network("198.51.100.4/31", title="T" * 200, description="Scanners.")]).content
    assert read(found, "Title").count("T" * 99 + "…") == 2
    assert read(found, "Description").count("Of the network 198.51.100.4/31. Scanners.") == 2


def test_ids_are_stable_and_those_of_no_other_indicator(pulse, make, network):
    """The address alone, in this network, and in a network that overlaps it."""
    entries = [make(IndicatorType.IPV4, "198.51.100.4"), network("198.51.100.4/30"), network("198.51.100.4/31")]
    found = ids(one_block(pulse, entries).content)
    assert len(found) == len(set(found)) == 3 * 7
    assert ids(one_block(pulse, entries[1:2]).content) == found[3:15]
    assert set(ids(one_block(replace(pulse, id="0" * 24), entries).content)).isdisjoint(found)


def test_package_of_a_network_is_another_one_than_that_of_its_addresses(pulse, make, network):
    addresses = [make(IndicatorType.IPV4, f"198.51.100.{number}") for number in (4, 5)]
    found = [one_block(pulse, one).content for one in ([network("198.51.100.4/31")], addresses)]
    first, second = (etree.fromstring(one).get("id") for one in found)
    assert first != second


def test_addresses_of_networks_count_for_the_bound_of_a_block(pulse, make, network):
    entries = [make(IndicatorType.IPV4), network("198.51.100.0/29"), network("198.51.100.8/30"), network()]
    results = list(blocks(pulse, entries, Profile.ESA, expand=256, max_indicators=12))
    assert [one.indicators for one in results] == [tuple(entries[:2]), tuple(entries[2:])]


def test_network_that_is_too_large_is_a_failure(pulse, make, network):
    entries = [network("198.51.100.0/29"), make(IndicatorType.IPV4)]
    failure, block = blocks(pulse, entries, Profile.ESA, expand=4)
    assert isinstance(failure, Failure)
    assert failure.indicator is entries[0]
    assert failure.reason.endswith("only one of at most 4 addresses is written address by address")
    assert block.indicators == (entries[1],)


def test_network_that_can_not_be_written_stops_nothing_else(pulse, make, network):
    entries = [make(IndicatorType.DOMAIN), network(title="bad\x1b"), make(IndicatorType.IPV4)]
    results = list(blocks(pulse, entries, Profile.ESA, expand=256))
    assert [one.indicator for one in results if isinstance(one, Failure)] == [entries[1]]
    assert [one for found in results if isinstance(found, Block) for one in found.indicators] == entries[::2]


def test_full_profile_keeps_a_network_whole(pulse, network, read):
    (block,) = blocks(pulse, [network()], Profile.FULL, expand=256)
    assert read(block.content, "Address_Value") == ["198.51.100.4/30"]


prefixes = st.tuples(st.integers(0, 2**32 - 1), st.integers(24, 31)).map(lambda one: ip_network(one, strict=False))
longer = st.tuples(st.integers(2**32, 2**128 - 1), st.integers(120, 127)).map(lambda one: ip_network(one, strict=False))


@given(st.lists(prefixes | longer, min_size=1, max_size=4, unique=True), st.text("a&<é", max_size=9))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_networks_become_their_addresses_and_are_written_as_python_stix_does(pulse, found, text):
    entries = [
        Indicator(IndicatorType.CIDR, one.compressed, RawIndicator("CIDR", str(one), title=text, description=text))
        for one in found
    ]
    results = list(blocks(pulse, entries, Profile.ESA, expand=256))
    assert list(itertools.chain.from_iterable(one.indicators for one in results)) == entries
    values = [value for one in results for _, value in read_values(one.content)]
    assert values == [address.compressed for one in found for address in one]
    for one in results:
        written = networks.expanded(one.indicators, Profile.ESA)
        assert len(written) <= 500
        assert one.content == draft(pulse, written, Profile.ESA, text_limit=31_250).content
        assert one.content == render(pulse, written, Profile.ESA, text_limit=min(TEXT_LIMIT, 31_250))
