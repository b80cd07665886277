"""Publication into both kinds of database: what is served, under which labels, after what has changed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
import sqlalchemy as sa

from publication.feeds import DAY, MAIL, MICROSECOND, NOW, Feed, a_name, a_pulse
from pulsegate.curation.own import Own
from pulsegate.curation.policy import Policy
from pulsegate.errors import ConversionError, StoreError
from pulsegate.model.collection import Rule
from pulsegate.model.indicator import Indicator, IndicatorType, RawIndicator
from pulsegate.publication import publish, render
from pulsegate.publication.built_in import SUBSCRIBED
from pulsegate.publication.publish import Publication
from pulsegate.publication.render import Renderer
from pulsegate.stix.blocks import _Packer
from pulsegate.stix.blocks import blocks as pack
from pulsegate.store import blocks, candidates, collections, failures, ledger, locks, taken, tallies
from pulsegate.store.ledger import Answer, Ledger
from pulsegate.store.tables import content_blocks, data_collections, indicators
from support import read_values

SKEW = timedelta(minutes=10)


@pytest.fixture
def mail(feed: Feed) -> Feed:
    """The feed with a collection of the administrator's own."""
    feed.collection()
    return feed


@pytest.fixture
def small_blocks(monkeypatch):
    """Blocks of two indicators, labelled two blocks at a time."""
    monkeypatch.setattr(render, "blocks", partial(pack, max_indicators=2))
    monkeypatch.setattr(publish, "BATCH_BLOCKS", 2)


def raise_(error):
    """A function that raises, whatever it is given."""

    def stop(*_args, **_kwargs):
        raise error

    return stop


# --- Labels --------------------------------------------------------------------------------------------------------


def test_first_backfill_spreads_labels_by_modified(mail):
    times = [NOW - 200 * DAY, NOW - 30 * DAY, NOW - DAY]
    for number in (2, 0, 1):
        mail.put(a_pulse(number, times[number]), [f"{number}.example"])
    found = mail.publish()
    assert [(one.label, one.values) for one in mail.served()] == [
        (moment, [f"{number}.example"]) for number, moment in enumerate(times)
    ]
    assert found["mail"] == Publication("mail", added=3, new_blocks=3)
    row = mail.ledger()
    frontier = datetime(2024, 5, 31, 12, 0, 0, 124000, tzinfo=UTC)
    assert row == Ledger("mail", opened=NOW, since=NOW, frontier=frontier, revision=1, purged=0)
    mail.check()


def test_backfill_in_many_blocks_and_transactions_has_unique_rising_labels(mail, small_blocks):
    """Pulses of one time, of several blocks each, some older ones put in later."""
    for number, modified in enumerate([NOW - DAY, NOW - DAY, NOW - 2 * DAY, NOW - DAY + MICROSECOND]):
        mail.put(a_pulse(number, modified), [f"{number}{letter}.example" for letter in "abcde"])
    assert mail.publish()["mail"] == Publication("mail", added=20, new_blocks=12)
    served = mail.served()
    labels = [one.label for one in served]
    assert labels == sorted(set(labels))
    assert [one.values[0][0] for one in served] == ["2"] * 3 + ["0"] * 3 + ["1"] * 3 + ["3"] * 3
    # A transaction's last label is rounded up to a millisecond, and the next one begins after that.
    assert [label - (NOW - 2 * DAY) < timedelta(milliseconds=10) for label in labels[:3]] == [True] * 3
    assert [timedelta(0) <= label - (NOW - DAY) < timedelta(milliseconds=10) for label in labels[3:]] == [True] * 9
    assert mail.ledger().revision == 6
    mail.check()


def test_pulse_after_the_last_answer_is_labelled_by_its_time(mail, clock):
    mail.publish()
    assert ledger.answer(mail.database, "mail", NOW - DAY, SKEW) == Answer(NOW - DAY, 0)
    mail.put(a_pulse(1, NOW - timedelta(hours=1)), ["a.example"])
    mail.publish()
    assert [one.label for one in mail.served()] == [NOW - timedelta(hours=1)]


