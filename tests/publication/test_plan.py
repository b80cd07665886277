"""Plans, against a model that looks at everything at once."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from pulsegate.publication.plan import Plan, deduplicated, each, pulse_identity
from pulsegate.store.blocks import Placement
from pulsegate.store.pulses import Candidate

SINCE = datetime(2024, 6, 1, tzinfo=UTC)


def a_candidate(pk: int, pulse_pk: int, identity: bytes) -> Candidate:
    return Candidate(pk, pulse_pk, identity, "domain", "bad.example", "", None, None, True, None, None)


def a_placement(identity: bytes, block: int, indicator_pk: int) -> Placement:
    return Placement(identity, block, indicator_pk, SINCE)


def shown(plan: Plan) -> tuple[dict[int, list[int]], dict[int, list[bytes]], int]:
    """What enters by pulse, what leaves by block, how many are kept."""
    leaving = {block: sorted(identities) for block, identities in plan.leaving.items()}
    return {pulse: sorted(pks) for pulse, pks in plan.entering.items()}, leaving, plan.kept


def gathered(pairs):
    found = {}
    for key, value in pairs:
        found.setdefault(key, []).append(value)
    return {key: sorted(values) for key, values in found.items()}


IDENTITIES = st.sampled_from([b"a", b"b", b"c", b"d"])
CANDIDATES = st.lists(st.tuples(st.integers(1, 4), IDENTITIES), max_size=8).map(
    lambda rows: [a_candidate(pk, pulse, identity) for pk, (pulse, identity) in enumerate(rows, 1)]
)
PKS = st.integers(1, 10)
WANTED = st.frozensets(PKS)


@given(CANDIDATES, st.dictionaries(IDENTITIES, st.tuples(st.integers(1, 3), PKS)), WANTED)
def test_plan_of_each_value_once(candidates, placed, wanted):
    candidates = sorted(candidates, key=lambda one: one.identity)
    placements = [a_placement(identity, *placed[identity]) for identity in sorted(placed)]
    entering, leaving, kept = [], [], 0
    for identity in (b"a", b"b", b"c", b"d"):
        good = [one for one in candidates if one.identity == identity and one.pk in wanted]
        if identity in placed:
            block, pk = placed[identity]
            if pk in [one.pk for one in good]:
                kept += 1
                continue
            leaving.append((block, identity))
        if good:
            entering.append((good[0].pulse_pk, good[0].pk))
    plan = deduplicated(iter(candidates), iter(placements), lambda one: one.pk in wanted)
    assert shown(plan) == (gathered(entering), gathered(leaving), kept)


@st.composite
def placements_of_each(draw):
    """Placements with their indicators' keys, some of which repeat, some with the identity of another pulse's."""
    rows = draw(st.lists(st.tuples(PKS, st.integers(1, 4), IDENTITIES, st.booleans()), max_size=8))
    found = {}
    for pk, pulse, identity, own in rows:
        found.setdefault(pulse_identity(pulse, identity) if own else identity, (draw(st.integers(1, 3)), pk))
    return sorted((a_placement(key, *place) for key, place in found.items()), key=lambda one: one.indicator_pk)


@given(CANDIDATES, placements_of_each(), WANTED)
def test_plan_where_each_pulse_carries_its_own(candidates, placements, wanted):
    by_pk = {one.pk: one for one in candidates}
    first = {}
    for one in placements:
        first.setdefault(one.indicator_pk, one)
    keeping = {
        pk
        for pk, place in first.items()
        if pk in wanted and pk in by_pk and place.identity == pulse_identity(by_pk[pk].pulse_pk, by_pk[pk].identity)
    }
    entering = [(one.pulse_pk, one.pk) for one in candidates if one.pk in wanted - keeping]
    leaving = [
        (one.content_block_id, one.identity)
        for one in placements
        if one.indicator_pk not in keeping or one is not first[one.indicator_pk]
    ]
    plan = each(iter(candidates), iter(placements), lambda one: one.pk in wanted)
    assert shown(plan) == (gathered(entering), gathered(leaving), len(keeping))


def test_plan_of_nothing():
    assert shown(deduplicated([], [], lambda _: True)) == ({}, {}, 0)
    assert shown(each([], [], lambda _: True)) == ({}, {}, 0)


def test_value_is_attributed_to_the_first_candidate_that_is_wanted():
    candidates = [a_candidate(7, 1, b"a"), a_candidate(3, 2, b"a"), a_candidate(5, 3, b"a")]
    assert shown(deduplicated(candidates, [], lambda one: one.pk != 7)) == ({2: [3]}, {}, 0)


def test_value_stays_where_it_is_as_long_as_that_is_wanted():
    candidates = [a_candidate(3, 1, b"a"), a_candidate(7, 2, b"a")]
    assert shown(deduplicated(candidates, [a_placement(b"a", 9, 7)], lambda _: True)) == ({}, {}, 1)


def test_value_moves_when_its_indicator_is_no_longer_wanted():
    candidates = [a_candidate(3, 1, b"a"), a_candidate(7, 2, b"a")]
    plan = deduplicated(candidates, [a_placement(b"a", 9, 7)], lambda one: one.pk == 3)
    assert shown(plan) == ({1: [3]}, {9: [b"a"]}, 0)


def test_identity_of_each_pulse_differs():
    found = {pulse_identity(pulse, identity) for pulse in (1, 2, 12) for identity in (b"a", b"2a", b"a2")}
    assert len(found) == 9
