"""The walk over many indicators decides as ``curation`` does on each of them."""

from __future__ import annotations

from datetime import timedelta
from itertools import product

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import support
from publication.feeds import DAY, MICROSECOND, NOW, Feed, a_name, a_pulse
from pulsegate.curation.own import Own
from pulsegate.curation.policy import Policy
from pulsegate.model.collection import PROTECTIONS, Collection, Profile, Rule
from pulsegate.model.indicator import Indicator, IndicatorType, RawIndicator
from pulsegate.model.tlp import TLP
from pulsegate.publication.verdicts import BY_VALUE, Verdicts, as_candidate
from pulsegate.stix import expressible
from pulsegate.store import candidates, failures, pulses

VALUES = {
    IndicatorType.DOMAIN: ["a.example", "mine.example", "sub.mine.example"],
    IndicatorType.IPV4: ["192.0.2.1", "198.51.100.1"],
    IndicatorType.URI: ["/path", "http://a.example/path"],
    IndicatorType.CVE: ["CVE-2024-1", "CVE-24-1"],
    IndicatorType.YARA: ["rule"],
    IndicatorType.OSQUERY: ["select 1", "query"],
    IndicatorType.MUTEX: ["mutex"],
    IndicatorType.CIDR: ["198.51.100.0/30", "198.51.100.0/24", "0.0.0.0/1"],
}
MOMENTS = st.none() | st.sampled_from(
    [NOW + step for step in (-20 * DAY, -DAY, -MICROSECOND, 0 * DAY, MICROSECOND, DAY)]
)
INDICATORS = st.sampled_from([(kind, value) for kind, values in VALUES.items() for value in values]).flatmap(
    lambda found: st.builds(
        lambda **raw: Indicator(*found, RawIndicator(found[0].value, found[1], **raw)),
        created=MOMENTS,
        expiration=MOMENTS,
        active=st.sampled_from([True, True, False]),
        content=st.sampled_from(["", " ", "select 2", "rule a { condition: true }"]),
        role=st.sampled_from(["", "trojan", "Scanning_Host"]),
    )
)
AGES = st.sampled_from([timedelta(), MICROSECOND, DAY, 20 * DAY, 400 * DAY, 100_000 * DAY])
RULES = st.builds(
    Rule,
    types=st.sampled_from(
        [frozenset(), frozenset(), frozenset(), frozenset({IndicatorType.DOMAIN, IndicatorType.CVE})]
    ),
    tlp=st.sampled_from([frozenset(), frozenset(), frozenset(), frozenset({TLP.WHITE})]),
    roles=st.sampled_from([frozenset(), frozenset(), frozenset({"scanning_host"}), frozenset({"trojan", "x"})]),
)
COLLECTIONS = st.builds(
    Collection,
    name=st.just("mail"),
    author=st.none() | st.just("someone"),
    profile=st.sampled_from(list(Profile)),
    expand=st.sampled_from([0, 4, 256]),
    include=RULES,
    exclude=RULES,
    protections=st.none() | st.frozensets(st.sampled_from(sorted(PROTECTIONS))),
    ttl=st.dictionaries(st.sampled_from(list(VALUES)), AGES, min_size=1, max_size=7),
)
POLICIES = st.builds(
    Policy,
    own=st.sampled_from([Own(()), Own(["mine.example", "192.0.2.0/24"])]),
    disabled=st.frozensets(st.sampled_from(sorted(PROTECTIONS)), max_size=1),
)
PULSES = st.lists(
    st.tuples(
        st.lists(INDICATORS, min_size=3, max_size=9, unique_by=lambda one: one.identity),
        st.sampled_from(["someone", "another"]),
        st.sampled_from(TLP),
        st.sampled_from([None, None, None, *sorted(PROTECTIONS)]),
        st.sampled_from([True, True, True, False]),
        st.sampled_from([None, None, "can't be written"]),
    ),
    min_size=1,
    max_size=3,
)


