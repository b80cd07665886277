"""Plans, against a model that looks at everything at once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulsegate.publication import plan as plans
from pulsegate.publication.plan import Plan, Standing, pulse_identity
from pulsegate.store.blocks import Placement, StoredBlock

MOVABLE = datetime(2024, 6, 1, tzinfo=UTC)
US = timedelta(microseconds=1)


@dataclass(frozen=True)
class Candidate:
    """An indicator. Those of one value stand in the order of their pulses' age."""

    pk: int
    pulse_pk: int
    identity: bytes


def a_candidate(pk: int, pulse_pk: int, identity: bytes) -> Candidate:
    return Candidate(pk, pulse_pk, identity)


def deduplicated(candidates, placed, wanted, movable):
    candidates = list(candidates)
    ages = {one.pulse_pk: place for place, one in reversed(list(enumerate(candidates)))}
    return _plan(plans.deduplicated, candidates, placed, wanted, Standing({}, ages, movable))


def each(candidates, placed, wanted, movable):
    return _plan(plans.each, candidates, placed, wanted, Standing({}, {}, movable))


def _plan(make, candidates, placed, wanted, standing):
    """Each placement stands in a block of its own, as the walk sees it; the plan tells of the block that was given."""
    numbers = dict(enumerate(placed))
    blocks = {number: StoredBlock(number, one.pulse_pk, one.label, 1) for number, one in numbers.items()}
    rows = [(one.identity, one.pk, one.pulse_pk) for one in candidates if wanted(one)]
    places = [(one.identity, one.indicator_pk, number) for number, one in numbers.items()]
    plan = make(iter(rows), iter(places), replace(standing, blocks=blocks))
    for by_block in (plan.leaving, plan.moving):
        pairs = [(numbers[number].content_block_id, identity) for number in by_block for identity in by_block[number]]
        by_block.clear()
        by_block.update(gathered(pairs))
    return plan


def a_placement(
    identity: bytes, block: int, indicator_pk: int, pulse_pk: int | None = None, label: datetime = MOVABLE
) -> Placement:
    return Placement(identity, block, indicator_pk, MOVABLE - timedelta(days=9), label, pulse_pk)


def a_plan(entering=(), leaving=(), moving=(), adopted=(), kept=0) -> Plan:
    """Of pairs: pulse and key, block and identity, block and identity, identity and key."""
    return Plan(gathered(entering), gathered(leaving), gathered(moving), dict(adopted), kept)


def shown(plan: Plan) -> Plan:
    """The plan with plain lists."""
    entering = {pulse: sorted(pks) for pulse, pks in plan.entering.items()}
    by_block = ({key: sorted(found) for key, found in each.items()} for each in (plan.leaving, plan.moving))
    return Plan(entering, *by_block, plan.adopted, plan.kept)


def gathered(pairs):
    found = {}
    for key, value in pairs:
        found.setdefault(key, []).append(value)
    return {key: sorted(values) for key, values in found.items()}


IDENTITIES = st.sampled_from([b"a", b"b", b"c", b"d"])
CANDIDATES = st.lists(st.tuples(st.integers(1, 4), IDENTITIES), unique=True, max_size=8).map(
    lambda rows: [a_candidate(pk, pulse, identity) for pk, (pulse, identity) in enumerate(rows, 1)]
)
PKS = st.integers(1, 10)
WANTED = st.frozensets(PKS)


PLACES = st.tuples(
    st.integers(1, 3), PKS, st.none() | st.integers(1, 4), st.sampled_from([MOVABLE - US, MOVABLE, MOVABLE + US])
)


def reversed_groups(candidates):
    """The same by identity, but within one in the other order: it is the pulses' ages that count."""
    return sorted(candidates, key=lambda one: (one.identity, -one.pulse_pk))


@given(CANDIDATES, st.dictionaries(IDENTITIES, PLACES), WANTED)
def test_plan_of_each_value_once(candidates, placed, wanted):
    candidates = sorted(candidates, key=lambda one: (one.identity, one.pulse_pk, one.pk))
    placements = [a_placement(identity, *placed[identity]) for identity in sorted(placed)]
    entering, leaving, moving, adopted, kept = [], [], [], {}, 0
    for identity in (b"a", b"b", b"c", b"d"):
        good = {one.pk: one.pulse_pk for one in candidates if one.identity == identity and one.pk in wanted}
        if identity not in placed:
            entering += [(pulse, pk) for pk, pulse in good.items()][:1]
            continue
        block, pk, pulse, label = placed[identity]
        if not good:
            leaving.append((block, identity))
            continue
        own = [one for one in good if good[one] == pulse]
        new = own[0] if own else pk if pk in good else next(iter(good))
        if new != pk:
            adopted[identity] = new
        if own or label > MOVABLE:
            kept += 1
        else:
            moving.append((block, identity))
            entering.append((good[new], new))
    ages = Standing({}, {number: number for number in range(5)}, MOVABLE)
    plan = _plan(plans.deduplicated, reversed_groups(candidates), placements, lambda one: one.pk in wanted, ages)
    assert shown(plan) == a_plan(entering, leaving, moving, adopted, kept)


