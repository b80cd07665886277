"""Carrying a plan out: blocks are rendered and checked first, then labelled and linked in short transactions.

Each transaction locks the ledger row first and gives labels after its frontier; it verifies that what it ends is still
what was planned from, and is rolled back and planned again when another publisher was faster.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import TypeVar

import structlog

from pulsegate.curation.list_choice import unload
from pulsegate.curation.policy import Policy
from pulsegate.errors import PublicationConflictError
from pulsegate.model.collection import CollectionKind
from pulsegate.model.omission import Omission
from pulsegate.publication import inbox, marking, planning, refresh
from pulsegate.publication.backfill import Backfill
from pulsegate.publication.built_in import author_collection
from pulsegate.publication.labels import EARLIEST, Labels
from pulsegate.publication.outlook import Outlook, Scope, look, reflected
from pulsegate.publication.plan import Plan, keyed_anew, pulse_identity
from pulsegate.publication.planning import LAG, Planned
from pulsegate.publication.render import Job, Rendered, Renderer, Rewritten
from pulsegate.publication.writers import Writers, collect_rarely
from pulsegate.store import blocks as stored_blocks
from pulsegate.store import (
    collections,
    failures,
    ledger,
    omissions,
    pulses,
    reflections,
    tallies,
    touched,
    versions,
    withdrawals,
)
from pulsegate.store.blocks import Ready
from pulsegate.store.collections import StoredCollection
from pulsegate.store.contents import Text
from pulsegate.store.database import Connection, Database, now
from pulsegate.store.ledger import Ledger
from pulsegate.store.locks import PUBLISH, hold
from pulsegate.store.withdrawals import Left

log = structlog.get_logger(__name__)

BATCH_BLOCKS = 20  # labelled in one transaction, so that a poll never waits long for it
BATCH_INDICATORS = 2_000
LARGE = 5_000  # indicators that enter at once: those are written in processes of their own
CLEARED = 20  # staged blocks dropped in one transaction
LOCK_WAIT = 600.0  # seconds
TRIES = 5  # plans, when other publishers come in between
T = TypeVar("T")


@dataclass(slots=True)
class Publication:
    """What one publication changed in one collection."""

    collection: str
    added: int = 0
    removed: int = 0
    new_blocks: int = 0
    rewritten_blocks: int = 0
    deleted_blocks: int = 0
    refreshed_blocks: int = 0
    failed: int = 0  # indicators that could not be written as STIX

    @property
    def changed(self) -> bool:
        blocks = self.refreshed_blocks + self.deleted_blocks + self.rewritten_blocks
        return bool(self.added or self.removed or blocks)


@dataclass(slots=True)
class _Step:
    """One transaction: blocks that lose something, and new blocks, perhaps with what those have lost."""

    rewritten: list[Rewritten] = field(default_factory=list)
    new: list[Rendered] = field(default_factory=list)


def publish_all(
    database: Database, policy: Policy, on_collection: Callable[[str], None] = lambda _name: None
) -> list[Publication]:
    """Bring every collection up to date with the store.

    The lock spares publishers to do the same work twice; that they don't undo each other's is the ledger's doing.
    """
    with hold(database, PUBLISH, wait=LOCK_WAIT):
        return publish_unlocked(database, policy, on_collection)


def publish_unlocked(
    database: Database, policy: Policy, on_collection: Callable[[str], None] = lambda _name: None
) -> list[Publication]:
    """``publish_all`` for one that holds the lock."""
    collect_rarely()
    marking.refresh(database, policy)
    done = []
    with closing(Writers(database)) as writers:
        every = _collections(database)
        outlook = look(database, policy)
        idle = []
        for stored in every:
            on_collection(stored.collection.name)
            scope = _scope(database, stored, outlook)
            if _is_idle(stored, scope):
                idle.append(stored.id)
                done.append(Publication(stored.collection.name))
            else:
                done.append(publish(database, stored, policy, writers, scope))
    _conclude(database, outlook, idle, every)
    return done


def _scope(database: Database, stored: StoredCollection, outlook: Outlook) -> Scope | None:
    with database.snapshot() as connection:
        return outlook.scope(connection, stored)


def _is_idle(stored: StoredCollection, scope: Scope | None) -> bool:
    """Whether nothing is to be done in a collection with this scope."""
    is_by_rule = stored.collection.kind is not CollectionKind.INBOX
    return is_by_rule and stored.collection.refresh is None and scope is not None and not scope


def _conclude(database: Database, outlook: Outlook, idle: Sequence[int], every: Sequence[StoredCollection]) -> None:
    """Every collection reflects what was noted before; versions that no reading needs any more are forgotten."""
    with database.write() as connection:
        reflections.advance(connection, idle, outlook.moment)
        touched.forget(connection, outlook.noted.rows)
    with database.read() as connection:
        before = now(connection) - outlook.policy.results_kept
        outdated = versions.outdated(connection, before)
    for stored in every:
        if stored.id in outdated:
            with database.write() as connection:
                versions.purge(connection, stored.collection.name, stored.id, before)


def _collections(database: Database) -> list[StoredCollection]:
    """All collections, those of new authors included. Writes only where there is something to write."""
    with database.read() as connection:
        every = collections.every(connection)
        there = {stored.collection.name for stored in every}
        wanted = [author_collection(author) for author in pulses.authors(connection)]
        new = [collection for collection in wanted if collection.name not in there]
        bereft = stored_blocks.has_lost_blocks(connection)
    if not new and not bereft:
        return every
    with database.write() as connection:
        forgotten = stored_blocks.reconcile(connection) if bereft else 0
        for collection in new:
            collections.put(connection, collection)
        every = collections.every(connection)
    if forgotten:
        log.warning("publication.blocks_were_deleted_elsewhere", indicators=forgotten)
    return every


def publish(
    database: Database,
    stored: StoredCollection,
    policy: Policy,
    writers: Writers | None = None,
    scope: Scope | None = None,
) -> Publication:
    """Bring one collection up to date: what is in the scope, or everything.

    Plans again, everything then, when another publisher came in between.
    """
    if writers is None:
        with closing(Writers(database)) as own:
            return publish(database, stored, policy, own, scope)
    done = Publication(stored.collection.name)
    for attempt in range(1, TRIES + 1):
        try:
            if stored.collection.kind is CollectionKind.INBOX:
                _expire(database, stored, done)
            else:
                _Publisher(database, stored, policy, done, writers, scope).run()
            break
        except PublicationConflictError:
            if attempt == TRIES:
                raise
            log.info("publication.planned_again", collection=done.collection, attempt=attempt)
            scope = None
            with database.write() as connection:
                stored_blocks.forget_lost(connection, stored.id)
    if done.changed:
        log.info("collection.published", collection=done.collection, **_counts(done))
    return done


def _expire(database: Database, stored: StoredCollection, done: Publication) -> None:
    """What is pushed is published when it comes; here it only grows old."""
    expired = inbox.expire(database, stored)
    done.deleted_blocks += expired.blocks
    done.removed += expired.indicators


class _Publisher:
    """One attempt at one publication of one collection."""

    def __init__(
        self,
        database: Database,
        stored: StoredCollection,
        policy: Policy,
        done: Publication,
        writers: Writers,
        scope: Scope | None,
    ) -> None:
        self._database = database
        self._scope = scope
        self._writers = writers
        self._stored = stored
        self._id = stored.id
        self._collection = stored.collection
        self._policy = policy
        self._done = done
        self._renderer = Renderer(database, stored.collection, self._fail)
        self._answered = EARLIEST
        self._recorded: datetime | None = None
        self._lost: dict[bytes, bytes] = {}

    def run(self) -> None:
        self._clear_staged()
        planned = self._plan()
        if planned.plan.entering and planned.plan.leaving and self._key_anew(planned.plan):
            planned = self._plan()
        plan = planned.plan
        self._lost = self._values_lost(plan)
        self._adopt(plan)
        try:
            jobs = (self._renderer.job(pk, plan.entering[pk], plan.omitted) for pk in planned.order)
            large = self._writers.busy or sum(map(len, plan.entering.values())) > LARGE
            written = self._written(jobs, large=large)
            if large:
                unload()  # the warning lists: it needs the memory
            if large and not plan.moving:
                backfill = Backfill(self._database, self._stored, self._writers.copies, self._count_new)
                backfill.run(written)
            self._carry_out_all(self._steps(plan, written))
        except PublicationConflictError:
            raise
        except Exception:  # no fault in writing what is new may hold up a withdrawal
            self._carry_out_all(self._leaving(plan))
            raise
        self._refresh()
        self._settle(planned.moment, plan.waiting)

    def _plan(self) -> Planned:
        return planning.make(self._database, self._stored, self._policy, self._scope)

    def _clear_staged(self) -> None:
        cleared = CLEARED
        while cleared == CLEARED:
            with self._database.write() as connection:
                # Else it waits for a block that is being published, and takes it.
                ledger.lock(connection, self._collection.name)
                cleared = stored_blocks.clear_staged(connection, self._id, limit=CLEARED)

    def _key_anew(self, plan: Plan) -> bool:
        """Where ``deduplicate`` was switched, let what is placed stay where it is, under the identity of the new rule.

        Of several places of one value the one of the oldest pulse takes it; the others leave with the next plan. So a
        value never leaves in order to enter. Gives whether there was anything to do.
        """
        once = self._collection.deduplicate
        with self._database.read() as connection:
            found = stored_blocks.keyed_otherwise(connection, self._id, list(plan.leaving), once=once)
        keys = keyed_anew(found, once=once)
        pairs = ((old, new) for new, old in keys.items())
        while batch := list(islice(pairs, BATCH_INDICATORS)):
            with self._database.write() as connection:
                ledger.lock(connection, self._collection.name)
                stored_blocks.key_anew(connection, self._id, batch)
        if keys:
            log.info("collection.keyed_anew", collection=self._collection.name, deduplicate=once, indicators=len(keys))
        return bool(keys)

    def _values_lost(self, plan: Plan) -> dict[bytes, bytes]:
        """Where each pulse carries its own: of what leaves since its pulse has lost it, the value's identity."""
        leaving = {identity for identities in plan.leaving.values() for identity in identities}
        if self._collection.deduplicate or not leaving:
            return {}
        with self._database.read() as connection:
            lost = ((pulse_identity(*one), one[1]) for one in touched.gone(connection))
            return {place: value for place, value in lost if place in leaving}

    def _adopt(self, plan: Plan) -> None:
        adopted = list(plan.adopted.items())
        for start in range(0, len(adopted), BATCH_INDICATORS):
            with self._database.write() as connection:
                for identity, pk in adopted[start : start + BATCH_INDICATORS]:
                    stored_blocks.adopt(connection, self._id, identity, pk)

    def _written(self, jobs: Iterable[Job], *, large: bool) -> Iterator[tuple[Job, Rendered]]:
        """The blocks of the jobs, with theirs; what could not be written is told."""
        if large:
            for job, one in self._writers.write(jobs):
                yield from ((job, good) for good in self._renderer.good([one]))
        else:
            for job in jobs:
                yield from ((job, one) for one in self._renderer.new(job))

    def _steps(self, plan: Plan, written: Iterator[tuple[Job, Rendered]]) -> Iterator[_Step]:
        """What enters, then what only leaves. The last of the one and the first of the other are one transaction.

        So a small publication is one: no poll sees a part of it. They are of different blocks, so neither was rendered
        from what the other changes.
        """
        last: _Step | None = None
        for step, is_last in self._entering(plan, written):
            if is_last:
                last = step
            else:
                yield step
        try:
            for step in self._leaving(plan):
                if last is not None:
                    step.rewritten[:0] = last.rewritten
                    step.new, last = last.new, None
                yield step
        except Exception:  # nor may a fault in rewriting hold up what is new
            if last is not None:
                yield last
            raise
        if last is not None:
            yield last

    def _entering(self, plan: Plan, written: Iterator[tuple[Job, Rendered]]) -> Iterator[tuple[_Step, bool]]:
        """What enters, in one step with what leaves its block to move there; and whether the step is the last.

        A step is made when the one before it was carried out: both may take something out of the same block.

        It comes before what only leaves: so at no moment a value that is still wanted stands in no block; nor in two,
        where each is carried once.
        """
        moving = {identity: block_id for block_id, identities in plan.moving.items() for identity in identities}
        batches = _batches((one for _, one in written), lambda one: len(one.placed))
        for batch, is_last in _with_last(batches):
            losing: dict[int, set[bytes]] = {}
            for identity in (identity for one in batch for identity, _ in one.placed):
                if identity in moving:
                    losing.setdefault(moving[identity], set()).add(identity)
            for block_id, gone in losing.items():
                gone.update(plan.leaving.pop(block_id, ()))
            shrinking = {block_id: plan.shrinking.pop(block_id, {}) for block_id in losing}
            found = (self._renderer.without(block_id, gone, shrinking[block_id]) for block_id, gone in losing.items())
            yield _Step(rewritten=[one for one in found if one is not None], new=batch), is_last

    def _leaving(self, plan: Plan) -> Iterator[_Step]:
        """What only leaves, of several blocks at once: what has left is noted at random places of an index."""
        found = (
            self._renderer.without(block_id, set(plan.leaving.get(block_id, ())), plan.shrinking.get(block_id))
            for block_id in dict.fromkeys([*plan.leaving, *plan.shrinking])
        )
        for batch in _batches((one for one in found if one is not None), lambda one: len(one.gone)):
            yield _Step(rewritten=batch)

    def _carry_out_all(self, steps: Iterable[_Step]) -> None:
        for step in steps:
            self._carry_out(step)

    def _carry_out(self, step: _Step) -> None:
        staged = self._stage(step.new)
        with self._database.write() as connection:
            row = ledger.lock(connection, self._collection.name)
            moment = now(connection)
            labels = self._labels(row, moment)
            moving = {identity for new in step.new for identity, _ in new.placed}
            left = sum(self._take_out(connection, one, row.revision + 1, moving) for one in step.rewritten)
            ready = [
                Ready(block_id, labels.give(new.modified), list(new.placed), len(new.placed))
                for block_id, new in zip(staged, step.new, strict=True)
            ]
            if ready:
                stored_blocks.publish(connection, self._id, row.revision + 1, ready)
            self._recorded = ledger.record(connection, self._collection.name, labels.frontier).frontier
            moved = sum(len(one.gone) for one in step.rewritten) - left
            tallies.count(connection, moment, self._collection.name, len(moving) - moved, left)
        self._count(step)

    def _stage(self, new: Sequence[Rendered]) -> list[int]:
        if not new:
            return []
        with self._database.write() as connection:
            profile = self._collection.profile
            texts = [Text(one.pulse_pk, one.content, profile=profile, omitted=one.omitted) for one in new]
            return stored_blocks.stage_all(connection, self._id, texts)

    def _take_out(self, connection: Connection, rewritten: Rewritten, revision: int, moving: AbstractSet[bytes]) -> int:
        """``moving``: what has another block from this transaction on, and so does not leave the collection.

        Gives how many leave it.
        """
        values = self._values(connection, rewritten.block.id)
        left = stored_blocks.unplace(connection, rewritten.block, rewritten.gone)
        withdrawn = [one for one in left if one[0] not in moving] if moving else left
        moment = now(connection)
        lacking = {identity: rewritten.lacking[identity] for identity, _ in withdrawn if identity in rewritten.lacking}
        named = [(values.get(identity, identity), label) for identity, label in withdrawn]
        without = _without(lacking.values(), moment)
        withdrawals.note(connection, self._id, [*named, *rewritten.parts, *without], moment)
        touched.touch_indicators(connection, rewritten.excess)
        if rewritten.content is None:
            stored_blocks.delete(connection, self._id, rewritten.block, revision)
        else:
            stored_blocks.rewrite(connection, rewritten.block, revision, rewritten.content, rewritten.omitted)
        return len({identity for identity, _ in withdrawn})

    def _values(self, connection: Connection, block_id: int) -> dict[bytes, bytes]:
        """Of what stands in the block under identities of other kinds, the value's: under that it is noted as left.

        What a pulse has lost since the plan was made is not there, and is noted as it was placed.
        """
        if self._collection.deduplicate:
            return {}
        return self._lost | stored_blocks.values_in(connection, block_id)

    def _labels(self, row: Ledger, moment: datetime) -> Labels:
        """What labels this transaction may give. A frontier that only this publication moved was answered to nobody."""
        if row.frontier != self._recorded:
            self._answered = row.frontier if row.opened is not None else EARLIEST
        return Labels(row.frontier, self._answered, moment)

    def _refresh(self) -> None:
        """Publish again what is due, under new labels; only what every client has had the time to fetch moves on."""
        interval = self._collection.refresh
        if interval is None:
            return
        with self._database.read() as connection:
            row, moment = ledger.get(connection, self._collection.name), now(connection)
            old = stored_blocks.older_than(connection, self._id, moment - LAG)
        if row is None or row.opened is None:
            return
        blocks = refresh.due(old, interval, max(row.opened, self._stored.changed), moment)
        while batch := list(islice(blocks, BATCH_BLOCKS)):
            with self._database.write() as connection:
                row = ledger.lock(connection, self._collection.name)
                labels = Labels(row.frontier, row.frontier, now(connection))
                for block in batch:
                    stored_blocks.relabel(connection, block, row.revision + 1, labels.give(EARLIEST))
                ledger.record(connection, self._collection.name, labels.frontier)
            self._done.refreshed_blocks += len(batch)

    def _settle(self, moment: datetime, waiting: Sequence[bytes]) -> None:
        """Open the collection after its first publication, and note as of when it reflects what is stored."""
        with self._database.write() as connection:
            touched.touch_values(connection, waiting)
            ledger.open_(connection, self._collection.name)
            if self._scope is None:
                reflections.put(connection, self._id, reflected(moment, self._collection, self._policy))
            else:
                reflections.advance(connection, [self._id], self._scope.until)

    def _fail(self, pk: int, reason: str) -> None:
        """What can't be written stops nothing else; it is kept with its reason and not tried again until it changes."""
        self._done.failed += 1
        log.warning("indicator.not_convertible", collection=self._collection.name, indicator=pk, reason=reason)
        with self._database.write() as connection:
            failures.mark(connection, pk, self._collection.profile, reason)

    def _count_new(self, blocks: int, indicators: int) -> None:
        self._done.new_blocks += blocks
        self._done.added += indicators

    def _count(self, step: _Step) -> None:
        self._count_new(len(step.new), sum(len(one.placed) for one in step.new))
        self._done.removed += sum(len(one.gone) for one in step.rewritten)
        deleted = sum(one.content is None for one in step.rewritten)
        self._done.deleted_blocks += deleted
        self._done.rewritten_blocks += len(step.rewritten) - deleted


