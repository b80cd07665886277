"""IPv4, IPv6 and networks."""

import pytest

from pulsegate.model.indicator import IndicatorType as T

NO = "not an IP address: "
NEITHER = NO + "neither four numbers with dots nor an IPv6 address"


@pytest.mark.parametrize("declared", [T.IPV4, T.IPV6, T.CIDR])
@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("1.2.3.4", (T.IPV4, "1.2.3.4")),
        ("0.0.0.0", (T.IPV4, "0.0.0.0")),
        ("255.255.255.255", (T.IPV4, "255.255.255.255")),
        (' "1.2.3.4" \n', (T.IPV4, "1.2.3.4")),
        ("1[.]2(.)3{.}4", (T.IPV4, "1.2.3.4")),
        ("１．２．３。４", (T.IPV4, "1.2.3.4")),
        ("1.2.3.4.", (T.IPV4, "1.2.3.4")),
        ("\u202a1.2.3.4\u202c", (T.IPV4, "1.2.3.4")),
        ("(1.2.3.4)", (T.IPV4, "1.2.3.4")),
        ("1.2.3.4/24\u200e", (T.CIDR, "1.2.3.0/24")),
        ("1.2.3.4/", (T.IPV4, "1.2.3.4")),
        ("1.2.3.4:8080", (T.IPV4, "1.2.3.4")),
        ("1.2.3.4[:]8080", (T.IPV4, "1.2.3.4")),
        ("1.2.3.4/32", (T.IPV4, "1.2.3.4")),
        ("1.2.3.4/24", (T.CIDR, "1.2.3.0/24")),
        ("10.1.2.3/8", (T.CIDR, "10.0.0.0/8")),
        ("1.2.3.4/255.255.255.0", (T.CIDR, "1.2.3.0/24")),
        ("0.0.0.0/0", (T.CIDR, "0.0.0.0/0")),
        ("2001:0DB8:0:0:0::1", (T.IPV6, "2001:db8::1")),
        ("2001[:]db8::1", (T.IPV6, "2001:db8::1")),
        ("[2001:db8::1]", (T.IPV6, "2001:db8::1")),
        ("[2001:db8::1]:443", (T.IPV6, "2001:db8::1")),
        ("2001:db8::1/128", (T.IPV6, "2001:db8::1")),
        ("2001:DB8::1/32", (T.CIDR, "2001:db8::/32")),
        ("::FFFF:1.2.3.4", (T.IPV4, "1.2.3.4")),
        ("::ffff:102:304", (T.IPV4, "1.2.3.4")),
        ("::ffff:1.2.3.4/120", (T.CIDR, "1.2.3.0/24")),
        ("::ffff:1.2.3.4/128", (T.IPV4, "1.2.3.4")),
        ("::", (T.IPV6, "::")),
    ],
)
def test_address_or_network_is_told_by_its_value(read, declared, value, expected):
    assert read(declared, value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("evil.com", (T.DOMAIN, "evil.com")),
        ("www.evil[.]com", (T.HOSTNAME, "www.evil.com")),
        ("http://1.2.3.4/x", (T.URL, "http://1.2.3.4/x")),
        ("1.2.3.4/x.exe", (T.URL, "http://1.2.3.4/x.exe")),
    ],
)
def test_value_of_another_type_is_retyped(read, value, expected):
    assert read(T.IPV4, value) == expected


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("01.2.3.4", NO + "leading zeros, which some read as octal"),
        ("1.2.3.04", NO + "leading zeros, which some read as octal"),
        ("1.2.3.256", NO + "a number above 255"),
        ("256.1.1.1/24", NO + "a number above 255"),
        ("1234", NEITHER),
        ("0x7f000001", NEITHER),
        ("1.2.3", NEITHER),
        ("1.2.3.4.5", NEITHER),
        ("1.2.3.*", NEITHER),
        ("١.٢.٣.٤", NEITHER),
        ("2001:db8:::1", NEITHER),
        ("12345::", NEITHER),
        ("invoice.doc", NEITHER),
        ("a@b.com", NEITHER),
        ("fe80::1%eth0", NO + "a zone id, which means something on one host only"),
        ("1.2.3.4:99999", NO + "the port is not a number from 1 to 65535"),
        ("1.2.3.4/33", NO + "the prefix length is not a number from 0 to 32"),
        ("1.2.3.4/0.0.0.255", NO + "the prefix length is not a number from 0 to 32"),
        ("2001:db8::/129", NO + "the prefix length is not a number from 0 to 128"),
        ("::ffff:1.2.3.4/90", NO + "a network that is wider than all of IPv4"),
        ("1.2.3.4-1.2.3.9", NO + "a range of addresses, neither one address nor a network"),
        ("1.2.3.4, 5.6.7.8", NO + "several values in one field"),
        ("2001:db8::1 2001:db8::2", NO + "several values in one field"),
        ("1.2.3.4 (C2)", NO + "white space inside"),
        ("1" * 200, NO + "longer than 128 characters"),
    ],
)
def test_what_is_no_address_is_rejected(read, value, reason):
    assert {declared: read(declared, value) for declared in (T.IPV4, T.IPV6, T.CIDR)} == dict.fromkeys(
        (T.IPV4, T.IPV6, T.CIDR), reason
    )