@st.composite
def feeds_of_each(draw):
    """Candidates and placements, some of which repeat an indicator's key, or are keyed by the value alone.

    An indicator that came back has a later key than the one that was placed.
    """
    rows = draw(st.lists(st.tuples(st.integers(1, 4), IDENTITIES), unique=True, max_size=8))
    candidates = [a_candidate(pk, pulse, identity) for pk, (pulse, identity) in enumerate(rows, 3)]
    keys = {pulse_identity(one.pulse_pk, one.identity): one.pk for one in candidates}
    found = {}
    for pulse, identity, own in draw(st.lists(st.tuples(st.integers(1, 4), IDENTITIES, st.booleans()), max_size=8)):
        block, pk, *rest = draw(PLACES)
        key = pulse_identity(pulse, identity) if own else identity
        found.setdefault(key, (block, min(pk, keys.get(key, pk)), *rest))
    return candidates, sorted(
        (a_placement(key, *place) for key, place in found.items()), key=lambda one: one.indicator_pk
    )


@given(feeds_of_each(), WANTED)
def test_plan_where_each_pulse_carries_its_own(feeds, wanted):
    candidates, placements = feeds
    places = {one.identity: one for one in placements}
    entering, moving, adopted, kept = [], [], {}, 0
    for one in candidates:
        if one.pk not in wanted:
            continue
        place = places.pop(pulse_identity(one.pulse_pk, one.identity), None)
        if place is not None and place.indicator_pk != one.pk:
            adopted[place.identity] = one.pk
        if place is not None and (place.pulse_pk == one.pulse_pk or place.label > MOVABLE):
            kept += 1
            continue
        entering.append((one.pulse_pk, one.pk))
        if place is not None:
            moving.append((place.content_block_id, place.identity))
    leaving = [(one.content_block_id, one.identity) for one in places.values()]
    plan = each(iter(candidates), iter(placements), lambda one: one.pk in wanted, MOVABLE)
    assert shown(plan) == a_plan(entering, leaving, moving, adopted, kept)


def test_plan_of_nothing():
    assert shown(deduplicated([], [], lambda _: True, MOVABLE)) == a_plan()
    assert shown(each([], [], lambda _: True, MOVABLE)) == a_plan()


def test_value_is_attributed_to_the_first_candidate_that_is_wanted():
    candidates = [a_candidate(7, 1, b"a"), a_candidate(3, 2, b"a"), a_candidate(5, 3, b"a")]
    assert shown(deduplicated(candidates, [], lambda one: one.pk != 7, MOVABLE)) == a_plan([(2, 3)])


@pytest.mark.parametrize("label", [MOVABLE - US, MOVABLE + US])
def test_value_stays_where_it_is_as_long_as_that_is_wanted(label):
    candidates = [a_candidate(3, 1, b"a"), a_candidate(7, 2, b"a")]
    placed = [a_placement(b"a", 9, 7, 2, label)]
    assert shown(deduplicated(candidates, placed, lambda _: True, MOVABLE)) == a_plan(kept=1)


OTHERS = [a_candidate(7, 2, b"a"), a_candidate(3, 1, b"a"), a_candidate(5, 3, b"a")]


@pytest.mark.parametrize("label", [MOVABLE - US, MOVABLE])
def test_value_moves_when_its_indicator_is_no_longer_wanted(label):
    plan = deduplicated(OTHERS, [a_placement(b"a", 9, 7, 2, label)], lambda one: one.pk != 7, MOVABLE)
    assert shown(plan) == a_plan([(1, 3)], moving=[(9, b"a")], adopted={b"a": 3})


def test_value_under_a_young_label_is_adopted_when_its_indicator_is_no_longer_wanted():
    plan = deduplicated(OTHERS, [a_placement(b"a", 9, 7, 2, MOVABLE + US)], lambda one: one.pk != 7, MOVABLE)
    assert shown(plan) == a_plan(adopted={b"a": 3}, kept=1)


def test_adopted_value_stays_with_the_pulse_that_adopted_it():
    plan = deduplicated(OTHERS, [a_placement(b"a", 9, 5, 2, MOVABLE + US)], lambda one: one.pk != 7, MOVABLE)
    assert shown(plan) == a_plan(kept=1)


def test_adopted_value_moves_to_the_pulse_that_adopted_it():
    plan = deduplicated(OTHERS, [a_placement(b"a", 9, 5, 2, MOVABLE)], lambda one: one.pk != 7, MOVABLE)
    assert shown(plan) == a_plan([(3, 5)], moving=[(9, b"a")])


@pytest.mark.parametrize("label", [MOVABLE, MOVABLE + US])
def test_adopted_value_returns_to_the_pulse_of_its_block(label):
    plan = deduplicated(OTHERS, [a_placement(b"a", 9, 5, 2, label)], lambda _: True, MOVABLE)
    assert shown(plan) == a_plan(adopted={b"a": 7}, kept=1)


def test_indicator_of_the_same_pulse_that_was_stored_anew_keeps_the_place():
    plan = deduplicated([a_candidate(8, 2, b"a")], [a_placement(b"a", 9, 7, 2)], lambda _: True, MOVABLE)
    assert shown(plan) == a_plan(adopted={b"a": 8}, kept=1)


@pytest.mark.parametrize(("label", "kept"), [(MOVABLE, 0), (MOVABLE + US, 1)])
def test_value_of_a_block_whose_pulse_is_gone(label, kept):
    plan = deduplicated([a_candidate(3, 1, b"a")], [a_placement(b"a", 9, 7, None, label)], lambda _: True, MOVABLE)
    moves = {} if kept else {"entering": [(1, 3)], "moving": [(9, b"a")]}
    assert shown(plan) == a_plan(**moves, adopted={b"a": 3}, kept=kept)


def test_identity_of_each_pulse_differs():
    found = {pulse_identity(pulse, identity) for pulse in (1, 2, 12) for identity in (b"a", b"2a", b"a2")}
    assert len(found) == 9
