"""What a change of rules would do, told before it is done: as many come and go as really do, and nothing is written."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from publication.feeds import DAY, NOW, Feed, a_name, a_pulse
from pulsegate.curation.own import Own
from pulsegate.curation.policy import Policy
from pulsegate.model.collection import Collection, CollectionKind, Profile, Rule
from pulsegate.model.indicator import Indicator, IndicatorType, RawIndicator
from pulsegate.publication import inbox
from pulsegate.publication.inbox import Pushed
from pulsegate.publication.trial import Example, Trial, trial
from pulsegate.stix import Package
from pulsegate.store import collections
from pulsegate.store.tables import data_collections, indicators, metadata, placements

PHISHING = a_pulse(1, NOW - 3 * DAY, name="Phishing wave", tags=("phishing",))
TOOLS = a_pulse(2, NOW - 2 * DAY, name="Tools")


@pytest.fixture
def filled(feed: Feed) -> Feed:
    feed.put(PHISHING, ["a.example", a_name("b.example", role="trojan")])
    feed.put(TOOLS, ["b.example", "c.example"])
    return feed


def tried(feed: Feed, **rules) -> Trial:
    return trial(feed.database, feed.policy, Collection("mail", **rules))


def dump(feed: Feed):
    with feed.database.read() as connection:
        return {table.name: connection.execute(sa.select(table)).all() for table in metadata.sorted_tables}


def example(value: str, pulse, rule: str = "in", reason: str = "nothing speaks against it") -> Example:
    return Example("domain", value, pulse.id, pulse.name, rule, reason)


def test_collection_that_is_not_there_yet(filled):
    before = dump(filled)
    assert tried(filled, include=Rule(words=frozenset({"phish*"}))) == Trial(
        "mail",
        is_new=True,
        holds=0,
        coming=2,
        arrivals=[example("a.example", PHISHING), example("b.example", PHISHING)],
    )
    assert dump(filled) == before


def test_indicators_that_would_come_and_go_are_told_with_their_reasons(filled):
    filled.collection(include=Rule(tags=frozenset({"phishing"})))
    filled.publish()
    before = dump(filled)
    found = tried(filled, exclude=Rule(roles=frozenset({"trojan"}), tags=frozenset({"Phishing"})))
    reason = "the pulse has one of these tags: Phishing"
    assert found == Trial(
        "mail",
        is_new=False,
        holds=2,
        coming=1,
        going=1,
        arrivals=[example("c.example", TOOLS)],
        departures=[example("a.example", PHISHING, "exclude.tags", reason)],
    )
    assert dump(filled) == before


def test_rules_that_stay_as_they_are_change_nothing(filled):
    filled.collection()
    filled.publish()
    assert tried(filled) == Trial("mail", is_new=False, holds=3)


def test_pulses_that_were_modified_last_are_shown_first_and_no_more_than_ten(feed):
    for number in range(1, 4):
        feed.put(a_pulse(number, NOW - number * DAY), [f"{number}{place}.example" for place in range(6)])
    feed.collection(include=Rule(tags=frozenset({"none"})))
    feed.publish()
    found = tried(feed)
    assert (found.coming, found.going) == (18, 0)
    assert [one.value for one in found.arrivals] == [
        *(f"1{place}.example" for place in range(6)),
        *(f"2{place}.example" for place in range(4)),
    ]


def test_own_networks_hold_for_the_trial_too(filled):
    policy = Policy(own=Own(["a.example"]))
    found = trial(filled.database, policy, Collection("mail"))
    assert (found.coming, [one.value for one in found.arrivals]) == (2, ["c.example", "b.example"])


def test_value_that_leaves_because_it_is_to_be_carried_once(filled):
    filled.collection(deduplicate=False)
    filled.publish()
    found = tried(filled, deduplicate=True)
    reason = "a value is carried once, and another pulse carries it"
    assert found == Trial(
        "mail", is_new=False, holds=4, going=1, departures=[example("b.example", TOOLS, "deduplicate", reason)]
    )


def test_value_that_comes_because_each_pulse_is_to_carry_its_own(filled):
    filled.collection()
    filled.publish()
    found = tried(filled, deduplicate=False)
    assert found == Trial("mail", is_new=False, holds=3, coming=1, arrivals=[example("b.example", TOOLS)])


def test_value_that_only_moves_to_another_block_neither_comes_nor_goes(filled, clock):
    filled.collection()
    filled.publish()
    clock.moment = NOW + 2 * DAY
    filled.put(PHISHING, ["a.example", "d.example"])
    found = tried(filled)
    assert found == Trial("mail", is_new=False, holds=3, coming=1, arrivals=[example("d.example", PHISHING)])
    done = filled.publish()["mail"]
    assert (done.added, done.removed) == (2, 1)


def test_packages_of_an_inbox_that_would_be_too_old(feed, clock, monkeypatch):
    monkeypatch.setattr("pulsegate.publication.inbox.now", clock.read)

    def partners(**rules):
        return Collection("partners", kind=CollectionKind.INBOX, deduplicate=False, **rules)

    assert trial(feed.database, feed.policy, partners()) == Trial("partners", is_new=True, holds=0)
    with feed.database.write() as connection:
        stored = collections.put(connection, partners())
    inbox.receive(feed.database, [stored], [Pushed(Package(b"<x/>", "1.2", 3))])
    clock.moment = NOW + 2 * DAY
    for age, going in ((3 * DAY, 0), (DAY, 3)):
        found = trial(feed.database, feed.policy, partners(max_age=age))
        assert found == Trial("partners", is_new=False, holds=3, going=going)


def some(*of):
    return st.frozensets(st.sampled_from(of), max_size=1)


KINDS = (IndicatorType.DOMAIN, IndicatorType.HOSTNAME, IndicatorType.CIDR)
VALUES = [(IndicatorType.DOMAIN, f"{letter}.example") for letter in "abcd"]
VALUES += [(IndicatorType.HOSTNAME, "a.example"), (IndicatorType.CIDR, "198.51.100.0/30"), (IndicatorType.MUTEX, "m")]
rules = st.builds(Rule, tags=some("t", "u"), roles=some("x"), types=some(*KINDS), words=some("pulse", "1"))
wishes = st.builds(
    Collection,
    name=st.just("mail"),
    profile=st.just(Profile.ESA),
    expand=st.sampled_from([0, 4]),
    deduplicate=st.booleans(),
    include=rules,
    exclude=st.just(Rule()) | rules,
    ttl=st.sampled_from([{}, {IndicatorType.DOMAIN: timedelta(days=3)}]),
)
members = st.tuples(st.sampled_from(VALUES), st.sampled_from(["", "x"]), st.sampled_from([None, NOW - DAY])).map(
    lambda one: Indicator(*one[0], RawIndicator(*one[0], role=one[1], created=one[2]))
)
feeds = st.lists(
    st.tuples(
        st.lists(members, max_size=5, unique_by=lambda one: one.identity),
        st.sampled_from([(), ("t",), ("t", "u")]),
        st.integers(0, 5),
    ),
    min_size=1,
    max_size=4,
)


class Held:
    """What the collection holds, of stored indicators and of those that were stored once."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        self._known: dict[int, tuple[int, str]] = {}  # by the indicator's key: its pulse's key, and its identity

    def learn(self) -> None:
        query = sa.select(indicators.c.pk, indicators.c.pulse_pk, indicators.c.identity)
        with self._feed.database.read() as connection:
            self._known |= {pk: (pulse_pk, identity) for pk, pulse_pk, identity in connection.execute(query)}

    def now(self, *, once: bool) -> Counter:
        """The values; where each pulse carries its own, with the pulse."""
        with self._feed.database.read() as connection:
            placed = [self._known[pk] for pk in connection.scalars(sa.select(placements.c.indicator_pk).where(MINE))]
        return Counter(identity if once else (pulse_pk, identity) for pulse_pk, identity in placed)