def test_pulse_before_the_last_answer_is_labelled_by_the_time_of_publication(mail, clock):
    mail.publish()
    assert ledger.answer(mail.database, "mail", NOW, SKEW) == Answer(NOW, 0)
    clock.moment = NOW + timedelta(minutes=1)
    mail.put(a_pulse(1, NOW - timedelta(hours=1)), ["a.example"])
    mail.publish()
    assert [one.label for one in mail.served()] == [clock.moment]


def test_label_lies_beyond_the_end_that_a_fast_client_was_answered(mail):
    mail.publish()
    ahead = NOW + timedelta(minutes=9)
    assert ledger.answer(mail.database, "mail", ahead, SKEW) == Answer(ahead, 0)
    mail.put(a_pulse(1), ["a.example"])
    mail.publish()
    assert [one.label for one in mail.served()] == [datetime(2024, 6, 1, 12, 9, 1, 1, tzinfo=UTC)]


def test_poll_between_two_transactions_misses_nothing_and_sees_nothing_twice(mail, monkeypatch):
    """A client polls before each block is staged, and goes on from what it was answered."""
    mail.publish()
    seen: list[int] = []
    begin = NOW - 1000 * DAY

    def poll(asked=None):
        nonlocal begin
        end = ledger.answer(mail.database, "mail", asked, SKEW).end
        seen.extend(one.id for one in mail.served() if begin < one.label <= end)
        begin = end

    new = Renderer.new

    def render_and_poll(self, *args):
        for one in new(self, *args):
            poll()
            yield one

    monkeypatch.setattr(publish, "BATCH_BLOCKS", 1)
    monkeypatch.setattr(Renderer, "new", render_and_poll)
    for number in range(4):
        mail.put(a_pulse(number, NOW - (4 - number) * DAY), [f"{number}.example"])
    mail.publish()
    poll(NOW + SKEW)
    assert seen == [one.id for one in mail.served()]
    assert len(seen) == 4


def test_pulse_that_was_modified_in_the_future_is_labelled_by_the_time_of_publication(mail):
    mail.put(a_pulse(1, NOW + 1000 * DAY), ["a.example"])
    mail.publish()
    assert [one.label for one in mail.served()] == [NOW]


def test_collection_that_was_removed_and_made_again_keeps_its_frontier(mail, clock):
    mail.put(a_pulse(1), ["a.example"])
    mail.publish()
    before = mail.ledger()
    with mail.database.write() as connection:
        stored = collections.get(connection, "mail")
        assert stored is not None
        collections.remove(connection, stored.id)
    assert mail.served() == []
    mail.check()
    mail.collection()
    assert mail.ledger() == before
    clock.moment = NOW + DAY
    mail.publish()
    assert [one.label for one in mail.served()] == [clock.moment]
    mail.check()


# --- What changes --------------------------------------------------------------------------------------------------


def test_nothing_new_publishes_nothing(mail):
    mail.put(a_pulse(1), ["a.example"])
    mail.publish()
    before = mail.served(), mail.ledger()
    assert mail.publish()["mail"] == Publication("mail")
    assert (mail.served(), mail.ledger()) == before


def test_pulse_that_gains_three_publishes_one_block_with_the_three(mail, clock):
    mail.put(a_pulse(1), ["a.example", "b.example"])
    mail.publish()
    first = mail.served()
    clock.moment = NOW + timedelta(hours=1)
    mail.put(a_pulse(1, NOW), ["c.example", "a.example", "d.example", "b.example", "e.example"])
    assert mail.publish()["mail"] == Publication("mail", added=3, new_blocks=1)
    served = mail.served()
    assert served[:1] == first
    assert [(one.label, one.values) for one in served[1:]] == [(NOW, ["c.example", "d.example", "e.example"])]
    mail.check()


def test_change_of_texts_only_publishes_nothing(mail):
    mail.put(a_pulse(1), ["a.example"])
    mail.publish()
    before = mail.served(), mail.ledger()
    changed = a_pulse(1, NOW, name="Another name", description="Other words.", tags=("new",))
    assert mail.put(changed, [a_name("a.example", title="Other", description="Words")]) is taken.Change.CHANGED
    assert mail.publish()["mail"] == Publication("mail")
    assert (mail.served(), mail.ledger()) == before


