"""The administrator's own domains and networks."""

from __future__ import annotations

import pytest

from pulsegate.curation.own import Own
from pulsegate.curation.policy import Policy
from pulsegate.model.indicator import IndicatorType as T

OWN = Own(["example.com", "deep.sub.example.org", "bücher.example", "192.0.2.0/24", "198.51.100.7", "2001:db8::/32"])


@pytest.mark.parametrize(
    ("kind", "value", "entry"),
    [
        (T.DOMAIN, "example.com", "example.com"),
        (T.HOSTNAME, "a.b.example.com", "example.com"),
        (T.DOMAIN, "notexample.com", None),
        (T.DOMAIN, "example.com.bad.example", None),
        (T.DOMAIN, "com", None),
        (T.HOSTNAME, "deep.sub.example.org", "deep.sub.example.org"),
        (T.HOSTNAME, "x.deep.sub.example.org", "deep.sub.example.org"),
        (T.DOMAIN, "sub.example.org", None),
        (T.HOSTNAME, "www.xn--bcher-kva.example", "xn--bcher-kva.example"),
        (T.IPV4, "192.0.2.0", "192.0.2.0/24"),
        (T.IPV4, "192.0.2.255", "192.0.2.0/24"),
        (T.IPV4, "192.0.3.0", None),
        (T.IPV4, "198.51.100.7", "198.51.100.7/32"),
        (T.IPV4, "198.51.100.8", None),
        (T.IPV6, "2001:db8::5", "2001:db8::/32"),
        (T.IPV6, "2001:db9::5", None),
        (T.CIDR, "192.0.2.128/25", "192.0.2.0/24"),
        (T.CIDR, "192.0.0.0/16", "192.0.2.0/24"),
        (T.CIDR, "0.0.0.0/0", "192.0.2.0/24"),
        (T.CIDR, "192.0.3.0/24", None),
        (T.CIDR, "2001:db8:1::/48", "2001:db8::/32"),
        (T.EMAIL, "someone@example.com", "example.com"),
        (T.EMAIL, "someone@mail.example.com", "example.com"),
        (T.EMAIL, "example.com@bad.example", None),
        (T.URL, "http://example.com", "example.com"),
        (T.URL, "http://www.example.com:8080/a?b#c", "example.com"),
        (T.URL, "http://user:word@example.com/", "example.com"),
        (T.URL, "http://example.com@bad.example/", None),
        (T.URL, "http://bad.example/?u=http://example.com/", None),
        (T.URL, "http://example.com?x", "example.com"),
        (T.URL, "http://192.0.2.1:8080/x", "192.0.2.0/24"),
        (T.URL, "http://[2001:db8::5]:80/x", "2001:db8::/32"),
        (T.URL, "http://[broken/", None),
        (T.URL, "http://example.com\\@bad.example/", "example.com"),
        (T.URI, "ftp://files.example.com/x", "example.com"),
        (T.URI, "/path/example.com", None),
        (T.MD5, "d41d8cd98f00b204e9800998ecf8427e", None),
        (T.FILE_PATH, "example.com", None),
        (T.MUTEX, "192.0.2.1", None),
    ],
)
def test_value_that_an_entry_covers_or_none(kind, value, entry):
    assert OWN.covering(kind, value) == entry


@pytest.mark.parametrize(
    ("value", "entry"),
    [("someone@[192.0.2.1]", "192.0.2.0/24"), ("someone@[IPv6:2001:db8::1]", "2001:db8::/32")],
)
def test_mail_address_at_an_address(value, entry):
    assert OWN.covering(T.EMAIL, value) == entry


@pytest.mark.parametrize("value", ["64:ff9b::c000:201", "2002:c000:201::1"])
def test_ipv6_address_that_carries_an_own_ipv4_address(value):
    assert OWN.covering(T.IPV6, value) == "192.0.2.0/24"


@pytest.mark.parametrize(
    ("entry", "value"),
    [
        ("example.com.", "example.com"),
        ("*.example.com", "example.com"),
        ("Example[.]COM", "example.com"),
        ("localhost", "localhost"),
        ("example", "host.example"),
    ],
)
def test_name_in_another_spelling(entry, value):
    assert Own([entry]).covering(T.HOSTNAME, value) is not None


def test_network_with_host_bits_and_spaces():
    assert Own(["  192.0.2.5/24 "]).covering(T.IPV4, "192.0.2.200") == "192.0.2.0/24"


@pytest.mark.parametrize(
    "entry", ["", " ", "10", "http://example.com", "example.com/24", "a@example.com", "not a domain!"]
)
def test_entry_that_is_neither_a_domain_nor_a_network(entry):
    with pytest.raises(ValueError) as caught:
        Own(["example.com", entry])
    assert str(caught.value) == f"{entry!r} is neither a domain nor a network"


def test_own_with_nothing_in_it_covers_nothing():
    assert not Own([])
    assert Own([]).covering(T.DOMAIN, "example.com") is None


@pytest.mark.parametrize("entry", ["example.com", "192.0.2.0/24"])
def test_own_with_an_entry_is_true(entry):
    assert Own([entry])


def test_policy_with_a_protection_that_is_off():
    policy = Policy(disabled=frozenset({"reserved-range"}))
    assert [policy.protection(name) for name in ("reserved-range", "single-label", None)] == [
        None,
        "single-label",
        None,
    ]
