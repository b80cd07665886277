"""Switching ``deduplicate`` on a collection that is filled: what is there stays where it is."""

from __future__ import annotations

import pytest

from publication.feeds import DAY, NOW, Feed, a_pulse
from pulsegate.model.collection import Profile
from pulsegate.model.indicator import Indicator, IndicatorType, RawIndicator
from pulsegate.publication.explain import explain
from pulsegate.publication.publish import Publication

FIRST, SECOND, THIRD = a_pulse(1, NOW - 3 * DAY), a_pulse(2, NOW - 2 * DAY), a_pulse(3, NOW - DAY)


@pytest.fixture
def filled(feed: Feed) -> Feed:
    feed.put(FIRST, ["a.example", "b.example"])
    feed.put(SECOND, ["a.example", "c.example"])
    feed.put(THIRD, ["a.example"])
    return feed


def test_each_pulse_carries_its_own_from_now_on(filled):
    filled.collection()
    filled.publish()
    before = filled.served()
    filled.collection(deduplicate=False)
    assert filled.publish()["mail"] == Publication("mail", added=2, new_blocks=2)
    assert filled.served()[:2] == before
    assert filled.values() == [["a.example", "b.example"], ["c.example"], ["a.example"], ["a.example"]]
    assert filled.publish()["mail"] == Publication("mail")
    filled.check()


def test_each_value_once_from_now_on(filled):
    filled.collection(deduplicate=False)
    filled.publish()
    before = filled.served()
    filled.collection(deduplicate=True)
    done = Publication("mail", removed=2, rewritten_blocks=1, deleted_blocks=1)
    assert filled.publish()["mail"] == done
    first, second = filled.served()
    assert first == before[0]
    assert (second.id, second.label, second.values) == (before[1].id, before[1].label, ["c.example"])
    assert filled.publish()["mail"] == Publication("mail")
    filled.check()


def test_switching_to_and_fro_before_anything_is_published_changes_nothing(filled):
    filled.collection()
    filled.publish()
    before = filled.served(), filled.ledger()
    filled.collection(deduplicate=False)
    filled.collection(deduplicate=True)
    assert filled.publish()["mail"] == Publication("mail")
    assert (filled.served(), filled.ledger()) == before


def test_value_that_another_pulse_had_adopted_moves_into_a_block_of_its_own(filled, clock):
    filled.collection()
    late = a_pulse(4, NOW - DAY / 2)
    filled.put(late, ["d.example"])
    filled.put(THIRD, ["a.example", "d.example"])
    filled.publish()
    filled.put(late, [])
    filled.publish()
    assert filled.values()[-1] == ["d.example"]
    filled.collection(deduplicate=False)
    filled.publish()
    clock.moment += DAY
    filled.publish()
    found = explain(filled.database, filled.policy, "d.example")
    assert found is not None
    assert found.pulses == [THIRD]
    assert sorted(value for values in filled.values() for value in values) == [
        *["a.example"] * 3,
        "b.example",
        "c.example",
        "d.example",
    ]
    assert filled.publish()["mail"] == Publication("mail")
    filled.check()


@pytest.mark.parametrize("deduplicate", [True, False])
def test_other_profile_is_written_anew_under_new_labels(feed, deduplicate):
    feed.collection(deduplicate=deduplicate)
    feed.put(FIRST, ["u.example", "v.example"])
    feed.put(SECOND, ["v.example", Indicator(IndicatorType.MUTEX, "m", RawIndicator("Mutex", "m"))])
    feed.publish()
    before = feed.served()
    feed.collection(deduplicate=deduplicate, profile=Profile.ESA)
    feed.publish()
    after = feed.served()
    assert min(one.label for one in after) > max(one.label for one in before)
    assert not {one.content for one in before} & {one.content for one in after}
    expected = ["u.example", "v.example"] if deduplicate else ["u.example", "v.example", "v.example"]
    assert sorted(value for one in after for value in one.values) == expected
    feed.check()
    assert not feed.publish()["mail"].changed
