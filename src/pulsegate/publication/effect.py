"""What decisions would do: the publication's own plans with and without them, not carried out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import islice
from typing import Any

from pulsegate.curation.allow_list import AllowList
from pulsegate.curation.decide import Decision
from pulsegate.curation.policy import Policy
from pulsegate.model.decisions import Allowed
from pulsegate.model.indicator import IndicatorType
from pulsegate.publication.change import Change
from pulsegate.publication.marking import recalled
from pulsegate.publication.part import Part
from pulsegate.publication.surroundings import by_rule
from pulsegate.publication.trial import EXAMPLES, Example
from pulsegate.publication.verdicts import Verdicts
from pulsegate.store import affected, candidates, collections, pulses
from pulsegate.store.collections import StoredCollection
from pulsegate.store.database import Connection, Database, now
from pulsegate.store.pulses import Candidate


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
        found = [comparison.of(stored) for stored in by_rule(collections.every(connection))]
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
        part = Part(self._connection, stored, self._pulses.values(), self._found, self._moment)
        found = part.difference(self._before, self._after)
        verdicts = part.verdicts(self._after)
        return Effect(
            stored.collection.name,
            len(found.going),
            tuple(self._examples(found.going, verdicts)),
            len(found.coming),
            tuple(self._examples(found.coming, verdicts)),
            kept_out=found.kept_out,
            kept=found.kept,
        )

    def _examples(self, found: Iterable[Candidate], verdicts: Verdicts) -> Iterator[Example]:
        for one in islice(found, EXAMPLES):
            yield self._example(one, verdicts.of(one))

    def _example(self, one: Candidate, decision: Decision) -> Example:
        pulse = self._pulses[one.pulse_pk].pulse
        return Example(one.type, one.value, pulse.id, pulse.name, decision.rule, decision.reason)


def _concerned(connection: Connection, change: Change) -> list[Candidate]:
    """The stored indicators that the change is about, each once."""
    found = {one.pk: one for one in covered(connection, [*change.allow, *change.disallow])}
    decided = (*change.force, *change.unforce)
    forced = {key for one in decided for key in affected.by_override(one.type, one.value, one.identity)}
    found |= {one.pk: one for one in candidates.with_identities(connection, forced)}
    return list(found.values())
