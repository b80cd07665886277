"""Values that pass from one pulse to another: at once and whole under an old label, later under a young one."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from threading import Event, Thread

import pytest
import sqlalchemy as sa

from publication.feeds import DAY, MICROSECOND, NOW, Feed, a_name, a_pulse
from pulsegate.curation.policy import Policy
from pulsegate.errors import ConversionError, PublicationConflictError
from pulsegate.model.collection import Collection
from pulsegate.publication import publish, render
from pulsegate.publication.explain import explain
from pulsegate.publication.publish import Publication
from pulsegate.publication.render import Renderer
from pulsegate.publication.writers import Writers
from pulsegate.stix.blocks import _Packer
from pulsegate.stix.blocks import blocks as pack
from pulsegate.store import blocks, collections, ledger, pulses, taken
from pulsegate.store.blocks import Placement
from pulsegate.store.collections import StoredCollection
from pulsegate.store.digests import digest
from pulsegate.store.tables import indicators
from pulsegate.store.tables import pulses as pulses_table

HOUR = timedelta(hours=1)
FIRST, SECOND = a_pulse(1, NOW - 2 * HOUR), a_pulse(2, NOW - HOUR)
OLD = a_pulse(1, NOW - 2 * DAY)


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


def stored(feed: Feed) -> StoredCollection:
    with feed.database.read() as connection:
        found = collections.get(connection, "mail")
    assert found is not None
    return found


def place(feed: Feed, value: str) -> Placement:
    with feed.database.read() as connection:
        found = blocks.find(connection, stored(feed).id, digest(a_name(value).identity))
    assert found is not None
    return found


def key(feed: Feed, pulse, value: str) -> int:
    query = sa.select(indicators.c.pk).join(pulses_table).where(pulses_table.c.id == pulse.id)
    with feed.database.read() as connection:
        return connection.scalars(query.where(indicators.c.value == value)).one()


def state(feed: Feed):
    return feed.served(), feed.ledger()


def whose(feed: Feed) -> list[tuple[int, list[str]]]:
    """Of each block by label: the number of the pulse that it names, and its values."""
    return [(next(n for n in range(1, 9) if b"Pulse %d<" % n in one.content), one.values) for one in feed.served()]


# --- Under a young label -------------------------------------------------------------------------------------------


@pytest.fixture
def adopted(mail):
    """The value of a block that is two hours old, which only the other pulse has any more."""
    mail.put(FIRST, ["a.example", "b.example"])
    mail.put(SECOND, ["a.example", "c.example"])
    mail.publish()
    before = state(mail)
    mail.put(FIRST, ["b.example"])
    assert mail.publish()["mail"] == Publication("mail")
    assert state(mail) == before
    return mail


def test_young_value_that_another_pulse_has_stays_in_its_block(adopted):
    assert whose(adopted) == [(1, ["a.example", "b.example"]), (2, ["c.example"])]
    first, _ = adopted.served()
    with adopted.database.read() as connection:
        owner = pulses.get(connection, FIRST.id)
    assert owner is not None
    assert place(adopted, "a.example") == Placement(
        identity=digest("name:a.example"),
        content_block_id=first.id,
        indicator_pk=key(adopted, SECOND, "a.example"),
        since=FIRST.modified,
        label=FIRST.modified,
        pulse_pk=owner.pk,
    )
    found = explain(adopted.database, adopted.policy, "a.example")
    assert found is not None
    assert found.pulses == [SECOND]
    assert found.standings[0].included
    assert adopted.publish()["mail"] == Publication("mail")
    adopted.check()


def test_adopted_value_moves_in_one_transaction_once_its_label_is_a_day_old(adopted, clock):
    clock.moment = FIRST.modified + DAY - MICROSECOND
    before = state(adopted)
    assert adopted.publish()["mail"] == Publication("mail")
    assert state(adopted) == before
    clock.moment = FIRST.modified + DAY
    assert adopted.publish()["mail"] == Publication("mail", added=1, removed=1, new_blocks=1, rewritten_blocks=1)
    assert whose(adopted) == [(1, ["b.example"]), (2, ["c.example"]), (2, ["a.example"])]
    assert [one.label for one in adopted.served()] == [FIRST.modified, SECOND.modified, clock.moment]
    assert adopted.ledger().revision == before[1].revision + 1
    moved = place(adopted, "a.example")
    assert (moved.indicator_pk, moved.since) == (key(adopted, SECOND, "a.example"), clock.moment)
    clock.moment += 2 * DAY
    assert adopted.publish()["mail"] == Publication("mail")
    adopted.check()


def test_adopted_value_that_its_first_pulse_has_again_does_not_move(adopted, clock):
    before = state(adopted)
    adopted.put(FIRST, ["a.example", "b.example"])
    assert adopted.publish()["mail"] == Publication("mail")
    assert place(adopted, "a.example").indicator_pk == key(adopted, FIRST, "a.example")
    clock.moment += 9 * DAY
    assert adopted.publish()["mail"] == Publication("mail")
    assert state(adopted) == before


def test_adopted_value_that_nobody_has_any_more_leaves_at_once(adopted):
    adopted.put(SECOND, ["c.example"])
    assert adopted.publish()["mail"] == Publication("mail", removed=1, rewritten_blocks=1)
    assert whose(adopted) == [(1, ["b.example"]), (2, ["c.example"])]
    adopted.check()


def test_adopted_value_stays_when_its_block_is_rendered_anew(adopted):
    before = adopted.served()
    adopted.put(FIRST, ["d.example"])
    assert adopted.publish()["mail"] == Publication("mail", added=1, removed=1, new_blocks=1, rewritten_blocks=1)
    assert whose(adopted) == [(1, ["a.example"]), (2, ["c.example"]), (1, ["d.example"])]
    assert [(one.id, one.label) for one in adopted.served()[:2]] == [(one.id, one.label) for one in before]
    adopted.check()


def test_adopted_value_that_a_third_pulse_takes_over(adopted, clock):
    third = a_pulse(3, NOW - 3 * HOUR)
    adopted.put(third, ["a.example"])
    assert adopted.publish()["mail"] == Publication("mail")
    assert place(adopted, "a.example").indicator_pk == key(adopted, SECOND, "a.example")
    adopted.put(SECOND, ["c.example"])
    assert adopted.publish()["mail"] == Publication("mail")
    assert place(adopted, "a.example").indicator_pk == key(adopted, third, "a.example")
    clock.moment = FIRST.modified + DAY
    adopted.publish()
    assert whose(adopted) == [(1, ["b.example"]), (2, ["c.example"]), (3, ["a.example"])]


def test_young_block_of_a_withdrawn_pulse_keeps_what_others_have_until_it_may_move(mail, clock):
    mail.put(FIRST, ["a.example", "b.example", "x.example"])
    mail.put(SECOND, ["a.example"])
    mail.put(a_pulse(3, NOW - HOUR), ["b.example"])
    mail.publish()
    mail.withdraw(FIRST)
    assert mail.publish()["mail"] == Publication("mail", removed=1, rewritten_blocks=1)
    assert whose(mail) == [(1, ["a.example", "b.example"])]
    clock.moment = FIRST.modified + DAY
    assert mail.publish()["mail"] == Publication("mail", added=2, removed=2, new_blocks=2, deleted_blocks=1)
    assert whose(mail) == [(2, ["a.example"]), (3, ["b.example"])]
    mail.check()


def test_value_that_is_adopted_in_one_collection_moves_in_another(mail, clock):
    """Each by the label that it has there."""
    mail.put(FIRST, ["a.example"])
    mail.put(SECOND, ["a.example"])
    mail.publish()
    clock.moment = NOW + DAY
    mail.collection(Collection("late"))
    with mail.database.write() as connection:
        ledger.record(connection, "late", clock.moment)
    mail.publish()
    assert [one.label > clock.moment for one in mail.served("late")] == [True]
    before = mail.served("late")
    mail.put(FIRST, [])
    found = mail.publish()
    assert found["mail"] == Publication("mail", added=1, removed=1, new_blocks=1, deleted_blocks=1)
    assert found["late"] == Publication("late")
    assert whose(mail) == [(2, ["a.example"])]
    assert mail.served("late") == before


# --- Under an old label --------------------------------------------------------------------------------------------


def begin_listener(feed: Feed):
    """Everything that is served, each time that a transaction begins."""
    seen: list[list[str]] = []
    looking = False

    def look(_connection):
        nonlocal looking
        if not looking:
            looking = True
            seen.append(sorted(value for block in feed.values() for value in block))
            looking = False

    sa.event.listen(feed.database.engine, "begin", look)
    return seen


def test_value_that_moves_is_once_in_every_full_poll(mail):
    """What was wanted before and is wanted after is served at every commit between, and never twice."""
    mail.put(OLD, ["a.example", "b.example"])
    mail.put(SECOND, ["a.example"])
    mail.publish()
    mail.put(OLD, ["b.example"])
    revision = mail.ledger().revision
    seen = begin_listener(mail)
    assert mail.publish()["mail"] == Publication("mail", added=1, removed=1, new_blocks=1, rewritten_blocks=1)
    assert whose(mail) == [(1, ["b.example"]), (2, ["a.example"])]
    assert set(map(tuple, seen)) == {("a.example", "b.example")}
    assert mail.ledger().revision == revision + 1
    mail.check()


def test_what_enters_and_what_leaves_are_seen_together(mail):
    """A publication of a few blocks is one transaction: a full poll gives what was before, or what is after it."""
    mail.put(OLD, ["a.example", "b.example"])
    mail.put(SECOND, ["c.example"])
    mail.publish()
    mail.put(OLD, ["b.example"])
    mail.put(SECOND, [])
    mail.put(a_pulse(3, NOW - DAY), ["d.example", "e.example"])
    seen = begin_listener(mail)
    mail.publish()
    assert set(map(tuple, seen)) == {("a.example", "b.example", "c.example"), ("b.example", "d.example", "e.example")}
    mail.check()


def test_block_that_loses_values_in_many_steps_is_written_anew_in_each(mail):
    """Two hundred values of one block go to as many pulses, twenty blocks in a transaction: each step renders what is left."""
    names = [f"n{number}.example" for number in range(200)]
    mail.put(OLD, names)
    for number, name in enumerate(names):
        mail.put(a_pulse(number + 2, NOW - 2 * DAY + HOUR + number * HOUR / 60), [name])
    mail.publish()
    mail.put(OLD, [])
    seen = begin_listener(mail)
    assert mail.publish()["mail"] == Publication(
        "mail", added=200, removed=200, new_blocks=200, rewritten_blocks=9, deleted_blocks=1
    )
    assert set(map(tuple, seen)) == {tuple(sorted(names))}
    mail.check()


def test_values_of_many_blocks_that_move_are_once_in_every_full_poll(mail, small_blocks):
    """They leave several blocks for several others, in several transactions; one stays, one leaves for good."""
    names = [f"{letter}.example" for letter in "abcdefghij"]
    mail.put(OLD, [*names, "x.example", "y.example"])
    mail.put(a_pulse(2, NOW - 2 * DAY + HOUR), ["y.example", *names[:7]])
    mail.put(a_pulse(3, NOW - DAY), names[5:])
    mail.publish()
    mail.put(OLD, ["y.example"])
    revision = mail.ledger().revision
    seen = begin_listener(mail)
    assert mail.publish()["mail"] == Publication(
        "mail", added=10, removed=11, new_blocks=6, rewritten_blocks=2, deleted_blocks=5
    )
    mail.check()
    assert set(map(tuple, seen)) == {(*names, "x.example", "y.example"), (*names, "y.example")}
    assert mail.ledger().revision == revision + 3
    assert sorted(whose(mail)) == [
        (1, ["y.example"]),
        *[(2, names[start : start + 2]) for start in (0, 2, 4)],
        (2, ["g.example"]),
        (3, ["h.example", "i.example"]),
        (3, ["j.example"]),
    ]


def test_moves_in_several_transactions_show_each_value_once(mail, small_blocks):
    names = [f"{letter}.example" for letter in "abcdefghijkl"]
    mail.put(OLD, names)
    mail.put(a_pulse(2, NOW - DAY), list(reversed(names)))
    mail.publish()
    mail.withdraw(OLD)
    revision = mail.ledger().revision
    seen = begin_listener(mail)
    assert mail.publish()["mail"] == Publication("mail", added=12, removed=12, new_blocks=6, deleted_blocks=6)
    assert set(map(tuple, seen)) == {tuple(names)}
    assert (mail.ledger().revision, {number for number, _ in whose(mail)}) == (revision + 3, {2})
    mail.check()


def test_crash_within_a_move_leaves_the_value_in_its_old_block(mail, monkeypatch):
    mail.put(OLD, ["a.example", "b.example"])
    mail.put(SECOND, ["a.example"])
    mail.publish()
    mail.put(OLD, ["b.example"])
    before = state(mail)
    for name in ("stage_all", "publish", "rewrite", "unplace"):
        with monkeypatch.context() as patch:
            patch.setattr(publish.stored_blocks, name, killed)
            with pytest.raises(RuntimeError, match="killed"):
                mail.publish()
        assert state(mail) == before
    with monkeypatch.context() as patch:
        patch.setattr(publish.ledger, "record", killed)
        with pytest.raises(RuntimeError, match="killed"):
            mail.publish()
    assert state(mail) == before
    mail.publish()
    assert whose(mail) == [(1, ["b.example"]), (2, ["a.example"])]
    mail.check()


def killed(*_args):
    raise RuntimeError("killed")


def test_value_whose_new_block_can_not_be_written_stays_until_that_is_known(mail, monkeypatch):
    """Its old block is not touched for a move that does not come about; then it leaves by the reason that is kept."""
    content = _Packer._content

    def refuse(self, members):
        if any(one.raw.title == "bad" for one in members):
            raise ConversionError("is no good")
        return content(self, members)

    monkeypatch.setattr(_Packer, "_content", refuse)
    mail.put(OLD, ["a.example", "b.example"])
    mail.put(SECOND, [a_name("a.example", title="bad")])
    mail.publish()
    mail.put(OLD, ["b.example"])
    before = state(mail)
    assert mail.publish()["mail"] == Publication("mail", failed=1)
    assert state(mail) == before
    assert mail.publish()["mail"] == Publication("mail", removed=1, rewritten_blocks=1)
    assert whose(mail) == [(1, ["b.example"])]


# --- When another publisher comes in between -----------------------------------------------------------------------


def another_comes_in(feed: Feed, monkeypatch, owner, name):
    """The first call of ``owner.name`` finds that another publisher has done everything just before it."""
    before = getattr(owner, name)
    left = 1

    def run(*args, **kwargs):
        nonlocal left
        if left:
            left -= 1
            with monkeypatch.context() as patch:
                patch.setattr(owner, name, before)
                others.append(publish.publish(feed.database, stored(feed), feed.policy))
        return before(*args, **kwargs)

    others: list[Publication] = []
    monkeypatch.setattr(owner, name, run)
    return others


def grow(feed: Feed):
    feed.put(OLD, ["a.example", "b.example", "c.example", "d.example"])
    return Publication("mail", added=1, new_blocks=1), [
        (1, ["a.example", "b.example", "c.example"]),
        (1, ["d.example"]),
    ]


def shrink(feed: Feed):
    feed.put(OLD, ["b.example", "c.example"])
    return Publication("mail", removed=1, rewritten_blocks=1), [(1, ["b.example", "c.example"])]


def empty(feed: Feed):
    feed.withdraw(OLD)
    return Publication("mail", removed=3, deleted_blocks=1), []


def pass_on(feed: Feed):
    feed.put(SECOND, ["a.example", "b.example"])
    feed.put(OLD, ["c.example"])
    done = Publication("mail", added=2, removed=2, new_blocks=1, rewritten_blocks=1)
    return done, [(1, ["c.example"]), (2, ["a.example", "b.example"])]


@pytest.mark.parametrize("change", [grow, shrink, empty, pass_on])
def test_publisher_that_another_one_forestalls_plans_again_and_does_nothing(mail, monkeypatch, change):
    mail.put(OLD, ["a.example", "b.example", "c.example"])
    mail.publish()
    revision = mail.ledger().revision
    done, after = change(mail)
    others = another_comes_in(mail, monkeypatch, publish._Publisher, "_carry_out")
    assert mail.publish()["mail"] == Publication("mail")
    assert (others, whose(mail), mail.ledger().revision) == ([done], after, revision + 1)
    mail.check()


def test_publisher_that_another_one_forestalls_in_part_does_the_rest(mail, monkeypatch):
    """What came meanwhile is in the second plan; the first one's count is not."""
    mail.put(OLD, ["a.example", "b.example"])
    mail.publish()
    mail.put(OLD, ["b.example"])
    without = Renderer.without
    calls = 0

    def run(self, *args):
        nonlocal calls
        calls += 1
        if calls == 1:
            found = without(self, *args)
            publish.publish(mail.database, stored(mail), mail.policy)
            mail.put(OLD, ["b.example", "c.example"])
            return found
        return without(self, *args)

    monkeypatch.setattr(Renderer, "without", run)
    assert mail.publish()["mail"] == Publication("mail", added=1, new_blocks=1)
    assert whose(mail) == [(1, ["b.example"]), (1, ["c.example"])]
    mail.check()


