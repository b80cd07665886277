"""What can't be written, in which profile, and why."""

from __future__ import annotations

import pytest

from pulsegate.store import failures
from pulsegate.store.failures import Unwritten
from store.test_pulses import FULL, a_name, a_pulse, indicators, keys, put


@pytest.fixture
def names(database):
    """The keys of a.example and b.example in a pulse."""
    put(database, FULL, a_name("a.example"), a_name("b.example"))
    return list(keys(database).values())


def do(database, function, *words):
    with database.write() as connection:
        return function(connection, *words)


def failure_of(database, place):
    return indicators(database)[place].failure


def test_reasons_are_kept_by_profile(database, names):
    do(database, failures.mark, names[0], "full", "too long; 名前")
    do(database, failures.mark, names[0], "esa", "no such object")
    found = failure_of(database, 0)
    assert failures.reason_in(found, "full") == "too long; 名前"
    assert failures.reason_in(found, "esa") == "no such object"
    assert failures.words(found) == "full: too long; 名前; esa: no such object"
    assert failure_of(database, 1) is None


def test_reason_of_a_profile_is_replaced_by_a_later_one(database, names):
    do(database, failures.mark, names[0], "full", "first")
    do(database, failures.mark, names[0], "full", "second")
    assert failures.words(failure_of(database, 0)) == "full: second"


def test_indicator_without_a_failure_has_no_reason():
    assert (failures.reason_in(None, "full"), failures.words(None)) == (None, None)


def test_indicator_that_fails_in_one_profile_only_has_no_reason_in_the_other(database, names):
    do(database, failures.mark, names[0], "esa", "first")
    assert failures.reason_in(failure_of(database, 0), "full") is None


def test_every_failure_is_told_with_its_pulse_until_it_is_forgotten(database, names):
    put(database, a_pulse(1), a_name("c.example"))
    (other,) = keys(database, a_pulse(1)).values()
    for key, profile in ((names[1], "full"), (other, "esa")):
        do(database, failures.mark, key, profile, "no")
    assert do(database, failures.every) == [
        Unwritten(FULL.id, "domain", "b.example", "full: no"),
        Unwritten(a_pulse(1).id, "domain", "c.example", "esa: no"),
    ]
    assert do(database, failures.forget) == 2
    assert do(database, failures.every) == []
    assert do(database, failures.forget) == 0
