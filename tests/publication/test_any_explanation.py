"""Whatever the pulses, rules and decisions: what explain says of a value is what the publication then does."""

from __future__ import annotations

import re
from dataclasses import replace

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from publication.feeds import DAY, NOW, Clock, Feed, a_name, a_pulse
from pulsegate.curation.own import Own
from pulsegate.curation.policy import Policy
from pulsegate.model.collection import Collection, ReviewMode, Rule
from pulsegate.model.decisions import Allowed, Override, ReviewStatus, Trusted
from pulsegate.model.indicator import IndicatorType
from pulsegate.model.tlp import TLP
from pulsegate.publication.explain import explain
from pulsegate.publication.explanation import Standing
from pulsegate.store import decisions, pulses
from pulsegate.store.digests import digest
from support import read_values

VALUES = ("a.example", "b.example", "www.a.example")
AUTHORS = ("someone", "other")
TAGS = ("x", "y")


def some(of):
    return st.frozensets(st.sampled_from(of), max_size=1)


rules = st.builds(
    Rule,
    authors=some(AUTHORS),
    tags=some(TAGS),
    tlp=some((TLP.WHITE, TLP.RED)),
    types=some((IndicatorType.DOMAIN, IndicatorType.URL)),
    roles=some(("c2",)),
    max_age=st.none() | st.just(2 * DAY),
)
few = st.just(Rule()) | rules
feeds = st.builds(
    Collection,
    name=st.just("mail"),
    deduplicate=st.booleans(),
    include=few,
    exclude=few,
    review=st.sampled_from(ReviewMode),
    protections=st.none() | st.just(frozenset()),
    ttl=st.just({}) | st.just({IndicatorType.DOMAIN: 2 * DAY}),
)
indicators = st.builds(
    a_name,
    st.sampled_from(VALUES),
    active=st.sampled_from([True, True, False]),
    role=st.sampled_from(["", "c2"]),
    created=st.just(NOW - DAY) | st.just(NOW - 3 * DAY),
    expiration=st.none() | st.just(NOW + DAY) | st.just(NOW - DAY),
)
carriers = st.tuples(
    st.builds(
        a_pulse,
        st.integers(1, 3),
        st.sampled_from([NOW - DAY, NOW - 3 * DAY]),
        author=st.sampled_from(AUTHORS),
        tags=st.lists(st.sampled_from(TAGS), max_size=1).map(tuple),
        tlp=st.sampled_from([TLP.WHITE, TLP.RED]),
    ),
    st.lists(indicators, max_size=3, unique_by=lambda one: one.value),
    st.sampled_from([None, None, "public-suffix"]),
    st.sampled_from([True, True, True, False]),  # still subscribed to
)
ENDS = st.none() | st.just(NOW + DAY / 2)
allowed = st.builds(
    Allowed, st.sampled_from(["exact", "subtree"]), st.sampled_from(VALUES), st.just(""), st.just("me"), st.just(NOW), ENDS
)  # fmt: skip
overrides = st.builds(
    lambda where, value, inside, hard, ends: Override(
        where, digest(f"name:{value}"), "domain", value, inside, hard, "", "me", NOW, ends
    ),
    st.sampled_from(["", "mail", "user_other"]),
    st.sampled_from(VALUES),
    st.booleans(),
    st.booleans(),
    ENDS,
)
reviews = st.tuples(st.integers(1, 3), st.sampled_from(ReviewStatus))
said = allowed | overrides | reviews | st.sampled_from(AUTHORS).map(lambda name: Trusted(name, "", "me", NOW))


def build(feed: Feed, mail, found, decided) -> None:
    feed.wipe()
    feed.collection(mail)
    for pulse, members, protection, there in found:
        feed.put(pulse, members, protection)
        if not there:
            feed.withdraw(pulse)
    with feed.database.write() as connection:
        for one in decided:
            tell(connection, one)


def tell(connection, one) -> None:
    if isinstance(one, Allowed):
        decisions.allow(connection, [one])
    elif isinstance(one, Override):
        decisions.force(connection, one)
    elif isinstance(one, Trusted):
        decisions.trust(connection, one)
    else:
        pulse = pulses.get(connection, a_pulse(one[0]).id)
        if pulse is not None:
            decisions.review(connection, [pulse.pk], one[1], reason="", account="me")


