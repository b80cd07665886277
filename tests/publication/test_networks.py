"""Small networks in a collection for the appliance: one place each, as many addresses as they have."""

from __future__ import annotations

import pytest

from publication.feeds import DAY, NOW, Feed, a_pulse
from pulsegate.model.collection import Profile
from pulsegate.model.indicator import Indicator, IndicatorType, RawIndicator
from pulsegate.publication.explain import explain
from pulsegate.publication.publish import Publication
from pulsegate.store import collections

SMALL, LARGE = "198.51.100.0/30", "198.51.100.0/24"
ADDRESSES = [f"198.51.100.{number}" for number in range(4)]


def a_network(value: str) -> Indicator:
    return Indicator(IndicatorType.CIDR, value, RawIndicator("CIDR", value))


@pytest.fixture
def filled(feed: Feed) -> Feed:
    feed.put(a_pulse(1, NOW - 2 * DAY), [a_network(SMALL), a_network(LARGE), "a.example"])
    feed.collection(profile=Profile.ESA, expand=4)
    feed.publish()
    return feed


def standing(feed: Feed, value: str) -> tuple[bool, str, str]:
    found = explain(feed.database, feed.policy, value)
    assert found is not None
    return next((one.included, one.rule, one.reason) for one in found.standings if one.collection == "mail")


def test_small_network_is_in_with_one_place_and_a_large_one_is_out(filled):
    assert filled.values() == [[*ADDRESSES, "a.example"]]
    assert filled.placed() == 2
    with filled.database.read() as connection:
        assert collections.sizes(connection)["mail"].indicators == 2
    assert standing(filled, SMALL) == (True, "in", "it is published")
    reason = "the mail gateway matches single addresses, not networks; only one of at most 4 addresses is written "
    assert standing(filled, LARGE) == (False, "profile:esa", f"{reason}address by address")


def test_limit_that_rises_lets_the_network_in_and_one_that_falls_takes_it_out(filled):
    filled.collection(profile=Profile.ESA, expand=256)
    assert filled.publish()["mail"] == Publication("mail", added=1, new_blocks=1)
    assert len(filled.values()[1]) == 256
    filled.collection(profile=Profile.ESA, expand=0)
    assert filled.publish()["mail"] == Publication("mail", removed=2, rewritten_blocks=1, deleted_blocks=1)
    assert filled.values() == [["a.example"]]
    filled.check()


def test_network_stays_in_its_block_when_others_leave_it(feed):
    """However many addresses it has: it is one of a few places."""
    pulse = a_pulse(1, NOW - 2 * DAY)
    feed.put(pulse, [a_network(LARGE), "a.example", "b.example"])
    feed.collection(profile=Profile.ESA)
    feed.publish()
    (before,) = feed.served()
    feed.put(pulse, [a_network(LARGE), "b.example"])
    assert feed.publish()["mail"] == Publication("mail", removed=1, rewritten_blocks=1)
    (after,) = feed.served()
    assert (after.label, after.values) == (before.label, [one for one in before.values if one != "a.example"])
    assert feed.publish()["mail"] == Publication("mail")


def test_address_of_a_network_that_is_listed_too_stands_by_itself(filled):
    address = Indicator(IndicatorType.IPV4, ADDRESSES[1], RawIndicator("IPv4", ADDRESSES[1]))
    filled.put(a_pulse(2), [address])
    assert filled.publish()["mail"] == Publication("mail", added=1, new_blocks=1)
    assert filled.values() == [[*ADDRESSES, "a.example"], [ADDRESSES[1]]]
    filled.withdraw(a_pulse(2))
    assert filled.publish()["mail"] == Publication("mail", removed=1, deleted_blocks=1)
    assert filled.values() == [[*ADDRESSES, "a.example"]]
