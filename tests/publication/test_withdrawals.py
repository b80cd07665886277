"""Every publication notes what leaves the collection, with the labels under which it could be polled."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from publication.feeds import DAY, MAIL, NOW, Feed, a_name, a_pulse
from pulsegate.store import withdrawals
from pulsegate.store.digests import digest
from pulsegate.store.tables import data_collections, placements


@pytest.fixture
def mail(feed: Feed) -> Feed:
    feed.collection()
    return feed


def left(feed: Feed, value: str, name: str = "mail") -> list[tuple]:
    """The value's stays that ended: first label, last label, end."""
    with feed.database.read() as connection:
        id_ = connection.scalar(sa.select(data_collections.c.id).where(data_collections.c.name == name))
        found = withdrawals.of(connection, {id_: [digest(f"name:{value}")]})
    return [(one.since, one.labels[-1], one.ended) for one in found]


def test_value_that_leaves_its_block_is_noted(mail, clock):
    mail.put(a_pulse(1), ["a.example", "b.example"])
    mail.publish()
    clock.moment += DAY
    mail.put(a_pulse(1), ["b.example"])
    mail.publish()
    assert left(mail, "a.example") == [(NOW - DAY, NOW - DAY, NOW + DAY)]
    assert left(mail, "a.example", "user_someone") == [(NOW - DAY, NOW - DAY, NOW + DAY)]
    assert left(mail, "b.example") == []


def test_values_of_a_block_that_goes_are_noted(mail, clock):
    mail.put(a_pulse(1), ["a.example", "b.example"])
    mail.publish()
    mail.withdraw(a_pulse(1))
    clock.moment += DAY
    mail.publish()
    assert left(mail, "a.example") == left(mail, "b.example") == [(NOW - DAY, NOW - DAY, NOW + DAY)]


def test_value_that_comes_back_and_leaves_again_is_noted_twice(mail, clock):
    for day in (1, 3):
        mail.put(a_pulse(1), ["a.example"])
        mail.publish()
        clock.moment = NOW + day * DAY
        mail.put(a_pulse(1), [])
        mail.publish()
        clock.moment = NOW + (day + 1) * DAY
    assert left(mail, "a.example") == [
        (NOW + 2 * DAY, NOW + 2 * DAY, NOW + 3 * DAY),
        (NOW - DAY, NOW - DAY, NOW + DAY),
    ]


def test_value_that_moves_to_another_pulses_block_has_not_left(mail, clock):
    mail.put(a_pulse(1, NOW - 9 * DAY), ["a.example", "b.example"])
    mail.put(a_pulse(2, NOW - 8 * DAY), ["a.example"])
    mail.publish()
    assert mail.values() == [["a.example", "b.example"]]
    clock.moment += DAY
    mail.put(a_pulse(1, NOW - 9 * DAY), [])
    mail.publish()
    assert mail.values() == [["a.example"]]
    assert left(mail, "a.example") == []
    assert left(mail, "b.example") == [(NOW - 9 * DAY, NOW - 9 * DAY, NOW + DAY)]


def test_value_that_was_published_again_has_both_labels(mail, clock):
    mail.collection(MAIL, refresh=5 * DAY)
    mail.put(a_pulse(1), ["a.example"])
    mail.publish()
    clock.moment += 20 * DAY
    mail.publish()
    (again,) = [one.label for one in mail.served()]
    assert again > NOW - DAY
    clock.moment += DAY
    mail.put(a_pulse(1), [])
    mail.publish()
    assert left(mail, "a.example") == [(NOW - DAY, again, NOW + 21 * DAY)]


@pytest.mark.parametrize("deduplicate", [True, False])
def test_value_that_its_pulse_has_lost_is_noted_as_what_it_is(mail, clock, deduplicate):
    mail.collection(deduplicate=deduplicate)
    for number in (1, 2):
        mail.put(a_pulse(number, NOW - number * DAY), ["a.example", f"b{number}.example"])
    mail.publish()
    clock.moment += DAY
    mail.put(a_pulse(1), ["b1.example"])
    mail.put(a_pulse(2, NOW - 2 * DAY), ["b2.example"])
    mail.publish()
    assert left(mail, "a.example") == [(NOW - 2 * DAY, NOW - (2 if deduplicate else 1) * DAY, NOW + DAY)]
    assert left(mail, "b1.example") == []


@pytest.mark.parametrize("scope", ["what changed", "everything"])
def test_without_deduplication_whatever_ends_it_it_is_found_by_the_value(mail, clock, scope):
    mail.collection(deduplicate=False)
    mail.put(a_pulse(1), [a_name("a.example", expiration=NOW + DAY / 2), "b.example", "c.example", "d.example"])
    mail.put(a_pulse(2, NOW - 2 * DAY), ["e.example", "f.example"])
    mail.publish()
    clock.moment += DAY
    mail.withdraw(a_pulse(2))
    mail.put(a_pulse(1), [a_name("a.example", expiration=NOW + DAY / 2), "c.example"])
    if scope == "everything":
        mail.collection(deduplicate=False, blocks_per_part=1)
    mail.publish()
    for value, since in zip("abdef", [NOW - DAY] * 3 + [NOW - 2 * DAY] * 2, strict=True):
        assert left(mail, f"{value}.example") == [(since, since, NOW + DAY)], value
    assert left(mail, "c.example") == []


def test_value_that_expires_is_noted(mail, clock):
    mail.put(a_pulse(1), [a_name("a.example", expiration=NOW + DAY)])
    mail.publish()
    clock.moment += 2 * DAY
    mail.publish()
    assert left(mail, "a.example") == [(NOW - DAY, NOW - DAY, NOW + 2 * DAY)]


def test_what_is_placed_and_what_has_left_are_all_that_ever_was(mail, clock):
    """Whatever became of many values, each is there or noted, once."""
    names = [f"n{number}.example" for number in range(60)]
    for number in range(6):
        mail.put(a_pulse(number, NOW - (9 - number) * DAY), names[number * 10 : number * 10 + 10])
    mail.publish()
    clock.moment += DAY
    mail.withdraw(a_pulse(0))
    mail.put(a_pulse(1, NOW - 8 * DAY), names[13:20])
    mail.put(a_pulse(2, NOW - 7 * DAY), names[40:45])  # half of what pulse 4 has
    mail.put(a_pulse(4, NOW - 5 * DAY), names[45:50])
    mail.publish()
    with mail.database.read() as connection:
        id_ = connection.scalar(sa.select(data_collections.c.id).where(data_collections.c.name == "mail"))
        there = set(connection.scalars(sa.select(placements.c.identity).where(placements.c.collection_id == id_)))
    gone = {digest(f"name:{name}") for name in names if left(mail, name)}
    assert gone == {digest(f"name:{name}") for name in [*names[:13], *names[20:30]]}
    assert not gone & there
    assert gone | there == {digest(f"name:{name}") for name in names}
