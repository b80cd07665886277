"""What a warning list does to indicators that are on it: out of how many collections it takes each."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pulsegate.curation.policy import Policy
from pulsegate.publication.marking import recalled
from pulsegate.publication.surroundings import by_rule
from pulsegate.publication.verdicts import Verdicts, as_candidate
from pulsegate.store import collections, pulses
from pulsegate.store.database import Connection, now
from pulsegate.store.pulses import StoredIndicator, StoredPulse


@dataclass(frozen=True, slots=True)
class Told:
    """Of an indicator: its pulse, in how many collections it is, out of how many the list takes it, and others do."""

    pulse: StoredPulse | None
    inside: int
    by_list: int
    otherwise: int


def told(connection: Connection, policy: Policy, name: str, found: Sequence[StoredIndicator]) -> Mapping[int, Told]:
    """By the indicators' keys, as the next publication decides. For a few: each is decided on for each collection."""
    decided, moment = recalled(connection, policy), now(connection)
    carriers = {one.pk: one for one in pulses.some(connection, {one.pulse_pk for one in found})}
    mine = [as_candidate(one) for one in found]
    counts: dict[int, list[int]] = defaultdict(lambda: [0, 0, 0])
    for stored in by_rule(collections.every(connection)):
        author = stored.collection.author
        verdicts = Verdicts(stored.collection, decided, moment)
        verdicts.learn_all(carriers.values())
        for one in mine:
            if author is None or (one.pulse_pk in carriers and carriers[one.pulse_pk].pulse.author == author):
                decision = verdicts.of(one)
                place = 0 if decision.included else 1 if decision.rule == f"warning-list:{name}" else 2
                counts[one.pk][place] += 1
    return {one.pk: Told(carriers.get(one.pulse_pk), *counts[one.pk]) for one in found}
