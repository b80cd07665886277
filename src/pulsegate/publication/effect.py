"""What entries of the allow list cover, and what they would take out: the publication's own plan, not carried out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from pulsegate.curation.allow_list import AllowList
from pulsegate.curation.policy import Policy
from pulsegate.model.collection import CollectionKind
from pulsegate.model.decisions import Allowed
from pulsegate.model.indicator import IndicatorType
from pulsegate.publication.marking import with_decisions
from pulsegate.publication.part import Part
from pulsegate.publication.trial import EXAMPLES, Example
from pulsegate.store import affected, candidates, collections, pulses
from pulsegate.store.collections import StoredCollection
from pulsegate.store.database import Connection, Database, now
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
        plan = Part(self._connection, stored, carriers, found, self._moment)
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
