"""All that has a say on a value, in the order of its weight."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from pulsegate.curation.decide import IN, Facts, OfPulse, decide, decide_pulse, opinions, opinions_on_pulse, out
from pulsegate.model.collection import Collection, CollectionKind, ReviewMode, Rule
from pulsegate.model.decisions import Allowed, Override
from pulsegate.model.indicator import IndicatorType
from pulsegate.model.pulse import Pulse
from pulsegate.model.tlp import TLP

NOW = datetime(2024, 6, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
PULSE = Pulse("0" * 24, "A pulse", "someone", NOW - 9 * DAY, NOW - 9 * DAY, tlp=TLP.RED, tags=("bad",))
ALLOWED = Allowed("exact", "a.example", "ours", "admin", NOW)
MAIL = Collection(
    "mail",
    include=Rule(tlp=frozenset({TLP.WHITE}), max_age=DAY, types=frozenset({IndicatorType.URL})),
    exclude=Rule(tags=frozenset({"bad"})),
    review=ReviewMode.CHANGES,
    ttl={IndicatorType.DOMAIN: DAY},
)
FACTS = Facts(
    IndicatorType.DOMAIN,
    NOW - 9 * DAY,
    None,
    active=False,
    own="a.example",
    protection="public-suffix",
    inexpressible="no form",
    allowed=ALLOWED,
    lists=("one", "other"),
    is_new=True,
)
BY_VALUE = ["allow-list", "own", "protection:public-suffix", "warning-list:one"]
BY_RULES = ["exclude.tags", "include.tlp", "include.max_age", "include.types", "profile:full"]
BY_TIME = ["review", "review:new", "inactive", "ttl"]


def forced(inside, collection="", **more):
    return Override(collection, b"", "domain", "a.example", inside, more.pop("against_own", False), "", "admin", NOW)


def said(facts=FACTS, collection=MAIL, pulse=PULSE, *, active=True):
    rules = list(opinions_on_pulse(pulse, collection, NOW, active=active)) or [IN]
    of_pulse = OfPulse(rules[0], out("review", "nobody has looked"), tuple(rules[1:]))
    found = opinions(facts, collection, NOW, of_pulse, frozenset({"one"}))
    assert found[0] == decide(facts, collection, NOW, of_pulse, frozenset({"one"}))
    return [one.rule for one in found]


def test_everything_that_speaks_against_a_value_in_its_order():
    assert said() == [*BY_VALUE, *BY_RULES, *BY_TIME]


def test_nothing_speaks_against_a_plain_value():
    facts = Facts(IndicatorType.DOMAIN, NOW, None, active=True)
    assert opinions(facts, Collection("mail"), NOW, OfPulse()) == []


@pytest.mark.parametrize("at", range(len(BY_VALUE)))
def test_what_speaks_against_the_value_each_by_itself(at):
    fields = ["allowed", "own", "protection", "lists"]
    gone = {name: () if name == "lists" else None for name in fields[:at]}
    assert said(replace(FACTS, **gone)) == [*BY_VALUE[at:], *BY_RULES, *BY_TIME]


def test_value_that_is_forced_out_and_what_would_hold_if_it_were_not():
    assert said(replace(FACTS, overrides=(forced(inside=False),))) == ["forced-out", *BY_VALUE, *BY_RULES, *BY_TIME]


def test_two_who_forced_it_out_and_one_who_forced_it_in():
    overrides = (
        forced(inside=True),
        forced(inside=False),
        replace(forced(inside=False, collection="mail"), account="b"),
    )
    facts = replace(FACTS, inexpressible=None, own=None, protection=None, overrides=overrides)
    assert said(facts)[:4] == ["forced-out", "forced-out", "forced-in", "allow-list"]


def test_value_that_is_forced_in_with_what_it_is_in_against():
    facts = replace(FACTS, inexpressible=None, own=None, protection=None, overrides=(forced(inside=True),))
    rules = [one for one in [*BY_VALUE, *BY_RULES] if one not in ("own", "protection:public-suffix", "profile:full")]
    assert said(facts) == ["forced-in", *rules, *BY_TIME]


def test_own_and_protections_come_before_a_value_that_is_forced_in_without_force():
    facts = replace(FACTS, inexpressible=None, overrides=(forced(inside=True),))
    assert said(facts)[:4] == ["own", "protection:public-suffix", "forced-in", "allow-list"]


@pytest.mark.parametrize("first", [True, False])
def test_force_counts_whichever_of_two_has_it(first):
    two = [forced(inside=True, against_own=True), forced(inside=True, collection="mail")]
    facts = replace(FACTS, inexpressible=None, overrides=tuple(two if first else reversed(two)))
    assert said(facts)[0] == "forced-in"


def test_override_for_another_collection_has_no_say():
    assert said(replace(FACTS, overrides=(forced(inside=False, collection="other"),)))[0] == "allow-list"


def test_another_authors_pulse_is_none_of_a_collections_even_when_it_was_withdrawn():
    theirs = Collection("user_other", CollectionKind.AUTHOR, author="other")
    assert decide_pulse(PULSE, theirs, NOW, active=False).rule == "author"
    facts = replace(FACTS, inexpressible=None, own=None, protection=None, overrides=(forced(inside=True),))
    assert said(facts, theirs, active=False)[0] == "author"


def test_withdrawn_pulse_with_the_rules_that_speak_against_it_too():
    found = list(opinions_on_pulse(PULSE, MAIL, NOW, active=False))
    assert [one.rule for one in found] == ["withdrawn", "exclude.tags", "include.tlp", "include.max_age"]
