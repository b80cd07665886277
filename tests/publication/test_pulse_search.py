"""Pulses that wait, and what decisions would do: whatever the rules, the lists and counts are those of the publication."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest

from publication.feeds import DAY, NOW, Feed, a_name, a_pulse
from pulsegate.model.collection import Collection, ReviewMode, Rule
from pulsegate.model.decisions import ReviewStatus, Trusted
from pulsegate.model.tlp import TLP
from pulsegate.publication import pulse_search, review_effect
from pulsegate.publication.review_effect import Decision
from pulsegate.publication.waiting import Statuses
from pulsegate.store import collections, decisions, pulse_list, pulses
from pulsegate.store.pulse_list import Order, Wanted

WORDS = ("apt", "Loader", 'a "b"', "50%", "x_y", "Ünï", "back\\slash", "T1059")
NAMES = ("Loader seen", "no loaders", "Löader", "apt-loader", "50% of x_y", "ÜNÏ", "nothing")
KEYS = ("tags", "adversaries", "malware_families", "countries", "industries", "words", "attack_ids", "authors")


def some(chance: random.Random, most: int = 2) -> tuple[str, ...]:
    found = chance.sample(WORDS, chance.randint(0, most))
    return tuple(chance.choice((one, one.upper(), one.lower())) for one in found)


def a_rule(chance: random.Random) -> Rule:
    keys = chance.sample(KEYS, chance.randint(0, 2))
    return Rule(
        **{key: frozenset(some(chance)) for key in keys},
        tlp=frozenset(chance.sample(list(TLP), chance.choice((0, 0, 3)))),
        max_age=chance.choice((None, None, 5 * DAY)),
    )


def fill(feed: Feed, chance: random.Random, number: int = 12) -> None:
    for one in range(number):
        pulse = a_pulse(
            one + 1, NOW - chance.randint(0, 9) * DAY, name=chance.choice(NAMES), author=chance.choice(WORDS),
            tlp=chance.choice(list(TLP)), tags=some(chance), malware_families=some(chance), industries=some(chance),
            targeted_countries=some(chance), attack_ids=("T1059.001 - x",) * chance.randint(0, 1),
            adversary=chance.choice(WORDS),
        )  # fmt: skip
        raw = {"expiration": NOW - DAY} if chance.random() < 0.1 else {}
        feed.put(
            pulse, [a_name(f"n{chance.randint(0, 9)}.example", **raw) for _ in range(1)] + [a_name(f"own{one}.example")]
        )
        if chance.random() < 0.1:
            feed.withdraw(pulse)


def decide_some(feed: Feed, chance: random.Random) -> None:
    with feed.database.write() as connection:
        for status in ReviewStatus:
            found = chance.sample(range(1, 13), 2)
            decisions.review(connection, found, status, reason="", account="x")
        if chance.random() < 0.5:
            decisions.trust(connection, Trusted(chance.choice(WORDS), "", "x", NOW))


@pytest.mark.parametrize("seed", range(25))
def test_those_that_wait_are_found_whatever_the_rules(feed: Feed, seed: int) -> None:
    chance = random.Random(seed)
    for name, mode in (("a", ReviewMode.PULSES), ("b", ReviewMode.CHANGES), ("c", ReviewMode.NONE)):
        feed.collection(Collection(name, review=mode, include=a_rule(chance), exclude=a_rule(chance)))
    fill(feed, chance)
    decide_some(feed, chance)
    grown = a_pulse(chance.randint(1, 12), NOW, name="Loader seen")
    feed.put(grown, ["later.example"])
    with feed.database.read() as connection:
        known = Statuses(connection)
        expected = sorted(one.pk for one in pulses.every(connection) if known.waits(one))
        fresh = Statuses(connection, [])
        wanted = Wanted(review=pulse_search.waits(fresh))
        assert pulse_search.keys(connection, fresh, wanted) == expected
        assert pulse_search.count(connection, fresh, wanted) == (len(expected), True)
        found = pulse_search.page(connection, Statuses(connection, []), wanted, Order.NAME, None, limit=50)
        assert sorted(one.pk for one in found) == expected


@pytest.mark.parametrize("side", ["include", "exclude"])
@pytest.mark.parametrize("key", KEYS)
def test_each_key_of_a_rule_finds_what_the_decision_finds(feed: Feed, key: str, side: str) -> None:
    fill(feed, random.Random(1), 40)
    words = ("loader", "T1059") if key in ("words", "attack_ids") else WORDS
    for word in words:
        feed.collection(Collection("a", review=ReviewMode.PULSES, **{side: Rule(**{key: frozenset({word})})}))
        with feed.database.read() as connection:
            known = Statuses(connection)
            expected = sorted(one.pk for one in pulses.every(connection) if known.waits(one))
            fresh = Statuses(connection, [])
            assert pulse_search.keys(connection, fresh, Wanted(review=pulse_search.waits(fresh))) == expected


DECISIONS = [*(Decision(one) for one in (*ReviewStatus, None)), Decision(trust=True), Decision(trust=False)]


def held(feed: Feed) -> dict[str, Counter[str]]:
    """What each collection holds, each value as often as it does."""
    with feed.database.read() as connection:
        names = [one.collection.name for one in collections.every(connection)]
    return {name: Counter(value for one in feed.values(name) for value in one) for name in names}


def change(before: dict[str, Counter[str]], after: dict[str, Counter[str]]) -> dict[str, tuple[int, int]]:
    """By collection: how many came, and how many went."""
    found = {name: ((after[name] - before[name]).total(), (before[name] - after[name]).total()) for name in before}
    return {name: numbers for name, numbers in found.items() if numbers != (0, 0)}


def make(feed: Feed, keys: list[int], decision: Decision) -> None:
    with feed.database.write() as connection:
        if decision.trust is None:
            decisions.review(connection, keys, decision.status, reason="", account="x")
        elif decision.trust:
            decisions.trust(connection, Trusted("apt", "", "x", NOW))
        else:
            decisions.distrust(connection, "apt", "x")


@pytest.mark.parametrize("decision", DECISIONS)
@pytest.mark.parametrize("seed", range(4))
def test_effect_is_what_the_publication_does_then(feed: Feed, seed: int, decision: Decision) -> None:
    chance = random.Random(seed)
    feed.collection(Collection("once", review=ReviewMode.PULSES))
    feed.collection(Collection("each", review=ReviewMode.CHANGES, deduplicate=False))
    feed.collection(Collection("open", exclude=Rule(tlp=frozenset({TLP.RED}))))
    fill(feed, chance)
    decide_some(feed, chance)
    feed.put(a_pulse(1, NOW, name="grown", author="apt"), ["n1.example", "own0.example", "later.example"])
    feed.publish()
    feed.clock.moment += timedelta(days=3)  # so that values may pass to other pulses
    feed.publish()
    with feed.database.snapshot() as connection:
        keys = chance.sample(range(1, 13), 4) if decision.trust is None else pulse_list.by_author(connection, "apt")
        found = review_effect.effect(connection, feed.policy, keys, decision)
    before = held(feed)
    make(feed, keys, decision)
    feed.publish()
    assert {one.collection: (one.coming, one.going) for one in found} == change(before, held(feed))
    assert all(one.is_exact for one in found)


@pytest.mark.parametrize("decision", DECISIONS)
def test_count_of_many_is_that_of_the_publication_where_no_value_is_shared(
    feed: Feed, decision: Decision, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(review_effect, "MOST_PULSES", 0)
    feed.collection(Collection("checked", review=ReviewMode.PULSES, include=Rule(tlp=frozenset({TLP.WHITE}))))
    feed.collection(Collection("open"))
    for one in range(12):
        pulse = a_pulse(one + 1, author="apt", tlp=(TLP.WHITE, TLP.RED)[one % 2])
        feed.put(pulse, [f"a{one}.example", f"b{one}.example"])
    decide_some(feed, random.Random(1))
    feed.publish()
    keys = list(range(1, 13))
    with feed.database.snapshot() as connection:
        found = review_effect.effect(connection, feed.policy, keys, decision)
    before = held(feed)
    make(feed, keys, decision)
    feed.publish()
    assert {one.collection: (one.coming, one.going) for one in found} == change(before, held(feed))
    assert not any(one.is_exact for one in found)


def test_words_of_sql_are_only_words(feed: Feed) -> None:
    feed.put(a_pulse(1, name="50% of x_y", tags=("50%", 'a "b"')), [])
    feed.put(replace(a_pulse(2), name="500 of xzy", tags=("500", "a b")), [])
    with feed.database.read() as connection:
        for wanted in (Wanted(text="50%"), Wanted(text="x_y"), Wanted(tag="50%"), Wanted(tag='A "B"')):
            assert pulse_list.keys(connection, wanted) == [1], wanted