def test_refresh_that_another_publisher_forestalls_moves_each_label_once(mail, monkeypatch, clock):
    mail.collection(refresh=10 * DAY)
    mail.put(OLD, ["a.example"])
    mail.publish()
    clock.moment = NOW + 10 * DAY
    due = publish.refresh.due
    blocks_due = []

    def run(*args):
        found = list(due(*args))
        if not blocks_due:
            blocks_due.extend(found)
            publish.publish(mail.database, stored(mail), mail.policy)
        return iter(found)

    monkeypatch.setattr(publish.refresh, "due", run)
    revision = mail.ledger().revision
    assert mail.publish()["mail"] == Publication("mail")
    assert [(one.id, one.label) for one in mail.served()] == [(blocks_due[0].id, clock.moment)]
    assert mail.ledger().revision == revision + 1
    mail.check()


@pytest.mark.parametrize("times", [1, publish.TRIES - 1])
def test_publication_goes_through_at_the_last_try(mail, monkeypatch, times):
    mail.put(OLD, ["a.example"])
    label = blocks.publish
    left = times

    def run(*args):
        nonlocal left
        label(*args)
        if left:
            left -= 1
            raise PublicationConflictError("another publisher was faster")

    monkeypatch.setattr(publish.stored_blocks, "publish", run)
    done = publish.publish(mail.database, stored(mail), mail.policy)
    assert (done, left) == (Publication("mail", added=1, new_blocks=1), 0)
    assert (whose(mail), mail.ledger().revision) == ([(1, ["a.example"])], 1)
    mail.check()


