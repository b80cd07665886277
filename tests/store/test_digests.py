"""Keys of values, and texts that any database takes."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from pulsegate.store.digests import digest, storable


@pytest.mark.parametrize("parts", [(), ("",), ("", ""), ("a",), ("ab",), ("a", "b"), ("\0",), ("\ud800",), ("é",)])
def test_digest_has_its_size_and_is_the_same_each_time(parts):
    assert len(digest(*parts)) == 16
    assert digest(*parts) == digest(*parts)


@given(st.lists(st.lists(st.text(max_size=4), max_size=3).map(tuple), max_size=6, unique=True))
def test_digest_differs_with_every_split(splits):
    assert len({digest(*parts) for parts in splits}) == len(splits)


@pytest.mark.parametrize(
    ("text", "kept"),
    [("plain é 😀", "plain é 😀"), ("a\0b", "a\\x00b"), ("a\ud800b\udfff", "a\\ud800b\\udfff"), ("", "")],
)
def test_text_that_any_database_takes(text, kept):
    assert storable(text) == kept


def test_storable_text_is_taken(database):
    text = storable("\0 \ud83d \uffff 😀")
    with database.read() as connection:
        assert connection.scalar(sa.select(sa.bindparam("text", text, type_=sa.Text()))) == text
