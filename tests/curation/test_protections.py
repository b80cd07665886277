"""Protections: what no feed should block, and how it is told."""

from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulsegate.curation.protections import NAMES, Protection, protection
from pulsegate.model.indicator import IndicatorType as T


def reserved(reason):
    return Protection("reserved-range", reason)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("0.0.0.0", "0.0.0.0 lies in 0.0.0.0/8, which means this host or this network"),
        ("10.1.2.3", "10.1.2.3 lies in 10.0.0.0/8, which is private"),
        ("100.64.0.1", "100.64.0.1 lies in 100.64.0.0/10, which is shared by a carrier's customers"),
        ("127.0.0.1", "127.0.0.1 lies in 127.0.0.0/8, which is loopback"),
        ("169.254.169.254", "169.254.169.254 lies in 169.254.0.0/16, which is link-local"),
        ("172.31.255.255", "172.31.255.255 lies in 172.16.0.0/12, which is private"),
        ("192.0.0.9", "192.0.0.9 lies in 192.0.0.0/24, which is kept for protocols"),
        ("192.0.2.1", "192.0.2.1 lies in 192.0.2.0/24, which is for documentation"),
        ("192.168.1.1", "192.168.1.1 lies in 192.168.0.0/16, which is private"),
        ("198.19.0.1", "198.19.0.1 lies in 198.18.0.0/15, which is for benchmarks"),
        ("198.51.100.7", "198.51.100.7 lies in 198.51.100.0/24, which is for documentation"),
        ("203.0.113.7", "203.0.113.7 lies in 203.0.113.0/24, which is for documentation"),
        ("224.0.0.1", "224.0.0.1 lies in 224.0.0.0/4, which is multicast"),
        ("239.1.1.1", "239.1.1.1 lies in 224.0.0.0/4, which is multicast"),
        ("240.0.0.1", "240.0.0.1 lies in 240.0.0.0/4, which is reserved"),
        ("255.255.255.255", "255.255.255.255 lies in 255.255.255.255/32, which is broadcast"),
    ],
)
def test_reserved_ipv4_is_protected(value, reason):
    assert protection(T.IPV4, value) == reserved(reason)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("::", ":: lies in ::/128, which means no address"),
        ("::1", "::1 lies in ::1/128, which is loopback"),
        ("::102:304", "::102:304 lies in ::/3, which is not in public use"),
        ("100::1", "100::1 lies in 100::/64, which is discarded"),
        ("2001::1", "2001::1 lies in 2001::/23, which is kept for protocols"),
        ("2001:db8::1", "2001:db8::1 lies in 2001:db8::/32, which is for documentation"),
        ("3fff::1", "3fff::1 lies in 3fff::/20, which is for documentation"),
        ("5f00::1", "5f00::1 lies in 5f00::/16, which is for segment routing inside a network"),
        ("fc00::1", "fc00::1 lies in fc00::/7, which is private"),
        ("fd12::1", "fd12::1 lies in fc00::/7, which is private"),
        ("fe80::1", "fe80::1 lies in fe80::/10, which is link-local"),
        ("fec0::1", "fec0::1 lies in fec0::/10, which is private to a site"),
        ("ff02::1", "ff02::1 lies in ff00::/8, which is multicast"),
        ("4000::1", "4000::1 lies in 4000::/2, which is not in public use"),
        ("64:ff9b:1::1", "64:ff9b:1::1 lies in 64:ff9b:1::/48, which is for translation inside a network"),
        (
            "64:ff9b::a00:1",
            "64:ff9b::a00:1 carries an IPv4 address: 10.0.0.1 lies in 10.0.0.0/8, which is private",
        ),
        (
            "2002:c0a8:101::1",
            "2002:c0a8:101::1 carries an IPv4 address: 192.168.1.1 lies in 192.168.0.0/16, which is private",
        ),
    ],
)
def test_reserved_ipv6_is_protected(value, reason):
    assert protection(T.IPV6, value) == reserved(reason)


@pytest.mark.parametrize(
    ("type_", "value"),
    [
        (T.IPV4, "8.8.8.8"),
        (T.IPV4, "9.255.255.255"),
        (T.IPV4, "11.0.0.0"),
        (T.IPV4, "100.63.255.255"),
        (T.IPV4, "100.128.0.0"),
        (T.IPV4, "172.15.255.255"),
        (T.IPV4, "172.32.0.0"),
        (T.IPV4, "192.88.99.1"),
        (T.IPV4, "198.20.0.0"),
        (T.IPV4, "223.255.255.255"),
        (T.IPV6, "2606:4700::1111"),
        (T.IPV6, "2001:200::1"),
        (T.IPV6, "2002:808:808::1"),
        (T.IPV6, "64:ff9b::808:808"),
        (T.CIDR, "8.8.8.0/24"),
        (T.CIDR, "8.0.0.0/8"),
        (T.CIDR, "2606:4700::/32"),
        (T.CIDR, "2600::/16"),
        (T.CIDR, "2002:808::/32"),
    ],
)
def test_public_address_is_not_protected(type_, value):
    assert protection(type_, value) is None


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("10.1.0.0/16", "10.1.0.0/16 lies in 10.0.0.0/8, which is private"),
        ("10.0.0.0/8", "10.0.0.0/8 lies in 10.0.0.0/8, which is private"),
        ("172.0.0.0/8", "172.0.0.0/8 overlaps 172.16.0.0/12, which is private"),
        ("192.0.0.0/16", "192.0.0.0/16 overlaps 192.0.0.0/24, which is kept for protocols"),
        ("8.0.0.0/7", "8.0.0.0/7 is wider than /8"),
        ("0.0.0.0/0", "0.0.0.0/0 is wider than /8"),
        ("2600::/15", "2600::/15 is wider than /16"),
        ("::/0", "::/0 is wider than /16"),
        ("2001::/16", "2001::/16 overlaps 2001::/23, which is kept for protocols"),
        (
            "2002:a00::/24",
            "2002:a00::/24 carries an IPv4 address: 10.0.0.0/8 lies in 10.0.0.0/8, which is private",
        ),
    ],
)
def test_network_that_overlaps_or_is_too_wide_is_protected(value, reason):
    assert protection(T.CIDR, value) == reserved(reason)


