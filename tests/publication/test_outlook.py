"""A publication that looks only at what changed does all that one would do that looks at everything."""

from __future__ import annotations

from contextlib import closing
from datetime import timedelta

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from publication.feeds import DAY, NOW, Clock, Feed, a_name, a_pulse
from pulsegate.curation.own import Own
from pulsegate.curation.policy import Policy
from pulsegate.model.collection import Collection, CollectionKind, ReviewMode, Rule
from pulsegate.model.decisions import Allowed, Override, ReviewStatus, Trusted
from pulsegate.model.indicator import IndicatorType
from pulsegate.publication import outlook, planning, publish
from pulsegate.publication.marking import with_decisions
from pulsegate.publication.outlook import look
from pulsegate.publication.publish import Publication
from pulsegate.publication.verdicts import Verdicts
from pulsegate.store import candidates, collections, decisions, failures, pulses
from pulsegate.store.database import Database
from pulsegate.store.digests import digest
from pulsegate.store.tables import indicators, touched

HOUR = timedelta(hours=1)
COLLECTIONS = (
    Collection("once", ttl={IndicatorType.DOMAIN: 3 * DAY}),
    Collection("each", deduplicate=False, include=Rule(max_age=5 * DAY)),
    Collection("old", exclude=Rule(max_age=2 * DAY, tags=frozenset({"no"}))),
    Collection("user_a", kind=CollectionKind.AUTHOR, author="a"),
    Collection("reviewed", review=ReviewMode.PULSES),
    Collection("changes", review=ReviewMode.CHANGES, deduplicate=False),
)
PLAIN, PLAIN_EACH = Collection("plain"), Collection("plain each", deduplicate=False)
ENTRIES = (("exact", "u.example"), ("subtree", "v.example"), ("subtree", "example"), ("exact", "w.example"))
VALUES = [f"{letter}.example" for letter in "uvwxyz"]


def left_to_do(feed: Feed, policy: Policy) -> dict[str, tuple]:
    """What a whole plan would still change."""
    found = {}
    with feed.database.read() as connection:
        every = collections.every(connection)
    for stored in every:
        plan = planning.make(feed.database, stored, policy, None).plan
        found[stored.collection.name] = (dict(plan.entering), plan.leaving, plan.moving, plan.adopted)
    return {name: one for name, one in found.items() if any(one)}


def decided_in_bulk_and_alone(feed: Feed) -> list[tuple[str, set[int], set[int]]]:
    """Of each collection the keys of the indicators that belong into it, by one walk over all and one by one."""
    found = []
    with closing(Database(feed.database.url)) as restarted, restarted.snapshot() as connection:
        everything = candidates.identities_of(connection, [one.pk for one in pulses.every(connection)])
        for stored in collections.every(connection):
            by_walk, by_one = (
                Verdicts(stored.collection, with_decisions(connection, Policy()), feed.clock.moment) for _ in range(2)
            )
            for pulse in pulses.every(connection, stored.collection.author):
                by_walk.learn(pulse)
                by_one.learn(pulse)
            walked = {pk for _, pk, _ in by_walk.wanted(connection, by_identity=True)}
            each = candidates.with_identities(connection, everything)
            found.append((stored.collection.name, walked, {one.pk for one in each if by_one.of(one).included}))
    return found


def whole_plans(monkeypatch) -> list[str]:
    """The collections that are planned as a whole from now on."""
    names = []
    whole = planning._whole

    def counted(connection, stored, *rest):
        names.append(stored.collection.name)
        return whole(connection, stored, *rest)

    monkeypatch.setattr(planning, "_whole", counted)
    return names


