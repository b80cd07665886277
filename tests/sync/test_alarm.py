"""When somebody must be told of a source, and what is said."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from pulsegate.store.sources import Source, Walk
from pulsegate.sync.alarm import HELD, STALE, cleared, complaints
from sync.pulls import NOW

HOUR = timedelta(hours=1)
WELL = Source("otx", NOW - 100 * HOUR, "", completed=NOW - HOUR)
SERVED = "What is published goes on being served."
FAILED = "It has failed since 2024-06-01 05:30 UTC: OTX answered 504."
HELD_TEXT = (
    "12,000 pulses have left the source partner at once. They are served on; if they may go: "
    "pulsegate pull --source partner --accept-removals"
)


def due(source, stale_after=6 * HOUR):
    return complaints(source, stale_after, NOW)


@pytest.mark.parametrize(
    "source",
    [
        WELL,
        replace(WELL, completed=NOW - 6 * HOUR),
        replace(WELL, completed=NOW + HOUR),  # the clock was put back
        replace(WELL, failing=NOW - HOUR / 2, error="OTX answered 504", next_try=NOW),
        Source("otx", NOW - 6 * HOUR, ""),
        Source("otx", NOW - HOUR, "", walk=Walk(NOW - HOUR, NOW, offset=20, count=2000)),
    ],
)
def test_source_that_is_well_or_not_ill_for_long(source):
    assert due(source) == {}


@pytest.mark.parametrize(
    ("source", "text"),
    [
        (replace(WELL, completed=NOW - 7.9 * HOUR), f"The source otx was not pulled completely for 7h. {SERVED}"),
        (
            replace(WELL, completed=NOW - 7 * HOUR, failing=NOW - 6.5 * HOUR, error="OTX answered 504"),
            f"The source otx was not pulled completely for 7h. {FAILED} {SERVED}",
        ),
        (Source("otx", NOW - 49 * HOUR, ""), f"The source otx was never pulled completely for 49h. {SERVED}"),
        (Source("otx", NOW - 48 * HOUR, ""), f"The source otx was never pulled completely for 2d. {SERVED}"),
        (
            Source("otx", NOW - 7 * HOUR, "", walk=Walk(NOW, NOW, offset=1200, count=20_000)),
            f"The source otx was never pulled completely for 7h. 1,200 of 20,000 pulses are taken. {SERVED}",
        ),
        (
            Source("otx", NOW - 7 * HOUR, "", walk=Walk(NOW, NOW, offset=20)),
            f"The source otx was never pulled completely for 7h. 20 pulses are taken. {SERVED}",
        ),
    ],
)
def test_source_that_is_ill_for_long(source, text):
    assert due(source) == {STALE: text}


@pytest.mark.parametrize(
    ("seconds", "words"), [(3, "a moment"), (59, "a moment"), (60, "1m"), (7199, "119m"), (7200, "2h"), (9000, "2h")]
)
def test_time_is_told_roughly(seconds, words):
    source = replace(WELL, completed=NOW - timedelta(seconds=seconds))
    assert due(source, timedelta(seconds=2)) == {
        STALE: f"The source otx was not pulled completely for {words}. {SERVED}"
    }


def test_error_that_ends_with_a_full_stop_is_not_given_another_one():
    source = replace(WELL, completed=NOW - 7 * HOUR, failing=NOW - HOUR, error="OTX is away. Wait.")
    assert due(source)[STALE].endswith(f"UTC: OTX is away. Wait. {SERVED}")


def test_removals_that_wait():
    assert due(replace(WELL, name="partner", held=12_000)) == {HELD: HELD_TEXT}


def test_source_with_everything_wrong():
    source = replace(WELL, name="partner", held=12_000, completed=NOW - 7 * HOUR)
    assert due(source) == {
        STALE: f"The source partner was not pulled completely for 7h. {SERVED}",
        HELD: HELD_TEXT,
    }


def test_what_is_over():
    assert cleared(WELL, STALE) == "The source otx was pulled completely again"
    assert cleared(WELL, HELD) == "No removals of otx wait for a confirmation any more"


def test_packages_of_an_upstream_are_called_so() -> None:
    source = Source("partner", NOW, "", completed=NOW, held=7)
    assert complaints(source, 6 * HOUR, NOW, "packages") == {
        "held": "7 packages have left the source partner at once. They are served on; if they may go: "
        "pulsegate pull --source partner --accept-removals"
    }
