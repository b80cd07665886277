"""Where a walk goes on, whatever happens to the list between its pages."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pulsegate.store.sources import Walk
from pulsegate.sync.position import MOST_RETREATS, Seen, step

START = datetime(2024, 6, 1, tzinfo=UTC)
WALK = Walk(START, START)


def seen(start, received, count=None, *, asked=10, more=False, missing=False):
    return Seen(start, asked, received, count, more, missing)


def after(walk, what):
    made = step(walk, what)
    return made.walk.offset, made.done, made.fault is not None


@pytest.mark.parametrize(
    ("walk", "what", "then"),
    [
        (WALK, seen(0, 10, 25, more=True), (10, False, False)),
        (WALK, seen(0, 10, None, more=True), (10, False, False)),
        (replace(WALK, offset=20, count=25), seen(20, 5, 25), (25, True, False)),
        (WALK, seen(0, 0, 0), (0, True, False)),
        (WALK, seen(0, 0, None), (0, True, False)),
        (WALK, seen(0, 0, 0, more=True), (0, True, False)),
        # The list has lost rows: back by as many.
        (replace(WALK, offset=20, count=30), seen(20, 7, 27, more=False), (17, False, False)),
        (replace(WALK, offset=20, count=300), seen(20, 7, 27), (0, False, False)),
        # It has got more: some come again.
        (replace(WALK, offset=20, count=30), seen(20, 10, 33, more=True), (30, False, False)),
        # On the first page nothing can have been missed.
        (replace(WALK, offset=0, count=30), seen(0, 10, 20, more=True), (10, False, False)),
        # A page names no next one, though there are more: the next one is asked for all the same.
        (WALK, seen(0, 10, 25), (10, False, False)),
        (replace(WALK, again=True), seen(0, 10, 25), (10, False, False)),
        (WALK, seen(0, 5, 25), (5, False, False)),
        # It isn't there: the list ends before it has given all that it says there is. Once more from the beginning.
        (replace(WALK, offset=20, count=25, unsaid=True), seen(20, 0, missing=True), (0, False, False)),
        (replace(WALK, offset=20, count=25, unsaid=True), seen(20, 0, 25), (0, False, False)),
        (replace(WALK, offset=20, count=25, unsaid=True, again=True), seen(20, 0, missing=True), (20, True, False)),
        (replace(WALK, offset=20, count=25, unsaid=True, again=True), seen(20, 0, 25), (20, True, False)),
        # So it is with a short page in its middle.
        (replace(WALK, offset=10, count=25), seen(10, 5, 25), (0, False, False)),
        (replace(WALK, offset=10, count=25, again=True), seen(10, 5, 25), (15, True, False)),
        # An empty page at its end, and in its middle.
        (replace(WALK, offset=20, count=20), seen(20, 0, 20), (20, True, False)),
        (replace(WALK, offset=20, count=30), seen(20, 0, 20), (10, False, False)),
        (replace(WALK, offset=20, count=30), seen(20, 0, 30, more=True), (0, False, True)),
        (replace(WALK, offset=20, count=30), seen(20, 0, 0), (0, False, True)),
        (WALK, seen(0, 0, 10, more=True), (0, False, True)),
        # A page that is no more.
        (replace(WALK, offset=20, count=20), seen(20, 0, missing=True), (20, True, False)),
        (replace(WALK, offset=20, count=30), seen(20, 0, missing=True), (10, False, False)),
        # It is no more again, though the page before said once more that it is: OTX counts what it doesn't give.
        (replace(WALK, offset=20, count=21, gone=20), seen(20, 0, missing=True), (0, False, True)),
        (replace(WALK, offset=10, count=21, gone=20), seen(10, 0, missing=True), (0, False, False)),
        # Nothing told how long it is: this page is its end.
        (replace(WALK, offset=20), seen(20, 0, missing=True), (10, False, False)),
        (replace(WALK, offset=10, count=20, retreats=1), seen(10, 10), (20, True, False)),
    ],
)
def test_step(walk, what, then):
    assert after(walk, what) == then


def test_count_that_falls_and_rises_for_ever_is_not_followed_for_ever():
    walk = replace(WALK, offset=20, count=30, retreats=MOST_RETREATS)
    assert after(walk, seen(20, 9, 29)) == (29, True, False)
    assert step(walk, seen(20, 9, 29)).walk.uncounted
    assert after(replace(walk, gone=20), seen(20, 0, missing=True)) == (0, False, True)


def test_count_that_is_always_too_high_ends_the_walk_soon():
    walk, steps, fault = WALK, 0, None
    while fault is None:
        start = walk.offset // 10 * 10
        received = min(10, max(0, 25 - start)) if start < 20 else 0
        page = seen(start, received, 25 if received else None, more=received > 0, missing=not received)
        made = step(walk, page)
        walk, steps, fault = made.walk, steps + 1, made.fault
        assert not made.done
    assert steps == 5
    assert walk == WALK


@st.composite
def histories(draw):
    """A list, what happens to it before each page, and the sizes of the pages."""
    number = draw(st.integers(0, 40))
    change = st.lists(st.tuples(st.sampled_from(["modify", "remove", "add"]), st.integers(0, 60)), max_size=6)
    pages = draw(st.lists(st.tuples(change, st.integers(1, 9)), min_size=1, max_size=60))
    return number, pages, draw(st.booleans()), draw(st.booleans())


@settings(max_examples=400)
@given(histories())
def test_what_stays_in_the_list_is_seen_whatever_moves(history):
    number, pages, knows_missing, names_next = history
    there = list(range(number))
    stay = set(there)
    found: set[int] = set()
    walk, done, fresh = WALK, False, number
    for changes, size in [*pages, *[([], 7)] * 200]:
        for what, place in changes:
            if what == "add":
                there.insert(0, fresh)
                fresh += 1
            elif there:
                one = there.pop(place % len(there))
                stay.discard(one)
                if what == "modify":
                    there.insert(0, one)
        start = walk.offset // size * size
        rows = there[start : start + size]
        missing = knows_missing and not rows and start > 0
        found.update(rows)
        has_next = names_next and start + size < len(there)
        page = Seen(start, size, len(rows), None if missing else len(there), has_next, missing)
        made = step(walk, page)
        assert made.fault is None or not rows
        walk, done = made.walk, made.done
        if done:
            break
    assert done
    assert stay <= found or walk.uncounted
    assert walk.uncounted <= (walk.retreats == MOST_RETREATS)