def test_removal_renders_the_block_anew_under_its_label(mail, clock):
    mail.put(a_pulse(1), ["a.example", "b.example", "c.example", "d.example"])
    mail.publish()
    (before,) = mail.served()
    clock.moment = NOW + timedelta(hours=1)
    mail.put(a_pulse(1, NOW), ["a.example", "c.example"])
    assert mail.publish()["mail"] == Publication("mail", removed=2, rewritten_blocks=1)
    (after,) = mail.served()
    assert (after.id, after.label, after.values) == (before.id, before.label, ["a.example", "c.example"])
    assert (mail.placed(), mail.ledger().revision) == (2, 2)
    mail.check()


def test_emptied_block_is_deleted(mail):
    mail.put(a_pulse(1), ["a.example"])
    mail.put(a_pulse(2), ["b.example"])
    mail.publish()
    mail.put(a_pulse(1, NOW), [])
    assert mail.publish()["mail"] == Publication("mail", removed=1, deleted_blocks=1)
    assert mail.values() == [["b.example"]]
    mail.check()


def test_label_of_a_deleted_block_is_not_given_again(mail):
    mail.put(a_pulse(1), ["a.example"])
    mail.publish()
    (before,) = mail.served()
    mail.put(a_pulse(1), [])
    mail.publish()
    mail.put(a_pulse(1), ["a.example"])
    mail.publish()
    (after,) = mail.served()
    assert after.label > before.label


def test_pulse_that_was_withdrawn_leaves(mail):
    mail.put(a_pulse(1), ["a.example"])
    mail.publish()
    mail.withdraw(a_pulse(1))
    mail.publish()
    assert (mail.values(), mail.values("subscribed"), mail.values("user_someone")) == ([], [], [])
    mail.check()


def test_pulse_that_comes_back_is_published_again(mail):
    mail.put(a_pulse(1), ["a.example"])
    mail.withdraw(a_pulse(1))
    mail.publish()
    assert mail.put(a_pulse(1), ["a.example"]) is taken.Change.UNCHANGED
    mail.publish()
    assert mail.values() == [["a.example"]]


# --- Whose value it is ---------------------------------------------------------------------------------------------


def test_value_of_several_pulses_stands_in_the_block_of_the_oldest(mail):
    mail.put(a_pulse(2, NOW - 2 * DAY), ["a.example", "b.example"])
    mail.put(a_pulse(1, NOW - DAY), ["a.example", "c.example"])
    mail.publish()
    assert mail.values() == [["a.example", "b.example"], ["c.example"]]


def test_value_moves_to_another_pulse_that_has_it(mail):
    mail.put(a_pulse(1, NOW - 2 * DAY), ["a.example", "b.example"])
    mail.put(a_pulse(2, NOW - DAY), ["a.example"])
    mail.publish()
    assert mail.values() == [["a.example", "b.example"]]
    mail.put(a_pulse(1, NOW - 2 * DAY), ["b.example"])
    assert mail.publish()["mail"] == Publication("mail", added=1, removed=1, new_blocks=1, rewritten_blocks=1)
    assert mail.values() == [["b.example"], ["a.example"]]
    assert b"Pulse 2" in mail.served()[1].content
    mail.check()


def test_value_stays_with_its_pulse_when_an_older_one_gains_it(mail):
    mail.put(a_pulse(1, NOW - DAY), ["a.example"])
    mail.publish()
    before = mail.served()
    mail.put(a_pulse(2, NOW - 2 * DAY), ["a.example"])
    mail.publish()
    assert mail.served() == before


def test_value_that_one_pulse_lost_and_another_gained_moves(mail):
    """The key of the newest row must not be given again to the new indicator."""
    mail.put(a_pulse(2), ["b.example"])
    mail.put(a_pulse(1, NOW - 2 * DAY), ["a.example"])
    mail.publish()
    mail.put(a_pulse(1, NOW - 2 * DAY), [])
    mail.put(a_pulse(2), ["a.example", "b.example"])
    assert mail.publish()["mail"] == Publication("mail", added=1, removed=1, new_blocks=1, deleted_blocks=1)
    assert mail.values() == [["b.example"], ["a.example"]]
    assert [b"Pulse 2" in one.content for one in mail.served()] == [True, True]


def test_name_as_domain_and_as_hostname_is_one_value(mail):
    mail.put(a_pulse(1), ["a.example"])
    raw = RawIndicator("hostname", "a.example")
    mail.put(a_pulse(2), [Indicator(IndicatorType.HOSTNAME, "a.example", raw)])
    mail.publish()
    assert mail.values() == [["a.example"]]


