"""Packed texts against a dict of sets."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulsegate.curation.texts import Texts

TEXTS = st.lists(st.text(st.sampled_from("ab.-é\x00~\n\t"), min_size=1, max_size=4), max_size=300)
FILED = st.dictionaries(st.integers(0, 40), TEXTS, max_size=4)


@given(FILED, TEXTS)
def test_text_is_filed_under_the_numbers_it_was_given(filed, others):
    texts = Texts(filed)
    asked = {text for found in filed.values() for text in found} | set(others)
    found = {text: set(texts.numbers(text)) for text in asked}
    assert found == {text: {number for number, given_ in filed.items() if text in given_} for text in asked}


@pytest.mark.parametrize("filed", [{3: ["a", "b"]}, {3: ["a", "b"], 4: ["b"]}])
@pytest.mark.parametrize("text", ["", "\n", "a\nb", "b\n", "\na", "a\t3", "a\t", "c", "B"])
def test_text_that_is_not_there(filed, text):
    assert Texts(filed).numbers(text) == ()


@pytest.mark.parametrize("others", [{}, {4: ["c", "x\ty"]}])
def test_text_that_can_not_stand_in_a_line_is_kept_beside_the_lines(others):
    texts = Texts({3: ["a", "", "x\ny", "x\ty", "b"], **others})
    assert len(texts) == 4 + len(others)
    both = (3, 4) if others else (3,)
    asked = ("a", "b", "x", "y", "x\ny", "x\ty", "")
    assert [texts.numbers(text) for text in asked] == [(3,), (3,), (), (), (3,), both, ()]


@pytest.mark.parametrize("filed", [{}, {1: []}, {1: [], 2: []}])
def test_nothing_is_filed(filed):
    assert (len(Texts(filed)), Texts(filed).numbers("a")) == (0, ())


def test_text_of_many_numbers():
    assert Texts({number: ["a"] for number in range(300)}).numbers("a") == tuple(range(300))
