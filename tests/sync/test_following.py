"""Pulses that are named, and those of several sources."""

from __future__ import annotations

import pytest

from pulsegate.errors import OTXKeyError
from pulsegate.store import sources
from pulsegate.sync.wanted import Wanted
from sync.fakes import FakeOTX, pulse_id, raw
from sync.pulls import run, served

NAMED = tuple(pulse_id(number) for number in (1, 2, 3))


def named(*numbers, **fields):
    return Wanted(subscription=False, pulses=tuple(pulse_id(number) for number in numbers), **fields)


def knows(*numbers):
    return FakeOTX(single={pulse_id(number): raw(number, f"{number}.example") for number in numbers})


def test_named_pulses_are_served_as_long_as_they_are_named(store):
    run(store, knows(1, 2, 3), wanted=named(1, 2, 3))
    assert served(store) == ["1.example", "2.example", "3.example"]
    run(store, knows(1, 2, 3), wanted=named(2))
    assert served(store) == ["2.example"]


def test_one_named_pulse_that_is_gone_leaves(store):
    run(store, knows(1, 2, 3), wanted=named(1, 2, 3))
    run(store, knows(1, 2), wanted=named(1, 2, 3))
    assert served(store) == ["1.example", "2.example"]


def test_one_named_pulse_that_is_refused_stops_no_other_and_stays(store):
    run(store, knows(1, 2, 3), wanted=named(1, 2, 3))
    otx = knows(1, 3, 4)
    otx.single[pulse_id(2)] = [OTXKeyError("OTX refused the key with 403")] * 2
    with pytest.raises(OTXKeyError):
        run(store, otx, wanted=named(1, 2, 3, 4))
    otx.name = "someone"  # whose key it is: then it is not the key
    run(store, otx, wanted=named(1, 2, 3, 4))
    assert served(store) == ["1.example", "2.example", "3.example", "4.example"]


@pytest.mark.parametrize(("accept", "left"), [(False, ["1.example", "2.example", "3.example"]), (True, ["1.example"])])
def test_many_named_pulses_that_are_gone_leave_when_they_may(store, accept, left):
    run(store, knows(1, 2, 3), wanted=named(1, 2, 3))
    run(store, knows(1), wanted=named(1, 2, 3), accept=accept)
    assert served(store) == left


def held(store):
    """The pulses that wait, and how many the source's row tells."""
    with store.read() as connection:
        rows = sources.held_page(connection, "otx", None, limit=9)
        assert sources.held(connection, "otx") == {one.pk for one in rows}
        return [one.id for one in rows], sources.get(connection, "otx").held


def test_named_pulses_that_are_held_are_known_until_they_are_accepted_or_come_back(store):
    run(store, knows(1, 2, 3), wanted=named(1, 2, 3))
    run(store, knows(1), wanted=named(1, 2, 3))
    assert held(store) == ([pulse_id(2), pulse_id(3)], 2)
    run(store, knows(1, 2, 3), wanted=named(1, 2, 3))
    assert held(store) == ([], 0)
    run(store, knows(1), wanted=named(1, 2, 3))
    with store.read() as connection:
        shown = sources.held(connection, "otx")
    outcome = run(store, knows(1), wanted=named(1, 2, 3), shown=shown)
    assert (outcome.intake.removed, served(store), held(store)) == (2, ["1.example"], ([], 0))


def test_named_pulses_that_nobody_has_looked_at_stay(store):
    run(store, knows(1, 2, 3, 4), wanted=named(1, 2, 3, 4))
    run(store, knows(1, 2), wanted=named(1, 2, 3, 4))
    with store.read() as connection:
        shown = sources.held(connection, "otx")
    run(store, knows(), wanted=named(1, 2, 3, 4), shown=shown)
    assert (len(served(store)), held(store)[1]) == (4, 4)


def test_named_pulse_that_is_held_and_named_no_more_leaves(store):
    run(store, knows(1, 2, 3), wanted=named(1, 2, 3))
    run(store, knows(1), wanted=named(1, 2, 3))
    run(store, knows(1), wanted=named(1))
    assert (served(store), held(store)) == (["1.example"], ([], 0))


def test_what_is_held_of_the_subscription_and_of_the_named_is_told_together(store):
    both = Wanted(pulses=tuple(pulse_id(number) for number in (7, 8, 9)))
    listed = [[pulse_id(number) for number in (1, 2, 3)]]
    there = {pulse_id(number): raw(number, f"{number}.example") for number in (7, 8, 9)}
    pages = [[raw(number, f"{number}.example") for number in (1, 2, 3)]]
    run(store, FakeOTX(pages, ids=listed, single=there), wanted=both)
    run(store, FakeOTX(pages, ids=[[pulse_id(1)]], single={pulse_id(7): there[pulse_id(7)]}), wanted=both)
    assert sorted(held(store)[0]) == [pulse_id(number) for number in (2, 3, 8, 9)]
    assert held(store)[1] == 4
    run(store, FakeOTX(pages, ids=listed, single={pulse_id(7): there[pulse_id(7)]}), wanted=both)
    assert sorted(held(store)[0]) == [pulse_id(8), pulse_id(9)]
    with store.write() as connection:
        sources.forget(connection, "otx")
        assert sources.held(connection, "otx") == set()


def test_pulse_of_two_sources_stays_as_long_as_one_has_it(store):
    partner = Wanted(name="partner", subscription=False, pulses=NAMED[:2])
    run(store, knows(1, 2, 3), wanted=named(2, 3))
    run(store, knows(1, 2, 3), wanted=partner)
    assert sorted(served(store)) == ["1.example", "2.example", "3.example"]
    run(store, knows(1, 3), wanted=named(2, 3))
    assert sorted(served(store)) == ["1.example", "2.example", "3.example"]
    run(store, knows(1, 3), wanted=partner)
    assert sorted(served(store)) == ["1.example", "3.example"]
