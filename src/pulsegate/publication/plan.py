"""The plan of one publication: what enters a collection and what leaves it, from one walk over both sides in order."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from operator import itemgetter
from typing import TypeVar

from pulsegate.model.omission import Omission, left_out
from pulsegate.store.blocks import Keyed, StoredBlock
from pulsegate.store.digests import digest
from pulsegate.store.placing import Place

Wanted = tuple[bytes, int, int]
"""An indicator that is wanted: its identity, its key, its pulse's key. A plain tuple: there are a million of them."""
Row = TypeVar("Row", Wanted, Place)


@dataclass(slots=True)
class Plan:
    """What a publication does.

    ``entering``: indicator keys by pulse key. ``leaving``: identities by content block. ``moving``: those that leave a
    block in order to enter another one. ``adopted``: of a placed identity, the indicator that it now stands for.
    ``waiting``: values that will move once their labels are old enough.
    ``omitted``: of indicators, by their keys, what is left out of them. ``shrinking``: by content block, and the
    identity of a value there, what is left out from now on, where addresses leave it.
    """

    entering: dict[int, array[int]] = field(default_factory=dict)
    leaving: dict[int, list[bytes]] = field(default_factory=dict)
    moving: dict[int, list[bytes]] = field(default_factory=dict)
    adopted: dict[bytes, int] = field(default_factory=dict)
    waiting: list[bytes] = field(default_factory=list)
    omitted: Mapping[int, Omission] = field(default_factory=dict)
    shrinking: dict[int, dict[bytes, Omission]] = field(default_factory=dict)
    kept: int = 0

    def enter(self, pk: int, pulse_pk: int) -> None:
        there = self.entering.get(pulse_pk)
        if there is None:
            there = self.entering[pulse_pk] = array("q")
        there.append(pk)

    def leave(self, place: Place) -> None:
        self.leaving.setdefault(place[2], []).append(place[0])


@dataclass(frozen=True, slots=True)
class Standing:
    """What a walk is judged by: the published blocks by key, and of each pulse the place in the order of their age.

    Only labels at or before ``movable`` may move: one that moves on before a slow client has reached it, and again, is
    never reached. But what is written in another ``profile`` (None: no matter) moves at once, and so does a network of
    which addresses come back: under its old label nobody would get them.

    ``omitted``: of networks that are wanted, by the indicator's key, what is to be left out of them; ``written``: by
    block and the network's identity, what is.
    """

    blocks: Mapping[int, StoredBlock]
    ages: Mapping[int, int]
    movable: datetime
    profile: str | None = None
    omitted: Mapping[int, Omission] = field(default_factory=dict)
    written: Mapping[int, Mapping[bytes, Omission]] = field(default_factory=dict)

    def is_other(self, block: StoredBlock) -> bool:
        """Whether the block is written in another profile than it is to be."""
        return self.profile is not None and block.profile != self.profile


def pulse_identity(pulse_pk: int, identity: bytes) -> bytes:
    """The identity of a placement where each pulse carries its own."""
    return digest(str(pulse_pk), identity.hex())


def place_identity(pulse_pk: int, identity: bytes, *, once: bool) -> bytes:
    """The identity under which a value of the pulse is placed, where values are carried ``once`` or by each pulse."""
    return identity if once else pulse_identity(pulse_pk, identity)


def keyed_anew(found: Iterable[Keyed], *, once: bool) -> dict[bytes, bytes]:
    """Where ``deduplicate`` was switched: of each identity under the new rule, the one that a place has until now.

    Of several places of one value the first takes it; the others leave.
    """
    keys: dict[bytes, bytes] = {}
    for one in found:
        keys.setdefault(place_identity(one.pulse_pk, one.value, once=once), one.identity)
    return keys


def compare(wanted: Iterable[Wanted], placed: Iterable[Place], standing: Standing, *, once: bool) -> Plan:
    """The plan, where each value is carried ``once`` or by each pulse. Both sides come ``in_order``."""
    return (deduplicated if once else each)(wanted, placed, standing)


def in_order(found: Iterable[Row], *, once: bool) -> list[Row]:
    """What is wanted, or placed, in the order in which both are compared: by identity, or by the indicator's key."""
    return sorted(found, key=itemgetter(0 if once else 1))


