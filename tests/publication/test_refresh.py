"""Publishing again what is still live, for consumers that age out what they have not seen lately."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from publication.feeds import DAY, MICROSECOND, NOW, Feed, a_pulse
from pulsegate.curation.policy import Policy
from pulsegate.errors import OutdatedRevisionError
from pulsegate.publication import publish
from pulsegate.publication.publish import Publication
from pulsegate.publication.refresh import due
from pulsegate.store import blocks, collections, ledger, versions
from pulsegate.store.blocks import StoredBlock
from pulsegate.store.versions import Window

HOUR = timedelta(hours=1)
SKEW = timedelta(minutes=10)
LONG_AGO = NOW - 999 * DAY
IDS = st.integers(1, 2**31)
INTERVALS = st.timedeltas(timedelta(hours=1), 400 * DAY)


def a_block(number: int, label=NOW) -> StoredBlock:
    return StoredBlock(number, 1, label, 1)


# --- Which blocks are due ------------------------------------------------------------------------------------------


@given(IDS, INTERVALS, st.timedeltas(timedelta(0), 900 * DAY))
def test_block_is_due_after_four_fifths_of_the_interval_at_the_earliest_and_after_it_at_the_latest(
    number, interval, before
):
    block = a_block(number)
    assert list(due([block], interval, NOW - before, NOW + interval * 0.8 - MICROSECOND)) == []
    late = NOW + interval if before >= interval * 0.2 else NOW - before + interval
    assert list(due([block], interval, NOW - before, max(late, NOW + interval))) == [block]


@given(IDS, INTERVALS, st.timedeltas(timedelta(0), 900 * DAY), st.integers(0, 100))
def test_overdue_block_is_due_within_a_fifth_of_the_interval_from_the_beginning_on(number, interval, late, percent):
    block = a_block(number, NOW - interval - late)
    assert list(due([block], interval, NOW, NOW - MICROSECOND)) == []
    assert list(due([block], interval, NOW, NOW + interval * 0.2)) == [block]
    now = NOW + interval * percent / 100
    first = list(due([block], interval, NOW, now))
    assert list(due([block], interval, NOW, now)) == first  # the same in each publication
    if first:
        assert list(due([block], interval, NOW, now + HOUR)) == first


def times(found, interval, since, at):
    """How many are due at each share of the interval after ``at``, in tenths of its last fifth."""
    return [len(list(due(found, interval, since, at + interval * step / 50))) for step in range(11)]


def test_blocks_come_due_evenly_over_the_last_fifth():
    found = [a_block(number) for number in range(1, 2001)]
    counts = times(found, 25 * DAY, LONG_AGO, NOW + 20 * DAY)
    assert (counts[0], counts[-1]) == (0, 2000)
    assert all(abs(count - 200 * step) < 100 for step, count in enumerate(counts)), counts


def test_overdue_blocks_come_due_evenly_over_the_first_fifth():
    found = [a_block(number, NOW - 300 * DAY) for number in range(1, 2001)]
    counts = times(found, 25 * DAY, NOW, NOW)
    assert (counts[0], counts[-1]) == (0, 2000)
    assert all(abs(count - 200 * step) < 100 for step, count in enumerate(counts)), counts


def test_blocks_that_are_due_keep_their_order():
    found = [a_block(number, NOW + number * HOUR) for number in (9, 1, 5, 7)]
    assert list(due(found, 3 * DAY, LONG_AGO, NOW + 9 * DAY)) == found
    assert list(due([], 3 * DAY, LONG_AGO, NOW + 9 * DAY)) == []


# --- Through a publication -----------------------------------------------------------------------------------------


@pytest.fixture
def mail(feed: Feed) -> Feed:
    """Ten blocks that are a day old or a little less, in a collection that is refreshed every ten days."""
    feed.collection(refresh=10 * DAY)
    for number in range(10):
        feed.put(a_pulse(number, NOW - DAY + number * HOUR, author=""), [f"{number}.example"])
    feed.publish()
    return feed


def labels(feed: Feed):
    return {one.id: one.label for one in feed.served()}


def refreshed(feed: Feed, clock, until, step=3 * HOUR):
    """Publish every three hours; gives when each block got a new label first."""
    first, found = labels(feed), {}
    while clock.moment < until:
        clock.moment += step
        before, frontier = labels(feed), feed.ledger().frontier
        done = feed.publish()["mail"]
        after = labels(feed)
        moved = [key for key in before if after[key] != before[key]]
        assert done == Publication("mail", refreshed_blocks=len(moved))
        assert all(after[key] > frontier and after[key] - clock.moment < timedelta(seconds=1) for key in moved)
        assert [after[key] for key in sorted(moved, key=before.__getitem__)] == sorted(after[key] for key in moved)
        for key in moved:
            found.setdefault(key, clock.moment)
        assert after.keys() == first.keys()
    return found


def test_each_block_gets_a_new_label_in_the_last_fifth_of_the_interval(mail, clock):
    first, contents = labels(mail), {one.id: one.content for one in mail.served()}
    found = refreshed(mail, clock, NOW + 10 * DAY)
    assert found.keys() == first.keys()
    assert all(8 * DAY <= moment - first[key] <= 10 * DAY + 3 * HOUR for key, moment in found.items())
    assert len(set(found.values())) > 4
    assert {one.id: one.content for one in mail.served()} == contents
    mail.check()


def test_blocks_are_refreshed_again_and_again(mail, clock):
    refreshed(mail, clock, NOW + 10 * DAY)
    first = labels(mail)
    found = refreshed(mail, clock, clock.moment + 10 * DAY)
    assert all(8 * DAY <= moment - first[key] <= 10 * DAY + 3 * HOUR for key, moment in found.items())
    assert found.keys() == first.keys()


def test_overdue_backfill_is_refreshed_over_the_first_fifth_after_the_opening(feed, clock):
    """Not within the first publication, nor all at once after it."""
    feed.collection(refresh=10 * DAY)
    for number in range(10):
        feed.put(a_pulse(number, NOW - (300 - number) * DAY, author=""), [f"{number}.example"])
    assert feed.publish()["mail"] == Publication("mail", added=10, new_blocks=10)
    assert sorted(labels(feed).values()) == [NOW - (300 - number) * DAY for number in range(10)]
    assert feed.publish()["mail"] == Publication("mail")
    found = refreshed(feed, clock, NOW + 2 * DAY)
    assert len(found) == 10
    assert len(set(found.values())) > 4


def test_refresh_that_is_switched_on_late_is_spread_from_then_on(feed, clock):
    feed.collection()
    for number in range(10):
        feed.put(a_pulse(number, NOW - DAY + number * HOUR, author=""), [f"{number}.example"])
    feed.publish()
    clock.moment = NOW + 100 * DAY
    assert feed.publish()["mail"] == Publication("mail")
    feed.collection(refresh=10 * DAY)
    assert feed.publish()["mail"] == Publication("mail")
    found = refreshed(feed, clock, NOW + 102 * DAY)
    assert len(found) == 10
    assert len(set(found.values())) > 4


def test_collection_without_refresh_keeps_its_labels(feed, clock):
    feed.collection()
    feed.put(a_pulse(1, author=""), ["a.example"])
    feed.publish()
    before = feed.served(), feed.ledger()
    clock.moment = NOW + 999 * DAY
    assert feed.publish()["mail"] == Publication("mail")
    assert (feed.served(), feed.ledger()) == before


def test_label_that_is_younger_than_a_day_does_not_move_however_short_the_interval(feed, clock):
    feed.collection(refresh=2 * HOUR)
    feed.put(a_pulse(1, NOW, author=""), ["a.example"])
    feed.publish()
    clock.moment = NOW + DAY - MICROSECOND
    assert feed.publish()["mail"] == Publication("mail")
    clock.moment = NOW + DAY
    assert feed.publish()["mail"] == Publication("mail", refreshed_blocks=1)
    assert list(labels(feed).values()) == [NOW + DAY]
    assert feed.publish()["mail"] == Publication("mail")


def test_refresh_in_several_transactions_gives_unique_rising_labels(mail, clock, monkeypatch):
    monkeypatch.setattr(publish, "BATCH_BLOCKS", 3)
    order = [one.values for one in mail.served()]
    revision = mail.ledger().revision
    clock.moment = NOW + 20 * DAY
    assert mail.publish()["mail"] == Publication("mail", refreshed_blocks=10)
    served = mail.served()
    assert [one.values for one in served] == order
    assert [one.label for one in served[:3]] == [clock.moment + number * MICROSECOND for number in range(3)]
    assert len({one.label for one in served}) == 10
    assert mail.ledger().revision == revision + 4
    mail.check()


def test_refreshed_label_lies_beyond_the_end_that_a_fast_client_was_answered(mail, clock):
    clock.moment = NOW + 20 * DAY
    ahead = clock.moment + timedelta(minutes=9)
    assert ledger.answer(mail.database, "mail", ahead, SKEW).end == ahead
    mail.publish()
    assert min(labels(mail).values()) > ahead


def test_refreshed_block_holds_what_it_held_since_when_it_held_it(mail, clock):
    (first, *_), stored = mail.served(), stored_mail(mail)
    with mail.database.read() as connection:
        (before,) = blocks.in_block(connection, first.id)
    clock.moment = NOW + 20 * DAY
    mail.publish()
    with mail.database.read() as connection:
        (after,) = blocks.in_block(connection, first.id)
        assert blocks.find(connection, stored.id, before.identity) == after
    assert (after.identity, after.indicator_pk, after.since) == (before.identity, before.indicator_pk, before.since)
    assert after.label == labels(mail)[first.id] > before.label


def stored_mail(feed: Feed):
    with feed.database.read() as connection:
        found = collections.get(connection, "mail")
    assert found is not None
    return found


def poll(feed: Feed, begin):
    """The window after ``begin``, as a client gets it."""
    answer = ledger.answer(feed.database, "mail", None, SKEW)
    window = Window(stored_mail(feed).id, begin, answer.end, answer.revision)
    return window, list(versions.read(feed.database, window, chunk=2))


def test_client_that_goes_on_gets_each_refreshed_block_again_once(mail, clock):
    window, first = poll(mail, None)
    clock.moment = NOW + 20 * DAY
    mail.publish()
    again, second = poll(mail, window.end)
    assert sorted((one.id, one.content) for one in second) == sorted((one.id, one.content) for one in first)
    assert poll(mail, again.end)[1] == []
    full = poll(mail, None)[1]
    assert full == second
    assert list(versions.read(mail.database, window)) == first  # as it stood before


def test_reading_from_before_a_refresh_is_kept_as_long_as_the_policy_says(mail, clock):
    policy = Policy(results_kept=2 * HOUR)
    window, first = poll(mail, None)
    clock.moment = NOW + 20 * DAY
    mail.publish(policy)
    clock.moment += 2 * HOUR
    mail.publish(policy)
    assert list(versions.read(mail.database, window)) == first
    assert mail.ledger().purged == 0
    clock.moment += MICROSECOND
    mail.publish(policy)
    with pytest.raises(OutdatedRevisionError):
        list(versions.read(mail.database, window))
    assert mail.ledger().purged == mail.ledger().revision
    assert len(poll(mail, None)[1]) == 10