a_value = st.builds(
    lambda value, created, expires, active: a_name(
        value,
        created=NOW - created * HOUR,
        expiration=None if expires is None else NOW + expires * HOUR,
        active=active,
    ),
    st.sampled_from(VALUES),
    st.integers(60, 74),
    st.one_of(st.none(), st.integers(-2, 12)),
    st.sampled_from([True, True, True, False]),
)
an_act = st.one_of(
    st.tuples(
        st.just("put"),
        st.integers(1, 4),
        st.lists(a_value, max_size=4, unique_by=lambda one: one.value),
        st.sampled_from("ab"),
        st.sampled_from([1, 44, 47, 115, 119]),
        st.sampled_from([(), ("no",)]),
    ),
    st.tuples(st.just("withdraw"), st.integers(1, 4)),
    st.tuples(st.just("fail"), st.sampled_from(VALUES)),
    st.tuples(st.just("wait"), st.sampled_from([1, 2, 5, 9, 23])),
    st.tuples(st.just("allow"), st.sampled_from(ENTRIES), st.one_of(st.none(), st.integers(1, 9))),
    st.tuples(st.just("disallow"), st.sampled_from(ENTRIES)),
    st.tuples(
        st.just("force"),
        st.sampled_from(VALUES),
        st.booleans(),
        st.sampled_from(["", "once", "user_a"]),
        st.one_of(st.none(), st.integers(1, 9)),
    ),
    st.tuples(st.just("unforce"), st.sampled_from(VALUES), st.sampled_from(["", "once", "user_a"])),
    st.tuples(st.just("review"), st.integers(1, 4), st.sampled_from([*ReviewStatus, None])),
    st.tuples(st.just("trust"), st.sampled_from("ab"), st.booleans()),
)


def act(feed: Feed, clock: Clock, what: tuple) -> None:
    kind, *given_ = what
    if kind == "put":
        number, values, author, age, tags = given_
        feed.put(a_pulse(number, clock.moment - age * HOUR, author=author, tags=tags), values)
    elif kind == "withdraw":
        feed.withdraw(a_pulse(given_[0]))
    elif kind == "fail":
        with feed.database.write() as connection:
            for one in pulses.indicators_of_value(connection, [f"name:{given_[0]}"])[:1]:
                failures.mark(connection, one.pk, "full", "for a test")
    elif kind == "wait":
        clock.moment += given_[0] * HOUR
    else:
        with feed.database.write() as connection:
            decide(connection, clock.moment, kind, *given_)


def decide(connection, moment, kind, *given_) -> None:
    """Somebody decides something."""
    expires = None if given_[-1] is None or not isinstance(given_[-1], int) else moment + given_[-1] * HOUR
    if kind == "allow":
        decisions.allow(connection, [Allowed(*given_[0], "why", "who", moment, expires)])
    elif kind == "disallow":
        decisions.disallow(connection, *given_[0], "who")
    elif kind == "force":
        value, inside, collection, _ = given_
        key = digest(f"name:{value}")
        decisions.force(
            connection, Override(collection, key, "domain", value, inside, False, "why", "who", moment, expires)
        )
    elif kind == "unforce":
        decisions.unforce(connection, given_[1], digest(f"name:{given_[0]}"), "who")
    elif kind == "review":
        stored = pulses.get(connection, a_pulse(given_[0]).id)
        decisions.review(connection, [stored.pk] if stored else [], given_[1], reason="why", account="who")
    elif given_[1]:
        decisions.trust(connection, Trusted(given_[0], "why", "who", moment))
    else:
        decisions.distrust(connection, given_[0], "who")


