"""What is decided on pulses, and which wait for somebody's look, in whatever collection."""

from __future__ import annotations

from collections.abc import Mapping

from pulsegate.curation.decide import decide_pulse, decide_review
from pulsegate.curation.policy import Policy
from pulsegate.model.collection import Collection, ReviewMode
from pulsegate.model.decisions import Review
from pulsegate.publication.marking import with_decisions
from pulsegate.store import collections, decisions, pulses
from pulsegate.store.database import Connection, now
from pulsegate.store.pulses import StoredPulse

WAITING = "waiting"
STATUSES = ("active", "withdrawn", WAITING, "approved", "rejected", "held")


def number(connection: Connection, policy: Policy) -> int:
    """How many pulses wait, or have something that waits. All are looked at: a second for 20,000."""
    statuses = Statuses(connection, policy)
    return sum(map(statuses.waits, pulses.every(connection))) if statuses.anything else 0


class Statuses:
    """As of one moment, for as many pulses as are asked about."""

    def __init__(self, connection: Connection, policy: Policy) -> None:
        self._policy = with_decisions(connection, policy)
        self._moment = now(connection)
        every = [one.collection for one in collections.every(connection)]
        self._reviewed = [one for one in every if one.review is not ReviewMode.NONE]
        self._strict = [one for one in self._reviewed if one.review is ReviewMode.CHANGES]
        self._added: Mapping[int, int] = decisions.added_later(connection) if self._strict else {}

    @property
    def anything(self) -> bool:
        """Whether some collection has its pulses looked at."""
        return bool(self._reviewed)

    def review(self, stored: StoredPulse) -> Review | None:
        """What was decided on the pulse."""
        return self._policy.reviews.get(stored.pulse.id)

    def status(self, stored: StoredPulse) -> str:
        """One of ``STATUSES``: what was decided; else that it waits; else whether OTX has it."""
        review = self.review(stored)
        if review is not None:
            return review.status.value
        if any(self._keeps(one, stored) for one in self._reviewed):
            return WAITING
        return "active" if stored.active else "withdrawn"

    def added(self, stored: StoredPulse) -> int:
        """How many indicators of an approved pulse wait, as they came after that."""
        number = self._added.get(stored.pk, 0)
        is_trusted = stored.pulse.author in self._policy.trusted
        return number if not is_trusted and any(self._lets_in(one, stored) for one in self._strict) else 0

    def waits(self, stored: StoredPulse) -> bool:
        """Whether the pulse, or something that was added to it, waits."""
        return self.status(stored) == WAITING or self.added(stored) > 0

    def _keeps(self, collection: Collection, stored: StoredPulse) -> bool:
        trusted = self._policy.trusted.get(stored.pulse.author)
        return not decide_review(collection, None, trusted).included and self._lets_in(collection, stored)

    def _lets_in(self, collection: Collection, stored: StoredPulse) -> bool:
        return decide_pulse(stored.pulse, collection, self._moment, active=stored.active).included