def _batches(found: Iterable[T], size: Callable[[T], int]) -> Iterator[list[T]]:
    """At most ``BATCH_BLOCKS`` blocks, or about ``BATCH_INDICATORS`` indicators by the ``size`` of each, at once."""
    batch: list[T] = []
    for one in found:
        batch.append(one)
        if len(batch) >= BATCH_BLOCKS or sum(map(size, batch)) >= BATCH_INDICATORS:
            yield batch
            batch = []
    if batch:
        yield batch


def _without(lacking: Iterable[Omission], moment: datetime) -> Iterator[Left]:
    """Of networks that leave, the addresses that were not there: each as what begins when it ends (``stays._gone``)."""
    return ((omissions.part_key(one.network, address), moment) for one in lacking for address in one.addresses)


def _with_last(values: Iterable[T]) -> Iterator[tuple[T, bool]]:
    """Each with whether it is the last one. Where they break off with an error, none is."""
    found = iter(values)
    for current in found:
        while True:
            try:
                following = next(found)
            except StopIteration:
                yield current, True
                return
            except Exception:
                yield current, False
                raise
            yield current, False
            current = following  # noqa: PLW2901 - one ahead


def _counts(done: Publication) -> dict[str, int]:
    names = ("added", "removed", "new_blocks", "rewritten_blocks", "deleted_blocks", "refreshed_blocks")
    return {key: getattr(done, key) for key in names if getattr(done, key)}
