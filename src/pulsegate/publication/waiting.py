"""What is decided on pulses, and which wait for somebody's look, in whatever collection."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pulsegate.curation.decide import decide_pulse, decide_review
from pulsegate.model.collection import Collection, ReviewMode
from pulsegate.model.decisions import Review
from pulsegate.store import collections, decisions
from pulsegate.store.database import Connection, now
from pulsegate.store.pulses import StoredPulse

WAITING = "waiting"
STATUSES = ("active", "withdrawn", WAITING, "approved", "rejected", "held")


class Statuses:
    """As of one moment. ``found``: the only pulses that will be asked about; None: any."""

    def __init__(self, connection: Connection, found: Sequence[StoredPulse] | None = None) -> None:
        self.moment = now(connection)
        every = [one.collection for one in collections.every(connection)]
        self.reviewed = [one for one in every if one.review is not ReviewMode.NONE]
        self.strict = [one for one in self.reviewed if one.review is ReviewMode.CHANGES]
        self._trusted = decisions.trusted(connection)
        self._reviews: dict[str, Review] = {}
        self._added: dict[int, int] = {}
        self.learn(connection, found)

    def learn(self, connection: Connection, found: Sequence[StoredPulse] | None) -> None:
        """Read what was decided on these pulses too (None: on all)."""
        self._reviews |= decisions.reviewed(connection, None if found is None else [one.pulse.id for one in found])
        if self.strict:
            keys = None if found is None else [one.pk for one in found]
            self._added |= decisions.added_later(connection, keys)

    @property
    def reviews(self) -> Mapping[str, Review]:
        """By the pulses' ids."""
        return self._reviews

    def review(self, stored: StoredPulse) -> Review | None:
        """What was decided on the pulse."""
        return self._reviews.get(stored.pulse.id)

    def is_trusted(self, stored: StoredPulse) -> bool:
        """Whether its author's pulses need no look."""
        return stored.pulse.author in self._trusted

    def status(self, stored: StoredPulse) -> str:
        """One of ``STATUSES``: what was decided; else that it waits; else whether OTX has it."""
        review = self.review(stored)
        if review is not None:
            return review.status.value
        if self.keeping(stored):
            return WAITING
        return "active" if stored.active else "withdrawn"

    def keeping(self, stored: StoredPulse) -> list[Collection]:
        """The collections that it waits for, if nothing was decided on it."""
        return [one for one in self.reviewed if self._keeps(one, stored)]

    def added(self, stored: StoredPulse) -> int:
        """How many indicators of an approved pulse wait, as they came after that."""
        number = self._added.get(stored.pk, 0)
        return number if not self.is_trusted(stored) and any(self._lets_in(one, stored) for one in self.strict) else 0

    def waits(self, stored: StoredPulse) -> bool:
        """Whether the pulse, or something that was added to it, waits."""
        return self.status(stored) == WAITING or self.added(stored) > 0

    def _keeps(self, collection: Collection, stored: StoredPulse) -> bool:
        trusted = self._trusted.get(stored.pulse.author)
        return not decide_review(collection, None, trusted).included and self._lets_in(collection, stored)

    def _lets_in(self, collection: Collection, stored: StoredPulse) -> bool:
        return decide_pulse(stored.pulse, collection, self.moment, active=stored.active).included
