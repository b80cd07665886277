"""Decisions on stored indicators for one collection, at one moment."""

from __future__ import annotations

from datetime import datetime

from pulsegate.curation.decide import Decision, Facts, decide, decide_pulse, out
from pulsegate.curation.policy import Policy
from pulsegate.model.collection import Collection
from pulsegate.model.indicator import IndicatorType
from pulsegate.stix import expressible
from pulsegate.store.digests import digest
from pulsegate.store.failures import reason_in
from pulsegate.store.pulses import Candidate, StoredIndicator, StoredPulse


class Verdicts:
    """Decides for ``collection``, remembering what it found of each pulse."""

    def __init__(self, collection: Collection, policy: Policy, now: datetime) -> None:
        self.collection = collection
        self._policy = policy
        self._now = now
        self._pulses: dict[int, tuple[datetime, Decision]] = {}

    def learn(self, pulse: StoredPulse) -> Decision:
        """Take the pulse in, so that its indicators can be decided on."""
        decision = decide_pulse(pulse.pulse, self.collection, self._now, active=pulse.active)
        self._pulses[pulse.pk] = (pulse.pulse.created, decision)
        return decision

    def wants(self, candidate: Candidate) -> bool:
        return self.of(candidate).included

    def of(self, candidate: Candidate) -> Decision:
        """The decision on an indicator of a pulse that was learnt."""
        pulse_created, of_pulse = self._pulses.get(candidate.pulse_pk, (self._now, _UNKNOWN))
        kind = IndicatorType(candidate.type)
        profile = self.collection.profile
        facts = Facts(
            type=kind,
            created=candidate.created or pulse_created,
            expiration=candidate.expiration,
            active=candidate.active,
            own=self._policy.own.covering(kind, candidate.value) if self._policy.own else None,
            protection=self._policy.protection(candidate.protection),
            inexpressible=reason_in(candidate.failure, profile)
            or expressible(kind, candidate.value, candidate.content, profile),
        )
        return decide(facts, self.collection, self._now, of_pulse)


_UNKNOWN = out("unknown", "its pulse is not in the store")


def as_candidate(indicator: StoredIndicator) -> Candidate:
    """The part of a stored indicator that a decision needs."""
    raw = indicator.indicator.raw
    return Candidate(
        pk=indicator.pk,
        pulse_pk=indicator.pulse_pk,
        identity=digest(indicator.indicator.identity),
        type=indicator.indicator.type.value,
        value=indicator.indicator.value,
        content=raw.content,
        created=raw.created,
        expiration=raw.expiration,
        active=raw.active,
        protection=indicator.protection,
        failure=indicator.failure,
    )
