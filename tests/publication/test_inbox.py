"""Packages that are pushed, on both databases: their labels, their blocks, and what happens to them with time."""

from __future__ import annotations

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import sqlalchemy as sa

from publication.feeds import DAY, MICROSECOND, NOW, a_pulse
from pulsegate.curation.policy import Policy
from pulsegate.errors import PublicationConflictError, StoreError
from pulsegate.model.collection import Collection, CollectionKind
from pulsegate.publication import inbox
from pulsegate.publication.explain import explain
from pulsegate.publication.inbox import Pushed, receive
from pulsegate.publication.publish import publish_all
from pulsegate.stix import Package
from pulsegate.store import blocks, collections, ledger, versions
from pulsegate.store.collections import Size
from pulsegate.store.tables import content_blocks, placements, superseded
from pulsegate.store.versions import Window

B111, B12 = "urn:stix.mitre.org:xml:1.1.1", "urn:stix.mitre.org:xml:1.2"
SKEW = timedelta(minutes=10)


def pushed(name, version="1.2", indicators=1, message=None):
    return Pushed(Package(f"<{name}/>".encode(), version, indicators), message)


@pytest.fixture
def clock(clock, monkeypatch):
    monkeypatch.setattr(inbox, "now", clock.read)
    return clock


@pytest.fixture
def made(feed):
    """Makes an inbox."""

    def make(name, **rules):
        with feed.database.write() as connection:
            return collections.put(connection, Collection(name, kind=CollectionKind.INBOX, **rules))

    return make


def read(feed, stored, begin=None, end=None):
    """What a poll gives, and its end."""
    answer = ledger.answer(feed.database, stored.collection.name, end, SKEW)
    window = Window(stored.id, begin, answer.end, answer.revision)
    return list(versions.read(feed.database, window)), answer.end


def contents(feed, stored, **window):
    return [one.content for one in read(feed, stored, **window)[0]]


def count(feed, table):
    with feed.database.read() as connection:
        return connection.scalar(sa.select(sa.func.count()).select_from(table))


def test_inbox_can_be_polled_at_once(feed, made):
    stored = made("partners")
    assert feed.ledger("partners").opened == NOW
    assert contents(feed, stored) == []


def test_inbox_that_takes_up_a_closed_ledger_is_opened(feed, made):
    feed.collection(Collection("partners"))
    with feed.database.write() as connection:
        collections.remove(connection, collections.get(connection, "partners").id)
    made("partners")
    assert feed.ledger("partners").opened == NOW


def test_packages_are_published_as_they_are(feed, made):
    stored = made("partners")
    given = receive(
        feed.database, [stored], [pushed("a", indicators=3, message="mine"), pushed("b", "1.1.1", indicators=0)]
    )
    assert given == {"partners": [NOW, NOW + MICROSECOND]}
    found, _ = read(feed, stored)
    assert [(one.label, one.indicators, one.content, one.binding, one.message) for one in found] == [
        (NOW, 3, b"<a/>", B12, "mine"),
        (NOW + MICROSECOND, 0, b"<b/>", B111, None),
    ]
    assert feed.ledger("partners").revision == 1
    with feed.database.read() as connection:
        assert collections.sizes(connection)["partners"] == Size(3, 2, NOW + MICROSECOND, opened=True)
    feed.check()


def test_labels_lie_behind_everything_that_was_answered(feed, made, clock):
    stored = made("partners")
    ahead = NOW + timedelta(minutes=5)
    _, end = read(feed, stored, end=ahead)
    (label,) = receive(feed.database, [stored], [pushed("a")])["partners"]
    assert end == ahead < label
    assert contents(feed, stored, begin=end, end=ahead + timedelta(minutes=1)) == [b"<a/>"]


