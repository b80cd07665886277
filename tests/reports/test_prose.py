"""Indicators in prose: what is found, what is meant, and what is no value."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulsegate.reports.prose import MOST, _pieces, find

MD5 = "44d88612fea8a8f36de82e1278abb02f"


def found(text):
    return [(one.value, one.is_meant) for one in find(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It calls hxxps://evil[.]example[.]com/a/b,c?x=1, then evil-cdn[.]net.",
         [("https://evil.example.com/a/b,c?x=1", True), ("evil-cdn.net", True)]),
        ("1.2.3[.]4, 5.6.7.8; and (bad[.]org)", [("1.2.3.4", True), ("5.6.7.8", False), ("bad.org", True)]),
        ("See https://vendor.example.com/security for more.", [("https://vendor.example.com/security", False)]),
        (f"(MD5: {MD5})", [(MD5, True)]),
        ("a[.]com,b[.]com | c[.]com; d[.]com", [(f"{one}.com", True) for one in "abcd"]),
        ("info(at)phish[.]ru", [("info@phish.ru", True)]),
        ("evil [.] spaced [.] com and dot[dot]com", [("evil.spaced.com", True), ("dot.com", True)]),
        ("hxxp://[2001:db8::1]/x", [("http://[2001:db8::1]/x", True)]),
        ("(hxxp://x[.]com/path_(1))", [("http://x.com/path_(1)", True)]),
        ("CVE-2021-44228", [("CVE-2021-44228", False)]),
        ("日本語「evil[.]jp」、hxxp://ja[.]example[.]jp/x。", [("evil.jp", True), ("http://ja.example.jp/x", True)]),
        ("evil.org, later evil[.]org", [("evil.org", True)]),  # the spelling that somebody made harmless counts
        ("<script>alert(1)</script> javascript:alert(1) foo.exe e.g. this, i.e. that 12:30 and/or v1.2", []),
        ("", []),
    ],
)  # fmt: skip
def test_values_are_found_and_told_apart(text, expected):
    assert found(text) == expected


def test_line_and_spelling_are_told():
    (one,) = find("nothing\n\n  * evil[.]org!\n")
    assert (one.line, one.text, one.type.value) == (3, "evil[.]org", "domain")


def test_candidates_are_bounded():
    assert len(find("\n".join(f"n{number}[.]example[.]com" for number in range(MOST + 50)))) == MOST


@given(st.text(alphabet=st.sampled_from("ab.[]()<>:/,;hxtp1@ \n\u3002"), max_size=200))
def test_any_text_is_read(text):
    for one in find(text):
        assert one.text in text or "[" in one.text or "(" in one.text or "{" in one.text


@pytest.mark.timeout(30)
@pytest.mark.parametrize(
    "piece", ["a,", "a,/", ".", "(", "(a", "[ ", "[.", "md5: ", "a.b,", '"', "a|", "hxx", "@", " "]
)
@pytest.mark.parametrize("end", ["", "/", "x", ")"])
def test_no_report_takes_longer_than_it_is_long(piece, end):
    """Half a megabyte without a blank; what grows with its square would take many minutes."""
    find(piece * (500_000 // len(piece)) + end)


@given(st.text(alphabet="ab,;|/=.[]、"))
def test_word_is_parted_where_no_address_goes_on(word):
    separator = r"[|\u3001\u3002\uff0c\u2022\u00b7\u300c-\u3011\uff08\uff09]|[,;](?=$|[^/=&?#]*$)|(?<=\w),(?=\w+\[?\.)"
    assert _pieces(word) == re.split(separator, word)
