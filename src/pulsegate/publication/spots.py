"""Where the indicators of one pulse stand, a page of them at a time: in each collection in, or out by which rule."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from pulsegate.curation.decide import decide_pulse, decide_review
from pulsegate.curation.policy import Policy
from pulsegate.publication.deciders import concerned
from pulsegate.publication.marking import as_marked
from pulsegate.publication.plan import place_identity, pulse_identity
from pulsegate.publication.surroundings import by_rule
from pulsegate.publication.verdicts import Verdicts, as_candidate
from pulsegate.store import around, collections, decisions, pulse_list
from pulsegate.store.around import Place
from pulsegate.store.collections import StoredCollection
from pulsegate.store.database import Connection, Database, now
from pulsegate.store.pulses import Candidate, StoredIndicator, StoredPulse


class Stand(StrEnum):
    """How an indicator stands in a collection."""

    IN = "in"
    ELSEWHERE = "elsewhere"  # the value is in, by another pulse
    COMES = "comes"  # with the next publication
    LEAVES = "leaves"  # with the next publication, unless another pulse has it
    OUT = "out"


@dataclass(frozen=True, slots=True)
class Spot:
    """An indicator in one collection; ``reason`` (with its ``rule``) says why it is out, or leaves."""

    collection: str
    stand: Stand
    rule: str
    reason: str
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Feed:
    """A collection that may have the pulse: whether its rules and a review let it in, and how many indicators stand."""

    collection: str
    included: bool
    rule: str
    reason: str
    standing: int


def feeds(connection: Connection, stored: StoredPulse) -> list[Feed]:
    """The pulse as a whole, in each collection but those of other authors."""
    moment = now(connection)
    there = pulse_list.standing(connection, [stored.pk]).get(stored.pk, {})
    review = decisions.reviewed(connection, [stored.pulse.id]).get(stored.pulse.id)
    trusted = decisions.trusted(connection).get(stored.pulse.author)
    found = []
    for one in _concerned(connection, stored):
        decision = decide_pulse(stored.pulse, one.collection, moment, active=stored.active)
        if decision.included:
            decision = decide_review(one.collection, review, trusted)
        name = one.collection.name
        found.append(Feed(name, decision.included, decision.rule, decision.reason, there.get(name, 0)))
    return found


def spots(
    database: Database, connection: Connection, policy: Policy, stored: StoredPulse, found: Sequence[StoredIndicator]
) -> Mapping[int, list[Spot]]:
    """By the keys of these indicators of the pulse, one for each collection but those of other authors."""
    moment = now(connection)
    mine = [as_candidate(one) for one in as_marked(database, connection, policy, found)]
    policy = concerned(connection, policy, moment, mine, [stored])
    every = _concerned(connection, stored)
    places = _places(connection, every, stored, mine)
    made: dict[int, list[Spot]] = {one.pk: [] for one in mine}
    for feed in every:
        verdicts = Verdicts(feed.collection, policy, moment)
        verdicts.learn(stored)
        for one in mine:
            key = place_identity(stored.pk, one.identity, once=feed.collection.deduplicate)
            place = places.get((feed.id, key))
            made[one.pk].append(_spot(feed.collection.name, verdicts, one, place))
    return made


def _concerned(connection: Connection, stored: StoredPulse) -> list[StoredCollection]:
    every = by_rule(collections.every(connection))
    return [one for one in every if one.collection.author in (None, stored.pulse.author)]


def _places(
    connection: Connection, every: Iterable[StoredCollection], stored: StoredPulse, mine: Sequence[Candidate]
) -> dict[tuple[int, bytes], Place]:
    keys = {key for one in mine for key in (one.identity, pulse_identity(stored.pk, one.identity))}
    found = around.places(connection, [one.id for one in every], keys)
    return {(one.collection_id, one.identity): one for one in found}


def _spot(name: str, verdicts: Verdicts, one: Candidate, place: Place | None) -> Spot:
    decision = verdicts.of(one)
    if place is not None and place.pulse_pk != one.pulse_pk:
        stand = Stand.ELSEWHERE
    elif place is not None:
        stand = Stand.IN if decision.included else Stand.LEAVES
    else:
        stand = Stand.COMES if decision.included else Stand.OUT
    return Spot(name, stand, decision.rule, decision.reason, place.since if place is not None else None)
