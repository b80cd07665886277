"""Free text: what is unescaped, what is dropped, what must stay."""

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulsegate.values.text import clean_line, clean_text

NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
DIRTY = st.text(st.sampled_from("&#;xamplt38dD0\u200d\u200b\ufeff\ud83d\ude00\x00\r\n é😀 "), max_size=60) | st.text()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "plain"),
        ("  trimmed\t\n", "trimmed"),
        ("", ""),
        ("a &amp; b", "a & b"),
        ("a &amp;amp;amp;amp;amp;amp;amp;amp;amp;amp;lt; b", "a < b"),
        ("&lt;script&gt;alert(1)&lt;/script&gt;", "<script>alert(1)</script>"),
        ("<script>alert(1)</script>", "<script>alert(1)</script>"),
        ("it&#39;s &#x27;it&#X27;", "it's 'it'"),
        ("caf&eacute; &#146;", "café ’"),
        ("AT&T ?a=1&copy=2 &unknown; &", "AT&T ?a=1&copy=2 &unknown; &"),
        ("&#0;&#xFFFFFFF;&#xFFFE;&#8;x", "x"),
        ("a\r\nb\rc\nd\te", "a\nb\nc\nd\te"),
        ("a\x00\x08\x0b\x1f\x7f\x80\x9fb", "ab"),
        ("a\ufffe\uffff\ufdd0\U0001fffe\U0010ffffb\ufffd", "ab\ufffd"),
        ("\ufeffa\u200bb\u2060c", "abc"),
        ("a\ud83d\ude00b", "a😀b"),
        ("&#55357;&#56832; &amp;#xD83D;&amp;#xDE00;", "😀 😀"),
        ("a\ud83db\ude00c", "abc"),
        ("👨‍👩‍👧 👩🏽‍💻 🏳️‍🌈", "👨‍👩‍👧 👩🏽‍💻 🏳️‍🌈"),
        ("می‌خواهم", "می‌خواهم"),
        ("a\u200db \u200c\u200d x\u200d", "ab  x"),
        ("日本語のテスト、全角　", "日本語のテスト、全角"),
        ("עברית العربية Ελληνικά हिन्दी", "עברית العربية Ελληνικά हिन्दी"),
        ("invoice\u202efdp.exe", "invoice\u202efdp.exe"),
    ],
)
def test_text_is_clean(text, expected):
    assert clean_text(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a\r\n\tb   c", "a b c"),
        ("a\u00a0\u3000b\u2028c", "a b c"),
        ("one", "one"),
        (" &lt;b&gt;\n", "<b>"),
        ("👨‍👩‍👧\n👧", "👨‍👩‍👧 👧"),
    ],
)
def test_line_is_one_line(text, expected):
    assert clean_line(text) == expected


@pytest.mark.parametrize("clean", [clean_text, clean_line])
@given(text=DIRTY)
def test_clean_text_is_fit_for_xml_and_stable(clean, text):
    cleaned = clean(text)
    assert clean(cleaned) == cleaned
    assert not NOT_XML.search(cleaned)
    assert cleaned == cleaned.strip()


def nested(levels):
    text = "&am\u200dp;"
    for _ in range(levels):
        text = text.replace("\u200d", "&zwj;").replace("&zwj;", "&am\u200dp;zwj;")
    return text


@pytest.mark.parametrize(
    "text", [nested(levels) for levels in (1, 3, 9, 40)] + ["&&#35;38;" * 20, "&&&&#97;mp;amp;lt;"]
)
def test_text_nested_on_purpose_is_stable(text):
    assert clean_text(clean_text(text)) == clean_text(text)


@pytest.mark.parametrize(
    "text",
    [
        "&" * 200_000,
        "&amp;" * 40_000,
        "&" + "amp;" * 50_000,
        "é" + "\u200d" * 200_000 + "é",
        "\ud83d" * 200_000,
        nested(3_000),
    ],
)
def test_hostile_text_takes_no_time(text):
    started = time.perf_counter()
    clean_text(text)
    assert time.perf_counter() - started < 2