def test_collection_without_deduplication_gives_each_pulse_its_own(mail):
    mail.collection(deduplicate=False)
    for number in (1, 2):
        mail.put(a_pulse(number, NOW - (3 - number) * DAY), ["a.example", f"{number}.example"])
    mail.publish()
    assert mail.values() == [["a.example", "1.example"], ["a.example", "2.example"]]
    mail.put(a_pulse(1, NOW - 2 * DAY), ["1.example"])
    mail.publish()
    assert mail.values() == [["1.example"], ["a.example", "2.example"]]
    assert mail.placed() == 3
    mail.check()


def test_deduplication_switched_off_and_on(mail, clock):
    for number in (1, 2):
        mail.put(a_pulse(number, NOW - (3 - number) * DAY), ["a.example", f"{number}.example"])
    mail.publish()
    for switch, values in ((False, ["1", "2", "a", "a"]), (True, ["1", "2", "a"])):
        clock.moment += DAY
        mail.collection(deduplicate=switch)
        mail.publish()
        assert sorted(value[0] for block in mail.values() for value in block) == values
        assert mail.placed() == len(values)
        assert mail.publish()["mail"] == Publication("mail")
        mail.check()


# --- What is let in ------------------------------------------------------------------------------------------------


def test_expired_indicator_leaves(mail, clock):
    mail.put(a_pulse(1), [a_name("a.example", expiration=NOW + DAY), "b.example"])
    mail.publish()
    assert mail.values() == [["a.example", "b.example"]]
    clock.moment = NOW + DAY
    mail.publish()
    assert mail.values() == [["b.example"]]


def test_ttl_counts_from_the_indicators_creation_and_else_from_the_pulses(mail, clock):
    mail.collection(ttl={IndicatorType.DOMAIN: 10 * DAY})
    mail.put(a_pulse(1, created=NOW - 5 * DAY), ["a.example", a_name("b.example", created=NOW - 9 * DAY)])
    mail.publish()
    assert mail.values() == [["a.example", "b.example"]]
    clock.moment = NOW + DAY
    mail.publish()
    assert mail.values() == [["a.example"]]
    clock.moment = NOW + 5 * DAY
    mail.publish()
    assert mail.values() == []


def test_inactive_indicator_leaves(mail):
    mail.put(a_pulse(1), ["a.example", "b.example"])
    mail.publish()
    mail.put(a_pulse(1), ["a.example", a_name("b.example", active=False)])
    mail.publish()
    assert mail.values() == [["a.example"]]


def test_rules_that_change_take_effect(mail):
    mail.put(a_pulse(1, tags=("Phishing",)), ["a.example"])
    mail.put(a_pulse(2, NOW - 2 * DAY), ["b.example"])
    mail.publish()
    mail.collection(include=Rule(tags=frozenset({"phishing"})))
    mail.publish()
    assert mail.values() == [["a.example"]]
    mail.collection(exclude=Rule(tags=frozenset({"phishing"})))
    mail.publish()
    assert mail.values() == [["b.example"]]
    mail.check()


def test_protections_on_and_off(mail):
    mail.put(a_pulse(1), ["a.example"], protection="reserved-range")
    mail.publish()
    assert mail.values() == []
    mail.collection(protections=frozenset())
    mail.publish()
    assert mail.values() == [["a.example"]]
    mail.collection(protections=frozenset({"reserved-range"}))
    mail.publish()
    assert mail.values() == []
    mail.publish(Policy(disabled=frozenset({"reserved-range"})))
    assert mail.values() == [["a.example"]]


def test_own_values_are_never_published(mail):
    mail.collection(protections=frozenset())
    mail.put(a_pulse(1), ["a.example", "www.mine.example"])
    mail.publish()
    assert mail.values() == [["a.example", "www.mine.example"]]
    own = Policy(own=Own(["mine.example"]))
    mail.publish(own)
    assert (mail.values(), mail.values("user_someone")) == ([["a.example"]], [["a.example"]])


