"""What decisions would do: the publication's own plans with and without them, not carried out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from itertools import islice
from typing import Any

from pulsegate.curation.allow_list import AllowList
from pulsegate.curation.decide import Decision
from pulsegate.curation.policy import Policy
from pulsegate.model.collection import CollectionKind
from pulsegate.model.decisions import Allowed
from pulsegate.model.indicator import IndicatorType
from pulsegate.publication.change import Change
from pulsegate.publication.marking import recalled
from pulsegate.publication.plan import Plan, Wanted, compare, in_order, pulse_identity
from pulsegate.publication.planning import standing_of
from pulsegate.publication.trial import EXAMPLES, Example
from pulsegate.publication.verdicts import Verdicts
from pulsegate.store import affected, blocks, candidates, collections, placing, pulses
from pulsegate.store.collections import StoredCollection
from pulsegate.store.database import Connection, Database, now
from pulsegate.store.placing import Place
from pulsegate.store.pulses import Candidate, StoredPulse


@dataclass(frozen=True, slots=True)
class Effect:
    """How many indicators of a collection go and come, with up to ``EXAMPLES`` of each.

    ``kept_out``: those that would have come without the decision; ``kept``: those that would have gone.
    """

    collection: str
    going: int
    examples: tuple[Example, ...]
    coming: int = 0
    arrivals: tuple[Example, ...] = ()
    kept_out: int = 0
    kept: int = 0

    def __bool__(self) -> bool:
        return bool(self.going or self.coming or self.kept_out or self.kept)


def as_json(found: Iterable[Effect]) -> list[dict[str, Any]]:
    """For the result of a task."""
    return [asdict(one) for one in found]


def of_json(told: Iterable[Mapping[str, Any]]) -> list[Effect]:
    return [
        Effect(**{**one, **{key: tuple(Example(**each) for each in one[key]) for key in ("examples", "arrivals")}})
        for one in told
    ]


def covered(connection: Connection, entries: Sequence[Allowed]) -> list[Candidate]:
    """The stored indicators that one of the entries covers, as the allow list has it."""
    identities: set[bytes] = set()
    for one in entries:
        identities |= affected.by_entry(connection, one.kind, one.text)
    found = AllowList(entries)
    every = candidates.with_identities(connection, identities)
    return [one for one in every if found.covering(IndicatorType(one.type), one.value)]


def count(connection: Connection, entry: Allowed) -> int:
    """How many stored values the entry covers, each once however many pulses have it."""
    return len({one.identity for one in covered(connection, [entry])})


def effect(database: Database, policy: Policy, entries: Sequence[Allowed]) -> list[Effect]:
    """What would leave which collections if the allow list had these entries too: what leaves only with them."""
    return [one for one in effects(database, policy, Change(allow=entries)) if one.going]


def effects(database: Database, policy: Policy, change: Change) -> list[Effect]:
    """What the next publication would do otherwise, with the change, in the collections that it makes a difference to.

    Reads what the change may concern, and writes nothing. Packages in inboxes are kept as they were pushed.
    """
    with database.snapshot() as connection:
        comparison = _Comparison(connection, policy, change)
        by_rule = (one for one in collections.every(connection) if one.collection.kind is not CollectionKind.INBOX)
        found = [comparison.of(stored) for stored in by_rule]
    return [one for one in found if one]


class _Comparison:
    """The publication's plans with and without the change, for what it concerns, in one snapshot."""

    def __init__(self, connection: Connection, policy: Policy, change: Change) -> None:
        self._connection = connection
        self._moment = now(connection)
        self._before = recalled(connection, policy)
        self._after = change.made(self._before)
        # Noted, as they will be: else nothing asks the allow list, or people, about them.
        self._found = [replace(one, noted=True) for one in _concerned(connection, change)]
        self._pulses = {one.pk: one for one in pulses.some(connection, {one.pulse_pk for one in self._found})}

    def of(self, stored: StoredCollection) -> Effect:
        carriers, found = self._feeding(stored)
        if not found:
            return Effect(stored.collection.name, 0, ())
        plan = _Planning(self._connection, stored, carriers, found, self._moment)
        before, after = plan.make(self._before), plan.make(self._after)
        would_go, do_go = plan.leaving(before), plan.leaving(after)
        going = [key for key in do_go if key not in would_go]
        were_coming, are_coming = plan.coming(before), plan.coming(after)
        coming = {key: one for key, one in are_coming.items() if key not in were_coming}
        return Effect(
            stored.collection.name,
            len(going),
            tuple(self._examples(plan.standing_for(going), plan.verdicts(self._after))),
            len(coming),
            tuple(self._examples(coming.values(), plan.verdicts(self._after))),
            kept_out=len(were_coming.keys() - are_coming.keys()),
            kept=len(would_go.keys() - do_go.keys()),
        )

    def _feeding(self, stored: StoredCollection) -> tuple[Mapping[int, StoredPulse], list[Candidate]]:
        """The pulses that may feed the collection, and what they have of what is concerned."""
        author = stored.collection.author
        if author is None:
            return self._pulses, self._found
        carriers = {pk: one for pk, one in self._pulses.items() if one.pulse.author == author}
        return carriers, [one for one in self._found if one.pulse_pk in carriers]

    def _examples(self, found: Iterable[Candidate], verdicts: Verdicts) -> Iterator[Example]:
        for one in islice(found, EXAMPLES):
            yield self._example(one, verdicts.of(one))

    def _example(self, one: Candidate, decision: Decision) -> Example:
        pulse = self._pulses[one.pulse_pk].pulse
        return Example(one.type, one.value, pulse.id, pulse.name, decision.rule, decision.reason)