def test_package_that_is_pushed_again_is_kept_once(feed, made, clock):
    stored = made("partners")
    first = receive(feed.database, [stored], [pushed("a"), pushed("b"), pushed("a")])
    clock.moment += DAY
    second = receive(feed.database, [stored], [pushed("b"), pushed("c"), pushed("a")])
    assert [len(first["partners"]), second] == [2, {"partners": [NOW + DAY]}]
    assert contents(feed, stored) == [b"<a/>", b"<b/>", b"<c/>"]
    revision = feed.ledger("partners").revision
    assert receive(feed.database, [stored], [pushed("a")]) == {"partners": []}
    assert feed.ledger("partners").revision == revision
    feed.check()


def test_each_collection_has_its_own(feed, made):
    one, other = made("one"), made("other")
    receive(feed.database, [one], [pushed("a")])
    given = receive(feed.database, [other, one], [pushed("a"), pushed("b")])
    assert {name: len(labels) for name, labels in given.items()} == {"one": 1, "other": 2}
    assert contents(feed, one) == contents(feed, other) == [b"<a/>", b"<b/>"]
    feed.check()


def test_failure_in_one_collection_leaves_nothing_in_any(feed, made, monkeypatch):
    one, other = made("one"), made("other")
    real = ledger.record

    def fail(connection, name, label):
        if name == "other":
            raise ValueError("killed")
        return real(connection, name, label)

    monkeypatch.setattr(ledger, "record", fail)
    with pytest.raises(ValueError, match="killed"):
        receive(feed.database, [one, other], [pushed("a")])
    assert contents(feed, one) == contents(feed, other) == []
    assert (count(feed, content_blocks), count(feed, placements)) == (0, 0)


def test_two_that_push_the_same_at_once_store_it_once(feed, made, monkeypatch):
    stored = made("partners")
    real = inbox._stage

    def stage(database, entries):
        """Another one comes in between."""
        monkeypatch.setattr(inbox, "_stage", real)
        staged = real(database, entries)
        receive(database, [stored], [pushed("a")])
        return staged

    monkeypatch.setattr(inbox, "_stage", stage)
    given = receive(feed.database, [stored], [pushed("a"), pushed("b")])
    assert len(given["partners"]) == 1
    assert contents(feed, stored) == [b"<a/>", b"<b/>"]
    feed.check()


def test_conflict_without_end_is_told(feed, made, monkeypatch):
    stored = made("partners")

    def conflict(*_):
        raise PublicationConflictError("again")

    monkeypatch.setattr(blocks, "publish", conflict)
    with pytest.raises(PublicationConflictError):
        receive(feed.database, [stored], [pushed("a")])
    assert count(feed, content_blocks) == 0


def test_old_packages_are_withdrawn_while_a_poll_that_began_before_goes_on(feed, made, clock):
    stored = made("partners", max_age=30 * DAY)
    receive(feed.database, [stored], [pushed(f"old{number}", indicators=2) for number in range(25)])
    clock.moment += 10 * DAY
    receive(feed.database, [stored], [pushed("young")])
    before = ledger.answer(feed.database, "partners", None, SKEW)
    clock.moment = NOW + 30 * DAY - MICROSECOND
    assert not feed.publish()["partners"].changed
    clock.moment += DAY
    done = feed.publish()["partners"]
    assert (done.deleted_blocks, done.removed) == (25, 50)
    assert contents(feed, stored) == [b"<young/>"]
    window = Window(stored.id, None, before.end, before.revision)
    assert [one.binding for one in versions.read(feed.database, window)] == [B12] * 26
    clock.moment += DAY
    feed.publish()
    assert count(feed, superseded) == 0
    assert receive(feed.database, [stored], [pushed("old0")])["partners"] == [clock.moment]
    feed.check()


def test_packages_stay_for_ever_without_an_age(feed, made, clock):
    stored = made("partners")
    receive(feed.database, [stored], [pushed("a")])
    clock.moment += 4000 * DAY
    feed.publish()
    assert contents(feed, stored) == [b"<a/>"]