def test_publication_that_conflicts_again_and_again_is_given_up(mail, monkeypatch):
    mail.put(OLD, ["a.example"])
    tries = 0

    def run(*_args):
        nonlocal tries
        tries += 1
        raise PublicationConflictError("another publisher was faster")

    with monkeypatch.context() as patch:
        patch.setattr(publish.stored_blocks, "publish", run)
        with pytest.raises(PublicationConflictError, match="another publisher was faster"):
            publish.publish(mail.database, stored(mail), mail.policy)
    assert (tries, mail.served(), mail.placed(), mail.ledger().revision) == (publish.TRIES, [], 0, 0)
    mail.publish()
    assert whose(mail) == [(1, ["a.example"])]
    mail.check()


# --- While pulses are stored and another publisher works ------------------------------------------------------------


def test_value_that_its_pulse_loses_while_its_block_is_rewritten_stays(mail, monkeypatch):
    """Another pulse has had it all along: a rewriting that no longer finds it must not drop it."""
    mail.put(FIRST, ["v.example", "w.example"])
    mail.put(SECOND, ["v.example"])
    mail.publish()
    mail.put(FIRST, ["v.example"])
    without = Renderer.without

    def loses(*given):
        monkeypatch.setattr(Renderer, "without", without)
        mail.put(FIRST, [])
        return without(*given)

    monkeypatch.setattr(Renderer, "without", loses)
    mail.publish()
    assert mail.values() == [["v.example"]]


