"""Numbers that the worker keeps: counted where something changed, and nowhere else."""

from __future__ import annotations

import pytest

from pulsegate.curation.policy import Policy
from pulsegate.model.collection import Collection, CollectionKind, ReviewMode
from pulsegate.model.decisions import ReviewStatus
from pulsegate.model.marks import Marks
from pulsegate.publication import counting
from pulsegate.publication.built_in import SUBSCRIBED
from pulsegate.publication.counting import Counting, recount
from pulsegate.publication.publish import publish_all
from pulsegate.store import collections, counts, decisions, pulses, taken
from store.test_pulses import a_name, a_pulse


def put(database, number):
    with database.write() as connection:
        taken.put(connection, a_pulse(number), [a_name(f"{number}.example.net")], lambda _: Marks())


def kept(database):
    with database.read() as connection:
        return {name: dict(one.numbers) for name, one in counts.every(connection).items()}


@pytest.fixture
def filled(database):
    """A pulse, published in the collection of all and in that of its author; another one that nobody looked at."""
    with database.write() as connection:
        collections.ensure_services(connection)
        collections.put(connection, SUBSCRIBED)
        collections.put(connection, Collection("looked", CollectionKind.OWN, review=ReviewMode.PULSES))
    put(database, 1)
    publish_all(database, Policy())
    return database


def test_types_are_those_that_are_served(filled):
    recount(filled)
    found = kept(filled)
    kind = next(iter(found["types:subscribed"]))
    assert found == {
        "types:subscribed": {kind: 1}, "types:looked": {}, "types:user_some+one": {kind: 1}, "waiting": {"waiting": 1},
    }  # fmt: skip
    put(filled, 2)
    recount(filled)
    assert (kept(filled)["types:subscribed"], kept(filled)["waiting"]) == ({kind: 1}, {"waiting": 2})
    publish_all(filled, Policy())
    with filled.write() as connection:
        key = pulses.get(connection, a_pulse(1).id).pk
        decisions.review(connection, [key], ReviewStatus.APPROVED, reason="", account="ann")
    recount(filled)
    assert (kept(filled)["types:subscribed"], kept(filled)["waiting"]) == ({kind: 2}, {"waiting": 1})


def test_only_what_has_changed_is_counted(filled, monkeypatch):
    recount(filled)
    counted = []
    monkeypatch.setattr(counting.counts, "types", lambda _, name: counted.append(name) or {})
    recount(filled)
    assert counted == []
    put(filled, 2)
    publish_all(filled, Policy())
    recount(filled)
    assert sorted(counted) == ["subscribed", "user_some+one"]


def test_collection_that_is_gone_is_forgotten(filled):
    recount(filled)
    with filled.write() as connection:
        collections.remove(connection, collections.get(connection, "looked").id)
    recount(filled)
    assert "types:looked" not in kept(filled)


def test_counting_rests_fifty_times_as_long_as_it_took(filled, monkeypatch):
    times = iter([100.0, 103.0, 104.0, 252.0, 254.0, 255.0])
    monkeypatch.setattr(counting.time, "monotonic", lambda: next(times))
    begun = []
    monkeypatch.setattr(counting, "recount", lambda *_: begun.append(1))
    count = Counting(filled)
    for wanted in (1, 1, 1, 2):
        count()
        assert len(begun) == wanted
