"""The publication's plan for a few values of a collection, under one policy or another, not carried out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from pulsegate.curation.policy import Policy
from pulsegate.publication.plan import Plan, Wanted, compare, in_order, place_identity
from pulsegate.publication.planning import standing_of
from pulsegate.publication.verdicts import Verdicts
from pulsegate.store import blocks, placing
from pulsegate.store.collections import StoredCollection
from pulsegate.store.database import Connection
from pulsegate.store.placing import Place
from pulsegate.store.pulses import Candidate, StoredPulse


@dataclass(frozen=True, slots=True)
class Difference:
    """What goes and comes; how many would have come without it (``kept_out``), or gone (``kept``)."""

    going: Sequence[Candidate]
    coming: Sequence[Candidate]
    kept_out: int
    kept: int


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
        self._standing = standing_of(stored.collection, there, self._carriers, moment)

    def _key(self, one: Candidate) -> bytes:
        """What it is placed under."""
        return place_identity(one.pulse_pk, one.identity, once=self._once)

    def difference(self, before: Policy, after: Policy) -> Difference:
        """What another policy would do otherwise."""
        was, will = self._make(before), self._make(after)
        would_go, would_come = self._leaving(was), self._coming(was)
        goes, comes = self._leaving(will), self._coming(will)
        return Difference(
            list(self._standing_for(key for key in goes if key not in would_go)),
            [one for key, one in comes.items() if key not in would_come],
            len(would_come.keys() - comes.keys()),
            len(would_go.keys() - goes.keys()),
        )

    def _make(self, policy: Policy) -> Plan:
        return compare(self._wanted(policy), self._places, self._standing, once=self._once)

    def verdicts(self, policy: Policy) -> Verdicts:
        made = Verdicts(self._collection, policy, self._moment)
        made.learn_all(self._carriers.values())
        return made

    def _wanted(self, policy: Policy) -> list[Wanted]:
        verdicts = self.verdicts(policy)
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
