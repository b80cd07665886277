"""What entries of the allow list cover, and what they would take out: the publication's own plan, not carried out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice

from pulsegate.curation.allow_list import AllowList
from pulsegate.curation.policy import Policy
from pulsegate.model.collection import CollectionKind
from pulsegate.model.decisions import Allowed
from pulsegate.model.indicator import IndicatorType
from pulsegate.publication.marking import with_decisions
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
    """How many indicators of a collection go, with up to ``EXAMPLES`` of them."""

    collection: str
    going: int
    examples: tuple[Example, ...]


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
    """What would leave which collections if the allow list had these entries too: what leaves only with them.

    Reads what the entries may cover, and writes nothing. Packages in inboxes are kept as they were pushed.
    """
    with database.snapshot() as connection:
        comparison = _Comparison(connection, policy, entries)
        by_rule = (one for one in collections.every(connection) if one.collection.kind is not CollectionKind.INBOX)
        found = [comparison.of(stored) for stored in by_rule]
    return [one for one in found if one.going]


class _Comparison:
    """The publication's plans with and without the entries, for what these cover, in one snapshot."""

    def __init__(self, connection: Connection, policy: Policy, entries: Sequence[Allowed]) -> None:
        self._connection = connection
        self._moment = now(connection)
        self._before = with_decisions(connection, policy)
        given = {(one.kind, one.text): one for one in (*self._before.allow.entries, *entries)}
        self._after = replace(self._before, allow=AllowList(given.values()))
        # Noted, as they will be: else nothing asks the allow list about them.
        self._found = [replace(one, noted=True) for one in covered(connection, entries)]
        self._pulses = {one.pk: one for one in pulses.some(connection, {one.pulse_pk for one in self._found})}

    def of(self, stored: StoredCollection) -> Effect:
        carriers, found = self._concerned(stored)
        if not found:
            return Effect(stored.collection.name, 0, ())
        plan = _Planning(self._connection, stored, carriers, found, self._moment)
        staying = {identity for gone in plan.make(self._before).leaving.values() for identity in gone}
        leaving = [identity for gone in plan.make(self._after).leaving.values() for identity in gone]
        going = [identity for identity in leaving if identity not in staying]
        examples = islice((self._example(one) for one in plan.standing_for(going)), EXAMPLES)
        return Effect(stored.collection.name, len(going), tuple(examples))

    def _concerned(self, stored: StoredCollection) -> tuple[Mapping[int, StoredPulse], list[Candidate]]:
        """The pulses that may feed the collection, and what they have of what is covered."""
        author = stored.collection.author
        if author is None:
            return self._pulses, self._found
        carriers = {pk: one for pk, one in self._pulses.items() if one.pulse.author == author}
        return carriers, [one for one in self._found if one.pulse_pk in carriers]

    def _example(self, one: Candidate) -> Example:
        pulse = self._pulses[one.pulse_pk].pulse
        return Example(one.type, one.value, pulse.id, pulse.name, "allow-list", "the allow list would cover it")


class _Planning:
    """Plans for one collection, in what is covered."""

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
        self._by_key: dict[bytes, list[Candidate]] = defaultdict(list)
        for one in found:
            self._by_key[one.identity if self._once else pulse_identity(one.pulse_pk, one.identity)].append(one)
        places = placing.with_identities(connection, stored.id, self._by_key.keys())
        there = blocks.published(connection, stored.id, {block_id for _, _, block_id in places})
        self._places = in_order((one for one in places if one[2] in there), once=self._once)
        self._standing = standing_of(stored.collection, there, carriers, moment)

    def make(self, policy: Policy) -> Plan:
        return compare(self._wanted(policy), self._places, self._standing, once=self._once)

    def _wanted(self, policy: Policy) -> list[Wanted]:
        verdicts = Verdicts(self._collection, policy, self._moment)
        verdicts.learn_all(self._carriers.values())
        found = (one for group in self._by_key.values() for one in group if verdicts.of(one).included)
        return in_order(((one.identity, one.pk, one.pulse_pk) for one in found), once=self._once)

    def standing_for(self, keys: Iterable[bytes]) -> Iterator[Candidate]:
        """The indicators that stand at these places."""
        stood: dict[bytes, Place] = {place[0]: place for place in self._places}
        for key in keys:
            group = self._by_key[key]
            yield next((one for one in group if one.pk == stood[key][1]), group[0])
