"""Writing what was taken: many pulses at once, and huge ones a piece at a time."""

from __future__ import annotations

from dataclasses import replace

import pytest
import sqlalchemy as sa

from pulsegate.model.indicator import Indicator, IndicatorType, RawIndicator
from pulsegate.model.marks import UNMARKED, Marks
from pulsegate.store import pulses, taken
from pulsegate.store.digests import digest
from pulsegate.store.tables import indicators as rows
from pulsegate.store.taken import Change, Growing, Taken
from store.conftest import NOW
from store.test_pulses import FULL, a_name, a_pulse, keys, put, standing


def put_many(database, *found):
    with database.write() as connection:
        return taken.put_many(connection, found, lambda one: Marks("protected") if "own" in one.value else UNMARKED)


def told(done):
    return [(one.change, one.complete) for one in done]


def values(database, number):
    """By value: the title, and whether it is active."""
    found = a_pulse(number)
    with database.read() as connection:
        stored = pulses.get(connection, found.id)
        of_pulse = pulses.indicators_of(connection, stored.pk)
    return {one.indicator.value: (one.indicator.raw.title, one.indicator.raw.active) for one in of_pulse}


def is_complete(database, number):
    with database.read() as connection:
        return connection.scalar(sa.select(pulses.pulses.c.complete).where(pulses.pulses.c.id == a_pulse(number).id))


# --- Many at once ----------------------------------------------------------------------------------------------------


def test_pulses_of_every_change_in_one_batch(database):
    name = a_name("a.example")
    first = put_many(database, Taken(a_pulse(1), [name]), Taken(a_pulse(2), [name]), Taken(a_pulse(3), [name]))
    assert told(first) == [(Change.NEW, True)] * 3
    before = [keys(database, a_pulse(number)) for number in (1, 2, 3)]
    with database.write() as connection:
        taken.withdraw(connection, [first[2].pk])
    second = put_many(
        database,
        Taken(a_pulse(4), [a_name("own.example"), name]),
        Taken(a_pulse(2), [name, a_name("b.example")]),
        Taken(a_pulse(3), [name]),
        Taken(a_pulse(5), []),
        Taken(a_pulse(1, name="Other"), []),
    )
    assert told(second) == [
        (Change.NEW, True), (Change.CHANGED, True), (Change.UNCHANGED, True), (Change.NEW, True), (Change.CHANGED, True),
    ]  # fmt: skip
    assert [second[2].pk, second[1].pk, second[4].pk] == [first[2].pk, first[1].pk, first[0].pk]
    assert [sorted(values(database, number)) for number in (1, 2, 3, 4, 5)] == [
        [], ["a.example", "b.example"], ["a.example"], ["a.example", "own.example"], [],
    ]  # fmt: skip
    assert before[1].items() <= keys(database, a_pulse(2)).items()
    assert before[2] == keys(database, a_pulse(3))
    assert standing(database) == {a_pulse(number).id: (True, None) for number in (1, 2, 3, 4, 5)}
    with database.read() as connection:
        query = sa.select(rows.c.pulse_pk, rows.c.value).where(rows.c.protection == "protected")
        assert connection.execute(query).all() == [(second[0].pk, "own.example")]


def test_more_pulses_than_one_statement_takes(database):
    many = [Taken(a_pulse(number), [a_name(f"{number}.example")]) for number in range(1, 1101)]
    done = put_many(database, *many)
    assert told(done) == [(Change.NEW, True)] * 1100
    assert put_many(database, *reversed(many)) == [replace(one, change=Change.UNCHANGED) for one in reversed(done)]
    with database.read() as connection:
        found = sa.select(pulses.pulses.c.pk, pulses.pulses.c.id, rows.c.value).join(rows)
        of_keys = {row.pk: (row.id, row.value) for row in connection.execute(found)}
    assert of_keys == {
        one.pk: (a_pulse(number).id, f"{number}.example") for number, one in enumerate(done, 1)
    }  # fmt: skip


def test_no_pulses_are_put(database):
    assert put_many(database) == []


def test_pulse_that_is_not_whole_is_complete_again_only_when_nothing_changed(database):
    name, other = a_name("a.example"), a_name("b.example")
    (first,) = put_many(database, Taken(a_pulse(1), [name], whole=False))
    assert (first.change, first.complete, is_complete(database, 1)) == (Change.NEW, False, False)
    (again,) = put_many(database, Taken(a_pulse(1), [name], whole=False))
    assert (again.change, again.complete) == (Change.UNCHANGED, False)
    with database.write() as connection:
        taken.finish(connection, Growing(first.pk, {digest(name.identity)}))
    (still,) = put_many(database, Taken(a_pulse(1), [name], whole=False))
    assert (still.change, still.complete, is_complete(database, 1)) == (Change.UNCHANGED, True, True)
    (changed,) = put_many(database, Taken(a_pulse(1), [name, other], whole=False))
    assert (changed.change, changed.complete, is_complete(database, 1)) == (Change.CHANGED, False, False)
    (whole,) = put_many(database, Taken(a_pulse(1), [name, other]))
    assert (whole.change, whole.complete, is_complete(database, 1)) == (Change.CHANGED, True, True)