def _concerned(connection: Connection, change: Change) -> list[Candidate]:
    """The stored indicators that the change is about, each once."""
    found = {one.pk: one for one in covered(connection, [*change.allow, *change.disallow])}
    forced = {one.identity for one in (*change.force, *change.unforce)}
    found |= {one.pk: one for one in candidates.with_identities(connection, forced)}
    return list(found.values())


class _Planning:
    """Plans for one collection, in what is concerned."""

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
        self._by_pk = {one.pk: one for one in found}
        self._by_key: dict[bytes, list[Candidate]] = defaultdict(list)
        for one in found:
            self._by_key[self._key(one)].append(one)
        places = placing.with_identities(connection, stored.id, self._by_key.keys())
        there = blocks.published(connection, stored.id, {block_id for _, _, block_id in places})
        self._places = in_order((one for one in places if one[2] in there), once=self._once)
        self._standing = standing_of(stored.collection, there, carriers, moment)

    def _key(self, one: Candidate) -> bytes:
        """What it is placed under."""
        return one.identity if self._once else pulse_identity(one.pulse_pk, one.identity)

    def make(self, policy: Policy) -> Plan:
        return compare(self._wanted(policy), self._places, self._standing, once=self._once)

    def verdicts(self, policy: Policy) -> Verdicts:
        made = Verdicts(self._collection, policy, self._moment)
        made.learn_all(self._carriers.values())
        return made

    def _wanted(self, policy: Policy) -> list[Wanted]:
        verdicts = self.verdicts(policy)
        found = (one for group in self._by_key.values() for one in group if verdicts.of(one).included)
        return in_order(((one.identity, one.pk, one.pulse_pk) for one in found), once=self._once)

    def leaving(self, plan: Plan) -> dict[bytes, int]:
        """The places that are given up, each with its block."""
        return {identity: block_id for block_id, gone in plan.leaving.items() for identity in gone}

    def coming(self, plan: Plan) -> dict[bytes, Candidate]:
        """What enters, but for what only moves to another block."""
        moving = {identity for identities in plan.moving.values() for identity in identities}
        entering = (self._by_pk[pk] for keys in plan.entering.values() for pk in keys)
        return {key: one for one in entering if (key := self._key(one)) not in moving}

    def standing_for(self, keys: Iterable[bytes]) -> Iterator[Candidate]:
        """The indicators that stand at these places."""
        stood: dict[bytes, Place] = {place[0]: place for place in self._places}
        for key in keys:
            group = self._by_key[key]
            yield next((one for one in group if one.pk == stood[key][1]), group[0])
