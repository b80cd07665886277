"""Filling a collection that nobody is served yet: with the labels foreseen, and places in the order of their key.

Contents are staged as they come; fifty thousand indicators are placed at once, since places at random cost many
times as much; then the blocks are published, which takes no more than a note for each. A block that is placed but not
published is cleared like any staged one, and its places with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from pulsegate.publication.copies import Copies
from pulsegate.publication.labels import EARLIEST, Labels
from pulsegate.publication.render import Content, Job, Rendered
from pulsegate.store import blocks, ledger, placing, tallies
from pulsegate.store.candidates import Mark
from pulsegate.store.collections import StoredCollection
from pulsegate.store.contents import Text
from pulsegate.store.database import Connection, Database, now

GROUP = 50_000  # indicators placed in one go
PLACED = 8_000  # of them in one transaction: others wait for it on SQLite, a tenth of a second
STAGED = 40  # blocks staged in one transaction, or fewer
STAGED_BYTES = 1_500_000  # of their contents, or one block
RELEASED = 200  # blocks published in one transaction
RELABELLED = 20  # where they need other labels than were foreseen


@dataclass(slots=True)
class _Entry:
    """A staged block: all of it but its text."""

    block_id: int
    job: Job
    modified: datetime
    mark: Mark
    placed: Content
    label: datetime


class Backfill:
    """Fills one collection; ``count`` is told of each transaction how many blocks and indicators it published."""

    def __init__(
        self, database: Database, stored: StoredCollection, copies: Copies, count: Callable[[int, int], None]
    ) -> None:
        self._database = database
        self._id = stored.id
        self._name = stored.collection.name
        self._profile = stored.collection.profile
        self._copies = copies
        self._count = count

    def run(self, written: Iterator[tuple[Job, Rendered]]) -> None:
        """Publish what comes, until it ends or somebody has opened the collection; then the rest is left.

        PublicationConflictError when another publisher came in between.
        """
        while (labels := self._foreseen()) is not None:
            group = self._stage(written, labels)
            if not group:
                return
            self._place(group)
            self._publish(group)

    def _foreseen(self) -> Labels | None:
        """The labels that come next as long as the collection is closed: until then nothing is answered."""
        with self._database.read() as connection:
            row, moment = ledger.get(connection, self._name), now(connection)
        return Labels(row.frontier, EARLIEST, moment) if row is not None and row.opened is None else None

    def _stage(self, written: Iterator[tuple[Job, Rendered]], labels: Labels) -> list[_Entry]:
        group: list[_Entry] = []
        size = 0
        while size < GROUP and (batch := list(islice(_bounded(written), STAGED))):
            with self._database.write() as connection:
                entries = self._stage_batch(connection, batch, labels, len(group))
            group += entries
            size += sum(len(one.placed) for one in entries)
        return group

    def _stage_batch(
        self, connection: Connection, batch: list[tuple[Job, Rendered]], labels: Labels, before: int
    ) -> list[_Entry]:
        given = []
        for place in range(before, before + len(batch)):
            if place % RELEASED == 0:  # the transaction before it will have recorded its last label
                labels.frontier = ledger.recorded(labels.frontier)
            given.append(labels.give(batch[place - before][1].modified))
        texts = [self._text(one, label) for (_, one), label in zip(batch, given, strict=True)]
        keys = blocks.stage_all(connection, self._id, texts)
        return [
            _Entry(key, job, one.modified, one.mark, one.placed, label)
            for key, (job, one), label in zip(keys, batch, given, strict=True)
        ]

    def _text(self, one: Rendered, label: datetime) -> Text:
        size = len(one.placed)
        return Text(one.pulse_pk, one.content, label=label, indicators=size, profile=self._profile, omitted=one.omitted)

    def _place(self, group: list[_Entry]) -> None:
        rows = [(identity, one.block_id, pk, one.label) for one in group for identity, pk in one.placed]
        rows.sort()
        for start in range(0, len(rows), PLACED):
            with self._database.write() as connection:
                placing.place(connection, self._id, rows[start : start + PLACED])

    def _publish(self, group: list[_Entry]) -> None:
        start = 0
        while start < len(group):
            with self._database.write() as connection:
                row = ledger.lock(connection, self._name)
                batch = group[start : start + RELEASED]
                if row.opened is not None or row.frontier >= batch[0].label:
                    batch = batch[:RELABELLED]
                    answered = EARLIEST if row.opened is None else row.frontier
                    _relabel(connection, batch, Labels(row.frontier, answered, now(connection)))
                blocks.release(connection, self._id, row.revision + 1, [one.block_id for one in batch])
                ledger.record(connection, self._name, batch[-1].label)
                tallies.count(connection, now(connection), self._name, sum(len(one.placed) for one in batch), 0)
            start += len(batch)
            for one in batch:
                self._copies.remember(self._id, one.job, one.block_id, row.revision + 1, one.mark, one.placed)
            self._count(len(batch), sum(len(one.placed) for one in batch))


def _bounded(written: Iterator[tuple[Job, Rendered]]) -> Iterator[tuple[Job, Rendered]]:
    size = 0
    for job, one in written:
        yield job, one
        size += len(one.content) if isinstance(one.content, bytes) else one.content.size
        if size >= STAGED_BYTES:
            return


def _relabel(connection: Connection, batch: list[_Entry], labels: Labels) -> None:
    for one in batch:
        one.label = labels.give(one.modified)
        blocks.foresee(connection, one.block_id, one.label)