# --- A piece at a time -----------------------------------------------------------------------------------------------


@pytest.fixture
def growing(database):
    """A pulse with a.example and b.example, about to be told again."""
    (done,) = put_many(database, Taken(a_pulse(1), [a_name("a.example"), a_name("b.example")], whole=False))
    return Growing(done.pk)


def grow(database, growing, *found):
    with database.write() as connection:
        taken.grow(connection, growing, found, taken.unmarked)


def finish(database, growing):
    with database.write() as connection:
        taken.finish(connection, growing)


def test_nothing_leaves_before_all_have_come(database, growing):
    before = keys(database, a_pulse(1))
    grow(database, growing, a_name("c.example"), a_name("b.example"))
    grow(database, growing, a_name("d.example"))
    assert sorted(values(database, 1)) == ["a.example", "b.example", "c.example", "d.example"]
    assert not is_complete(database, 1)
    finish(database, growing)
    assert sorted(values(database, 1)) == ["b.example", "c.example", "d.example"]
    assert is_complete(database, 1)
    assert keys(database, a_pulse(1))["b.example"] == before["b.example"]
    assert growing.changed


def test_growth_that_brings_nothing_new_is_no_change(database, growing):
    before = keys(database, a_pulse(1))
    grow(database, growing, a_name("a.example"))
    grow(database, growing, a_name("b.example"))
    finish(database, growing)
    assert (growing.changed, keys(database, a_pulse(1)), is_complete(database, 1)) == (False, before, True)


@pytest.mark.parametrize(
    ("change", "left"),
    [
        (
            (a_name("a.example", title="New"), a_name("b.example")),
            {"a.example": ("New", True), "b.example": ("", True)},
        ),
        ((a_name("a.example", active=False), a_name("b.example")), {"a.example": ("", False), "b.example": ("", True)}),
        ((a_name("a.example"),), {"a.example": ("", True)}),
        ((), {}),
    ],
)
def test_growth_that_changes_or_loses_something_is_a_change(database, growing, change, left):
    grow(database, growing, *change)
    finish(database, growing)
    assert (growing.changed, values(database, 1)) == (True, left)


def spelled(spelling, **raw):
    return Indicator(IndicatorType.DOMAIN, "c.example", RawIndicator("domain", spelling, **raw))


@pytest.mark.parametrize("in_one_batch", [True, False])
@pytest.mark.parametrize(
    ("first", "second", "stays"),
    [
        (spelled("C.example", title="1"), spelled("c[.]example", title="2"), ("1", True)),
        (spelled("C.example", title="1"), spelled("c[.]example", title="2", active=False), ("1", True)),
        (spelled("C.example", title="1", active=False), spelled("c[.]example", title="2", active=False), ("1", False)),
    ],
)
def test_value_that_comes_twice_stays_as_it_came_first(database, growing, first, second, stays, in_one_batch):
    if in_one_batch:
        grow(database, growing, first, second)
    else:
        grow(database, growing, first)
        grow(database, growing, second)
    finish(database, growing)
    assert values(database, 1) == {"c.example": stays}


def test_value_that_was_inactive_is_active_where_it_comes_again_so(database, growing):
    grow(database, growing, spelled("C.example", title="1", active=False))
    grow(database, growing, spelled("c[.]example", title="2"))
    grow(database, growing, spelled("c.example", title="3"))
    finish(database, growing)
    assert values(database, 1) == {"c.example": ("2", True)}


def test_batches_larger_than_one_statement_takes(database, growing):
    names = [a_name(f"{number}.example") for number in range(1300)]
    grow(database, growing, *names[:700])
    grow(database, growing, *names[650:])
    finish(database, growing)
    assert values(database, 1) == {f"{number}.example": ("", True) for number in range(1300)}
    again = Growing(growing.pk)
    grow(database, again, *names)
    finish(database, again)
    assert not again.changed


def test_growth_of_one_pulse_leaves_others_alone(database, growing):
    put(database, FULL, a_name("a.example"), a_name("z.example"))
    finish(database, growing)
    assert (values(database, 1), list(keys(database))) == ({}, ["a.example", "z.example"])


def test_withdrawn_pulses_are_those_that_nobody_claims(database, monkeypatch):
    monkeypatch.setattr(taken, "now", lambda _: NOW)
    one, two, three = (done.pk for done in put_many(database, *(Taken(a_pulse(number), []) for number in (1, 2, 3))))
    with database.write() as connection:
        connection.execute(sa.insert(taken.source_pulses).values(source="otx", via="file", pulse_pk=two))
        assert taken.withdraw(connection, [one, two]) == 1
        assert taken.withdraw(connection, [one, three]) == 1
    assert standing(database) == {
        a_pulse(1).id: (False, NOW), a_pulse(2).id: (True, None), a_pulse(3).id: (False, NOW),
    }  # fmt: skip
