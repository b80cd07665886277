"""The normal form of all types: promises that hold for every value, types by name, dirt that is common to all."""

import re
import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pulsegate.model.indicator import Indicator, IndicatorType, RawIndicator, Rejection
from pulsegate.values.normalise import indicator_type, normalise

T = IndicatorType
NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

PIECES = st.sampled_from(
    [
        "evil", "com", "example", ".", "[.]", "(dot)", "[", "]", "(", ")", "hxxp", "http", "https", "://", "[:]//", ":", "/",
        "//", "@", "[at]", "*", "*.", "1.2.3.4", "01", "255", "::1", "2001:db8::", "/24", ":80", "-", "_", "xn--", "é", "ß",
        "。", "．", "：", "／", " ", "\t", "\n", ",", ";", "&amp;", "&#39;", "&", "amp;", '"', "'", "<", ">", "%20", "?", "#",
        "\\", "\u200d", "\u200b", "\ufeff", "\ufffe", "\ud800", "\x00", "a" * 32, "0" * 40, "F" * 64, "md5:", "CVE-", "2017-1234",
        "bc1q", "mailto:", "☃", "❤️", "日本", "urn:", "=", "0x",
    ],
)  # fmt: skip
DIRTY = st.lists(PIECES, max_size=9).map("".join) | st.text(max_size=40)


@pytest.mark.parametrize("type_", list(T))
@settings(max_examples=250)
@given(value=DIRTY)
@example(value="&am&am&zwj;p;zwj;p;")
@example(value="http://" * 1_100)
@example(value="[[[[[[[[[[[[.].].].].].].].].].].]")
def test_any_text_is_a_stable_value_or_is_rejected_with_a_reason(type_, value):
    found = normalise(RawIndicator(type=type_, value=value))
    if isinstance(found, Rejection):
        assert found.raw.value == value
        assert found.reason.strip()
        assert not NOT_XML.search(found.reason)
        return
    again = RawIndicator(type=found.type, value=found.value)
    assert normalise(again) == Indicator(found.type, found.value, again)
    assert found.value
    assert not NOT_XML.search(found.value)


@given(type_=st.text(), value=st.text())
def test_any_type_is_answered(type_, value):
    assert isinstance(normalise(RawIndicator(type=type_, value=value)), Indicator | Rejection)


@pytest.mark.parametrize("type_", list(T))
@pytest.mark.parametrize(
    "value",
    [
        " " * 8_000 + "x", "a." * 4_000, "-" * 8_000, "[.]" * 2_500, "[" * 8_000, "(dot)" * 1_600, "&" * 8_000, "&;" * 4_000,
        "http://" + "a" * 8_000, "http://" * 1_100, "@" * 8_000, "a@" * 4_000, "a@" + " " * 8_000, "<" * 8_000, "é" * 8_000,
        "http://" + "&a" * 4_000, "é." * 4_000, "1" * 8_000, ":" * 8_000, "1." * 4_000, "x" * 1_000_000, ", " * 4_000, "ﷺ" * 8_000,
        "x" + "\t" * 8_000 + "x", "http://x/" + " " * 8_000 + "x", "bc1" + "q" * 8_000, "\u200d" * 8_000, "[at]" * 2_000,
    ],
    ids=lambda value: f"{value[:9]}…{len(value)}",
)  # fmt: skip
def test_hostile_value_takes_no_time(type_, value):
    started = time.perf_counter()
    normalise(RawIndicator(type=type_, value=value))
    assert time.perf_counter() - started < 0.5


@pytest.mark.parametrize("type_", [type_ for type_ in T if type_ is not T.OSQUERY])
def test_value_that_is_too_long_is_rejected(type_):
    raw = RawIndicator(type=type_, value="a" * 8_193)
    assert normalise(raw) == Rejection(raw, "longer than 8,192 characters")


@pytest.mark.parametrize("type_", list(T))
@pytest.mark.parametrize("value", ["", "   ", "\t\r\n", "\u200b\ufeff", "\x00", "&#0;", "&nbsp;", "\ud800"])
def test_empty_value_is_rejected(type_, value):
    raw = RawIndicator(type=type_, value=value)
    assert normalise(raw) == Rejection(raw, "the value is empty")


@pytest.mark.parametrize("type_", list(T))
def test_type_is_found_by_its_own_name_in_any_case(type_):
    assert [indicator_type(text) for text in (type_.value, type_.lower(), type_.upper())] == [type_] * 3


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("sha256", T.SHA256), ("SHA-1", T.SHA1), ("md5", T.MD5), ("filehash_md5", T.MD5), ("FileHash-SHA-256", T.SHA256),
        ("ip", T.IPV4), ("ipv4-addr", T.IPV4), ("fqdn", T.HOSTNAME), ("file path", T.FILE_PATH), ("ssl_cert_fingerprint", T.SSL_CERT_FINGERPRINT),
        ("FileHash-SHA512", None), ("", None), ("x" * 10_000, None),
    ],
)  # fmt: skip
def test_type_is_found_by_an_alias(name, expected):
    assert indicator_type(name) is expected


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("FileHash-SHA512", '"FileHash-SHA512" is no indicator type that Pulsegate knows'),
        ("", '"" is no indicator type that Pulsegate knows'),
        ("a\x00\nb" * 50, '"a ba ba ba ba ba ba ba ba ba b" is no indicator type that Pulsegate knows'),
    ],
)
def test_unknown_type_is_rejected_even_when_the_value_is_plain(name, reason):
    raw = RawIndicator(type=name, value="8.8.8.8")
    assert normalise(raw) == Rejection(raw, reason)


def test_indicator_keeps_its_raw_form():
    raw = RawIndicator(type="DOMAIN", value=" EVIL[.]example ", otx_id="7", title="t")
    assert normalise(raw) == Indicator(T.DOMAIN, "evil.example", raw)