def test_value_that_passes_to_another_pulse_while_it_is_planned_stays(mail, monkeypatch):
    """Pulses, indicators and placements are read from one state."""
    mail.put(FIRST, ["v.example"])
    mail.publish()
    every = pulses.every

    def changes(*given):
        found = list(every(*given))
        monkeypatch.setattr(pulses, "every", every)
        with ThreadPoolExecutor(1) as other, mail.database.write() as connection:
            for pulse, values in ((SECOND, ["v.example"]), (FIRST, [])):
                names = [a_name(value) for value in values]
                other.submit(taken.put, connection, pulse, names, taken.unmarked).result()
        return found

    monkeypatch.setattr(pulses, "every", changes)
    mail.publish()
    assert mail.values() == [["v.example"]]


def test_publisher_that_clears_what_was_staged_takes_nothing_that_is_being_published(mail, monkeypatch):
    """It waits for the ledger row; else, on PostgreSQL, it would wait for the block and then delete it."""
    mail.put(FIRST, ["v.example"])
    settled = blocks.publish
    cleared = Event()

    def clear():
        publish._Publisher(
            mail.database, stored(mail), Policy(), Publication("mail"), Writers(mail.database), None
        ).run()
        cleared.set()

    def while_another_clears(*given):
        settled(*given)
        monkeypatch.setattr(blocks, "publish", settled)
        Thread(target=clear, daemon=True).start()
        cleared.wait(0.5)

    monkeypatch.setattr(blocks, "publish", while_another_clears)
    publish.publish_unlocked(mail.database, Policy())
    assert cleared.wait(20)
    assert mail.values() == [["v.example"]]
    mail.check()