def test_publication_leaves_what_is_being_pushed_and_drops_what_was_abandoned(feed, made, clock):
    stored = made("partners")
    with feed.database.write() as connection:
        blocks.stage(connection, stored.id, None, b"<a/>")
    clock.moment += inbox.ABANDONED
    feed.publish()
    assert count(feed, content_blocks) == 1
    clock.moment += MICROSECOND
    feed.publish()
    assert count(feed, content_blocks.select().where(content_blocks.c.content != b"").subquery()) == 0


def test_pulses_have_nothing_to_do_with_an_inbox(feed, made):
    stored = made("partners")
    feed.collection()
    receive(feed.database, [stored], [pushed("a")])
    feed.put(a_pulse(1), ["bad.example"])
    feed.publish()
    assert contents(feed, stored) == [b"<a/>"]
    found = explain(feed.database, Policy(), "bad.example")
    assert found is not None
    assert [one.collection for one in found.standings] == ["mail", "user_someone"]
    with feed.database.read() as connection:
        assert list(blocks.listed(connection, stored.id)) == []


def test_inbox_deleted_behind_our_back_takes_the_package_again(feed, made):
    stored = made("partners")
    receive(feed.database, [stored], [pushed("a")])
    with feed.database.write() as connection:
        connection.execute(sa.delete(content_blocks))
    feed.publish()
    assert len(receive(feed.database, [stored], [pushed("a")])["partners"]) == 1


def test_kind_can_not_be_changed(feed, made):
    made("partners")
    with pytest.raises(StoreError, match="of kind inbox, and can't become one of kind rules"):
        feed.collection(Collection("partners"))
    feed.collection(Collection("feed"))
    with pytest.raises(StoreError, match="of kind rules, and can't become one of kind inbox"):
        made("feed")


def test_age_of_an_inbox_can_be_changed(feed, made):
    stored = made("partners")
    assert made("partners", max_age=DAY).id == stored.id
    with feed.database.read() as connection:
        assert collections.get(connection, "partners").collection.max_age == DAY


def test_clients_that_poll_while_others_push_get_everything_once(database):
    """On the real clock: threads push, poll and publish at once; no label lies at or before an answered end."""
    with database.write() as connection:
        collections.ensure_services(connection)
        stored = collections.put(connection, Collection("partners", kind=CollectionKind.INBOX))
    done = threading.Event()
    labels, seen, senders, each = {}, [Counter(), Counter()], 4, 12

    def push(sender):
        for number in range(each):
            one = pushed(f"s{sender}-{number}")
            labels[one.package.content] = receive(database, [stored], [one, pushed("common")])["partners"][0]

    def poll(mine, ahead):
        """Goes on from the end it asked for, its clock being ``ahead``; or from the one it was answered."""
        begin, last = None, False
        while not last:
            last = done.is_set()
            with database.read() as connection:
                asked = None if ahead is None else ledger.now(connection) + ahead * (3 if last else 1)
            answer = ledger.answer(database, "partners", asked, SKEW)
            window = Window(stored.id, begin, answer.end, answer.revision)
            mine.update(one.content for one in versions.read(database, window))
            begin = asked or answer.end

    with ThreadPoolExecutor(8) as pool:
        polls = [pool.submit(poll, seen[0], None), pool.submit(poll, seen[1], timedelta(seconds=2))]
        pushes = [pool.submit(push, sender) for sender in range(senders)]
        for one in pushes:
            one.result()
            publish_all(database, Policy())
        done.set()
        for one in polls:
            one.result()
    wanted = {f"<s{sender}-{number}/>".encode() for sender in range(senders) for number in range(each)}
    assert len(set(labels.values())) == len(wanted)
    answer = ledger.answer(database, "partners", None, SKEW)
    rest = {one.content for one in versions.read(database, Window(stored.id, None, answer.end, answer.revision))}
    assert rest == wanted | {b"<common/>"}
    assert seen == [Counter(rest), Counter(rest)]
