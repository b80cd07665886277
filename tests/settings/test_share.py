"""Shares, read and written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulsegate.settings.share import format_share, parse_share


@pytest.mark.parametrize(
    ("text", "value"),
    [("20%", 0.2), (" 20 % ", 0.2), ("0.2", 0.2), (0.2, 0.2), ("12.5%", 0.125), (0, 0.0), ("0%", 0.0), (1, 1.0), ("100%", 1.0)],
)  # fmt: skip
def test_share_in_each_form(text, value):
    assert parse_share(text) == value


@pytest.mark.parametrize(
    "text",
    ["", "%", "20", "101%", "1.5", "-5%", "20%%", "1e-3", "٢٠%", ".2", True, None, 2, [], "0.1234567", "a fifth"],
)
def test_share_in_no_known_form(text):
    with pytest.raises(ValueError) as caught:
        parse_share(text)
    assert str(caught.value) == f"{text!r} is no share; write 20% or 0.2"


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0%"), (0.2, "20%"), (1.0, "100%"), (0.125, "12.5%"), (1 / 3, "33.333333%"), (0.005, "0.5%")],
)
def test_share_is_written_as_a_percentage(value, text):
    assert format_share(value) == text


@given(st.integers(min_value=0, max_value=10_000))
def test_share_written_and_read_again_is_the_same(hundredths):
    value = hundredths / 10_000
    assert parse_share(format_share(value)) == pytest.approx(value, abs=1e-9)