MINE = placements.c.collection_id.in_(sa.select(data_collections.c.id).where(data_collections.c.name == "mail"))


@given(feeds, st.none() | wishes, wishes, feeds, st.sampled_from([0, 2, 5]))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_as_many_come_and_go_as_was_told(feed: Feed, clock, before, was, becomes, after, days):
    feed.wipe()
    clock.moment = NOW
    held = Held(feed)
    fill(feed, before)
    held.learn()
    if was is not None:
        feed.collection(was)
    feed.publish()
    fill(feed, after)
    held.learn()
    clock.moment += days * DAY
    once = becomes.deduplicate
    old = held.now(once=once)
    told = trial(feed.database, feed.policy, becomes)
    feed.collection(becomes)
    done = feed.publish()["mail"]
    new = held.now(once=once)
    assert (told.is_new, told.holds) == (was is None, old.total())
    more, less = told.coming - (new - old).total(), told.going - (old - new).total()
    # What another pulse has now, and stands under a key of the old rule, leaves and comes.
    assert more == less >= 0 if was is not None and was.deduplicate != once else more == less == 0
    assert done.added - told.coming == done.removed - told.going >= 0  # the rest has only moved
    assert len(told.arrivals) == min(10, told.coming)
    assert len(told.departures) <= min(10, told.going)
    assert {one.rule for one in told.arrivals} <= {"in"}
    assert "in" not in {one.rule for one in told.departures}
    assert trial(feed.database, feed.policy, becomes) == Trial("mail", is_new=False, holds=new.total())


def fill(feed: Feed, found) -> None:
    for number, (members, tags, age) in enumerate(found):
        feed.put(a_pulse(number, NOW - age * DAY, tags=tags), members)
