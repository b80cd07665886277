"""What a change of a collection's rules would do: the publication's own plan, made and not carried out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice

from pulsegate.curation.decide import Decision, out
from pulsegate.curation.policy import Policy
from pulsegate.model.collection import Collection, CollectionKind
from pulsegate.publication import marking
from pulsegate.publication.marking import with_decisions
from pulsegate.publication.plan import Plan, compare, in_order, keyed_anew, place_identity
from pulsegate.publication.planning import standing_of
from pulsegate.publication.verdicts import Verdicts, as_candidate
from pulsegate.store import blocks, candidates, collections, placing, pulses
from pulsegate.store.collections import StoredCollection
from pulsegate.store.database import Connection, Database, now
from pulsegate.store.placing import Place
from pulsegate.store.pulses import StoredIndicator

EXAMPLES = 10
_ELSEWHERE = out("deduplicate", "a value is carried once, and another pulse carries it")


@dataclass(frozen=True, slots=True)
class Example:
    """An indicator that comes or goes, its pulse, and why: ``rule`` is ``in``, or what keeps it out."""

    type: str
    value: str
    pulse_id: str
    pulse_name: str
    rule: str
    reason: str


@dataclass(frozen=True, slots=True)
class Trial:
    """How many indicators would come and go, with examples of each; ``holds``: how many there are now."""

    name: str
    is_new: bool
    holds: int
    coming: int = 0
    going: int = 0
    arrivals: list[Example] = field(default_factory=list)
    departures: list[Example] = field(default_factory=list)


def trial(database: Database, policy: Policy, collection: Collection, examples: int = EXAMPLES) -> Trial:
    """What a publication would do if the collection were as given. Writes nothing.

    Where ``deduplicate`` is switched, a value that has passed to another pulse since the last publication counts as one
    that goes and one that comes. Nothing can be told of the packages in an inbox but how many of their indicators are
    too old.
    """
    policy = replace(policy, lists=policy.lists.needing(collection.warning_lists or ()))
    marking.refresh(database, policy)
    with database.snapshot() as connection:
        stored = collections.get(connection, collection.name)
        if collection.kind is CollectionKind.INBOX:
            return _of_inbox(connection, stored, collection)
        return _Comparison(connection, stored, policy, collection).run(examples)


def _of_inbox(connection: Connection, stored: StoredCollection | None, collection: Collection) -> Trial:
    if stored is None:
        return Trial(collection.name, is_new=True, holds=0)
    held = collections.sizes(connection)[collection.name].indicators
    limit = collection.max_age
    old = blocks.older_than(connection, stored.id, now(connection) - limit) if limit is not None else []
    return Trial(collection.name, is_new=False, holds=held, going=sum(one.indicators for one in old))


class _Comparison:
    """The given rules against what is placed, in one snapshot."""

    def __init__(
        self, connection: Connection, stored: StoredCollection | None, policy: Policy, collection: Collection
    ) -> None:
        self._connection = connection
        self._id = stored.id if stored else None
        self._once = collection.deduplicate
        self._name = collection.name
        moment = now(connection)
        self._verdicts = Verdicts(collection, with_decisions(connection, policy), moment)
        self._order = self._verdicts.learn_all(pulses.every(connection, collection.author))
        there = blocks.published(connection, self._id) if self._id is not None else {}
        self._standing = standing_of(connection, collection, there, self._order, moment, self._verdicts.omitted)

    def run(self, examples: int) -> Trial:
        plan = self._plan(self._placed())
        keys: dict[bytes, bytes] = {}
        if self._id is not None and plan.entering and plan.leaving:  # as a publication does where that was switched
            found = blocks.keyed_otherwise(self._connection, self._id, list(plan.leaving), once=self._once)
            keys = keyed_anew(found, once=self._once)
            plan = self._plan(self._under(keys)) if keys else plan
        moving = {identity for identities in plan.moving.values() for identity in identities}
        return Trial(
            self._name,
            is_new=self._id is None,
            holds=sum(one.indicators for one in self._standing.blocks.values()),
            coming=sum(map(len, plan.entering.values())) - len(moving),
            going=sum(map(len, plan.leaving.values())),
            arrivals=list(islice(self._arrivals(plan, moving), examples)),
            departures=list(islice(self._departures(plan, keys), examples)),
        )

    def _plan(self, placed: Iterable[Place]) -> Plan:
        wanted = self._verdicts.wanted(self._connection, by_identity=self._once)
        return compare(wanted, placed, self._standing, once=self._once)

    def _placed(self) -> Iterator[Place]:
        if self._id is None:
            return iter(())
        found = placing.walk(self._connection, self._id, by_identity=self._once)
        return (one for one in found if one[2] in self._standing.blocks)

    def _under(self, keys: Mapping[bytes, bytes]) -> Iterable[Place]:
        """What is placed, under the identities of the new rule and in their order."""
        new = {old: identity for identity, old in keys.items()}
        places = ((new.get(identity, identity), pk, block_id) for identity, pk, block_id in self._placed())
        return in_order(places, once=self._once)

    def _arrivals(self, plan: Plan, moving: set[bytes]) -> Iterator[Example]:
        """Those of the pulses that were modified last come first."""
        for pulse_pk in reversed(self._order):
            for identity, one in candidates.by_keys(self._connection, plan.entering.get(pulse_pk, ())):
                own = place_identity(pulse_pk, identity, once=self._once)
                if own not in moving:
                    yield self._example(one, self._verdicts.of(as_candidate(one)))

    def _departures(self, plan: Plan, keys: Mapping[bytes, bytes]) -> Iterator[Example]:
        """Of an indicator that is stored no longer nothing can be told."""
        for block_id, identities in plan.leaving.items():
            gone = {keys.get(identity, identity) for identity in identities}
            placed = blocks.in_block(self._connection, block_id)
            there = [one.indicator_pk for one in placed if one.identity in gone]
            for _, one in candidates.by_keys(self._connection, there):
                decision = self._verdicts.of(as_candidate(one))
                yield self._example(one, _ELSEWHERE if decision.included else decision)

    def _example(self, one: StoredIndicator, decision: Decision) -> Example:
        pulse = pulses.by_pk(self._connection, one.pulse_pk)
        id_, name = (pulse.pulse.id, pulse.pulse.name) if pulse else ("", "")
        return Example(one.indicator.type.value, one.indicator.value, id_, name, decision.rule, decision.reason)
