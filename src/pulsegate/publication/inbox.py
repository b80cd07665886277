"""Packages that others push: labelled and published as they are, in the same way as what is made from pulses.

All packages of one message are published in all of its collections in one transaction, or none is anywhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from pulsegate.errors import PublicationConflictError
from pulsegate.publication.labels import EARLIEST, Labels
from pulsegate.store import blocks, collections, ledger, tallies
from pulsegate.store.blocks import Ready, StoredBlock
from pulsegate.store.collections import StoredCollection
from pulsegate.store.database import Connection, Database, now
from pulsegate.store.digests import digest

if TYPE_CHECKING:
    from pulsegate.stix import Package

BATCH_BYTES = 2_000_000  # staged in one transaction, or one package
BATCH_BLOCKS = 20  # staged or withdrawn in one transaction
ABANDONED = timedelta(hours=1)  # a block that was staged so long ago is nobody's any more
TRIES = 5


@dataclass(frozen=True, slots=True)
class Pushed:
    """A package as it was sent, and what its sender says of it."""

    package: Package
    message: str | None = None


@dataclass(frozen=True, slots=True)
class _Entry:
    """A package that a collection lacks, by the identity that it is placed by."""

    place: StoredCollection
    identity: bytes
    pushed: Pushed


@dataclass(frozen=True, slots=True)
class _Staged:
    block_id: int
    entry: _Entry


def receive(
    database: Database, destinations: Iterable[StoredCollection], pushed: Sequence[Pushed]
) -> Mapping[str, list[datetime]]:
    """Publish the packages in each of the collections; gives the labels of the new blocks by collection.

    A package that a collection holds already, byte for byte, is not stored again, so that a client that got no answer
    can send its message once more. PublicationConflictError when others came in between again and again.
    """
    places = sorted(destinations, key=lambda one: one.collection.name)  # locked in one order, whoever sends
    distinct = {identity(one.package): one for one in pushed}
    attempt = 1
    while True:
        staged = _stage(database, _missing(database, places, distinct))
        try:
            return _publish(database, places, staged)
        except BaseException as error:
            with database.write() as connection:
                blocks.drop_staged(connection, [one.block_id for one in staged])
            if not isinstance(error, PublicationConflictError) or attempt == TRIES:
                raise
        attempt += 1


def identity(package: Package) -> bytes:
    """The same bytes are the same package: TAXII has no other name for one."""
    return digest("package", package.content.decode())


def _missing(database: Database, places: Iterable[StoredCollection], distinct: Mapping[bytes, Pushed]) -> list[_Entry]:
    with database.read() as connection:
        return [
            _Entry(place, key, one)
            for place in places
            for key, one in distinct.items()
            if blocks.find(connection, place.id, key) is None
        ]


def _stage(database: Database, entries: Iterable[_Entry]) -> list[_Staged]:
    staged: list[_Staged] = []
    for batch in _batches(entries):
        with database.write() as connection:
            staged += [_Staged(_stage_one(connection, entry), entry) for entry in batch]
    return staged


def _stage_one(connection: Connection, entry: _Entry) -> int:
    package = entry.pushed.package
    binding, message = collections.STIX_BINDINGS[package.version], entry.pushed.message
    return blocks.stage(connection, entry.place.id, None, package.content, binding=binding, message=message)


def _batches(entries: Iterable[_Entry]) -> Iterator[list[_Entry]]:
    batch: list[_Entry] = []
    size = 0
    for entry in entries:
        length = len(entry.pushed.package.content)
        if batch and (len(batch) >= BATCH_BLOCKS or size + length > BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(entry)
        size += length
    if batch:
        yield batch


def _publish(
    database: Database, places: Iterable[StoredCollection], staged: Sequence[_Staged]
) -> dict[str, list[datetime]]:
    """The one transaction: of each collection the ledger row is locked first, then labels are given after it."""
    given: dict[str, list[datetime]] = {place.collection.name: [] for place in places}
    if not staged:
        return given
    with database.write() as connection:
        for name in given:
            mine = [one for one in staged if one.entry.place.collection.name == name]
            if mine:
                given[name] = _publish_in(connection, name, mine)
    return given


def _publish_in(connection: Connection, name: str, staged: Sequence[_Staged]) -> list[datetime]:
    row = ledger.lock(connection, name)
    moment = now(connection)
    labels = Labels(row.frontier, row.frontier, moment)
    ready = [
        Ready(
            one.block_id,
            labels.give(EARLIEST),  # the time of publication
            [(one.entry.identity, blocks.NO_INDICATOR)],
            one.entry.pushed.package.indicators,
        )
        for one in staged
    ]
    blocks.publish(connection, staged[0].entry.place.id, row.revision + 1, ready)
    ledger.record(connection, name, labels.frontier)
    tallies.count(connection, moment, name, sum(one.entry.pushed.package.indicators for one in staged), 0)
    return [one.label for one in ready]


@dataclass(frozen=True, slots=True)
class Expired:
    """What was withdrawn."""

    blocks: int = 0
    indicators: int = 0


def expire(database: Database, stored: StoredCollection) -> Expired:
    """Withdraw what was pushed longer ago than ``max_age``, and drop what dead senders left staged.

    PublicationConflictError when another publisher is doing the same.
    """
    with database.write() as connection:
        blocks.clear_staged(connection, stored.id, now(connection) - ABANDONED)
    if stored.collection.max_age is None:
        return Expired()
    with database.read() as connection:
        old = blocks.older_than(connection, stored.id, now(connection) - stored.collection.max_age)
    return withdraw(database, stored, old)


def withdraw(database: Database, stored: StoredCollection, old: Sequence[StoredBlock]) -> Expired:
    """Withdraw these packages. PublicationConflictError when another publisher has withdrawn one of them."""
    for start in range(0, len(old), BATCH_BLOCKS):
        with database.write() as connection:
            row = ledger.lock(connection, stored.collection.name)
            gone = old[start : start + BATCH_BLOCKS]
            for block in gone:
                blocks.delete(connection, stored.id, block, row.revision + 1)
            ledger.record(connection, stored.collection.name, row.frontier)
            left = sum(block.indicators for block in gone)
            tallies.count(connection, now(connection), stored.collection.name, 0, left)
    return Expired(len(old), sum(block.indicators for block in old))
