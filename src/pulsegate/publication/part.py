"""The publication's plan for a few values of a collection, under one policy or another, not carried out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from pulsegate.curation.policy import Policy
from pulsegate.model.omission import NOTHING, address_kind, addresses_of, left_out
from pulsegate.publication.plan import Plan, Wanted, compare, in_order, place_identity
from pulsegate.publication.planning import standing_of
from pulsegate.publication.verdicts import Verdicts
from pulsegate.store import blocks, placing
from pulsegate.store.collections import StoredCollection
from pulsegate.store.database import Connection
from pulsegate.store.digests import value_key
from pulsegate.store.placing import Place
from pulsegate.store.pulses import Candidate, StoredPulse


@dataclass(frozen=True, slots=True)
class Difference:
    """What goes and comes; how many would have come without it (``kept_out``), or gone (``kept``).

    An address that goes from, or comes into, a network that is there counts as one.
    """

    going: Sequence[Candidate]
    coming: Sequence[Candidate]
    kept_out: int
    kept: int

    def __add__(self, other: Difference) -> Difference:
        return Difference(
            [*self.going, *other.going],
            [*self.coming, *other.coming],
            self.kept_out + other.kept_out,
            self.kept + other.kept,
        )


@dataclass(frozen=True, slots=True)
class _Made:
    """A plan, and the keys of the indicators that it wants."""

    plan: Plan
    wanted: frozenset[int]


class Part:
    """Plans for one collection, of a few values.

    ``found``: all indicators of these values; ``carriers``: the pulses that have them, the oldest first. Of both those
    that may feed the collection count.
    """

    def __init__(
        self,
        connection: Connection,
        stored: StoredCollection,
        carriers: Iterable[StoredPulse],
        found: Iterable[Candidate],
        moment: datetime,
    ) -> None:
        self._collection = stored.collection
        self._once = stored.collection.deduplicate
        self._carriers = {one.pk: one for one in carriers if stored.collection.author in (None, one.pulse.author)}
        self._moment = moment
        self._by_pk = {one.pk: one for one in found if one.pulse_pk in self._carriers}
        self._by_key: dict[bytes, list[Candidate]] = defaultdict(list)
        for one in self._by_pk.values():
            self._by_key[self._key(one)].append(one)
        places = placing.with_identities(connection, stored.id, self._by_key.keys())
        there = blocks.published(connection, stored.id, {block_id for _, _, block_id in places})
        self._places = in_order((one for one in places if one[2] in there), once=self._once)
        self._standing = standing_of(connection, stored.collection, there, self._carriers, moment, {})

    def _key(self, one: Candidate) -> bytes:
        """What it is placed under."""
        return place_identity(one.pulse_pk, one.identity, once=self._once)

    def difference(self, before: Policy, after: Policy) -> Difference:
        """What another policy would do otherwise."""
        was, will = self._make(before), self._make(after)
        would_go, would_come = self._leaving(was.plan), self._coming(was.plan)
        goes, comes = self._leaving(will.plan), self._coming(will.plan)
        parts = self._of_networks(was, will)
        return Difference(
            [*self._standing_for(key for key in goes if key not in would_go), *parts.going],
            [*(one for key, one in comes.items() if key not in would_come), *parts.coming],
            len(would_come.keys() - comes.keys()) + parts.kept_out,
            len(would_go.keys() - goes.keys()) + parts.kept,
        )

    def _make(self, policy: Policy) -> _Made:
        verdicts = self.verdicts(policy)
        wanted = self._wanted(verdicts)
        standing = replace(self._standing, omitted=verdicts.omitted)
        plan = compare(wanted, self._places, standing, once=self._once)
        return _Made(plan, frozenset(pk for _, pk, _ in wanted))

    def _of_networks(self, was: _Made, will: _Made) -> Difference:
        """The same of the addresses of networks that are in under both."""
        blocks_of = {key: block_id for key, _, block_id in self._places}
        total = Difference([], [], 0, 0)
        for key, group in self._by_key.items():
            one = next((one for one in group if one.pk in was.wanted and one.pk in will.wanted), None)
            if one is None or not (one.pk in was.plan.omitted or one.pk in will.plan.omitted):
                continue
            block_id = blocks_of.get(key)
            written = self._standing.written.get(block_id or 0, {}).get(one.identity)
            before, after = left_out(was.plan.omitted.get(one.pk)), left_out(will.plan.omitted.get(one.pk))
            there = NOTHING if block_id is None else _addresses(one) - left_out(written)
            total += Difference(
                [_address(one, value) for value in sorted((after - before) & there)],
                [_address(one, value) for value in sorted(before - after - there)],
                len(after - before - there),
                len((before - after) & there),
            )
        return total

    def verdicts(self, policy: Policy) -> Verdicts:
        made = Verdicts(self._collection, policy, self._moment)
        made.learn_all(self._carriers.values())
        return made

    def _wanted(self, verdicts: Verdicts) -> list[Wanted]:
        found = (one for group in self._by_key.values() for one in group if verdicts.of(one).included)
        return in_order(((one.identity, one.pk, one.pulse_pk) for one in found), once=self._once)

    def _leaving(self, plan: Plan) -> dict[bytes, int]:
        """The places that are given up, each with its block."""
        return {key: block_id for block_id, gone in plan.leaving.items() for key in gone}

    def _coming(self, plan: Plan) -> dict[bytes, Candidate]:
        """What enters, by its place, but for what only moves to another block."""
        moving = {key for some in plan.moving.values() for key in some}
        entering = (self._by_pk[pk] for keys in plan.entering.values() for pk in keys)
        return {key: one for one in entering if (key := self._key(one)) not in moving}

    def _standing_for(self, keys: Iterable[bytes]) -> Iterator[Candidate]:
        """The indicators that stand at these places."""
        stood: dict[bytes, Place] = {place[0]: place for place in self._places}
        for key in keys:
            group = self._by_key[key]
            yield next((one for one in group if one.pk == stood[key][1]), group[0])


def _address(network: Candidate, value: str) -> Candidate:
    """The address as if it were an indicator of the network's pulse."""
    kind = address_kind(value)
    return replace(network, type=kind.value, value=value, identity=value_key(kind, value))


def _addresses(network: Candidate) -> frozenset[str]:
    return frozenset(value for _, value in addresses_of(network.value))
