"""Reading what a collection held at one revision of its ledger, and forgetting old versions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from pulsegate.errors import OutdatedRevisionError
from pulsegate.store import ledger
from pulsegate.store.database import Database
from pulsegate.store.tables import blocks, content_blocks, data_collections, ledgers, superseded

CHUNK_BYTES = 1_000_000  # read in one transaction: none is held open for as long as a client takes
CHUNK = 200  # blocks, at most


@dataclass(frozen=True, slots=True)
class Version:
    """A block as it stood. ``binding``: the content binding of its package; ``message``: what its sender said of it."""

    id: int
    label: datetime
    indicators: int
    content: bytes
    binding: str
    message: str | None = None


@dataclass(frozen=True, slots=True)
class Window:
    """``begin`` < label <= ``end``, as it stood at ``revision``; of ``binding`` only, if given."""

    collection_id: int
    begin: datetime | None
    end: datetime | None
    revision: int
    binding: str | None = None


@dataclass(frozen=True, slots=True)
class Measure:
    """What a reading comes to: ``bytes`` are those of the contents."""

    blocks: int
    indicators: int
    bytes: int


def read(
    database: Database, window: Window, offset: int = 0, limit: int | None = None, chunk: int = CHUNK
) -> Iterator[Version]:
    """The blocks of the window by rising label, ``limit`` of them after the first ``offset``, whatever is published.

    They are read a megabyte at a time, or ``chunk`` blocks. OutdatedRevisionError when the revision has been purged:
    the answer can't be completed.
    """
    begin, left = window.begin, limit
    while left is None or left > 0:
        with database.read() as connection:
            fitting = _fitting(connection, window, begin, offset, chunk if left is None else min(chunk, left))
            query = _valid(window, begin).order_by("label").offset(offset).limit(fitting)
            found = [Version(*row) for row in connection.execute(query)] if fitting else []
            _check(connection, window)
        yield from found
        if not found:
            return
        begin, offset = found[-1].label, 0
        left = None if left is None else left - len(found)


def _fitting(connection: sa.Connection, window: Window, begin: datetime | None, offset: int, most: int) -> int:
    """How many of the next blocks come to ``CHUNK_BYTES`` together; at least one, where there is one."""
    query = _valid(window, begin, content=False).order_by("label").offset(offset).limit(most)
    number = total = 0
    for row in connection.execute(query):
        total += row.size
        if number and total > CHUNK_BYTES:
            break
        number += 1
    return number


def measure(database: Database, window: Window, offset: int = 0, limit: int | None = None) -> Measure:
    """What ``read`` gives, without reading any content."""
    with database.read() as connection:
        found = _valid(window, window.begin, content=False)
        if offset or limit is not None:
            found = found.order_by("label").offset(offset).limit(limit)
        rows = found.subquery()
        query = sa.select(sa.func.count(), sa.func.sum(rows.c.indicators), sa.func.sum(rows.c.size)).select_from(rows)
        row = connection.execute(query).one()
        _check(connection, window)
    return Measure(int(row[0]), int(row[1] or 0), int(row[2] or 0))


def purge(connection: sa.Connection, name: str, collection_id: int, before: datetime) -> int:
    """Forget the versions that ended before ``before``; gives their number."""
    old = sa.and_(superseded.c.collection_id == collection_id, superseded.c.ended < before)
    last = connection.scalar(sa.select(sa.func.max(superseded.c.to_revision)).where(old))
    if last is None:
        return 0
    ledger.purge_to(connection, name, last)
    return connection.execute(sa.delete(superseded).where(old)).rowcount


def _check(connection: sa.Connection, window: Window) -> None:
    query = sa.select(ledgers.c.purged).join(data_collections, data_collections.c.name == ledgers.c.name)
    purged = connection.scalar(query.where(data_collections.c.id == window.collection_id))
    if purged is None or purged > window.revision:
        raise OutdatedRevisionError("what it held then is no longer kept; poll again", resource="collection")


def _valid(window: Window, begin: datetime | None, *, content: bool = True) -> sa.CompoundSelect[Any]:
    """The current versions that were there at the revision, and the superseded ones that still were.

    Without ``content``: their sizes.
    """
    if content:
        ours: tuple[Any, ...] = (content_blocks.c.content, content_blocks.c.binding_id, content_blocks.c.message)
        theirs: tuple[Any, ...] = (superseded.c.content, superseded.c.binding, sa.null())
    else:
        ours, theirs = (blocks.c.size.label("size"),), (superseded.c.size,)
    current = sa.select(blocks.c.content_block_id, blocks.c.label.label("label"), blocks.c.indicators, *ours).where(
        blocks.c.collection_id == window.collection_id, blocks.c.revision <= window.revision
    )
    if content or window.binding is not None:
        current = current.join(content_blocks, content_blocks.c.id == blocks.c.content_block_id)
    if window.binding is not None:
        current = current.where(content_blocks.c.binding_id == window.binding)
    former = sa.select(
        superseded.c.content_block_id, superseded.c.label.label("label"), superseded.c.indicators, *theirs
    ).where(
        superseded.c.collection_id == window.collection_id,
        superseded.c.from_revision <= window.revision,
        superseded.c.to_revision > window.revision,
    )
    if window.binding is not None:
        former = former.where(superseded.c.binding == window.binding)
    labelled = ((current, blocks.c.label), (former, superseded.c.label))
    return sa.union_all(*(_within(one, column, begin, window.end) for one, column in labelled))


def _within(
    query: sa.Select[Any], label: sa.Column[Any], begin: datetime | None, end: datetime | None
) -> sa.Select[Any]:
    if begin is not None:
        query = query.where(label > begin)
    return query if end is None else query.where(label <= end)
