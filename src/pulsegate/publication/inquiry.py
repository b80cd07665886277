"""All that the store and the settings tell of one value, in one snapshot."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from functools import cached_property
from itertools import islice

from pulsegate.curation.decide import AUTHOR, IN, Decision, Facts, OfPulse, blocking_in, opinions, out
from pulsegate.curation.policy import Policy
from pulsegate.model.collection import Collection as Feed
from pulsegate.model.collection import Profile, ReviewMode, Rule
from pulsegate.model.decisions import Override, ReviewStatus
from pulsegate.model.indicator import IndicatorType
from pulsegate.publication import stays, surroundings
from pulsegate.publication.covering import Covering
from pulsegate.publication.explanation import LEFT_OUT, WITHOUT_IT, Explanation, Neighbours, Opinion, Standing
from pulsegate.publication.remedies import Subject, letting_in, taking_out
from pulsegate.publication.stays import Stays
from pulsegate.publication.through import Through
from pulsegate.publication.verdicts import Verdicts, as_candidate
from pulsegate.stix import expressible
from pulsegate.store import around, concerning, pulses
from pulsegate.store.around import Place
from pulsegate.store.collections import StoredCollection
from pulsegate.store.concerning import Concerned
from pulsegate.store.database import Connection
from pulsegate.store.digests import value_key
from pulsegate.store.failures import reason_in
from pulsegate.store.pulses import Candidate, StoredIndicator

# Of several pulses' decisions the one that comes latest here is the nearest to letting the value in.
_NEARNESS = (
    "unknown",
    AUTHOR,
    "withdrawn",
    "review:rejected",
    "forced-out",
    "allow-list",
    "own",
    "protection",
    "warning-list",
    "include",
    "exclude",
    "profile",
    "review",
    "inactive",
    "expired",
    "ttl",
)
TOLD = 10  # addresses of a network that are left out, each with its reason
_DECIDED = {
    ReviewStatus.APPROVED: "approved the pulse",
    ReviewStatus.REJECTED: "rejected the pulse",
    ReviewStatus.HELD: "put the pulse aside",
}
_NO_PULSE = out("no-pulse", "no stored pulse has it")


class Inquiry:
    """``value``: type and normal form; ``found``: the indicators of it, in no pulse or several, as they are marked."""

    def __init__(
        self,
        connection: Connection,
        policy: Policy,
        moment: datetime,
        every: Sequence[StoredCollection],
        value: tuple[IndicatorType, str],
        found: Sequence[StoredIndicator],
    ) -> None:
        self._connection = connection
        self._moment = moment
        self._every = every
        self._kind, self._value = value
        self._found = [as_candidate(one) for one in found]
        self._carriers = {one.pk: one for one in pulses.some(connection, {one.pulse_pk for one in found})}
        self._identities = {value_key(*value), *(one.identity for one in self._found)}
        self._policy = self._decided(policy)
        forced = [one for identity in self._identities for one in self._policy.overrides.get(identity, ())]
        self._covering = _covering(self._policy, value, forced, self._found)
        self._look_for_places()

    def _decided(self, policy: Policy) -> Policy:
        """With what people decided that may concern the value."""
        texts = surroundings.entry_texts(self._kind, self._value)
        is_network = self._kind is IndicatorType.CIDR
        found = [one.pulse for one in self._carriers.values()]
        ids, authors = {one.id for one in found}, {one.author for one in found}
        identities = self._identities | surroundings.entwined(self._kind, self._value)
        about = Concerned(identities, texts, is_network, ids, authors)
        held = concerning.read(self._connection, self._moment, about)
        return policy.decided(held.allowed, held.overrides, held.reviews, held.trusted)

    def _look_for_places(self) -> None:
        """Where it stands by itself, and ``through`` a network that is written address by address."""
        self._through = Through(self._connection, self._policy, self._moment, self._every, self._kind, self._value)
        keys = surroundings.placed_as(self._connection, self._identities)
        self._keys = {one.id: dict.fromkeys(keys, "") for one in self._every}
        for one in self._every:
            if one.collection.profile is Profile.ESA:
                self._keys[one.id] |= self._through.keys
        self._places = around.by_collection(around.places(self._connection, list(self._keys), keys))

    @cached_property
    def _stays(self) -> Stays:
        there = self._through.places | self._places
        return stays.read(self._connection, self._every, there, self._keys, self._through.parts)

    @cached_property
    def _neighbours(self) -> tuple[Neighbours, ...]:
        return surroundings.neighbours(self._connection, self._kind, self._value, self._every)

    @property
    def is_known(self) -> bool:
        """Whether there is anything to say of the value, warning lists apart."""
        there = bool(self._found or self._places or self._through or self._neighbours)
        return there or self._covering.is_decided or bool(self._stays.left)

    @property
    def is_listed(self) -> bool:
        return bool(self._covering.hits)

    def explanation(self) -> Explanation:
        return Explanation(
            self._value,
            self._kind.value,
            [one.pulse for one in self._carriers.values()],
            [self._standing(one) for one in self._every],
            list(self._covering.opinions()),
            self._neighbours,
            self._stays.logged,
        )

    def _standing(self, stored: StoredCollection) -> Standing:
        subject, opinions_ = self._nearest(stored.collection)
        found = self._judged(stored, subject, opinions_)
        return replace(
            found,
            pulse=subject.pulse.id if subject.pulse is not None else None,
            fetched=self._stays.fetched.get(stored.id, ()),
            left=self._stays.left.get(stored.id, ()),
        )

    def _nearest(self, feed: Feed) -> tuple[Subject, list[Decision]]:
        """All that has a say in the pulse that is nearest to letting it in."""
        if not self._found:
            return Subject(self._value, feed, self._policy, self._facts(feed)), self._hypothetical(feed)
        verdicts = Verdicts(feed, self._policy, self._moment)
        mine = [one for one in self._found if self._may_feed(one, feed)]
        if not mine:
            return Subject(self._value, feed, self._policy), [_other_author(feed)]
        for pk in {one.pulse_pk for one in mine}:
            verdicts.learn(self._carriers[pk], thoroughly=True)
        one, found = max(((one, verdicts.opinions(one)) for one in mine), key=lambda pair: _nearness(pair[1]))
        failed = reason_in(one.failure, feed.profile) is not None
        pulse = self._carriers[one.pulse_pk].pulse
        parts = verdicts.parts_out(one)
        return Subject(self._value, feed, self._policy, verdicts.facts(one), pulse, failed, parts), found

    def _may_feed(self, one: Candidate, feed: Feed) -> bool:
        pulse = self._carriers.get(one.pulse_pk)
        return pulse is not None and feed.author in (None, pulse.pulse.author)

    def _hypothetical(self, feed: Feed) -> list[Decision]:
        """What would speak against the value in any pulse."""
        types = [Rule(types=rule.types) for rule in (feed.include, feed.exclude)]
        bare = replace(feed, include=types[0], exclude=types[1], author=None, review=ReviewMode.NONE)
        found = opinions(self._facts(feed), bare, self._moment, OfPulse(), self._policy.lists.blocking)
        return [_NO_PULSE, *(one for one in found if not one.included)]

    def _facts(self, feed: Feed) -> Facts:
        """Of a value that no pulse has."""
        policy, value = self._policy, (self._kind, self._value)
        return Facts(
            self._kind,
            self._moment,
            None,
            active=True,
            own=policy.own.covering(*value),
            protection=policy.protection(self._covering.protection_name),
            inexpressible=expressible(*value, "x", feed.profile, feed.expand),
            allowed=policy.allow.covering(*value),
            lists=tuple(self._covering.hits),
            overrides=policy.overrides.get(value_key(*value), ()),
        )

    def _judged(self, stored: StoredCollection, subject: Subject, found: list[Decision]) -> Standing:
        """Where it stands, and what the next publication will make of that."""
        name, first, rest = stored.collection.name, found[0] if found else IN, found[1:]
        places, through = self._places.get(stored.id), self._through.places.get(stored.id)
        others = [*self._others(rest, subject), *self._parts_out(subject)]
        if places and first.included:
            reason = "it is published" if first.rule == IN.rule else first.reason
            others += self._though(subject)
            changes = taking_out(first.rule, subject)
            return Standing(name, True, _since(places), first.rule, reason, changes, others)
        if places:
            reason = f"it leaves with the next publication: {self._covering.reason(first)}"
            return Standing(name, True, _since(places), "pending", reason, letting_in(first.rule, subject), others)
        if through:
            return self._through_network(subject, through, found)
        if (lacked := self._through.lacked.get(stored.id)) and not first.included:
            return self._left_out(subject, lacked, found)
        if first.included:
            said = "it will be in after the next publication"
            others = [*self._others(found, subject), *self._though(subject)] if first.rule != IN.rule else others
            return Standing(name, False, None, "pending", said, ["pulsegate publish"], others)
        reason, changes = self._covering.reason(first), letting_in(first.rule, subject)
        return Standing(name, False, None, first.rule, reason, changes, others)

    def _through_network(self, subject: Subject, through: Sequence[Place], found: list[Decision]) -> Standing:
        feed = subject.collection
        networks, decisions = ", ".join(self._through.networks(through)), self._through.decisions(feed, through)
        others = list(self._others([one for one in found if one is not _NO_PULSE], subject))
        if not any(one.included for one in decisions):
            reason = f"it leaves {networks} with the next publication: {self._covering.reason(decisions[0])}"
            changes = letting_in(decisions[0].rule, subject)
            return Standing(feed.name, True, _since(through), "pending", reason, changes, others)
        reason = f"it is written as an address of {networks}, which the collection holds"
        scope = f"--collection {feed.name}"
        changes = [f"pulsegate indicator force-out {one} {scope}" for one in self._through.networks(through)]
        changes = [*taking_out(IN.rule, subject), *changes]
        return Standing(feed.name, True, _since(through), "network", reason, changes, others)

    def _left_out(self, subject: Subject, lacked: Sequence[Place], found: list[Decision]) -> Standing:
        """It would be written as an address of a network, but is out by itself."""
        feed = subject.collection
        networks, decisions = ", ".join(self._through.networks(lacked)), self._through.decisions(feed, lacked)
        if any(one.included for one in decisions):
            said, others = f"it will be in {networks} after the next publication", list(self._others(found, subject))
            return Standing(feed.name, False, None, "pending", said, ["pulsegate publish"], others)
        first = decisions[0]
        reason = f"{self._covering.reason(first)}; {networks}, which the collection holds, {WITHOUT_IT}"
        others = list(self._others([one for one in found if one not in (_NO_PULSE, first)], subject))
        return Standing(feed.name, False, None, first.rule, reason, letting_in(first.rule, subject), others)

    def _parts_out(self, subject: Subject) -> Iterator[Opinion]:
        """Of a network that is written address by address: those that are left out."""
        yield from islice((self._part_out(*one) for one in subject.parts.items()), TOLD)
        if len(subject.parts) > TOLD:
            yield Opinion(LEFT_OUT, f"{len(subject.parts) - TOLD} more of its addresses are left out")

    def _part_out(self, address: str, decision: Decision) -> Opinion:
        return Opinion(LEFT_OUT, f"{address}: {decision.reason}")

    def _others(self, found: Iterable[Decision], subject: Subject) -> Iterator[Opinion]:
        for one in found:
            changes = [] if one.included else letting_in(one.rule, subject)
            yield Opinion(one.rule, self._covering.reason(one), changes)

    def _though(self, subject: Subject) -> Iterator[Opinion]:
        """What might have kept it out, and doesn't here."""
        feed, facts = subject.collection, subject.facts
        if facts is None or subject.pulse is None:
            return
        name = self._covering.protection_name
        held = feed.protections is None or name in feed.protections
        if name is not None and not (held and facts.protection):
            yield Opinion(f"protection:{name}", f"{self._covering.protection(name)}; it is off here")
        blocking = blocking_in(feed, self._policy.lists.blocking)
        for one in facts.lists:
            if one not in blocking:
                yield Opinion(f"warning-list:{one}", self._covering.informing(one))
        yield from self._passed(subject)

    def _passed(self, subject: Subject) -> Iterator[Opinion]:
        """Who let its pulse in, where that is asked for."""
        if subject.collection.review is ReviewMode.NONE or subject.pulse is None:
            return
        review = self._policy.reviews.get(subject.pulse.id)
        trusted = self._policy.trusted.get(subject.pulse.author)
        if review is not None:
            undo = [f"pulsegate pulse undo {subject.pulse.id}"]
            yield Opinion(f"review:{review.status}", f"{review.account} {_DECIDED[review.status]}", undo)
        elif trusted is not None:
            yield Opinion("review:trusted", f"{trusted.account} lets all pulses of {trusted.author} pass")


def _covering(
    policy: Policy, value: tuple[IndicatorType, str], forced: Sequence[Override], found: Sequence[Candidate]
) -> Covering:
    if not found:
        return Covering(policy, *value, forced)
    return Covering(policy, *value, forced, (found[0].lists or "").split(), found[0].protection)


def _since(places: Collection[Place]) -> datetime:
    return min(one.since for one in places)


def _other_author(feed: Feed) -> Decision:
    return out(AUTHOR, f"the collection holds the pulses of {feed.author} only")


def _nearness(found: Sequence[Decision]) -> tuple[int, int]:
    """How near to letting it in: by what decides, then by how much more speaks against it."""
    if not found or found[0].included:
        return len(_NEARNESS) + 1, 0
    rule = found[0].rule
    family = rule if rule in _NEARNESS else rule.replace(":", ".").partition(".")[0]
    place = _NEARNESS.index(family) if family in _NEARNESS else len(_NEARNESS)
    return place, -len(found)
