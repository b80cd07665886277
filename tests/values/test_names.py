"""Domains and host names."""

import pytest

from pulsegate.model.indicator import IndicatorType as T

NO = "not a domain name: "


@pytest.mark.parametrize("declared", [T.DOMAIN, T.HOSTNAME])
@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("evil.com", "evil.com"),
        ("WWW.Evil.COM.", "www.evil.com"),
        ("evil[.]com", "evil.com"),
        ("evil(.)com", "evil.com"),
        ("evil{.}com", "evil.com"),
        ("evil[dot]com", "evil.com"),
        ("evil(DOT)com", "evil.com"),
        ("evil [.] com", "evil.com"),
        ("evil[.com", "evil.com"),
        ("evil\\.com", "evil.com"),
        ("ev[.]il[.]com", "ev.il.com"),
        ("&#39;evil.com&#39;", "evil.com"),
        ("“evil.com”", "evil.com"),
        ("<evil.com>,", "evil.com"),
        ("\tevil.com\r\n", "evil.com"),
        ("\ufeffevil.com\u200b", "evil.com"),
        ("(evil.com)", "evil.com"),
        ("[evil.com]", "evil.com"),
        ("\u202aevil.com\u202c", "evil.com"),
        ("\u200eev\u00adil.com\u200f", "evil.com"),
        ("evil.com\ufe0f", "evil.com"),
        ("evil.\U000e0020com\u2069", "evil.com"),
        ("\u2028evil.com\u2029", "evil.com"),
        ("b\u061cücher.example\u200e", "xn--bcher-kva.example"),
        ("ｅｖｉｌ．ｃｏｍ", "evil.com"),
        ("evil。com", "evil.com"),
        ("evil.com/", "evil.com"),
        ("@evil.com", "evil.com"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("BÜCHER.example", "xn--bcher-kva.example"),
        ("XN--BCHER-KVA.example", "xn--bcher-kva.example"),
        ("faß.de", "xn--fa-hia.de"),
        ("пример.рф", "xn--e1afmkfd.xn--p1ai"),
        ("i❤.ws", "xn--i-7iq.ws"),
        ("i❤️.ws", "xn--i-7iq.ws"),
    ],
)
def test_name_is_cleaned_and_keeps_its_type(read, declared, value, expected):
    assert read(declared, value) == (declared, expected)


@pytest.mark.parametrize(
    "value",
    [
        "_dmarc.evil.com", "foo_bar.evil.com", "r3---sn-x.evil.com", "ab--cd.com", "foo-.tumblr.com", "-foo.evil.com", "123.com",
        "localhost", "com", "co.uk", "github.io", "invoice.doc", "a.b.c.d.e.f", ".".join(["a" * 62] * 4), "a" * 63 + ".com",
        "xn--999999b.com",
    ],
)  # fmt: skip
def test_name_that_dns_allows_is_kept(read, value):
    assert read(T.DOMAIN, value) == (T.DOMAIN, value)


@pytest.mark.parametrize("value", ["evil.com:80", "evil[.]com[:]8080", "EVIL.com:65535"])
def test_port_behind_a_name_is_dropped(read, value):
    assert read(T.DOMAIN, value) == (T.DOMAIN, "evil.com")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("*.evil.com", (T.DOMAIN, "evil.com")),
        (".evil.com", (T.DOMAIN, "evil.com")),
        ("*.a.b.evil.com", (T.DOMAIN, "a.b.evil.com")),
        ("*[.]evil[.]com", (T.DOMAIN, "evil.com")),
        ("*.foo.github.io", (T.DOMAIN, "foo.github.io")),
        ("*.github.io", NO + "a wildcard over the whole public suffix github.io"),
        (".co.uk", NO + "a wildcard over the whole public suffix co.uk"),
        ("*evil.com", NO + "a wildcard, not one name"),
        ("www.*.com", NO + "a wildcard, not one name"),
        ("*", NO + "a wildcard, not one name"),
    ],
)
def test_wildcard_stands_for_what_its_owner_owns_and_never_for_a_public_suffix(read, value, expected):
    assert read(T.DOMAIN, value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("1.2.3.4", (T.IPV4, "1.2.3.4")),
        ("1.2.3.4.", (T.IPV4, "1.2.3.4")),
        ("1[.]2[.]3[.]4:80", (T.IPV4, "1.2.3.4")),
        ("1.2.3.4/24", (T.CIDR, "1.2.3.0/24")),
        ("2001:DB8::1", (T.IPV6, "2001:db8::1")),
        ("http://evil.com", (T.URL, "http://evil.com")),
        ("hxxp://evil[.]com/a", (T.URL, "http://evil.com/a")),
        ("evil.com/a?b", (T.URL, "http://evil.com/a?b")),
        ("evil.com:8080/A", (T.URL, "http://evil.com:8080/A")),
        ("1.2.3.4/exe", (T.URL, "http://1.2.3.4/exe")),
        ("Bad.Guy@EVIL.com", (T.EMAIL, "Bad.Guy@evil.com")),
    ],
)
def test_value_of_another_type_is_retyped(read, value, expected):
    assert read(T.DOMAIN, value) == expected
    assert read(T.HOSTNAME, value) == expected


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("a.com, b.com", "several values in one field"),
        ("a.com b.com", "several values in one field"),
        ("a.com;b.com", "several values in one field"),
        ("a.com\tb.com", "several values in one field"),
        ("a.com，b.com", "several values in one field"),
        ("a[.]com|b[.]com", "several values in one field"),
        ("evil\t.com", "white space inside"),
        ("evil dot com", "white space inside"),
        ("evil.com (sinkholed)", "white space inside"),
        ("a" * 64 + ".com", "label longer than 63 characters"),
        ("é" * 60 + ".com", "label longer than 63 characters"),
        (".".join(["a" * 60] * 5), "longer than 253 characters"),
        ("a" * 1_025, "longer than 1,024 characters"),
        ("evil..com", "two dots in a row"),
        ("...", "there is no name"),
        ("-evil.com", "a label begins or ends with a hyphen"),
        ("evil-.com", "a label begins or ends with a hyphen"),
        ("evil.com-", "a label begins or ends with a hyphen"),
        ("1.2.3", "the last label is a number"),
        ("1234", "the last label is a number"),
        ("evil.0x1f", "the last label is a number"),
        ("ev!l.com", 'the character "!" is not allowed'),
        ("evil%2ecom", 'the character "%" is not allowed'),
        ("“ev”il.com", 'the character "”" is not allowed'),
        ("evil:com", 'the character ":" is not allowed'),
        ("evil.com:0", "the port is not a number from 1 to 65535"),
        ("evil.com:65536", "the port is not a number from 1 to 65535"),
    ],
)
def test_what_is_no_name_is_rejected(read, value, reason):
    assert read(T.DOMAIN, value) == NO + reason
    assert read(T.HOSTNAME, value) == NO + reason
