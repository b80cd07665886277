"""Values that are plainly in their normal form are recognised by one match: it must say what the careful reading says."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pulsegate.model.indicator import IndicatorType as T
from pulsegate.model.indicator import RawIndicator
from pulsegate.values import normalise as module

LABELS = st.sampled_from(
    ["evil", "a-b", "a_b", "_x", "x-", "-x", "xn--bcher-kva", "1", "0x1f", "255", "a" * 63, "a" * 64, "com"]
)
HOSTS = st.lists(LABELS, min_size=1, max_size=6).map(".".join)
TAILS = st.text(st.sampled_from("/?#&;=.[]()'\"<>\\%@:,a1 ü{}"), max_size=12)
URLS = st.builds(
    "{}{}{}{}".format,
    st.sampled_from(["http://", "https://", "HTTP://", ""]),
    HOSTS,
    st.sampled_from(["", ":80", ":080"]),
    TAILS,
)


@pytest.mark.parametrize("type_", list(module._PLAIN))
@settings(max_examples=500)
@given(value=HOSTS | URLS | st.from_regex(r"[0-9a-fA-F]{32}|[0-9a-f]{40}|[0-9a-f]{64}|[0-9.]{7,15}", fullmatch=True))
def test_plain_value_reads_the_same_carefully(type_, value):
    if module._PLAIN[type_](value):
        assert module._settled(type_, RawIndicator(type=type_, value=value)) == (type_, value)


@pytest.mark.parametrize(
    ("type_", "value"),
    [
        (T.DOMAIN, "evil.com"), (T.HOSTNAME, "a_b.xn--bcher-kva.example"), (T.IPV4, "1.2.3.4"), (T.MD5, "a" * 32), (T.SHA1, "a" * 40),
        (T.SHA256, "a" * 64), (T.URL, "http://evil.com"), (T.URL, "https://1.2.3.4:80/a?b=1&c=2#d"), (T.URL, "http://evil.com/a;b=c"),
    ],
)  # fmt: skip
def test_common_value_is_plain(type_, value):
    assert module._PLAIN[type_](value)
