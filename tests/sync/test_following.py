"""Pulses that are named, and those of several sources."""

from __future__ import annotations

import pytest

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


@pytest.mark.parametrize(("accept", "left"), [(False, ["1.example", "2.example", "3.example"]), (True, ["1.example"])])
def test_many_named_pulses_that_are_gone_leave_when_they_may(store, accept, left):
    run(store, knows(1, 2, 3), wanted=named(1, 2, 3))
    run(store, knows(1), wanted=named(1, 2, 3), accept=accept)
    assert served(store) == left


def test_pulse_of_two_sources_stays_as_long_as_one_has_it(store):
    partner = Wanted(name="partner", subscription=False, pulses=NAMED[:2])
    run(store, knows(1, 2, 3), wanted=named(2, 3))
    run(store, knows(1, 2, 3), wanted=partner)
    assert sorted(served(store)) == ["1.example", "2.example", "3.example"]
    run(store, knows(1, 3), wanted=named(2, 3))
    assert sorted(served(store)) == ["1.example", "2.example", "3.example"]
    run(store, knows(1, 3), wanted=partner)
    assert sorted(served(store)) == ["1.example", "3.example"]
