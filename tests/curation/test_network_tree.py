"""Networks in order against the standard library, one by one."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulsegate.curation.network_tree import NetworkTree, Span, is_mapped, span


def _network(address, prefix):
    return ip_network((address, prefix), strict=False)


# Few different bits, so that networks lie inside each other.
FOURS = st.builds(lambda bits, low: IPv4Address(bits << 28 | low), st.integers(0, 3), st.integers(0, 3))
SIXES = st.builds(lambda bits, low: IPv6Address(bits << 124 | low), st.integers(0, 3), st.integers(0, 3))
NETWORKS = st.builds(_network, FOURS, st.integers(0, 32)) | st.builds(_network, SIXES, st.integers(0, 128))


@given(st.dictionaries(st.integers(0, 5), st.lists(NETWORKS, max_size=8), max_size=4), NETWORKS)
def test_what_overlaps_is_found(filed, wanted):
    tree = NetworkTree({number: map(str, networks) for number, networks in filed.items()})
    expected = {
        (number, str(one))
        for number, networks in filed.items()
        for one in networks
        if one.version == wanted.version and one.overlaps(wanted)
    }
    found = [(number, str(one)) for number, one in tree.overlapping(str(wanted))]
    assert set(found) == expected
    assert len(found) == len(expected)


@given(st.lists(NETWORKS, max_size=12), FOURS | SIXES)
def test_narrowest_comes_first(networks, address):
    found = [one.prefix for _, one in NetworkTree({0: map(str, networks)}).overlapping(str(address))]
    assert found == sorted(found, reverse=True)


def test_equal_networks_and_the_last_address_of_one_are_found_each():
    tree = NetworkTree({1: ["10.0.0.3", "10.0.0.0/30"], 2: ["10.0.0.3", "10.0.0.0/30"]})
    found = [(number, str(one)) for number, one in tree.overlapping("10.0.0.3")]
    assert found == [(2, "10.0.0.3/32"), (1, "10.0.0.3/32"), (2, "10.0.0.0/30"), (1, "10.0.0.0/30")]


@given(st.integers(0, 2**32 - 1), st.integers(0, 32))
def test_span_of_a_network_is_the_standard_librarys(address, prefix):
    network = IPv4Network((address, prefix), strict=False)
    found = span(f"{IPv4Address(address)}/{prefix}")
    assert found is not None
    assert (str(found), found.last) == (str(network), int(network.broadcast_address))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("192.0.2.1", "192.0.2.1/32"),
        ("192.0.2.77/24", "192.0.2.0/24"),
        ("2001:DB8::1", "2001:db8::1/128"),
        ("2001:db8::/32", "2001:db8::/32"),
        ("0.0.0.0/0", "0.0.0.0/0"),
    ],
)
def test_span_in_another_spelling(text, expected):
    assert str(span(text)) == expected


@pytest.mark.parametrize(
    "text",
    ["", "1.2.3", "1.2.3.4/", "1.2.3.4/33", "1.2.3.4/-1", "1.2.3.4/²", "1.2.3.4/2_4", "01.2.3.4", "1.2.3.4 ", "example.com",
     "::1/129", "fe80::1%eth0", "[::1]", "1.2.3.4/255.255.255.0", "1.2.3.4\x00", "\ud800"],
)  # fmt: skip
def test_text_that_is_no_network(text):
    assert span(text) is None


@given(st.text())
def test_no_text_raises(text):
    list(NetworkTree({0: ["10.0.0.0/8", text]}).overlapping(text))


@pytest.mark.parametrize("text", ["64:ff9b::a01:203", "2002:a01:203::5"])
def test_ipv6_address_that_carries_an_ipv4_address_is_looked_up_as_both(text):
    tree = NetworkTree({1: ["10.0.0.0/8"], 2: [f"{IPv6Network((text, 64), strict=False)}"]})
    assert list(tree.overlapping(text)) == [(2, span(f"{text}/64")), (1, span("10.0.0.0/8"))]


@pytest.mark.parametrize(("text", "expected"), [("::ffff:1.2.3.4", True), ("::ffff:0:0/95", False), ("::1", False)])
def test_mapped_range(text, expected):
    found = span(text)
    assert isinstance(found, Span)
    assert is_mapped(found) is expected
