"""The labels of one transaction."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from pulsegate.publication.labels import EARLIEST, Labels

NOW = datetime(2024, 6, 1, 12, tzinfo=UTC)
US = timedelta(microseconds=1)
HOUR = timedelta(hours=1)


def test_label_is_the_time_of_the_pulse_where_nothing_was_answered():
    labels = Labels(frontier=EARLIEST, answered=EARLIEST, now=NOW)
    assert [labels.give(NOW - 2 * HOUR), labels.give(NOW - HOUR)] == [NOW - 2 * HOUR, NOW - HOUR]


def test_label_is_now_where_a_poll_was_answered_beyond_the_time_of_the_pulse():
    labels = Labels(frontier=NOW - HOUR, answered=NOW - HOUR, now=NOW)
    assert [labels.give(NOW - HOUR), labels.give(NOW - 2 * HOUR)] == [NOW, NOW + US]


def test_label_is_the_time_of_the_pulse_where_it_lies_after_everything_answered():
    labels = Labels(frontier=NOW - HOUR, answered=NOW - HOUR, now=NOW)
    assert labels.give(NOW - HOUR + US) == NOW - HOUR + US


def test_label_is_now_where_the_pulse_lies_in_the_future():
    assert Labels(EARLIEST, EARLIEST, NOW).give(NOW + US) == NOW


def test_label_lies_after_a_frontier_that_is_ahead_of_the_clock():
    labels = Labels(frontier=NOW + HOUR, answered=NOW + HOUR, now=NOW)
    assert [labels.give(NOW - HOUR), labels.give(NOW)] == [NOW + HOUR + US, NOW + HOUR + 2 * US]


def test_labels_of_pulses_of_one_time_rise_by_a_microsecond():
    labels = Labels(EARLIEST, EARLIEST, NOW)
    assert [labels.give(NOW - HOUR) for _ in range(3)] == [NOW - HOUR, NOW - HOUR + US, NOW - HOUR + 2 * US]


MOMENTS = st.datetimes(min_value=datetime(2023, 1, 1), max_value=datetime(2025, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


@given(MOMENTS, MOMENTS, MOMENTS, st.lists(MOMENTS, max_size=20))
def test_labels_are_unique_and_rise_beyond_everything_given_or_answered(frontier, answered, now, modified):
    labels = Labels(max(frontier, answered), answered, now)
    given_ = [labels.give(moment) for moment in modified]
    assert given_ == sorted(set(given_))
    assert all(label > max(frontier, answered) for label in given_)
