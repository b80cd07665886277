"""Where a value stands, and why."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from publication.feeds import DAY, NOW, Feed, a_name, a_pulse
from pulsegate.curation.own import Own
from pulsegate.curation.policy import Policy
from pulsegate.model.collection import Collection, Profile, Rule
from pulsegate.model.indicator import Indicator, IndicatorType, RawIndicator
from pulsegate.publication.explain import Explanation, Standing, explain
from pulsegate.store import quarantine
from pulsegate.store.quarantine import INDICATOR, Quarantined


@pytest.fixture
def mail(feed: Feed) -> Feed:
    feed.collection()
    return feed


def brief(one: Standing) -> Standing:
    """What is said of every value: without what would change it, what else speaks, and who has fetched it."""
    return Standing(one.collection, one.included, one.since, one.rule, one.reason)


def standing(feed: Feed, text: str, policy: Policy | None = None) -> Standing:
    """The value in the collection ``mail``."""
    found = explain(feed.database, policy or feed.policy, text)
    assert found is not None
    return next(brief(one) for one in found.standings if one.collection == "mail")


def test_value_that_is_in(mail, clock):
    older, younger = a_pulse(1, NOW - 2 * DAY), a_pulse(2, author="other")
    mail.put(older, ["a.example"])
    mail.put(younger, ["a.example"])
    mail.publish()
    clock.moment = NOW + DAY
    found = explain(mail.database, mail.policy, "a.example")
    assert found is not None
    assert replace(found, standings=[brief(one) for one in found.standings]) == Explanation(
        value="a.example",
        type="domain",
        pulses=[older, younger],
        standings=[
            Standing("mail", True, NOW - 2 * DAY, "in", "it is published"),
            Standing("user_other", True, NOW - DAY, "in", "it is published"),
            Standing("user_someone", True, NOW - 2 * DAY, "in", "it is published"),
        ],
        covered=[],
        neighbours=(),
    )


def test_value_that_is_not_published_yet(mail):
    mail.put(a_pulse(1), ["a.example"])
    reason = "it will be in after the next publication"
    assert standing(mail, "a.example") == Standing("mail", False, None, "pending", reason)


def test_value_in_a_collection_without_deduplication(mail):
    mail.collection(deduplicate=False)
    for number in (1, 2):
        mail.put(a_pulse(number, NOW - number * DAY), ["a.example"])
    mail.publish()
    assert standing(mail, "a.example") == Standing("mail", True, NOW - 2 * DAY, "in", "it is published")


@pytest.mark.parametrize("text", ["A.Example", "a[.]example", "a.example.", " a.example ", "a(dot)example"])
def test_value_in_another_spelling(mail, text):
    mail.put(a_pulse(1), ["a.example"])
    found = explain(mail.database, mail.policy, text)
    assert found is not None
    assert (found.value, found.type) == ("a.example", "domain")


def test_url_that_is_defanged(mail):
    value = "http://a.example/x"
    mail.put(a_pulse(1), [Indicator(IndicatorType.URL, value, RawIndicator("URL", value))])
    found = explain(mail.database, mail.policy, "hxxp://a[.]example/x")
    assert found is not None
    assert (found.value, found.type) == (value, "URL")


@pytest.mark.parametrize("text", ["b.example", "192.0.2.1", "", "\0", "\ud800", "%", "a" * 100_000])
def test_value_that_nothing_knows(mail, text):
    mail.put(a_pulse(1), ["a.example"])
    mail.publish()
    assert explain(mail.database, mail.policy, text) is None


OUT = [
    ({"include": Rule(tags=frozenset({"x"}))}, {}, "include.tags"),
    ({"exclude": Rule(authors=frozenset({"someone"}))}, {}, "exclude.authors"),
    ({"include": Rule(max_age=timedelta(hours=1))}, {}, "include.max_age"),
    ({"include": Rule(types=frozenset({IndicatorType.URL}))}, {}, "include.types"),
    ({"exclude": Rule(types=frozenset({IndicatorType.DOMAIN}))}, {}, "exclude.types"),
    ({"ttl": {IndicatorType.DOMAIN: DAY}}, {}, "ttl"),
    ({}, {"active": False}, "inactive"),
    ({}, {"expiration": NOW}, "expired"),
]


@pytest.mark.parametrize(("rules", "raw", "rule"), OUT, ids=[rule for _, _, rule in OUT])
def test_value_that_is_out_by_a_rule(mail, rules, raw, rule):
    mail.collection(**rules)
    mail.put(a_pulse(1), [a_name("a.example", **raw)])
    mail.publish()
    found = standing(mail, "a.example")
    assert (found.included, found.since, found.rule) == (False, None, rule)


def test_value_that_is_out_by_a_protection(mail):
    mail.put(a_pulse(1), ["a.example"], protection="public-suffix")
    mail.publish()
    assert standing(mail, "a.example") == Standing(
        "mail", False, None, "protection:public-suffix", "the built-in protection public-suffix covers it"
    )


def test_value_that_is_the_administrators_own(mail):
    mail.put(a_pulse(1), ["www.mine.example"])
    policy = Policy(own=Own(["mine.example"]))
    mail.publish(policy)
    assert standing(mail, "www.mine.example", policy) == Standing(
        "mail", False, None, "own", "mine.example is your own"
    )


def test_value_that_the_profile_can_not_write(mail):
    mail.collection(profile=Profile.ESA)
    value = "someone@a.example"
    mail.put(a_pulse(1), [Indicator(IndicatorType.EMAIL, value, RawIndicator("email", value))])
    mail.publish()
    found = standing(mail, value)
    assert (found.included, found.rule) == (False, "profile:esa")


def test_value_of_a_pulse_that_was_withdrawn(mail):
    mail.put(a_pulse(1), ["a.example"])
    mail.withdraw(a_pulse(1))
    mail.publish()
    assert standing(mail, "a.example") == Standing(
        "mail", False, None, "withdrawn", "the pulse was deleted on OTX or is no longer subscribed to"
    )


def test_value_of_several_pulses_is_out_by_the_rule_nearest_to_letting_it_in(mail):
    mail.collection(include=Rule(tags=frozenset({"good"})))
    mail.put(a_pulse(1, tags=("bad",)), ["a.example"])
    mail.put(a_pulse(2, tags=("good",)), [a_name("a.example", expiration=NOW)])
    mail.put(a_pulse(3, tags=("good",)), ["a.example"])
    mail.withdraw(a_pulse(3))
    mail.publish()
    assert standing(mail, "a.example").rule == "expired"


def test_value_stands_differently_in_each_collection(mail):
    mail.collection(Collection("other"), include=Rule(tags=frozenset({"x"})))
    mail.put(a_pulse(1), ["a.example"])
    mail.publish()
    found = explain(mail.database, mail.policy, "a.example")
    assert found is not None
    assert [(one.collection, one.rule) for one in found.standings] == [
        ("mail", "in"),
        ("other", "include.tags"),
        ("user_someone", "in"),
    ]


def reject(feed: Feed, *entries: Quarantined) -> None:
    with feed.database.write() as connection:
        for one in entries:
            quarantine.add(connection, one)


def test_value_that_was_rejected(mail):
    mail.put(a_pulse(1), [])
    reject(mail, Quarantined(INDICATOR, a_pulse(1).id, "IPv4", "999.1.1.1", "not an IP address"))
    assert explain(mail.database, mail.policy, "999.1.1.1") == Explanation(
        value="999.1.1.1",
        type="IPv4",
        pulses=[a_pulse(1)],
        standings=[Standing("mail", False, None, "rejected", "not an IP address")],
    )


def test_value_that_was_rejected_twice_in_one_pulse_lists_it_once(mail):
    mail.put(a_pulse(1), [])
    reject(
        mail,
        Quarantined(INDICATOR, a_pulse(1).id, "IPv4", "999.1.1.1", "not an IP address"),
        Quarantined(INDICATOR, a_pulse(1).id, "domain", "999.1.1.1", "the last label is a number"),
    )
    found = explain(mail.database, mail.policy, "999.1.1.1")
    assert found is not None
    assert found.pulses == [a_pulse(1)]