def standings(feed: Feed, value: str) -> dict[str, Standing]:
    found = explain(feed.database, feed.policy, value)
    return {one.collection: one for one in found.standings} if found is not None else {}


def foretold(one: Standing) -> bool:
    """Whether it will be in after the next publication."""
    return one.included != (one.rule == "pending")


def served(feed: Feed, name: str) -> set[str]:
    return {value for block in feed.served(name) for _, value in read_values(block.content)}


SETTINGS = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
GIVEN = given(
    feeds,
    st.lists(carriers, min_size=1, max_size=4),
    st.lists(said, max_size=4),
    st.sampled_from([(), (), ("a.example",)]),
    st.lists(said, max_size=2),
)


@GIVEN
@SETTINGS
def test_what_is_said_is_what_the_publication_does(feed: Feed, clock: Clock, mail, found, decided, own, later):
    clock.moment = NOW
    feed.policy = Policy()
    build(feed, mail, found, decided)
    feed.publish()  # before this, collections of authors are not there
    feed.policy = Policy(own=Own(own))
    with feed.database.write() as connection:
        for one in later:
            tell(connection, one)
    clock.moment += DAY  # some things end meanwhile
    before = {value: standings(feed, value) for value in VALUES}
    for value in VALUES:
        for name, one in before[value].items():
            assert one.included == (value in served(feed, name)), (value, one)
    feed.publish()
    for value in VALUES:
        for name, one in before[value].items():
            assert foretold(one) == (value in served(feed, name)), (value, one)
        for name, one in standings(feed, value).items():
            assert one.rule != "pending"
            assert one.included == (value in served(feed, name)), (value, one)


# --- The rule that is named is the one that decides -------------------------------------------------------------------


def without(feed: Feed, mail: Collection, value: str, one: Standing) -> bool:
    """Take away what the rule goes by; gives whether there is a way."""
    side, _, key = one.rule.partition(".")
    if side in ("include", "exclude"):
        empty = None if key == "max_age" else frozenset()
        feed.collection(replace(mail, **{side: replace(getattr(mail, side), **{key: empty})}))
    elif one.rule == "ttl":
        feed.collection(replace(mail, ttl={}))
    elif one.rule == "protection:public-suffix":
        feed.collection(replace(mail, protections=frozenset()))
    elif one.rule == "own":
        feed.policy = Policy()
    elif one.rule.startswith("review"):
        with feed.database.write() as connection:
            pulse = pulses.get(connection, one.pulse)
            decisions.review(connection, [pulse.pk], ReviewStatus.APPROVED, reason="", account="me")
    else:
        return by_command(feed, value, one)
    return True


def by_command(feed: Feed, value: str, one: Standing) -> bool:
    """As ``changes`` says it."""
    first = one.changes[0] if one.changes else ""
    with feed.database.write() as connection:
        if match := re.fullmatch(r"pulsegate allow remove (\S+)", first):
            kinds = [kind for kind in ("exact", "subtree") if f"({kind})" in one.reason]
            return decisions.disallow(connection, kinds[0], match[1], "me")
        if match := re.fullmatch(r"pulsegate indicator unforce (\S+)(?: --collection (\S+))?", first):
            assert match[1] == value
            return decisions.unforce(connection, match[2] or "", digest(f"name:{value}"), "me") is not None
    return False


@GIVEN
@SETTINGS
def test_rule_that_is_named_decides(feed: Feed, clock: Clock, mail, found, decided, own, later):
    clock.moment = NOW
    feed.policy = Policy(own=Own(own))
    build(feed, mail, found, [*decided, *later])
    feed.publish()
    for value in VALUES:
        one = standings(feed, value).get("mail")
        if one is None or one.included or one.rule == "no-pulse":
            continue
        behind = [other.rule for other in one.others]
        if not without(feed, mail, value, one):
            assert one.rule in ("withdrawn", "inactive", "expired"), one
            continue
        after = standings(feed, value)["mail"]
        assert (after.rule, after.reason, after.pulse) != (one.rule, one.reason, one.pulse), (one, after)
        is_same = after.pulse == one.pulse and not one.rule.startswith("review")
        if is_same and not after.included and after.rule not in ("pending", one.rule):  # not by another entry
            assert after.rule in behind, (one, after)
        feed.policy = Policy(own=Own(own))
        build(feed, mail, found, [*decided, *later])
        feed.publish()
