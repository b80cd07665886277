import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from pulsegate.errors import ConversionError
from pulsegate.stix.text import cdata, cut, text


@pytest.mark.parametrize("char", ["\x00", "\x0b", "\x1b", "\ufffe", "\uffff", "\ud800"])
def test_text_with_a_character_that_xml_lacks(char):
    with pytest.raises(ConversionError) as error:
        text(f"a{char}b")
    assert str(error.value) == f"the text holds U+{ord(char):04X}, which XML can't carry"


@pytest.mark.parametrize("value", ["", "plain", "日本語", "🦊", "\t\n", "& < > ]]>"])
def test_text_that_is_fit_stays(value):
    assert text(value) == value


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff")))
def test_cdata_reads_back(value):
    root = etree.fromstring(f"<a>{cdata(value)}</a>".encode())
    assert (root.text or "") == value


@pytest.mark.parametrize(
    ("value", "limit", "expected"),
    [("abc", 3, "abc"), ("abcd", 3, "ab…"), ("a cd", 3, "a…"), ("ab", 1, "…"), ("", 0, "")],
)
def test_cut_at_limit(value, limit, expected):
    assert cut(value, limit) == expected
