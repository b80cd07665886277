"""An address as a part of small networks that hold it, in collections that write these address by address."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from pulsegate.curation.decide import IN, Decision
from pulsegate.curation.policy import Policy
from pulsegate.model.collection import Collection, Profile
from pulsegate.model.indicator import IndicatorType
from pulsegate.model.omission import left_out
from pulsegate.publication import surroundings
from pulsegate.publication.verdicts import Verdicts
from pulsegate.store import around, candidates, omissions
from pulsegate.store.around import Place
from pulsegate.store.collections import StoredCollection
from pulsegate.store.database import Connection
from pulsegate.store.digests import value_key
from pulsegate.values.neighbours import small_networks


class Through:
    """``places``: by the collection's key, where the address is written with a network; ``lacked``: where not.

    ``keys``: what the networks may have been placed as, each with the network; ``parts``: under what it is noted that
    the address left one that stayed.
    """

    def __init__(
        self,
        connection: Connection,
        policy: Policy,
        moment: datetime,
        every: Iterable[StoredCollection],
        kind: IndicatorType,
        value: str,
    ) -> None:
        self._connection = connection
        self._policy = policy
        self._moment = moment
        self._value = value
        networks = small_networks(kind, value)
        names = {value_key(IndicatorType.CIDR, one): one for one in networks}
        values = surroundings.placed_as(connection, names)
        self.keys = {key: names[identity] for key, identity in values.items()}
        self.parts = {omissions.part_key(one, value): one for one in networks}
        esa = [one.id for one in every if one.collection.profile is Profile.ESA]
        found = around.places(connection, esa, values)
        omitted = omissions.read(connection, {one.block_id for one in found})
        lacked = [one for one in found if value in left_out(omitted.get(one.block_id, {}).get(values[one.identity]))]
        self.lacked = around.by_collection(lacked)
        self.places = around.by_collection(one for one in found if one not in lacked)

    def __bool__(self) -> bool:
        return bool(self.places or self.lacked)

    def networks(self, places: Iterable[Place]) -> list[str]:
        """Those that stand there, in order."""
        return sorted({self.keys[one.identity] for one in places})

    def decisions(self, feed: Collection, places: Sequence[Place]) -> list[Decision]:
        """What is decided on the address as a part of each of ``networks``, as by the next publication."""
        verdicts = Verdicts(feed, self._policy, self._moment)
        return [self._decision(verdicts, one) for one in self.networks(places)]

    def _decision(self, verdicts: Verdicts, network: str) -> Decision:
        rows = candidates.with_identities(self._connection, [value_key(IndicatorType.CIDR, network)])
        return next((verdicts.parts_out(one).get(self._value, IN) for one in rows), IN)
