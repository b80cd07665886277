"""Sources: their rows, and which pulses each has."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from pulsegate.store import pulses, quarantine, sources, taken
from pulsegate.store.quarantine import INDICATOR, PULSE, Quarantined
from pulsegate.store.sources import FILE, FILES, SUBSCRIPTION, Source, Walk
from store.conftest import NOW
from store.test_pulses import a_pulse

HOUR = timedelta(hours=1)
SEARCH = "search:emotet"


@pytest.fixture(autouse=True)
def at(monkeypatch):
    """Put the clock to a moment."""

    def put(moment):
        for module in (sources, taken):
            monkeypatch.setattr(module, "now", lambda _: moment)

    put(NOW)
    return put


@pytest.fixture
def three(database):
    """The keys of three stored pulses, of the authors a, b and a."""
    with database.write() as connection:
        found = [taken.Taken(a_pulse(number, author=author), []) for number, author in ((1, "a"), (2, "b"), (3, "a"))]
        return [one.pk for one in taken.put_many(connection, found, taken.unmarked)]


def do(database, function, *words, **more):
    with database.write() as connection:
        return function(connection, *words, **more)


def active(database):
    with database.read() as connection:
        query = sa.select(pulses.pulses.c.pk).where(pulses.pulses.c.active).order_by(pulses.pulses.c.pk)
        return connection.scalars(query).all()


def identity(number):
    return f"{number:024x}"


# --- Rows ------------------------------------------------------------------------------------------------------------


def test_source_is_made_once(database, at):
    made = do(database, sources.ensure, "otx", "shape")
    assert made == Source("otx", NOW, "shape")
    at(NOW + HOUR)
    assert do(database, sources.ensure, "otx", "shape") == made
    assert do(database, sources.every) == [made]
    assert do(database, sources.get, "partner") is None


def test_source_with_every_column_comes_back(database):
    do(database, sources.ensure, "otx", "shape")
    walk = Walk(NOW, NOW - HOUR, full=True, again=True, offset=40, count=200, newest=NOW, retreats=2)
    values = {
        "watermark": NOW, "walk": walk, "page_size": 5, "completed": NOW - HOUR, "compared": NOW, "events": NOW,
        "failing": NOW + HOUR, "error": "OTX answered 504", "next_try": NOW + 2 * HOUR, "held": 7, "alarms": "held",
    }  # fmt: skip
    do(database, sources.update, "otx", **values)
    assert do(database, sources.get, "otx") == Source("otx", NOW, "shape", **values)
    do(database, sources.update, "otx", walk=Walk(NOW, NOW), held=0)
    assert do(database, sources.get, "otx") == replace(Source("otx", NOW, "shape", **values), walk=Walk(NOW, NOW), held=0)  # fmt: skip


def test_walk_that_a_newer_release_has_noted_more_of_goes_on(database):
    do(database, sources.ensure, "otx", "shape")
    do(database, sources.update, "otx", walk=Walk(NOW, NOW, offset=40))
    noted = json.loads(do(database, lambda connection: connection.scalar(sa.select(sources.sources.c.walk))))
    text = json.dumps(noted | {"unheard": 1})
    do(database, lambda connection: connection.execute(sa.update(sources.sources).values(walk=text)))
    assert do(database, sources.get, "otx").walk == Walk(NOW, NOW, offset=40)


def test_source_that_asks_for_something_else_is_walked_and_compared_again(database):
    do(database, sources.ensure, "otx", "shape")
    do(database, sources.ensure, "partner", "shape")
    kept = {"completed": NOW, "events": NOW, "page_size": 5, "held": 2, "alarms": "held"}
    for name in ("otx", "partner"):
        do(database, sources.update, name, watermark=NOW, walk=Walk(NOW, NOW), compared=NOW, **kept)
        do(database, sources.pass_over, name, ["1", "2"])
    assert do(database, sources.ensure, "otx", "other") == Source("otx", NOW, "other", **kept)
    assert do(database, sources.known_as_passed_over, "otx") == set()
    other = do(database, sources.get, "partner")
    assert other == Source("partner", NOW, "shape", watermark=NOW, walk=Walk(NOW, NOW), compared=NOW, **kept)
    assert do(database, sources.known_as_passed_over, "partner") == {"1", "2"}


# --- Which pulses it has ---------------------------------------------------------------------------------------------


def test_claims_are_told_apart_by_source_and_way(database, three):
    one, two, three_ = three
    do(database, sources.claim, "otx", SUBSCRIPTION, [two, one, one])
    do(database, sources.claim, "otx", SUBSCRIPTION, [one])
    do(database, sources.claim, "otx", SEARCH, [one])
    do(database, sources.claim, "partner", SUBSCRIPTION, [three_])
    do(database, sources.claim, "otx", SEARCH, [])
    assert do(database, sources.claimed, "otx", SUBSCRIPTION) == {identity(1): one, identity(2): two}
    assert do(database, sources.claimed, "otx", SEARCH) == {identity(1): one}
    assert do(database, sources.claimed, "partner", SUBSCRIPTION) == {identity(3): three_}
    assert do(database, sources.claimed, "partner", SEARCH) == {}
    assert do(database, sources.ways, "otx") == {SUBSCRIPTION, SEARCH}
    assert do(database, sources.counts) == {"otx": 2, "partner": 1}


def test_more_claims_than_one_statement_takes(database):
    with database.write() as connection:
        found = [taken.Taken(a_pulse(number), []) for number in range(1, 1101)]
        keys = [one.pk for one in taken.put_many(connection, found, taken.unmarked)]
    do(database, sources.claim, "otx", SUBSCRIPTION, keys[:600])
    do(database, sources.claim, "otx", SUBSCRIPTION, keys)
    assert do(database, sources.counts) == {"otx": 1100}
    assert do(database, sources.release, "otx", SUBSCRIPTION) == 1100
    assert (do(database, sources.counts), active(database)) == ({}, [])


def test_pulse_stays_until_nobody_claims_it(database, three, at):
    one, *_ = three
    do(database, sources.claim, "otx", SUBSCRIPTION, three)
    do(database, sources.claim, "otx", SEARCH, [one])
    do(database, sources.claim, "partner", SUBSCRIPTION, [one])
    assert do(database, sources.release, "otx", SUBSCRIPTION, [one]) == 0
    assert do(database, sources.release, "otx", SEARCH, [one]) == 0
    assert active(database) == three
    at(NOW + HOUR)
    assert do(database, sources.release, "partner", SUBSCRIPTION, [one]) == 1
    assert active(database) == three[1:]
    with database.read() as connection:
        query = sa.select(pulses.pulses.c.withdrawn).where(pulses.pulses.c.pk == one)
        assert connection.scalar(query) == NOW + HOUR


def test_released_pulses_are_counted_once(database, three):
    do(database, sources.claim, "otx", SUBSCRIPTION, three)
    assert do(database, sources.release, "otx", SUBSCRIPTION, three[:1]) == 1
    assert do(database, sources.release, "otx", SUBSCRIPTION, three[:2]) == 1
    assert do(database, sources.release, "otx", SUBSCRIPTION, []) == 0
    assert do(database, sources.release, "partner", None) == 0
    assert active(database) == three[2:]


def test_source_that_is_forgotten_leaves_nothing(database, three):
    one, two, _ = three
    unreadable = Quarantined(PULSE, identity(9), "pulse", identity(9), "it has no name", source="partner")
    of_both = Quarantined(INDICATOR, identity(1), "IPv4", "999", "not an IP address", source="partner")
    for name in ("otx", "partner"):
        do(database, sources.ensure, name, "shape")
        do(database, sources.pass_over, name, ["1"])
    do(database, sources.claim, "partner", SUBSCRIPTION, [one, two])
    do(database, sources.claim, "partner", SEARCH, [two])
    do(database, sources.claim, "otx", SUBSCRIPTION, [one])
    do(database, sources.claim, FILES, FILE, three[2:])
    for entry in (unreadable, of_both, replace(unreadable, value="other", source="otx")):
        do(database, quarantine.add, entry)
    assert do(database, sources.forget, "partner") == 1
    assert [source.name for source in do(database, sources.every)] == ["otx"]
    assert do(database, sources.counts) == {"otx": 1, FILES: 1}
    assert do(database, sources.known_as_passed_over, "partner") == set()
    assert do(database, sources.known_as_passed_over, "otx") == {"1"}
    assert active(database) == [one, three[2]]
    assert [(left.kind, left.source) for left in do(database, quarantine.every)] == [
        (INDICATOR, "partner"), (PULSE, "otx"),
    ]  # fmt: skip
    assert do(database, sources.forget, "partner") == 0


def test_strangers_are_those_whose_author_does_not_belong(database, three):
    one, two, three_ = three
    do(database, sources.claim, "otx", SUBSCRIPTION, [one, two])
    do(database, sources.claim, "otx", SEARCH, [three_])
    do(database, sources.claim, "partner", SUBSCRIPTION, three)
    assert do(database, sources.strangers, "otx", SUBSCRIPTION, lambda author: author == "b") == [one]
    assert do(database, sources.strangers, "otx", SUBSCRIPTION, lambda _: True) == []


def test_incomplete_pulses_are_those_of_the_source(database, three):
    do(database, sources.claim, "otx", SUBSCRIPTION, three)
    do(database, taken.put, a_pulse(2, author="b", name="other"), [], taken.unmarked, whole=False)
    assert do(database, sources.incomplete, "otx") == {identity(2): three[1]}
    assert do(database, sources.incomplete, "partner") == {}


def test_pulses_passed_over_are_replaced(database):
    do(database, sources.pass_over, "otx", {"1", "2"})
    do(database, sources.add_passed_over, "otx", "3")
    do(database, sources.pass_over, "partner", {"1"})
    assert do(database, sources.known_as_passed_over, "otx") == {"1", "2", "3"}
    do(database, sources.pass_over, "otx", {"2"})
    assert do(database, sources.known_as_passed_over, "otx") == {"2"}
    do(database, sources.pass_over, "otx", ())
    assert do(database, sources.known_as_passed_over, "otx") == set()
    assert do(database, sources.known_as_passed_over, "partner") == {"1"}