@given(PULSES, COLLECTIONS, POLICIES, st.booleans())
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_walk_decides_as_on_each_indicator(feed: Feed, found, collection, policy, by_identity):
    feed.wipe()
    for number, (members, author, tlp, protection, active, failure) in enumerate(found):
        fill(feed, a_pulse(number, author=author, tlp=tlp), members, protection, active=active, failure=failure)
    with feed.database.snapshot() as connection:
        verdicts = Verdicts(collection, policy, NOW)
        there = list(pulses.every(connection, collection.author))
        for pulse in there:
            verdicts.learn(pulse)
        stored = [as_candidate(one) for pulse in there for one in pulses.indicators_of(connection, pulse.pk)]
        expected = [(one.identity, one.pk, one.pulse_pk) for one in stored if verdicts.of(one).included]
        walked = list(verdicts.wanted(connection, by_identity=by_identity))
    order = [one[0] if by_identity else one[1] for one in walked]
    assert order == sorted(order)
    assert sorted(walked) == sorted(expected)


def fill(feed, pulse, members, protection, *, active, failure):
    feed.put(pulse, members, protection)
    with feed.database.write() as connection:
        stored = pulses.get(connection, pulse.id)
        assert stored is not None
        for one in pulses.indicators_of(connection, stored.pk)[:1]:
            if failure:
                failures.mark(connection, one.pk, "full", failure)
        if not active:
            support.withdraw(connection, pulse.id)


@pytest.mark.parametrize("kind", sorted(set(IndicatorType) - BY_VALUE))
def test_other_types_can_be_written_whatever_their_value_is(kind):
    """Else the walk, which looks at no value of theirs, would decide otherwise than the decision on each."""
    texts = ["", " ", "a", "a.example", "http://a.example/", "/a", "CVE-2024-1", "select 1", "\0"]
    for profile in Profile:
        assert len({expressible(kind, *pair, profile, 256) for pair in product(texts, texts)}) == 1


@pytest.mark.parametrize("field", ["created", "expiration"])
@pytest.mark.parametrize("step", [-MICROSECOND, timedelta(), MICROSECOND])
def test_walk_ends_a_life_at_the_same_moment(feed: Feed, field, step):
    moment = NOW + step - (DAY if field == "created" else timedelta())
    found = Indicator(IndicatorType.MUTEX, "mutex", RawIndicator("Mutex", "mutex", **{field: moment}))
    feed.put(a_pulse(1), [found])
    with feed.database.snapshot() as connection:
        verdicts = Verdicts(Collection("mail", ttl={IndicatorType.MUTEX: DAY}), Policy(), NOW)
        (pulse,) = pulses.every(connection)
        verdicts.learn(pulse)
        (stored,) = pulses.indicators_of(connection, pulse.pk)
        walked = list(verdicts.wanted(connection, by_identity=True))
        assert bool(walked) is verdicts.of(as_candidate(stored)).included is (step > timedelta())


@pytest.mark.parametrize(
    ("profile", "values"), [(Profile.FULL, ["b.example"]), (Profile.ESA, ["a.example", "b.example"])]
)
def test_what_can_not_be_written_in_one_profile_is_wanted_in_the_other(feed, profile, values):
    feed.put(a_pulse(1), ["a.example", "b.example"])
    with feed.database.write() as connection:
        stored = pulses.get(connection, a_pulse(1).id)
        first, _ = pulses.indicators_of(connection, stored.pk)
        failures.mark(connection, first.pk, "full", "can't be written")
        verdicts = Verdicts(Collection(name="mail", profile=profile), Policy(), NOW)
        verdicts.learn(stored)
        keys = [pk for _, pk, _ in verdicts.wanted(connection, by_identity=False)]
        assert [one.indicator.value for _, one in candidates.by_keys(connection, keys)] == values


@pytest.mark.parametrize(
    ("rules", "values"),
    [
        ({"include": Rule(roles=frozenset({"Trojan"}))}, ["a.example"]),
        ({"exclude": Rule(roles=frozenset({"Trojan"}))}, ["b.example", "c.example"]),
        ({}, ["a.example", "b.example", "c.example"]),
    ],
)
def test_role_is_decided_on_for_each_indicator(feed, rules, values):
    feed.put(a_pulse(1), [a_name("a.example", role="trojan"), a_name("b.example", role="x"), "c.example"])
    feed.collection(**rules)
    feed.publish()
    assert feed.values() == [values]
