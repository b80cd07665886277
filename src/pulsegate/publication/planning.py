"""From the store to a plan: what a collection is to hold, and what it holds, in everything or in a part of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from pulsegate.curation.policy import Policy
from pulsegate.model.collection import Collection
from pulsegate.model.omission import Omission
from pulsegate.publication.marking import with_decisions
from pulsegate.publication.outlook import Scope
from pulsegate.publication.plan import Plan, Standing, compare, in_order, pulse_identity
from pulsegate.publication.verdicts import Verdicts
from pulsegate.store import blocks as stored_blocks
from pulsegate.store import candidates, omissions, placing, pulses
from pulsegate.store.blocks import StoredBlock
from pulsegate.store.collections import StoredCollection
from pulsegate.store.database import Connection, Database, now
from pulsegate.store.placing import Place
from pulsegate.store.pulses import Candidate

LAG = timedelta(days=1)  # the slowest client's clock error and polling interval: younger labels do not move


@dataclass(frozen=True, slots=True)
class Planned:
    """A plan, and the moment it is of. ``order``: the keys of the pulses that enter, the oldest first."""

    plan: Plan
    order: list[int]
    moment: datetime


def make(database: Database, stored: StoredCollection, policy: Policy, scope: Scope | None) -> Planned:
    """The plan for what is in the scope; None: for everything."""
    with database.snapshot() as connection:
        moment = now(connection)
        verdicts = Verdicts(stored.collection, with_decisions(connection, policy), moment)
        if scope is None:
            plan, order = _whole(connection, stored, verdicts, moment)
        else:
            plan, order = _part(connection, stored, verdicts, moment, scope)
    return Planned(plan, [pk for pk in order if pk in plan.entering], moment)


def standing_of(
    connection: Connection,
    collection: Collection,
    blocks: Mapping[int, StoredBlock],
    order: Iterable[int],
    moment: datetime,
    omitted: Mapping[int, Omission],
) -> Standing:
    """What plans of the collection are judged by at the moment; ``order``: the pulses' keys, the oldest first.

    ``omitted``: by ``Verdicts`` of what is wanted.
    """
    ages = {pk: place for place, pk in enumerate(order)}
    written = {key: found for key, found in omissions.read(connection).items() if key in blocks}
    return Standing(blocks, ages, moment - LAG, collection.profile, omitted, written)


def _whole(
    connection: Connection, stored: StoredCollection, verdicts: Verdicts, moment: datetime
) -> tuple[Plan, list[int]]:
    once = stored.collection.deduplicate
    order = verdicts.learn_all(pulses.every(connection, stored.collection.author))
    blocks = stored_blocks.published(connection, stored.id)
    standing = standing_of(connection, stored.collection, blocks, order, moment, verdicts.omitted)
    wanted = verdicts.wanted(connection, by_identity=once)
    placed = (one for one in placing.walk(connection, stored.id, by_identity=once) if one[2] in blocks)
    return compare(wanted, placed, standing, once=once), order


def _part(
    connection: Connection, stored: StoredCollection, verdicts: Verdicts, moment: datetime, scope: Scope
) -> tuple[Plan, list[int]]:
    once = stored.collection.deduplicate
    found = list(candidates.with_identities(connection, scope.identities))
    order = verdicts.learn_all(pulses.some(connection, {one.pulse_pk for one in found}))
    placed = _placed(connection, stored, found, scope)
    blocks = stored_blocks.published(connection, stored.id, {block_id for _, _, block_id in placed})
    standing = standing_of(connection, stored.collection, blocks, order, moment, verdicts.omitted)
    wanted = in_order(((one.identity, one.pk, one.pulse_pk) for one in found if verdicts.of(one).included), once=once)
    there = in_order((one for one in placed if one[2] in blocks), once=once)
    return compare(wanted, there, standing, once=once), order


def _placed(connection: Connection, stored: StoredCollection, found: list[Candidate], scope: Scope) -> list[Place]:
    """What is placed of the scope."""
    if stored.collection.deduplicate:
        return placing.with_identities(connection, stored.id, scope.identities)
    keys = {pulse_identity(one.pulse_pk, one.identity) for one in found}
    keys.update(pulse_identity(pulse_pk, identity) for pulse_pk, identity in scope.gone)
    return placing.with_identities(connection, stored.id, keys)
