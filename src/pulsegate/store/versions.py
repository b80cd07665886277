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

CHUNK = 50  # blocks read in one transaction: none is held open for as long as a client takes


@dataclass(frozen=True, slots=True)
class Version:
    """A block as it stood."""

    id: int
    label: datetime
    content: bytes


@dataclass(frozen=True, slots=True)
class Window:
    """``begin`` < label <= ``end``, as it stood at ``revision``."""

    collection_id: int
    begin: datetime | None
    end: datetime | None
    revision: int


def read(database: Database, window: Window, chunk: int = CHUNK) -> Iterator[Version]:
    """The blocks of the window by rising label, whatever is published meanwhile.

    OutdatedRevisionError when the revision has been purged: the answer can't be completed.
    """
    begin = window.begin
    while True:
        with database.read() as connection:
            query = _valid(window, begin).order_by("label").limit(chunk)
            found = [Version(row.id, row.label, row.content) for row in connection.execute(query)]
            _check(connection, window)
        yield from found
        if len(found) < chunk:
            return
        begin = found[-1].label


def count(database: Database, window: Window) -> int:
    """How many blocks the window has."""
    with database.read() as connection:
        valid = _valid(window, window.begin, content=False).subquery()
        number = int(connection.scalar(sa.select(sa.func.count()).select_from(valid)) or 0)
        _check(connection, window)
    return number


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
    """The current versions that were there at the revision, and the superseded ones that still were."""
    text = (content_blocks.c.content,) if content else ()
    current = sa.select(blocks.c.content_block_id.label("id"), blocks.c.label.label("label"), *text).where(
        blocks.c.collection_id == window.collection_id, blocks.c.revision <= window.revision
    )
    if content:
        current = current.join(content_blocks, content_blocks.c.id == blocks.c.content_block_id)
    text = (superseded.c.content,) if content else ()
    former = sa.select(superseded.c.content_block_id.label("id"), superseded.c.label.label("label"), *text).where(
        superseded.c.collection_id == window.collection_id,
        superseded.c.from_revision <= window.revision,
        superseded.c.to_revision > window.revision,
    )
    return sa.union_all(*(_within(one, column, begin, window.end) for one, column in _labelled(current, former)))


def _labelled(current: sa.Select[Any], former: sa.Select[Any]) -> tuple[tuple[sa.Select[Any], sa.Column[Any]], ...]:
    return (current, blocks.c.label), (former, superseded.c.label)


def _within(
    query: sa.Select[Any], label: sa.Column[Any], begin: datetime | None, end: datetime | None
) -> sa.Select[Any]:
    if begin is not None:
        query = query.where(label > begin)
    return query if end is None else query.where(label <= end)