def test_built_in_collections_hold_all_and_those_of_each_author(feed):
    feed.collection(SUBSCRIBED)
    feed.put(a_pulse(1, author="first one"), ["a.example"])
    feed.put(a_pulse(2, NOW - 2 * DAY, author="second"), ["a.example", "b.example"])
    assert sorted(feed.publish()) == ["subscribed", "user_first+one", "user_second"]
    assert feed.values("subscribed") == [["a.example", "b.example"]]
    assert feed.values("user_first+one") == [["a.example"]]
    assert feed.values("user_second") == [["a.example", "b.example"]]
    feed.check()


def test_authors_with_a_space_and_with_a_plus_have_collections_of_their_own(feed):
    feed.put(a_pulse(1, author="a b"), ["a.example"])
    feed.put(a_pulse(2, author="a+b"), ["b.example"])
    names = list(feed.publish())
    assert len(names) == 2
    assert sorted(feed.values(name) for name in names) == [[["a.example"]], [["b.example"]]]


# --- What fails ----------------------------------------------------------------------------------------------------


def test_indicator_that_can_not_be_written_stops_nothing_else(mail, monkeypatch):
    content = _Packer._content

    def refuse(self, members):
        if any(one.value == "b.example" for one in members):
            raise ConversionError("is no good")
        return content(self, members)

    monkeypatch.setattr(_Packer, "_content", refuse)
    mail.put(a_pulse(1), ["a.example", "b.example", "c.example"])
    found = mail.publish()["mail"]
    assert (found.added, found.failed) == (2, 1)
    assert sorted(value for block in mail.values() for value in block) == ["a.example", "c.example"]
    with mail.database.read() as connection:
        rows = connection.execute(sa.select(indicators.c.value, indicators.c.failure).order_by(indicators.c.pk))
        found = [(row.value, failures.reason_in(row.failure, "full")) for row in rows]
    assert found == [("a.example", None), ("b.example", "is no good"), ("c.example", None)]
    assert mail.publish()["mail"] == Publication("mail")
    mail.check()


def test_pulse_that_could_not_be_written_is_tried_again_when_it_changes(mail, monkeypatch):
    mail.put(a_pulse(1), ["a.example"])
    with monkeypatch.context() as patch:
        patch.setattr(render, "blocks", raise_(ConversionError("is no good")))
        assert mail.publish()["mail"].failed == 1
    mail.put(a_pulse(1, NOW, name="Better"), ["a.example"])
    mail.publish()
    assert mail.values() == [["a.example"]]


def test_block_that_can_not_be_rendered_anew_keeps_its_other_values(mail, monkeypatch):
    mail.put(a_pulse(1), ["a.example", "b.example"])
    mail.publish()
    mail.put(a_pulse(1), ["a.example"])
    with monkeypatch.context() as patch:
        patch.setattr(render, "blocks", raise_(ConversionError("is no good")))
        mail.publish()
    mail.publish()
    assert mail.values() == [["a.example"]]


def test_crash_between_staging_and_labelling_serves_nothing_and_is_cleaned(mail, monkeypatch):
    mail.put(a_pulse(1), ["a.example"])
    with monkeypatch.context() as patch:
        patch.setattr(publish._Publisher, "_labels", raise_(RuntimeError("killed")))
        with pytest.raises(RuntimeError, match="killed"):
            mail.publish()
    with mail.database.read() as connection:
        assert (
            connection.scalar(
                sa.select(sa.func.count()).select_from(content_blocks).where(content_blocks.c.content != b"")
            )
            == 1
        )
    assert (mail.served(), mail.placed(), mail.ledger().opened) == ([], 0, None)
    mail.publish()
    assert mail.values() == [["a.example"]]
    mail.check()


def test_crash_within_the_labelling_leaves_no_half_of_it(mail, monkeypatch):
    for number in (1, 2):
        mail.put(a_pulse(number), [f"{number}.example"])
    with monkeypatch.context() as patch:
        patch.setattr(publish.ledger, "record", raise_(RuntimeError("killed")))
        with pytest.raises(RuntimeError, match="killed"):
            mail.publish()
    assert (mail.served(), mail.placed(), mail.ledger().revision) == ([], 0, 0)
    mail.publish()
    assert [value for block in mail.values() for value in block] == ["1.example", "2.example"]
    mail.check()