@settings(
    max_examples=50,
    deadline=None,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(acts=st.lists(st.tuples(an_act, st.booleans()), min_size=4, max_size=14))
def test_nothing_is_left_for_a_publication_that_looks_at_everything(feed, clock, acts):
    feed.wipe()
    clock.moment = NOW
    for one in COLLECTIONS:
        feed.collection(one)
    feed.publish()
    for what, then_publish in [*acts, (("wait", 1), True)]:
        act(feed, clock, what)
        if then_publish:
            feed.publish()
            assert left_to_do(feed, Policy()) == {}
    for name, walked, alone in decided_in_bulk_and_alone(feed):
        assert (name, walked) == (name, alone)
    feed.check()


def test_only_what_changed_is_looked_at(feed, monkeypatch):
    for one in COLLECTIONS:
        feed.collection(one)
    feed.put(a_pulse(1, author="a"), ["u.example"])
    feed.put(a_pulse(2, author="b"), ["v.example"])
    feed.publish()
    names = whole_plans(monkeypatch)
    planned = []
    part = planning._part

    def counted(connection, stored, *rest):
        planned.append(stored.collection.name)
        return part(connection, stored, *rest)

    monkeypatch.setattr(planning, "_part", counted)
    feed.publish()
    assert planned == []
    feed.put(a_pulse(2, author="b"), ["v.example", "w.example"])
    assert feed.publish()["each"] == Publication("each", added=1, new_blocks=1)
    assert (names, sorted(planned)) == ([], ["changes", "each", "old", "once", "reviewed", "user_b"])
    with feed.database.read() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(touched)) == 0


def test_everything_is_looked_at_once_a_day(feed, clock, monkeypatch):
    feed.collection(COLLECTIONS[0])
    feed.publish()
    names = whole_plans(monkeypatch)
    clock.moment += outlook.WHOLE_EVERY - HOUR
    feed.publish()
    assert names == []
    clock.moment += HOUR
    feed.publish()
    assert names == ["once"]


@pytest.mark.parametrize("what", ["rules", "own", "clock", "much"])
def test_everything_is_looked_at_when(what, feed, clock, monkeypatch):
    feed.collection(PLAIN)
    feed.put(a_pulse(1), ["u.example"])
    feed.publish()
    names = whole_plans(monkeypatch)
    policy = Policy()
    if what == "rules":
        feed.collection(PLAIN, exclude=Rule(tags=frozenset({"x"})))
    elif what == "own":
        policy = Policy(own=Own(["u.example"]))
    elif what == "clock":
        clock.moment -= HOUR
    else:
        monkeypatch.setattr(outlook, "MOST_INDICATORS", 1)
        feed.put(a_pulse(1), ["u.example", "v.example"])
    feed.publish(policy)
    assert "plain" in names
    assert left_to_do(feed, policy) == {}


def test_what_changed_is_looked_at_again_when_a_publication_fails(feed, monkeypatch):
    for one in (PLAIN, PLAIN_EACH):
        feed.collection(one)
    feed.publish()
    feed.put(a_pulse(1), ["u.example"])
    with monkeypatch.context() as patch:
        patch.setattr(publish._Publisher, "_carry_out", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            feed.publish()
    feed.publish()
    assert (feed.values("plain"), feed.values("plain each")) == ([["u.example"]], [["u.example"]])


def test_change_that_nobody_noted_is_found_within_a_day(feed, clock):
    feed.collection(COLLECTIONS[3])
    feed.put(a_pulse(1, author="a"), ["u.example"])
    feed.publish()
    with feed.database.write() as connection:
        connection.execute(sa.update(indicators).values(active=False))
    feed.publish()
    assert feed.values("user_a") == [["u.example"]]
    clock.moment += DAY
    feed.publish()
    assert feed.values("user_a") == []


def test_change_during_a_publication_is_left_for_the_next_one(feed, monkeypatch):
    feed.collection(PLAIN)
    feed.publish()
    feed.put(a_pulse(1), ["u.example"])
    scope = publish._scope

    def meanwhile(*given_):
        monkeypatch.setattr(publish, "_scope", scope)
        feed.put(a_pulse(2), ["v.example"])
        return scope(*given_)

    monkeypatch.setattr(publish, "_scope", meanwhile)
    feed.publish()
    assert look(feed.database, Policy()).noted.pulses
    feed.publish()
    assert sorted(value for values in feed.values("plain") for value in values) == ["u.example", "v.example"]
