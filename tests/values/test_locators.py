"""URLs and URIs."""

import pytest

from pulsegate.model.indicator import IndicatorType as T
from pulsegate.values.locators import host_of

NO = "not a URL: "
NEITHER = NO + "it has neither a scheme nor a host name whose end exists"


@pytest.mark.parametrize("declared", [T.URL, T.URI])
@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("http://evil.com", "http://evil.com"),
        ("http://evil.com/", "http://evil.com/"),
        ("HTTP://EVIL.com/Path?Q=A#F", "http://evil.com/Path?Q=A#F"),
        ("http://evil.com:80/", "http://evil.com:80/"),
        ("http://evil.com:0080/", "http://evil.com:80/"),
        ("http://evil.com:/x", "http://evil.com/x"),
        ("http://evil.com./x", "http://evil.com/x"),
        ("http://User:Pass@evil.com/", "http://User:Pass@evil.com/"),
        ("http://a@b@evil.com/", "http://a@b@evil.com/"),
        ("ftp://evil.com/x", "ftp://evil.com/x"),
        ("tcp://1.2.3.4:443", "tcp://1.2.3.4:443"),
        ("http://localhost/", "http://localhost/"),
        ("http://foo_bar.evil.com/", "http://foo_bar.evil.com/"),
        ("http://[2001:DB8::1]:80/x", "http://[2001:db8::1]:80/x"),
        ("http://[::ffff:1.2.3.4]/", "http://1.2.3.4/"),
        ("http://Bücher.example/ü?é", "http://xn--bcher-kva.example/ü?é"),
        ("http://evil.com/%zz?[x]=…", "http://evil.com/%zz?[x]=…"),
        ("http://evil.com/a/../b//c;d='e'", "http://evil.com/a/../b//c;d='e'"),
        ("http://evil.com\\@good.com/", "http://evil.com\\@good.com/"),
        ("http://good.com#@evil.com/", "http://good.com#@evil.com/"),
        ("http://archive.example/web/http://b.com/", "http://archive.example/web/http://b.com/"),
        ("http://evil.com/😀", "http://evil.com/😀"),
    ],
)
def test_url_keeps_what_its_server_reads(read, declared, value, expected):
    assert read(declared, value) == (declared, expected)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("hxxp://evil[.]com/a[.]php", "http://evil.com/a.php"),
        ("hXXps://evil(.)com/", "https://evil.com/"),
        ("h**p://evil.com/", "http://evil.com/"),
        ("meow://evil.com/", "http://evil.com/"),
        ("fxp://evil.com/", "ftp://evil.com/"),
        ("http[:]//evil.com/", "http://evil.com/"),
        ("hxxp[://]evil[dot]com[:]80/x", "http://evil.com:80/x"),
        ("http:\\\\evil.com/", "http://evil.com/"),
        ("hxxp:// evil[.]com/x", "http://evil.com/x"),
        ("http://http://evil.com/x", "http://evil.com/x"),
        ("http://https://evil.com/x", "https://evil.com/x"),
        ("(http://evil.com/a)", "http://evil.com/a"),
        ("[hxxp://evil.com/a]", "http://evil.com/a"),
        ('{"http://evil.com/a"}', "http://evil.com/a"),
        ("http://1.2.3.4./a", "http://1.2.3.4/a"),
        ("\u202ahttp://evil.com/a\u202c", "http://evil.com/a"),
        ("\u200ehttp://ev\u00adil.com\ufe0f/a\u2069", "http://evil.com/a"),
        ("http://evil.com/❤\ufe0f", "http://evil.com/❤\ufe0f"),
        ("ｈｔｔｐ：／／ｅｖｉｌ．ｃｏｍ／ａ", "http://evil.com/a"),
        ("http://ｅｖｉｌ。com/ａ", "http://evil.com/ａ"),
        ("evil.com/", "http://evil.com/"),
        ("evil[.]com/x[.]exe", "http://evil.com/x.exe"),
        ("evil.example?x=1", "http://evil.example?x=1"),
        ("evil.com:8080", "http://evil.com:8080"),
        ("//evil.com/x", "http://evil.com/x"),
        ("1.2.3.4:80", "http://1.2.3.4:80"),
        ("1.2.3.4/24", "http://1.2.3.4/24"),
        ("[2001:db8::1]/x", "http://[2001:db8::1]/x"),
        ("user@evil.com/x", "http://user@evil.com/x"),
        (' "http://evil.com/" \n', "http://evil.com/"),
        ("<http://evil.com/>", "http://evil.com/"),
        ("'http://evil.com/'", "http://evil.com/"),
        ("http://evil.com/'", "http://evil.com/'"),
        ('http://evil.com/"', "http://evil.com/"),
        ("http://evil.com/?a=1&amp;amp;b=2", "http://evil.com/?a=1&b=2"),
        ("http://evil.com/?a=1&#38;b=&quot;", "http://evil.com/?a=1&b="),
        ("http://evil.com/?a=1&copy=2&copy;=3", "http://evil.com/?a=1&copy=2&copy;=3"),
        ("http://evil.com/Invoice 2019.doc", "http://evil.com/Invoice%202019.doc"),
        ("http://evil.com/a\u3000b", "http://evil.com/a%E3%80%80b"),
        ("http://user name@evil.com/", "http://user%20name@evil.com/"),
        ("http://evil.com/a\tb\r\nc\x00\ufffe", "http://evil.com/abc"),
    ],
)
def test_url_is_cleaned(read, value, expected):
    assert read(T.URL, value) == (T.URL, expected)


