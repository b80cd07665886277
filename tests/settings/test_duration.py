"""Durations, read and written."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulsegate.settings.duration import format_duration, parse_duration


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("100ms", timedelta(milliseconds=100)),
        ("90s", timedelta(seconds=90)),
        ("15m", timedelta(minutes=15)),
        ("6h", timedelta(hours=6)),
        ("30d", timedelta(days=30)),
        ("0s", timedelta(0)),
        (" 5 m ", timedelta(minutes=5)),
        ("36500d", timedelta(days=36_500)),
        ("3153600000s", timedelta(days=36_500)),
        (timedelta(seconds=3), timedelta(seconds=3)),
    ],
)
def test_duration_in_each_unit(text, value):
    assert parse_duration(text) == value


@pytest.mark.parametrize(
    "text", ["", "5", "m", "5 minutes", "-5m", "1.5h", "5M", "1h30m", "1e3s", "٣d", 5, 5.0, None, True]
)
def test_duration_in_no_known_form(text):
    with pytest.raises(ValueError) as caught:
        parse_duration(text)
    assert str(caught.value) == f"{text!r} is no duration; write 100ms, 90s, 15m, 6h or 30d"


@pytest.mark.parametrize("text", ["36501d", "3153600001s", "999999999d", "999999999999999999d"])
def test_duration_before_which_there_may_be_no_date(text):
    with pytest.raises(ValueError) as caught:
        parse_duration(text)
    assert str(caught.value) == f"{text!r} is too long a duration; write at most 36500d"
    assert datetime.now(UTC) - parse_duration("36500d") < datetime(2000, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (timedelta(0), "0ms"),
        (timedelta(milliseconds=1500), "1500ms"),
        (timedelta(seconds=90), "90s"),
        (timedelta(seconds=60), "1m"),
        (timedelta(hours=24), "1d"),
        (timedelta(hours=25), "25h"),
    ],
)
def test_duration_written_in_its_largest_whole_unit(value, text):
    assert format_duration(value) == text


@given(st.integers(min_value=0, max_value=999_999_999))
def test_duration_written_and_read_again_is_the_same(milliseconds):
    value = timedelta(milliseconds=milliseconds)
    assert parse_duration(format_duration(value)) == value