def deduplicated(wanted: Iterable[Wanted], placed: Iterable[Place], standing: Standing) -> Plan:
    """Each value once. Both sides come ordered by identity.

    A value stays with the pulse it was attributed to as long as that one has it; else it goes to the pulse that was
    modified first. Only what is labelled at or before ``movable`` moves. Until then it stays where it is, and stands
    for the other pulse's indicator.
    """
    plan = Plan(omitted=standing.omitted)
    places = iter(placed)
    place = next(places, None)
    for group in _groups(wanted):
        identity = group[0][0]
        while place is not None and place[0] < identity:
            plan.leave(place)
            place = next(places, None)
        if place is not None and place[0] == identity:
            _keep_or_move(plan, group, place, standing)
            place = next(places, None)
        else:
            _, pk, pulse_pk = group[0] if len(group) == 1 else _oldest(group, standing)
            plan.enter(pk, pulse_pk)
    while place is not None:
        plan.leave(place)
        place = next(places, None)
    return plan


def _groups(wanted: Iterable[Wanted]) -> Iterator[list[Wanted]]:
    """Those of one identity together."""
    group: list[Wanted] = []
    for one in wanted:
        if group and group[0][0] != one[0]:
            yield group
            group = []
        group.append(one)
    if group:
        yield group


def _keep_or_move(plan: Plan, good: list[Wanted], place: Place, standing: Standing) -> None:
    identity, stood_for, block_id = place
    block = standing.blocks[block_id]
    own = next((one for one in good if one[2] == block.pulse_pk), None)
    _, pk, pulse_pk = own or next((one for one in good if one[1] == stood_for), None) or _oldest(good, standing)
    if pk != stood_for:
        plan.adopted[identity] = pk
    is_to_move = standing.is_other(block) or _gets_back(plan, identity, pk, block_id, standing)
    if is_to_move or (own is None and block.label <= standing.movable):
        plan.moving.setdefault(block_id, []).append(identity)
        plan.enter(pk, pulse_pk)
        return
    plan.kept += 1
    if own is None:
        plan.waiting.append(identity)


def _gets_back(plan: Plan, value: bytes, pk: int, block_id: int, standing: Standing) -> bool:
    """Whether a network gets addresses back that it is written without; which ones it loses is noted."""
    if not (standing.omitted or standing.written):
        return False
    wanted = standing.omitted.get(pk)
    new, old = left_out(wanted), left_out(standing.written.get(block_id, {}).get(value))
    if wanted is not None and not new <= old:
        plan.shrinking.setdefault(block_id, {})[value] = wanted
    return not old <= new


def _oldest(good: list[Wanted], standing: Standing) -> Wanted:
    return min(good, key=lambda one: (standing.ages[one[2]], one[1]))


def each(wanted: Iterable[Wanted], placed: Iterable[Place], standing: Standing) -> Plan:
    """Each pulse carries its own. Both sides come ordered by the indicator's key.

    An indicator that left its pulse and came back has a key of its own, later than the one that it had: it takes its
    old place. One that stands in another pulse's block, as it may where values were carried once until now, moves out
    of it as soon as its label is ``movable``.
    """
    plan = Plan(omitted=standing.omitted)
    left: dict[bytes, Place] = {}
    places = iter(placed)
    place = next(places, None)
    for identity, pk, pulse_pk in wanted:
        while place is not None and place[1] <= pk:
            left[place[0]] = place
            place = next(places, None)
        own = left.pop(pulse_identity(pulse_pk, identity), None) if left else None
        if own is None:
            plan.enter(pk, pulse_pk)
        else:
            _keep_or_move_own(plan, (identity, pk, pulse_pk), own, standing)
    for gone in left.values():
        plan.leave(gone)
    while place is not None:
        plan.leave(place)
        place = next(places, None)
    return plan


def _keep_or_move_own(plan: Plan, wanted: Wanted, place: Place, standing: Standing) -> None:
    value, pk, pulse_pk = wanted
    identity, stood_for, block_id = place
    block = standing.blocks[block_id]
    if stood_for != pk:
        plan.adopted[identity] = pk
    is_own = block.pulse_pk == pulse_pk
    is_to_move = standing.is_other(block) or _gets_back(plan, value, pk, block_id, standing)
    if is_to_move or (not is_own and block.label <= standing.movable):
        plan.moving.setdefault(block_id, []).append(identity)
        plan.enter(pk, pulse_pk)
        return
    plan.kept += 1
    if not is_own:
        plan.waiting.append(value)
