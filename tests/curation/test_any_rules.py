"""Random rules on random pulses: the decision is what a naive reading of the rules says, and its reason is the right one."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from pulsegate.curation.decide import Facts, OfPulse, decide, decide_pulse
from pulsegate.model.collection import Collection, Rule
from pulsegate.model.indicator import IndicatorType
from pulsegate.model.pulse import Pulse
from pulsegate.model.tlp import TLP

NOW = datetime(2024, 6, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
WORDS = ("ash", "Birch", "birch", "elm")
TECHNIQUES = ("T1001", "T1001.001", "T1001.002", "T1002", "ta0001")
TYPES = (IndicatorType.IPV4, IndicatorType.URL, IndicatorType.MD5)
# Of a rule's key: the pulse's or the indicator's field, and what a rule may name.
FIELDS = {
    "authors": "author",
    "tags": "tags",
    "adversaries": "adversary",
    "malware_families": "malware_families",
    "countries": "targeted_countries",
    "industries": "industries",
    "attack_ids": "attack_ids",
    "words": "name",
    "tlp": "tlp",
}
NAMED = dict.fromkeys(FIELDS, WORDS) | {
    "attack_ids": TECHNIQUES,
    "words": ("ash", "BIRCH", "bir*", "ash elm", "el"),
    "tlp": tuple(TLP),
    "types": TYPES,
    "roles": WORDS,
}


def some(of):
    return st.lists(st.sampled_from(of), max_size=2).map(tuple)


pulses = st.builds(
    Pulse,
    id=st.just("0" * 24),
    name=some(("Ash", "birch", "Elm", "elms")).map(" - ".join),
    author=st.sampled_from(WORDS),
    created=st.just(NOW),
    modified=st.integers(0, 3).map(lambda days: NOW - days * DAY),
    tlp=st.sampled_from(TLP),
    adversary=st.sampled_from(("", *WORDS)),
    tags=some(WORDS),
    targeted_countries=some(WORDS),
    malware_families=some(WORDS),
    attack_ids=some(TECHNIQUES),
    industries=some(WORDS),
)
facts = st.builds(
    Facts,
    type=st.sampled_from(TYPES),
    created=st.just(NOW),
    expiration=st.none(),
    active=st.just(value=True),
    role=st.sampled_from(("", *WORDS)),
)


@st.composite
def rules(draw):
    """A rule with up to three keys; with more of them hardly anything would be in."""
    keys = draw(st.lists(st.sampled_from([*NAMED, "max_age"]), max_size=3, unique=True))
    named = {key: frozenset(draw(st.lists(st.sampled_from(NAMED[key]), min_size=1))) for key in keys if key in NAMED}
    return Rule(**named, max_age=draw(st.integers(0, 3)) * DAY if "max_age" in keys else None)


def hits(key, words, pulse, fact):
    """Whether one of the words is true of the pulse or its indicator."""
    if key == "types":
        return fact.type in words
    if key == "roles":
        return fact.role.lower() in {word.lower() for word in words}
    if key == "words":
        name = re.sub("[^a-z]+", " ", pulse.name.lower())
        return any(re.search(rf"\b{word.lower().replace('*', '[a-z]*')}\b", name) for word in words)
    there = getattr(pulse, FIELDS[key])
    there = {one.lower() for one in ([there] if isinstance(there, str) else there)}
    if key == "attack_ids":
        there |= {one.partition(".")[0] for one in there}
    return any(word.lower() in there for word in words)


def belongs(pulse, fact, collection):
    age = NOW - pulse.modified
    include, exclude = collection.include, collection.exclude
    wanted = all(hits(key, getattr(include, key), pulse, fact) for key in NAMED if getattr(include, key))
    unwanted = any(hits(key, getattr(exclude, key), pulse, fact) for key in NAMED)
    too_old = include.max_age is not None and age > include.max_age
    too_young = exclude.max_age is not None and age <= exclude.max_age
    return wanted and not unwanted and not too_old and not too_young


def without(collection, name):
    """The collection without the rule of that name."""
    side, key = name.split(".")
    empty = None if key == "max_age" else frozenset()
    return replace(collection, **{side: replace(getattr(collection, side), **{key: empty})})


def decided(pulse, fact, collection):
    return decide(fact, collection, NOW, OfPulse(decide_pulse(pulse, collection, NOW)))


@given(pulses, facts, rules(), rules())
@settings(max_examples=500, deadline=None)
def test_decision_is_what_the_rules_say_and_its_reason_is_the_rule_that_made_it(pulse, fact, include, exclude):
    collection = Collection("mail", include=include, exclude=exclude)
    found = decided(pulse, fact, collection)
    assert found.included is belongs(pulse, fact, collection)
    if not found.included:
        other = decided(pulse, fact, without(collection, found.rule))
        assert other.included or other.rule != found.rule