@pytest.mark.parametrize("declared", [T.URL, T.URI])
@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("evil.com", (T.DOMAIN, "evil.com")),
        ("WWW.evil[.]com", (T.HOSTNAME, "www.evil.com")),
        ("evil.example", (T.DOMAIN, "evil.example")),
        ("1.2.3.4", (T.IPV4, "1.2.3.4")),
        ("2001:DB8::1", (T.IPV6, "2001:db8::1")),
        ("a@b.com", (T.EMAIL, "a@b.com")),
        ("mailto:a@b.com?subject=x", (T.EMAIL, "a@b.com")),
        ("/x/", (T.URI, "/x/")),
        ("/X y?Q=A&amp;b", (T.URI, "/X%20y?Q=A&b")),
    ],
)
def test_bare_name_address_mailbox_and_path_are_retyped(read, declared, value, expected):
    assert read(declared, value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("gate.php?id=1", (T.URI, "gate.php?id=1")),
        ("x/y", (T.URI, "x/y")),
        ("?x=1", (T.URI, "?x=1")),
        ("//x/y", (T.URI, "//x/y")),
        ("URN:x:Y", (T.URI, "urn:x:Y")),
        ("x", NEITHER),
        ("C:\\x", NEITHER),
        ("localhost:8080", NEITHER),
        ("a b/c", NO + "white space inside"),
    ],
)
def test_uri_may_be_relative_or_opaque(read, value, expected):
    assert read(T.URI, value) == expected


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("http://", "there is no host"),
        ("http:///x", "there is no host"),
        ("http://:80/", "there is no host"),
        ("file:///C:/x", "there is no host"),
        ("http://evil.com:0/", "the port is not a number from 1 to 65535"),
        ("http://evil.com:65536/", "the port is not a number from 1 to 65535"),
        ("http://evil.com:x/", "the port is not a number from 1 to 65535"),
        ("http://evil..com/", "two dots in a row"),
        ("http://ev%69l.com/", 'the character "%" is not allowed'),
        ("http://*.evil.com/x", "a wildcard, not one name"),
        ("http://ev il.com/", "white space inside the host"),
        ("http://evil.com (bad)", "white space inside the host"),
        ("http://010.0.0.1/", "leading zeros, which some read as octal"),
        ("http://1.2.3.256/", "a number above 255"),
        ("http://2130706433/", "the last label is a number"),
        ("http://0x7f000001/", "the last label is a number"),
        ("http://127.1/", "the last label is a number"),
        ("http://2001:db8::1/", "an IPv6 address without brackets"),
        ("http://[fe80::1%25eth0]/", "a zone id, which means something on one host only"),
        ("h*tp://evil.com/", "the scheme can't be read"),
        ("http://a.com/x http://b.com/y", "several values in one field"),
        ("http://a.com/x\nhxxp://b.com/y", "several values in one field"),
        ("http://a.comhttp://b.com/y", "several values in one field"),
        ("a.com, b.com", "several values in one field"),
        ("evil.com/a b", "white space inside"),
        ("http:/evil.com/x", "it has neither a scheme nor a host name whose end exists"),
        ("javascript:alert(1)", "it has neither a scheme nor a host name whose end exists"),
        ("invoice.doc", "it has neither a scheme nor a host name whose end exists"),
        ("index.php/x", "it has neither a scheme nor a host name whose end exists"),
        ("localhost", "it has neither a scheme nor a host name whose end exists"),
    ],
)
def test_what_is_no_url_is_rejected(read, value, reason):
    assert read(T.URL, value) == NO + reason


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("http://evil.com", "evil.com"),
        ("https://u:p@evil.com:80/x@y", "evil.com"),
        ("http://a@b@evil.com/", "evil.com"),
        ("http://evil.com\\@good.com/", "evil.com"),
        ("http://[2001:db8::1]:80/x", "2001:db8::1"),
        ("ftp://1.2.3.4?x", "1.2.3.4"),
        ("/x/", ""),
        ("urn:x:y", ""),
        ("", ""),
    ],
)
def test_host_of_a_url(url, host):
    assert host_of(url) == host