@pytest.mark.parametrize("type_", [T.DOMAIN, T.HOSTNAME])
@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("com", Protection("public-suffix", "com is a public suffix: strangers register names below it")),
        ("co.uk", Protection("public-suffix", "co.uk is a public suffix: strangers register names below it")),
        ("github.io", Protection("public-suffix", "github.io is a public suffix: strangers register names below it")),
        ("xn--p1ai", Protection("public-suffix", "xn--p1ai is a public suffix: strangers register names below it")),
        ("localhost", Protection("single-label", "localhost has no dot, as names inside a network do")),
        ("intranet", Protection("single-label", "intranet has no dot, as names inside a network do")),
        ("evil.com", None),
        ("evil.co.uk", None),
        ("foo.github.io", None),
        ("evil.example", None),
    ],
)
def test_suffix_and_single_label_are_protected(type_, value, expected):
    assert protection(type_, value) == expected


@pytest.mark.parametrize("type_", [T.URL, T.URI])
@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("http://10.0.0.1/", reserved("10.0.0.1 lies in 10.0.0.0/8, which is private")),
        ("https://u:p@192.168.0.1:8443/x", reserved("192.168.0.1 lies in 192.168.0.0/16, which is private")),
        ("http://[::1]:80/x", reserved("::1 lies in ::1/128, which is loopback")),
        ("http://localhost/", Protection("single-label", "localhost has no dot, as names inside a network do")),
        ("http://intranet:8080", Protection("single-label", "intranet has no dot, as names inside a network do")),
        ("http://8.8.8.8/x", None),
        ("http://[2606:4700::1111]/", None),
        ("http://evil.com/10.0.0.1", None),
        ("http://evil.com#@10.0.0.1/", None),
        ("http://github.io/x", None),
        ("http://foo.github.io/x", None),
        ("/x/", None),
        ("urn:x:y", None),
    ],
)
def test_url_into_a_network_is_protected_and_one_on_a_suffix_is_not(type_, value, expected):
    assert protection(type_, value) == expected


@pytest.mark.parametrize(
    ("type_", "value"),
    [
        (T.EMAIL, "root@localhost"),
        (T.EMAIL, "a@co.uk"),
        (T.MUTEX, "10.0.0.1"),
        (T.FILE_PATH, "localhost"),
        (T.MD5, "0" * 32),
    ],
)
def test_other_types_are_not_protected(type_, value):
    assert protection(type_, value) is None


@pytest.mark.parametrize(
    ("type_", "value", "name"),
    [
        (T.IPV4, "10.0.0.1", "reserved-range"),
        (T.URL, "http://10.0.0.1/", "reserved-range"),
        (T.DOMAIN, "co.uk", "public-suffix"),
        (T.DOMAIN, "localhost", "single-label"),
        (T.URL, "http://localhost/", "single-label"),
    ],
)
def test_protection_holds_only_while_it_is_enabled(type_, value, name):
    found = protection(type_, value)
    assert found
    assert (found.name, protection(type_, value, frozenset({name}))) == (name, found)
    assert protection(type_, value, NAMES - {name}) is None
    assert protection(type_, value, frozenset()) is None


def test_top_level_domain_is_a_single_label_where_suffixes_are_not_protected():
    assert protection(T.DOMAIN, "com", frozenset({"single-label"})) == Protection(
        "single-label", "com has no dot, as names inside a network do"
    )


@given(st.builds(IPv4Address, st.integers(0, 2**32 - 1)) | st.builds(IPv6Address, st.integers(0, 2**128 - 1)))
def test_whatever_python_calls_not_global_or_multicast_is_protected(address):
    type_ = T.IPV4 if address.version == 4 else T.IPV6
    if not address.is_global or address.is_multicast:
        assert protection(type_, str(address))


@pytest.mark.parametrize("value", ["192.0.0.9", "2001:20::1", "2001:4:112::1", "fec0::1", "3fff::1", "5f00::1"])
def test_answer_does_not_depend_on_the_version_of_python(value):
    """``is_global`` of these has changed, or will change, from one Python to the next."""
    assert protection(T.IPV4 if ip_address(value).version == 4 else T.IPV6, value)


@given(st.sampled_from(list(T)), st.text())
def test_no_text_raises(type_, value):
    protection(type_, value)
