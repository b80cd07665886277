"""Decisions on stored indicators for one collection, at one moment."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from pulsegate.curation.decide import Decision, Facts, decide, decide_pulse, out
from pulsegate.curation.policy import Policy
from pulsegate.model.collection import Collection
from pulsegate.model.indicator import IndicatorType
from pulsegate.publication.labels import back
from pulsegate.publication.plan import Wanted
from pulsegate.stix import expressible
from pulsegate.store import candidates
from pulsegate.store.candidates import Lives, Slim
from pulsegate.store.database import Connection
from pulsegate.store.digests import digest
from pulsegate.store.failures import reason_in
from pulsegate.store.pulses import Candidate, StoredIndicator, StoredPulse

BY_VALUE = frozenset(
    {IndicatorType.CVE, IndicatorType.YARA, IndicatorType.OSQUERY, IndicatorType.URI, IndicatorType.CIDR}
)
"""The types of which some values can be written and some can't."""
DAY = timedelta(days=1)


class Verdicts:
    """Decides for ``collection``, remembering what it found of each pulse."""

    def __init__(self, collection: Collection, policy: Policy, now: datetime) -> None:
        self.collection = collection
        self._policy = policy
        self._now = now
        self._pulses: dict[int, tuple[datetime, Decision]] = {}
        self._plain: dict[tuple[int, str], bool] = {}

    def learn(self, pulse: StoredPulse) -> Decision:
        """Take the pulse in, so that its indicators can be decided on."""
        decision = decide_pulse(pulse.pulse, self.collection, self._now, active=pulse.active)
        self._pulses[pulse.pk] = (pulse.pulse.created, decision)
        return decision

    def wanted(self, connection: Connection, *, by_identity: bool) -> Iterator[Wanted]:
        """All that belongs into the collection, streamed by identity or by key, of the pulses that were learnt.

        What is decided by the pulse and the type alone is decided once for all of them; the odd ones one by one.
        """
        lives, own = self._lives(), bool(self._policy.own)
        of = None if self.collection.author is None else list(self._pulses)
        odd = {one.pk for one in candidates.odd(connection, lives, of=of) if self.of(one).included}
        return self._choose(candidates.walk(connection, lives, of=of, by_identity=by_identity, values=own), odd)

    def _choose(self, rows: Iterable[Slim], odd: set[int]) -> Iterator[Wanted]:
        covering = self._policy.own.covering if self._policy.own else None
        plain = self._plain
        for identity, pk, pulse_pk, kind, is_odd, value in rows:
            if is_odd:
                wanted = pk in odd
            else:
                known = plain.get((pulse_pk, kind))
                wanted = self._decide_plain(pulse_pk, kind) if known is None else known
                if wanted and covering is not None:
                    wanted = covering(IndicatorType(kind), value) is None
            if wanted:
                yield identity, pk, pulse_pk

    def _decide_plain(self, pulse_pk: int, kind: str) -> bool:
        """Of an indicator of which nothing speaks against its belonging into the collection."""
        of_pulse = self._pulses.get(pulse_pk, (self._now, _UNKNOWN))[1]
        type_ = IndicatorType(kind)
        inexpressible = expressible(type_, "", "", self.collection.profile)  # it is of no type that is BY_VALUE
        facts = Facts(type_, self._now + DAY, None, active=True, inexpressible=inexpressible)
        found = self._plain[pulse_pk, kind] = decide(facts, self.collection, self._now, of_pulse).included
        return found

    def _lives(self) -> Lives:
        ends = {kind.value: back(self._now, age) for kind, age in self.collection.ttl.items()}
        by_role = bool(self.collection.include.roles or self.collection.exclude.roles)
        return Lives(self._now, {kind.value for kind in BY_VALUE}, ends, by_role=by_role)

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
            role=candidate.role,
            own=self._policy.own.covering(kind, candidate.value) if self._policy.own else None,
            protection=self._policy.protection(candidate.protection),
            inexpressible=reason_in(candidate.failure, profile)
            or expressible(kind, candidate.value, candidate.content, profile, self.collection.expand),
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
        role=raw.role,
    )
