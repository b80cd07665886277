"""E-mail addresses."""

import pytest

from pulsegate.model.indicator import IndicatorType as T

NO = "not an e-mail address: "


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("a@b.com", "a@b.com"),
        ("First.Last+Tag@EVIL.Com.", "First.Last+Tag@evil.com"),
        ("Foo Bar <a@b.com>", "a@b.com"),
        ('"Foo, Bar" <a@b.com>', "a@b.com"),
        ("<a@b.com>;", "a@b.com"),
        ("MAILTO:a@b.com?subject=x", "a@b.com"),
        ("mailto:<a@b.com>", "a@b.com"),
        ("a[at]b[.]com", "a@b.com"),
        ("a (AT) b(dot)com", "a@b.com"),
        ("a[@]b.com", "a@b.com"),
        ("ａ＠ｂ．com", "a@b.com"),
        ("a\u200b@b.com", "a@b.com"),
        ("\u202aa@b.com\u202c", "a@b.com"),
        ("é@bücher.example", "é@xn--bcher-kva.example"),
        ("o'brien@b.com", "o'brien@b.com"),
        ("a..b.@docomo.example", "a..b.@docomo.example"),
        ("root@localhost", "root@localhost"),
        ("a@[1.2.3.4]", "a@[1.2.3.4]"),
        ("a@[ipv6:2001:DB8::1]", "a@[IPv6:2001:db8::1]"),
    ],
)
def test_mailbox_keeps_the_case_before_the_at(read, value, expected):
    assert read(T.EMAIL, value) == (T.EMAIL, expected)


def test_url_is_retyped(read):
    assert read(T.EMAIL, "hxxp://evil[.]com/x") == (T.URL, "http://evil.com/x")


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("gmail.com", "there is no @"),
        ("@gmail.com", "nothing stands before the @"),
        ("a@", "nothing stands after the @"),
        ("a@b.com, c@d.com", "several values in one field"),
        ("a b@c.com", "white space inside"),
        ("a@b@c.com", 'the character "@" is not allowed'),
        ("a,b@c.com", 'the character "," is not allowed'),
        ("a@b..com", "two dots in a row"),
        ("a@1.2.3.4", "the last label is a number"),
        ("a" * 65 + "@b.com", "more than 64 characters before the @"),
        ("a" * 2_000, "longer than 1,024 characters"),
    ],
)
def test_what_is_no_mailbox_is_rejected_and_never_becomes_a_domain(read, value, reason):
    assert read(T.EMAIL, value) == NO + reason
