"""Decisions on stored indicators for one collection, at one moment."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from pulsegate.curation.decide import (
    IN,
    UNKNOWN,
    Decision,
    Facts,
    OfPulse,
    decide,
    decide_review,
    decide_value,
    opinions,
    opinions_on_pulse,
    out,
)
from pulsegate.curation.policy import Policy
from pulsegate.model.collection import Collection, Profile, ReviewMode
from pulsegate.model.indicator import IndicatorType
from pulsegate.model.omission import Omission
from pulsegate.publication.labels import back
from pulsegate.publication.parts import Parts
from pulsegate.publication.plan import Wanted
from pulsegate.stix import expressible
from pulsegate.stix.networks import addresses_in
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
        self._blocking = policy.lists.blocking
        self._pulses: dict[int, tuple[datetime, OfPulse]] = {}
        self._upto: dict[int, int] = {}  # of approved pulses, where what is added to them waits
        self._plain: dict[tuple[int, str], bool] = {}
        self._parts: dict[bytes, Mapping[str, Decision]] = {}
        self.omitted: dict[int, Omission] = {}  # of the networks that were let in, by their keys

    def learn(self, pulse: StoredPulse, *, thoroughly: bool = False) -> OfPulse:
        """Take the pulse in, so that its indicators can be decided on.

        ``thoroughly``: with all that speaks against it, for ``opinions``.
        """
        review, trusted = self._policy.reviews.get(pulse.pulse.id), self._policy.trusted.get(pulse.pulse.author)
        rules = opinions_on_pulse(pulse.pulse, self.collection, self._now, active=pulse.active)
        by_rules = next(rules, IN)
        by_review = decide_review(self.collection, review, trusted)
        decision = OfPulse(by_rules, by_review, tuple(rules) if thoroughly else ())
        if review is not None and self.collection.review is ReviewMode.CHANGES and trusted is None:
            self._upto[pulse.pk] = review.upto
        self._pulses[pulse.pk] = (pulse.pulse.created, decision)
        return decision

    def learn_all(self, found: Iterable[StoredPulse]) -> list[int]:
        """Take pulses in; gives their keys in the order in which they come."""
        order = []
        for pulse in found:
            self.learn(pulse)
            order.append(pulse.pk)
        return order

    def wanted(self, connection: Connection, *, by_identity: bool) -> Iterator[Wanted]:
        """All that belongs into the collection, streamed by identity or by key, of the pulses that were learnt.

        What is decided by the pulse and the type alone is decided once for all of them; the odd ones one by one.
        """
        lives = self._lives()
        of = None if self.collection.author is None else list(self._pulses)
        odd = {one.pk for one in candidates.odd(connection, lives, of=of) if self.of(one).included}
        return self._choose(candidates.walk(connection, lives, of=of, by_identity=by_identity), odd)

    def _choose(self, rows: Iterable[Slim], odd: set[int]) -> Iterator[Wanted]:
        plain, upto = self._plain, self._upto
        for identity, pk, pulse_pk, kind, is_odd in rows:
            if is_odd:
                wanted = pk in odd
            else:
                known = plain.get((pulse_pk, kind))
                wanted = self._decide_plain(pulse_pk, kind) if known is None else known
                if upto and wanted:
                    wanted = pk <= upto.get(pulse_pk, pk)
            if wanted:
                yield identity, pk, pulse_pk

    def _decide_plain(self, pulse_pk: int, kind: str) -> bool:
        """Of an indicator of which nothing speaks against its belonging into the collection."""
        of_pulse = self._pulses.get(pulse_pk, (self._now, _UNKNOWN))[1]
        type_ = IndicatorType(kind)
        inexpressible = expressible(type_, "", "", self.collection.profile)  # it is of no type that is BY_VALUE
        facts = Facts(type_, self._now + DAY, None, active=True, inexpressible=inexpressible)
        decision = decide(facts, self.collection, self._now, of_pulse, self._blocking)
        self._plain[pulse_pk, kind] = decision.included
        return decision.included

    def _lives(self) -> Lives:
        ends = {kind.value: back(self._now, age) for kind, age in self.collection.ttl.items()}
        by_role = bool(self.collection.include.roles or self.collection.exclude.roles)
        return Lives(self._now, {kind.value for kind in BY_VALUE}, ends, by_role=by_role)

    def of(self, candidate: Candidate) -> Decision:
        """The decision on an indicator of a pulse that was learnt."""
        of_pulse = self._of_pulse(candidate)
        decision = decide(self.facts(candidate), self.collection, self._now, of_pulse, self._blocking)
        if decision.included and (parts := self.parts_out(candidate)):
            self.omitted[candidate.pk] = Omission(candidate.value, frozenset(parts))
        return decision

    def opinions(self, candidate: Candidate) -> list[Decision]:
        """All that has a say on an indicator of a pulse that was learnt thoroughly (``decide.opinions``)."""
        of_pulse = self._of_pulse(candidate)
        return opinions(self.facts(candidate), self.collection, self._now, of_pulse, self._blocking)

    def _of_pulse(self, candidate: Candidate) -> OfPulse:
        return self._pulses.get(candidate.pulse_pk, (self._now, _UNKNOWN))[1]

    def facts(self, candidate: Candidate) -> Facts:
        """What is known of the indicator.

        Of a network that is written by its addresses nothing counts that concerns some of them: those are left out.
        """
        found, parts = self._facts(candidate), self._parts_out(candidate)
        if parts is None:
            return found
        if len(parts) < addresses_in(candidate.value):
            return replace(found, own=None, protection=None, allowed=None, lists=())
        if decide_value(found, self.collection, self._blocking).included:
            first = next(iter(parts.values()))
            return replace(
                found, emptied=out(first.rule, f"all of its addresses are out; of the first: {first.reason}")
            )
        return found

    def parts_out(self, candidate: Candidate) -> Mapping[str, Decision]:
        """The addresses of a network, where it is written by these, that are out by themselves: each with the reason.

        Where the network is forced in, so are they.
        """
        return self._parts_out(candidate) or {}

    def _parts_out(self, candidate: Candidate) -> Mapping[str, Decision] | None:
        """None for what is not written so, and for a network that nothing is known of, nor of its addresses."""
        if candidate.type != IndicatorType.CIDR or self.collection.profile is not Profile.ESA:
            return None
        is_marked = candidate.noted or candidate.protection is not None or candidate.lists
        if not is_marked or addresses_in(candidate.value) > self.collection.expand:
            return None
        known = self._parts.get(candidate.identity)
        if known is None:
            known = self._parts[candidate.identity] = Parts(self.collection, self._policy, candidate).out()
        return known

    def _facts(self, candidate: Candidate) -> Facts:
        pulse_created = self._pulses.get(candidate.pulse_pk, (self._now, _UNKNOWN))[0]
        kind = IndicatorType(candidate.type)
        profile, policy = self.collection.profile, self._policy
        noted = candidate.noted
        return Facts(
            type=kind,
            created=candidate.created or pulse_created,
            expiration=candidate.expiration,
            active=candidate.active,
            role=candidate.role,
            own=policy.own.covering(kind, candidate.value) if noted else None,
            protection=policy.protection(candidate.protection),
            inexpressible=reason_in(candidate.failure, profile)
            or expressible(kind, candidate.value, candidate.content, profile, self.collection.expand),
            allowed=policy.allow.covering(kind, candidate.value) if noted else None,
            lists=tuple(candidate.lists.split()) if candidate.lists else (),
            overrides=policy.overrides.get(candidate.identity, ()) if noted else (),
            is_new=candidate.pk > self._upto.get(candidate.pulse_pk, candidate.pk),
        )


_UNKNOWN = OfPulse(out(UNKNOWN, "its pulse is not in the store"))


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
        lists=indicator.lists,
        noted=indicator.noted,
    )
