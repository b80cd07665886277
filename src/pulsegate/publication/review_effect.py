"""What a decision on pulses, or on an author, would bring into collections and take out of them, before it is made.

For a few pulses it is the publication's own plan, with the decision and without it. For many it is a count: of what
stands by these pulses, and of what they have that stands nowhere, as if no other pulse had any of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from itertools import islice

from pulsegate.curation.decide import decide_review
from pulsegate.curation.policy import Policy
from pulsegate.model.collection import Collection
from pulsegate.model.decisions import Review, ReviewStatus, Trusted
from pulsegate.publication.deciders import concerned
from pulsegate.publication.part import Part
from pulsegate.publication.surroundings import by_rule
from pulsegate.store import candidates, collections, pulse_list, pulses
from pulsegate.store.collections import StoredCollection
from pulsegate.store.database import Connection, now
from pulsegate.store.pulse_list import Kind
from pulsegate.store.pulses import Candidate, StoredPulse

EXAMPLES = 5
MOST_INDICATORS = 600  # of more than these, plans take longer than somebody looks at a page for
MOST_CARRIED = 1_000  # indicators, those of other pulses with the same values included
MOST_PULSES = 200
_LAST = 2**62  # of the keys of indicators
_NO_MOMENT = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Example:
    """A value that comes or goes."""

    type: str
    value: str


@dataclass(frozen=True, slots=True)
class Effect:
    """How many indicators come into a collection and go, with up to ``EXAMPLES`` of each.

    ``is_exact``: false where it is about so many.
    """

    collection: str
    coming: int
    going: int
    arrivals: Sequence[Example] = ()
    departures: Sequence[Example] = ()
    is_exact: bool = True


@dataclass(frozen=True, slots=True)
class Decision:
    """What is to be decided.

    ``status`` of each pulse (None: what was decided is taken back); or, with ``trust``, whether the author of all of
    them is trusted.
    """

    status: ReviewStatus | None = None
    trust: bool | None = None

    def status_after(self, before: ReviewStatus | None) -> ReviewStatus | None:
        return before if self.trust is not None else self.status

    def is_trusted_after(self, before: bool) -> bool:
        return before if self.trust is None else self.trust


def effect(connection: Connection, policy: Policy, keys: Sequence[int], decision: Decision) -> list[Effect]:
    """What would come and go in which collections, for pulses by their keys; of a snapshot. Nothing is written."""
    every = by_rule(collections.every(connection))
    if _are_few(connection, keys):
        found = _Plans(connection, policy, keys, decision).all(every)
    else:
        found = _Counts(connection, keys, decision).all(every)
    return [one for one in found if one.coming or one.going]


def _are_few(connection: Connection, keys: Sequence[int]) -> bool:
    """Whether the pulses, and others by the same values, have so few indicators that plans are made soon."""
    if len(keys) > MOST_PULSES or sum(pulse_list.sizes(connection, keys).values()) > MOST_INDICATORS:
        return False
    return candidates.count_with_identities(connection, candidates.identities_of(connection, keys)) <= MOST_CARRIED


class _Plans:
    """With the decision and without it."""

    def __init__(self, connection: Connection, policy: Policy, keys: Sequence[int], decision: Decision) -> None:
        self._connection = connection
        self._moment = now(connection)
        identities = candidates.identities_of(connection, keys)
        self._found = list(candidates.with_identities(connection, identities))
        self._carriers = pulses.some(connection, {one.pulse_pk for one in self._found})
        self._before = concerned(connection, policy, self._moment, self._found, self._carriers)
        chosen = set(keys)
        mine = [one for one in self._carriers if one.pk in chosen]
        self._after = _decided(self._before, mine, decision)

    def all(self, every: Iterable[StoredCollection]) -> list[Effect]:
        authors = {one.pulse.author for one in self._carriers}
        return [self._of(one) for one in every if one.collection.author is None or one.collection.author in authors]

    def _of(self, stored: StoredCollection) -> Effect:
        part = Part(self._connection, stored, self._carriers, self._found, self._moment)
        found = part.difference(self._before, self._after)
        examples = _examples(found.coming), _examples(found.going)
        return Effect(stored.collection.name, len(found.coming), len(found.going), *examples)


def _decided(policy: Policy, chosen: Sequence[StoredPulse], decision: Decision) -> Policy:
    """The policy after the decision."""
    reviews, trusted = dict(policy.reviews), dict(policy.trusted)
    for one in chosen:
        pulse, nobody, moment = one.pulse, "", one.pulse.modified
        if decision.trust:
            trusted[pulse.author] = Trusted(pulse.author, "", nobody, moment)
        elif decision.trust is False:
            trusted.pop(pulse.author, None)
        elif decision.status is None:
            reviews.pop(pulse.id, None)
        else:
            reviews[pulse.id] = Review(pulse.id, decision.status, _LAST, "", nobody, moment)
    return replace(policy, reviews=reviews, trusted=trusted)


def _examples(found: Iterable[Candidate]) -> list[Example]:
    return [Example(one.type, one.value) for one in islice(found, EXAMPLES)]


class _Counts:
    """Sums over the pulses of each kind."""

    def __init__(self, connection: Connection, keys: Sequence[int], decision: Decision) -> None:
        self._connection = connection
        self._keys = keys
        self._decision = decision
        self._moment = now(connection)
        self._kinds = pulse_list.kinds(connection, keys)
        self._standing = pulse_list.standing_by_kind(connection, keys)

    def all(self, every: Iterable[StoredCollection]) -> list[Effect]:
        return [self._of(one) for one in every]

    def _of(self, stored: StoredCollection) -> Effect:
        changes = {kind: self._change(stored.collection, kind) for kind in set(self._kinds.values())}
        there = self._standing.get(stored.id, {})
        going = sum(number for kind, number in there.items() if changes.get(kind, 0) < 0)
        coming = 0
        if any(change > 0 for change in changes.values()):
            mine = pulse_list.feeding(self._connection, self._keys, stored.collection, self._moment)
            coming = sum(self._sizes.get(pk, 0) for pk in mine if changes[self._kinds[pk]] > 0)
        return Effect(stored.collection.name, coming, going, is_exact=False)

    @cached_property
    def _sizes(self) -> dict[int, int]:
        return pulse_list.sizes(self._connection, self._keys)

    def _change(self, collection: Collection, kind: Kind) -> int:
        """1: the pulses of the kind are let in, -1: they are kept out, 0: as before."""
        status, is_trusted = kind
        after = self._decision.status_after(status), self._decision.is_trusted_after(is_trusted)
        return int(_passes(collection, *after)) - int(_passes(collection, status, is_trusted))


def _passes(collection: Collection, status: ReviewStatus | None, is_trusted: bool) -> bool:
    review = Review("", status, 0, "", "", _NO_MOMENT) if status is not None else None
    return decide_review(collection, review, Trusted("", "", "", _NO_MOMENT) if is_trusted else None).included
