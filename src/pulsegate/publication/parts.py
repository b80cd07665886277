"""Which addresses of a network, that is written address by address, are out by themselves."""

from __future__ import annotations

from collections.abc import Mapping

import structlog

from pulsegate.curation.decide import Decision, Facts, blocking_in, decide_value
from pulsegate.curation.policy import Policy
from pulsegate.curation.protections import protection
from pulsegate.curation.warning_lists import WarningLists
from pulsegate.errors import SettingsError
from pulsegate.model.collection import Collection
from pulsegate.model.indicator import IndicatorType
from pulsegate.model.omission import addresses_of
from pulsegate.publication.labels import EARLIEST
from pulsegate.store.digests import value_key
from pulsegate.store.pulses import Candidate

log = structlog.get_logger(__name__)


class Parts:
    """Decides on the addresses of ``network`` as if each were an indicator of its own.

    What the network is forced into counts for its addresses: forced out, an address is out all the same.
    """

    def __init__(self, collection: Collection, policy: Policy, network: Candidate) -> None:
        self._collection = collection
        self._policy = policy
        self._network = network
        self._blocking = policy.lists.blocking
        self._forced_in = tuple(one for one in policy.overrides.get(network.identity, ()) if one.inside)
        self._lists = self._loaded()

    def out(self) -> Mapping[str, Decision]:
        """Those that are out, in their order, each with the decision on it."""
        found = {value: self.decide(kind, value) for kind, value in addresses_of(self._network.value)}
        return {value: decision for value, decision in found.items() if not decision.included}

    def decide(self, kind: IndicatorType, value: str) -> Decision:
        return decide_value(self._facts(kind, value), self._collection, self._blocking)

    def _facts(self, kind: IndicatorType, value: str) -> Facts:
        policy, noted = self._policy, self._network.noted
        hit = protection(kind, value) if self._network.protection is not None else None
        return Facts(
            kind,
            created=EARLIEST,
            expiration=None,
            active=True,
            own=policy.own.covering(kind, value) if noted else None,
            protection=policy.protection(hit.name) if hit is not None else None,
            allowed=policy.allow.covering(kind, value) if noted else None,
            lists=tuple(name for name, held in self._lists.items() if held is None or held.hits(kind, value)),
            overrides=policy.overrides.get(value_key(kind, value), ()) + self._forced_in if noted else (),
        )

    def _loaded(self) -> dict[str, WarningLists | None]:
        """Those that keep something out and that the network is on; None for one that can't be read.

        That one counts for all addresses: no fault of a list may let in what was out.
        """
        blocking = blocking_in(self._collection, self._blocking)
        found: dict[str, WarningLists | None] = {}
        for name in (self._network.lists or "").split():
            if name in blocking:
                found[name] = self._load(name)
        return found

    def _load(self, name: str) -> WarningLists | None:
        try:
            return next(iter(self._policy.lists.load_some([name])), None)
        except SettingsError as error:
            log.error("publication.list_not_read", list=name, reason=str(error))  # noqa: TRY400 - the whole story
            return None
