"""The plan of one publication: what enters a collection and what leaves it, from one walk over both sides in order."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from typing import TypeVar

from pulsegate.store.blocks import Placement
from pulsegate.store.digests import digest
from pulsegate.store.pulses import Candidate

K = TypeVar("K", bytes, int)
L = TypeVar("L")
R = TypeVar("R")


@dataclass(slots=True)
class Plan:
    """What a publication does.

    ``entering``: indicator keys by pulse key. ``leaving``: identities by content block. ``moving``: those that leave a
    block in order to enter another one. ``adopted``: of a placed identity, the indicator that it now stands for.
    """

    entering: dict[int, array[int]] = field(default_factory=dict)
    leaving: dict[int, list[bytes]] = field(default_factory=dict)
    moving: dict[int, list[bytes]] = field(default_factory=dict)
    adopted: dict[bytes, int] = field(default_factory=dict)
    kept: int = 0

    def enter(self, candidate: Candidate) -> None:
        self.entering.setdefault(candidate.pulse_pk, array("q")).append(candidate.pk)

    def leave(self, placement: Placement) -> None:
        self.leaving.setdefault(placement.content_block_id, []).append(placement.identity)


def pulse_identity(pulse_pk: int, identity: bytes) -> bytes:
    """The identity of a placement where each pulse carries its own."""
    return digest(str(pulse_pk), identity.hex())


def deduplicated(
    candidates: Iterable[Candidate],
    placed: Iterable[Placement],
    wanted: Callable[[Candidate], bool],
    movable: datetime,
) -> Plan:
    """Each value once. Both sides come ordered by identity.

    A value stays with the pulse it was attributed to as long as that one has it; else it goes to the pulse that was
    modified first (``candidates`` come in that order). Only what is labelled at or before ``movable`` moves: a label
    that moves on before a slow client has reached it, and again, is never reached. Until then it stays where it is, and
    stands for the other pulse's indicator.
    """
    plan = Plan()
    groups = ((identity, list(group)) for identity, group in groupby(candidates, key=lambda one: one.identity))
    for group, placement in _merge(groups, ((one.identity, one) for one in placed)):
        good = [one for one in group or () if wanted(one)]
        if placement is None:
            if good:
                plan.enter(good[0])
        elif not good:
            plan.leave(placement)
        else:
            _keep_or_move(plan, good, placement, movable)
    return plan


def _keep_or_move(plan: Plan, good: list[Candidate], placement: Placement, movable: datetime) -> None:
    own = next((one for one in good if one.pulse_pk == placement.pulse_pk), None)
    stands_for = own or next((one for one in good if one.pk == placement.indicator_pk), good[0])
    if stands_for.pk != placement.indicator_pk:
        plan.adopted[placement.identity] = stands_for.pk
    if own is None and placement.label <= movable:
        plan.moving.setdefault(placement.content_block_id, []).append(placement.identity)
        plan.enter(stands_for)
    else:
        plan.kept += 1


def each(
    candidates: Iterable[Candidate],
    placed: Iterable[Placement],
    wanted: Callable[[Candidate], bool],
    movable: datetime,
) -> Plan:
    """Each pulse carries its own. Both sides come ordered by the indicator's key.

    An indicator that left its pulse and came back has a key of its own, later than the one that it had: it takes its
    old place. One that stands in another pulse's block, as it may where values were carried once until now, moves out
    of it as soon as its label is ``movable``.
    """
    plan = Plan()
    left: dict[bytes, Placement] = {}
    rows = ((one.pk, one) for one in candidates)
    places = ((pk, list(group)) for pk, group in groupby(placed, key=lambda one: one.indicator_pk))
    for candidate, group in _merge(rows, places):
        left.update((one.identity, one) for one in group or ())
        if candidate is not None and wanted(candidate):
            own = left.pop(pulse_identity(candidate.pulse_pk, candidate.identity), None) if left else None
            if own is None:
                plan.enter(candidate)
            else:
                _keep_or_move_own(plan, candidate, own, movable)
    for placement in left.values():
        plan.leave(placement)
    return plan


def _keep_or_move_own(plan: Plan, candidate: Candidate, placement: Placement, movable: datetime) -> None:
    if placement.indicator_pk != candidate.pk:
        plan.adopted[placement.identity] = candidate.pk
    if placement.pulse_pk == candidate.pulse_pk or placement.label > movable:
        plan.kept += 1
    else:
        plan.moving.setdefault(placement.content_block_id, []).append(placement.identity)
        plan.enter(candidate)


def _merge(left: Iterable[tuple[K, L]], right: Iterable[tuple[K, R]]) -> Iterator[tuple[L | None, R | None]]:
    """Walk two sides in the order of their keys, each of which comes once, pairing equal ones."""
    lefts, rights = iter(left), iter(right)
    one, other = next(lefts, None), next(rights, None)
    while one is not None or other is not None:
        if other is None or (one is not None and one[0] < other[0]):
            assert one is not None
            yield one[1], None
            one = next(lefts, None)
        elif one is None or other[0] < one[0]:
            yield None, other[1]
            other = next(rights, None)
        else:
            yield one[1], other[1]
            one, other = next(lefts, None), next(rights, None)
