"""Carrying a plan out: blocks are rendered and checked first, then labelled and linked in short transactions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

import structlog

from pulsegate.curation.policy import Policy
from pulsegate.errors import ConversionError
from pulsegate.model.collection import Collection
from pulsegate.publication.built_in import author_collection
from pulsegate.publication.labels import EARLIEST, Labels
from pulsegate.publication.plan import Plan, deduplicated, each, pulse_identity
from pulsegate.publication.verdicts import Verdicts
from pulsegate.stix import Block, Failure, blocks
from pulsegate.store import blocks as stored_blocks
from pulsegate.store import collections, ledger, pulses
from pulsegate.store.database import Database, now
from pulsegate.store.digests import digest
from pulsegate.store.ledger import Ledger
from pulsegate.store.locks import PUBLISH, hold
from pulsegate.store.pulses import StoredIndicator, StoredPulse

log = structlog.get_logger(__name__)

BATCH_BLOCKS = 20  # labelled in one transaction, so that a poll never waits long for it
BATCH_INDICATORS = 2_000
REWRITE_BYTES = 4_000_000  # a block that only lost indicators stays one block, however long its pulse's text has grown
LOCK_WAIT = 600.0  # seconds


@dataclass(slots=True)
class Publication:
    """What one publication changed in one collection."""

    collection: str
    added: int = 0
    removed: int = 0
    new_blocks: int = 0
    rewritten_blocks: int = 0
    deleted_blocks: int = 0
    failed: int = 0  # indicators that could not be written as STIX

    @property
    def changed(self) -> bool:
        return bool(self.added or self.removed)


@dataclass(frozen=True, slots=True)
class _Rendered:
    pulse: StoredPulse
    content: bytes
    placed: list[tuple[bytes, int]]  # identity of the placement, key of the indicator


def publish_all(
    database: Database, policy: Policy, on_collection: Callable[[str], None] = lambda _name: None
) -> list[Publication]:
    """Bring every collection up to date with the store; one process at a time."""
    with hold(database, PUBLISH, wait=LOCK_WAIT):
        with database.write() as connection:
            forgotten = stored_blocks.reconcile(connection)
            for author in pulses.authors(connection):
                collections.put(connection, author_collection(author))
            every = collections.every(connection)
        if forgotten:
            log.warning("publication.blocks_were_deleted_elsewhere", indicators=forgotten)
        done = []
        for stored in every:
            on_collection(stored.collection.name)
            done.append(_Publisher(database, stored.id, stored.collection, policy).run())
        return done


class _Publisher:
    """One publication of one collection."""

    def __init__(self, database: Database, collection_id: int, collection: Collection, policy: Policy) -> None:
        self._database = database
        self._id = collection_id
        self._collection = collection
        self._policy = policy
        self._done = Publication(collection.name)
        self._answered = EARLIEST
        self._recorded: datetime | None = None

    def run(self) -> Publication:
        with self._database.write() as connection:
            stored_blocks.clear_staged(connection, self._id)
        plan, order = self._plan()
        for block_id, identities in plan.leaving.items():
            self._withdraw(block_id, identities)
        batch: list[_Rendered] = []
        for rendered in self._render(plan, order):
            batch.append(rendered)
            if len(batch) >= BATCH_BLOCKS or sum(len(one.placed) for one in batch) >= BATCH_INDICATORS:
                self._add(batch)
                batch = []
        self._add(batch)
        self._open()
        if self._done.changed:
            log.info("collection.published", collection=self._collection.name, **_counts(self._done))
        return self._done

    def _plan(self) -> tuple[Plan, list[int]]:
        """The plan, and the keys of the pulses in the order in which they are published: the oldest first."""
        with self._database.read() as connection:
            verdicts = Verdicts(self._collection, self._policy, now(connection))
            order = []
            for pulse in pulses.every(connection, self._collection.author):
                verdicts.learn(pulse)
                order.append(pulse.pk)
            once = self._collection.deduplicate
            found = pulses.candidates(connection, author=self._collection.author, by_identity=once)
            with self._database.read() as other:
                placed = stored_blocks.placed(other, self._id, by_identity=once)
                plan = (deduplicated if once else each)(found, placed, verdicts.wants)
        return plan, [pk for pk in order if pk in plan.entering]

    def _render(self, plan: Plan, order: list[int]) -> Iterator[_Rendered]:
        for pulse_pk in order:
            with self._database.read() as connection:
                pulse = pulses.by_pk(connection, pulse_pk)
                found = pulses.indicators_by_pk(connection, plan.entering[pulse_pk])
            if pulse is None:
                continue
            keys = {one.indicator.identity: one.pk for one in found}
            for block in self._blocks(pulse, found):
                if isinstance(block, Failure):
                    self._fail(keys[block.indicator.identity], block.reason)
                else:
                    yield _Rendered(pulse, block.content, self._placements(pulse_pk, block, keys))

    def _blocks(self, pulse: StoredPulse, found: list[StoredIndicator], **bounds: int) -> Iterator[Block | Failure]:
        """The blocks of these indicators; a pulse that can't be written at all is a failure of each of them."""
        members = [one.indicator for one in found]
        try:
            yield from blocks(pulse.pulse, members, self._collection.profile, **bounds)
        except ConversionError as error:
            yield from (Failure(member, str(error)) for member in members)

    def _placements(self, pulse_pk: int, block: Block, keys: dict[str, int]) -> list[tuple[bytes, int]]:
        placed = []
        for indicator in block.indicators:
            identity = digest(indicator.identity)
            if not self._collection.deduplicate:
                identity = pulse_identity(pulse_pk, identity)
            placed.append((identity, keys[indicator.identity]))
        return placed

    def _fail(self, pk: int, reason: str) -> None:
        """What can't be written stops nothing else; it is kept with its reason and not tried again until it changes."""
        self._done.failed += 1
        log.warning("indicator.not_convertible", collection=self._collection.name, indicator=pk, reason=reason)
        with self._database.write() as connection:
            pulses.mark_failure(connection, pk, reason)

    def _add(self, batch: list[_Rendered]) -> None:
        if not batch:
            return
        with self._database.write() as connection:
            staged = [stored_blocks.stage(connection, self._id, one.pulse.pk, one.content) for one in batch]
        with self._database.write() as connection:
            labels = self._labels(ledger.lock(connection, self._collection.name), now(connection))
            for block_id, rendered in zip(staged, batch, strict=True):
                label = labels.give(rendered.pulse.pulse.modified)
                stored_blocks.publish(connection, self._id, block_id, label, rendered.placed)
            row = ledger.record(connection, self._collection.name, labels.frontier)
            stored_blocks.settle(connection, self._id, staged, row.revision)
        self._recorded = row.frontier
        self._done.new_blocks += len(batch)
        self._done.added += sum(len(one.placed) for one in batch)

    def _labels(self, row: Ledger, moment: datetime) -> Labels:
        """What labels this transaction may give. A frontier that only this publication moved was answered to nobody."""
        if row.frontier != self._recorded:
            self._answered = row.frontier if row.opened else EARLIEST
        return Labels(row.frontier, self._answered, moment)

    def _withdraw(self, block_id: int, identities: list[bytes]) -> None:
        """Take indicators out of a block, under its old label; an emptied block goes."""
        content, gone = self._rerender(block_id, set(identities))
        with self._database.write() as connection:
            last = ledger.lock(connection, self._collection.name).frontier
            stored_blocks.unplace(connection, self._id, sorted(gone))
            if content is None:
                stored_blocks.delete(connection, self._id, block_id)
                self._done.deleted_blocks += 1
            else:
                stored_blocks.rewrite(connection, block_id, content)
                self._done.rewritten_blocks += 1
            ledger.record(connection, self._collection.name, last)
        self._done.removed += len(gone)

    def _rerender(self, block_id: int, leaving: set[bytes]) -> tuple[bytes | None, set[bytes]]:
        """The block without what is leaving it (None when nothing is left), and all that is then no longer in it.

        What the new rendering has no room for, since its pulse's texts have grown, leaves too; the next publication
        finds it unplaced and gives it a block.
        """
        with self._database.read() as connection:
            there = {one.indicator_pk: one.identity for one in stored_blocks.in_block(connection, block_id)}
            rest = [pk for pk, identity in there.items() if identity not in leaving]
            found = pulses.indicators_by_pk(connection, rest)
            owner = stored_blocks.owner(connection, block_id)
            pulse = pulses.by_pk(connection, owner) if owner is not None else None
        everything = set(there.values())
        if not found or pulse is None:
            return None, everything
        keys = {one.indicator.identity: one.pk for one in found}
        content, kept = None, set[bytes]()
        for block in self._blocks(pulse, found, max_indicators=len(found), max_bytes=REWRITE_BYTES):
            if isinstance(block, Failure):
                self._fail(keys[block.indicator.identity], block.reason)
            elif content is None:
                content, kept = block.content, {there[keys[one.identity]] for one in block.indicators}
        return content, everything - kept

    def _open(self) -> None:
        with self._database.read() as connection:
            known = ledger.get(connection, self._collection.name)
        if known is not None and not known.opened:
            with self._database.write() as connection:
                ledger.open_(connection, self._collection.name)


def _counts(done: Publication) -> dict[str, int]:
    return {key: getattr(done, key) for key in ("added", "removed", "new_blocks", "rewritten_blocks", "deleted_blocks")}
