"""The ledger row: what polls are answered, and how that and publications wait for each other."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta, timezone

import pytest
import sqlalchemy as sa

from pulsegate.model.collection import Collection
from pulsegate.store import collections, ledger
from pulsegate.store.ledger import Answer, Ledger
from pulsegate.store.tables import ledgers
from store.conftest import NOW

SKEW = timedelta(minutes=10)
US = timedelta(microseconds=1)
SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
NEXT_SECOND = datetime(2024, 6, 1, 12, 0, 1, tzinfo=UTC)  # after NOW
WHOLE = datetime(2024, 6, 1, 11, 0, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def at(monkeypatch):
    """Put the clock to a moment."""

    def put(moment):
        monkeypatch.setattr(ledger, "now", lambda _: moment)
        monkeypatch.setattr(collections, "now", lambda _: moment)

    put(NOW)
    return put


@pytest.fixture
def mail(database):
    """A collection with a ledger that nothing happened to."""
    with database.write() as connection:
        collections.ensure_services(connection)
        collections.put(connection, Collection("mail"))
    return database


def set_frontier(database, frontier):
    with database.write() as connection:
        connection.execute(sa.update(ledgers).values(frontier=frontier))


def read(database):
    with database.read() as connection:
        return ledger.get(connection, "mail")


CASES = {
    "no end, frontier young": (NOW - MINUTE, None, NOW - MINUTE, NOW - MINUTE),
    "no end, frontier old": (NOW - MINUTE - US, None, NEXT_SECOND, NEXT_SECOND),
    "no end, nothing published": (BEGINNING, None, NEXT_SECOND, NEXT_SECOND),
    "no end, frontier ahead": (NOW + 5 * MINUTE, None, NOW + 5 * MINUTE, NOW + 5 * MINUTE),
    "end long past": (NOW - HOUR, NOW - 2 * HOUR, NOW - 2 * HOUR, NOW - HOUR),
    "end at the frontier": (NOW - HOUR, NOW - HOUR, NOW - HOUR, NOW - HOUR),
    "end past, beyond the frontier": (WHOLE, WHOLE + US, WHOLE + US, WHOLE + SECOND),
    "end past, a whole second": (WHOLE, WHOLE + SECOND, WHOLE + SECOND, WHOLE + SECOND),
    "end past, nothing published": (BEGINNING, WHOLE - US, WHOLE - US, WHOLE),
    "end within the second of the frontier": (WHOLE + 5 * US, WHOLE + 7 * US, WHOLE + 7 * US, WHOLE + SECOND),
    "end now": (WHOLE, NOW, NOW, NEXT_SECOND),
    "end now, frontier ahead": (NOW + MINUTE, NOW, NOW, NOW + MINUTE),
    "end a little ahead": (NOW - SECOND, NOW + 5 * MINUTE, NOW + 5 * MINUTE, NEXT_SECOND + 5 * MINUTE),
    "end ahead by the skew": (NOW, NOW + SKEW, NOW + SKEW, NEXT_SECOND + SKEW),
    "end beyond the skew, frontier young": (NOW - SECOND, NOW + SKEW + US, NOW - SECOND, NOW - SECOND),
    "end beyond the skew, frontier old": (WHOLE, NOW + SKEW + US, NEXT_SECOND, NEXT_SECOND),
    "end in 2099": (WHOLE, datetime(2099, 1, 1, tzinfo=UTC), NEXT_SECOND, NEXT_SECOND),
    "end in 2099, frontier young": (NOW - MINUTE, datetime(2099, 1, 1, tzinfo=UTC), NOW - MINUTE, NOW - MINUTE),
    "end in the year 1": (WHOLE, datetime(1, 1, 1, tzinfo=UTC), datetime(1, 1, 1, tzinfo=UTC), WHOLE),
    "end east": (WHOLE, (NOW + MINUTE).astimezone(timezone(14 * HOUR)), NOW + MINUTE, NEXT_SECOND + MINUTE),
    "end west": (WHOLE, (NOW + MINUTE).astimezone(timezone(-12 * HOUR)), NOW + MINUTE, NEXT_SECOND + MINUTE),
    "end of 2099 in a zone": (WHOLE, datetime(2099, 1, 1, tzinfo=timezone(2 * HOUR)), NEXT_SECOND, NEXT_SECOND),
}


@pytest.mark.parametrize(("frontier", "asked", "answer", "raised"), CASES.values(), ids=CASES)
def test_end_that_a_poll_is_answered(mail, frontier, asked, answer, raised):
    set_frontier(mail, frontier)
    assert ledger.answer(mail, "mail", asked, SKEW) == Answer(answer, 0)
    assert read(mail) == Ledger("mail", opened=None, since=NOW, frontier=raised, revision=0, purged=0)


def test_end_of_a_collection_without_a_ledger(mail):
    assert ledger.answer(mail, "other", None, SKEW) == Answer(NOW, 0)


def test_end_is_the_same_when_asked_again_within_a_minute(mail):
    first = ledger.answer(mail, "mail", None, SKEW)
    assert ledger.answer(mail, "mail", None, SKEW) == first


def test_ledger_of_a_name_that_is_not_there(mail):
    with mail.read() as connection:
        assert ledger.get(connection, "other") is None


@pytest.mark.parametrize(
    ("frontier", "label", "recorded"),
    [
        (BEGINNING, WHOLE, WHOLE),
        (BEGINNING, WHOLE + US, WHOLE + 1000 * US),
        (BEGINNING, WHOLE + 1000 * US, WHOLE + 1000 * US),
        (NOW + HOUR, WHOLE, NOW + HOUR),
        (BEGINNING, datetime(2024, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC), datetime(2025, 1, 1, tzinfo=UTC)),
    ],
)
def test_publication_is_recorded_by_its_last_label(mail, frontier, label, recorded):
    set_frontier(mail, frontier)
    with mail.write() as connection:
        assert ledger.lock(connection, "mail").revision == 0
        row = ledger.record(connection, "mail", label)
    assert row == read(mail) == Ledger("mail", opened=None, since=NOW, frontier=recorded, revision=1, purged=0)


def test_collection_is_opened_once(mail, at):
    at(NOW + HOUR)
    with mail.write() as connection:
        assert ledger.open_(connection, "mail")
        assert not ledger.open_(connection, "other")
    at(NOW + 2 * HOUR)
    with mail.write() as connection:
        assert not ledger.open_(connection, "mail")
    assert read(mail) == Ledger("mail", opened=NOW + HOUR, since=NOW, frontier=BEGINNING, revision=0, purged=0)


def test_purged_revision_never_falls(mail):
    with mail.write() as connection:
        collections.put(connection, Collection("other"))
    for revision, purged in ((3, 3), (3, 3), (2, 3), (0, 3), (5, 5), (4, 5)):
        with mail.write() as connection:
            ledger.purge_to(connection, "mail", revision)
        assert read(mail) == Ledger("mail", opened=None, since=NOW, frontier=BEGINNING, revision=0, purged=purged)
    with mail.read() as connection:
        other = ledger.get(connection, "other")
    assert other == Ledger("other", opened=None, since=NOW, frontier=BEGINNING, revision=0, purged=0)


@pytest.mark.parametrize("asked", [None, NOW - HOUR, NOW, NOW + MINUTE])
def test_answer_has_the_revision_of_the_last_publication(mail, asked):
    for revision in (1, 2):
        with mail.write() as connection:
            ledger.record(connection, "mail", NOW - HOUR)
        assert ledger.answer(mail, "mail", asked, SKEW).revision == revision


@pytest.mark.parametrize("asked", [None, NOW])
def test_publication_between_the_look_and_the_raise_is_in_the_answer(mail, monkeypatch, asked):
    """The revision is the one at the raise, not the one that was looked at first."""
    wait_and_raise = ledger._raise

    def publish_and_raise(*args):
        with mail.write() as connection:
            ledger.record(connection, "mail", NOW - MINUTE)
        return wait_and_raise(*args)

    monkeypatch.setattr(ledger, "_raise", publish_and_raise)
    assert ledger.answer(mail, "mail", asked, SKEW) == Answer(NOW if asked else NEXT_SECOND, 1)
    assert read(mail) == Ledger("mail", opened=None, since=NOW, frontier=NEXT_SECOND, revision=1, purged=0)


def test_poll_that_another_one_forestalls_gets_the_revision_after_that_ones_raise(mail, monkeypatch):
    wait_and_raise = ledger._raise

    def raise_twice(*args):
        assert wait_and_raise(*args) == 0
        with mail.write() as connection:
            ledger.record(connection, "mail", NOW + HOUR)
        return wait_and_raise(*args)

    monkeypatch.setattr(ledger, "_raise", raise_twice)
    assert ledger.answer(mail, "mail", NOW, SKEW) == Answer(NOW, 1)


@pytest.mark.parametrize("asked", [None, NOW])
def test_poll_that_must_raise_waits_behind_a_publication(mail, asked):
    """Its answer comes after the commit, and doesn't lower what the publication recorded."""
    locked, release, events = threading.Event(), threading.Event(), []

    def publish():
        with mail.write() as connection:
            ledger.lock(connection, "mail")
            locked.set()
            release.wait(10)
            ledger.record(connection, "mail", NOW + MINUTE)
            events.append("published")

    def poll():
        events.append(ledger.answer(mail, "mail", asked, SKEW))

    publisher, client = threading.Thread(target=publish), threading.Thread(target=poll)
    publisher.start()
    assert locked.wait(10)
    client.start()
    client.join(0.3)
    assert client.is_alive()
    release.set()
    publisher.join(10)
    client.join(10)
    assert events == ["published", Answer(NOW if asked else NEXT_SECOND, 1)]
    found = read(mail)
    assert found is not None
    assert found.frontier == NOW + MINUTE + timedelta(microseconds=544)


def test_poll_that_need_not_raise_waits_for_nobody(mail):
    set_frontier(mail, NOW)
    with mail.write() as connection:
        ledger.lock(connection, "mail")
        assert ledger.answer(mail, "mail", None, SKEW) == Answer(NOW, 0)
        assert ledger.answer(mail, "mail", NOW - HOUR, SKEW) == Answer(NOW - HOUR, 0)
