"""The publication's plan for a few values of a collection, under one policy or another, not carried out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from pulsegate.curation.policy import Policy
from pulsegate.publication.plan import Plan, Wanted, compare, in_order, pulse_identity
from pulsegate.publication.planning import standing_of
from pulsegate.publication.verdicts import Verdicts
from pulsegate.store import blocks, placing
from pulsegate.store.collections import StoredCollection
from pulsegate.store.database import Connection
from pulsegate.store.placing import Place
from pulsegate.store.pulses import Candidate, StoredPulse


class Part:
    """Plans for one collection, of a few values.

    ``found``: all indicators of these values; ``carriers``: the pulses that have them, by key, the oldest first.
    """

    def __init__(
        self,
        connection: Connection,
        stored: StoredCollection,
        carriers: Mapping[int, StoredPulse],
        found: Sequence[Candidate],
        moment: datetime,
    ) -> None:
        self._collection = stored.collection
        self._once = stored.collection.deduplicate
        self._carriers = carriers
        self._moment = moment
        self._by_key: dict[bytes, list[Candidate]] = defaultdict(list)
        for one in found:
            self._by_key[one.identity if self._once else pulse_identity(one.pulse_pk, one.identity)].append(one)
        places = placing.with_identities(connection, stored.id, self._by_key.keys())
        there = blocks.published(connection, stored.id, {block_id for _, _, block_id in places})
        self._places = in_order((one for one in places if one[2] in there), once=self._once)
        self._standing = standing_of(stored.collection, there, carriers, moment)

    def make(self, policy: Policy) -> Plan:
        return compare(self._wanted(policy), self._places, self._standing, once=self._once)

    def _wanted(self, policy: Policy) -> list[Wanted]:
        verdicts = Verdicts(self._collection, policy, self._moment)
        verdicts.learn_all(self._carriers.values())
        found = (one for group in self._by_key.values() for one in group if verdicts.of(one).included)
        return in_order(((one.identity, one.pk, one.pulse_pk) for one in found), once=self._once)

    def leaving(self, policy: Policy) -> list[bytes]:
        """The places that would be taken away."""
        return [key for gone in self.make(policy).leaving.values() for key in gone]

    def arriving(self, policy: Policy) -> dict[bytes, Candidate]:
        """The indicators that would come, by the keys of their places; what only moves does not."""
        plan = self.make(policy)
        moving = {key for some in plan.moving.values() for key in some}
        entering = {pk for some in plan.entering.values() for pk in some}
        found = {key: one for key, group in self._by_key.items() for one in group if one.pk in entering}
        return {key: one for key, one in found.items() if key not in moving}

    def standing_for(self, keys: Iterable[bytes]) -> Iterator[Candidate]:
        """The indicators that stand at these places."""
        stood: dict[bytes, Place] = {place[0]: place for place in self._places}
        for key in keys:
            group = self._by_key[key]
            yield next((one for one in group if one.pk == stood[key][1]), group[0])