def test_crash_between_an_addition_and_a_withdrawal_is_made_good(mail, monkeypatch):
    mail.put(a_pulse(1, NOW - 2 * DAY), ["a.example"])
    mail.publish()
    mail.withdraw(a_pulse(1))
    mail.put(a_pulse(2), ["b.example"])
    with monkeypatch.context() as patch:
        patch.setattr(Renderer, "without", raise_(RuntimeError("killed")))
        with pytest.raises(RuntimeError, match="killed"):
            mail.publish()
    assert mail.values() == [["a.example"], ["b.example"]]
    mail.publish()
    assert mail.values() == [["b.example"]]
    mail.check()


def test_fault_in_writing_what_is_new_holds_up_no_withdrawal(mail, monkeypatch):
    mail.put(a_pulse(1, NOW - 2 * DAY), ["a.example"])
    mail.publish()
    mail.withdraw(a_pulse(1))
    mail.put(a_pulse(2), ["b.example"])
    with monkeypatch.context() as patch:
        patch.setattr(Renderer, "new", raise_(RuntimeError("a fault of ours")))
        with pytest.raises(RuntimeError, match="a fault of ours"):
            mail.publish()
    assert mail.values() == []
    mail.publish()
    assert mail.values() == [["b.example"]]
    mail.check()


def delete_as_opentaxii(feed: Feed) -> None:
    """``opentaxii-delete-blocks``: SQLite's foreign keys are off in its connections."""
    engine = sa.create_engine(feed.database.url)
    with engine.begin() as connection:
        connection.execute(sa.delete(content_blocks))
        connection.execute(sa.update(data_collections).values(volume=0))
    engine.dispose()


def test_blocks_deleted_behind_our_back_are_published_again(mail, clock):
    mail.put(a_pulse(1), ["a.example", "b.example"])
    mail.publish()
    (before,) = mail.served()
    delete_as_opentaxii(mail)
    assert mail.served() == []
    clock.moment = NOW + DAY
    assert mail.publish()["mail"] == Publication("mail", added=2, new_blocks=1)
    (after,) = mail.served()
    assert (after.values, after.label > before.label) == (["a.example", "b.example"], True)
    mail.check()


def test_publication_while_another_one_is_at_work(mail, monkeypatch):
    monkeypatch.setattr(publish, "LOCK_WAIT", 0.0)
    with locks.hold(mail.database, locks.PUBLISH), pytest.raises(StoreError, match="another process is at work on it"):
        mail.publish()
    assert mail.publish()["mail"] == Publication("mail")


def test_progress_names_each_collection_in_its_turn(mail):
    mail.put(a_pulse(1), ["a.example"])
    told: list[str] = []
    publish.publish_all(mail.database, Policy(), told.append)
    assert told == ["mail", "user_someone"]


def test_blocks_hold_what_is_placed_in_them(mail, small_blocks):
    mail.put(a_pulse(1), [f"{letter}.example" for letter in "abcde"])
    mail.publish()
    with mail.database.read() as connection:
        for one in mail.served():
            pks = [place.indicator_pk for place in blocks.in_block(connection, one.id)]
            stored = [found for _, found in candidates.by_keys(connection, pks)]
            assert [("name", found.indicator.value) for found in stored] == read_values(one.content)


def test_collection_of_all_kinds_keeps_its_rules_on_a_second_publication(mail):
    with mail.database.read() as connection:
        stored = collections.get(connection, "mail")
    assert stored is not None
    assert stored.collection == MAIL


# --- The numbers by day ---------------------------------------------------------------------------------------------


def test_tallies_count_what_enters_and_leaves_and_not_what_moves(feed, clock):
    feed.collection()
    older, newer = a_pulse(1, NOW - 3 * DAY), a_pulse(2, NOW - 2 * DAY)
    feed.put(older, ["both.example", "one.example"])
    feed.put(newer, ["both.example", "two.example"])
    feed.publish()

    def told():
        with feed.database.read() as connection:
            found = tallies.since(connection, NOW.date(), "mail")
        return [(one.day, one.added, one.removed) for one in found]

    assert told() == [(NOW.date(), 3, 0)]
    clock.moment += 2 * DAY  # old enough to move
    feed.withdraw(older)
    feed.publish()
    assert sorted(value for block in feed.values() for value in block) == ["both.example", "two.example"]
    assert told() == [(NOW.date(), 3, 0), ((NOW + 2 * DAY).date(), 0, 1)]
