"""Reading what a collection held at one revision of its ledger, and forgetting old versions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any

import sqlalchemy as sa

from pulsegate.errors import OutdatedRevisionError
from pulsegate.store import ledger
from pulsegate.store.columns import UTCDateTime
from pulsegate.store.database import Database
from pulsegate.store.tables import blocks, content_blocks, data_collections, ledgers, superseded

CHUNK_BYTES = 2_000_000  # read in one transaction: none is held open for as long as a client takes
CHUNK = 200  # blocks whose sizes are looked up at once
_ALL = 2**62
FIRST, LAST = datetime(1, 1, 2, tzinfo=UTC), datetime(9999, 12, 30, tzinfo=UTC)  # of all labels, in any zone


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

    They are read ``CHUNK_BYTES`` at a time, or one block. OutdatedRevisionError when the revision has been purged: the
    answer can't be completed.
    """
    given = _parameters(window)
    left = limit
    while left is None or left > 0:
        with database.read() as connection:
            most = chunk if left is None else min(chunk, left)
            given |= {"offset": offset, "limit": most}
            sizes = list(connection.scalars(_sizes(window.binding is not None), given))
            _check(connection, window)
        for number in _together(sizes):
            with database.read() as connection:
                given |= {"offset": offset, "limit": number}
                rows = connection.execute(_contents(window.binding is not None), given)
                found = [Version(*row) for row in rows]
                _check(connection, window)
            yield from found
            given["begin"], offset = found[-1].label, 0
        if len(sizes) < most:
            return
        left = None if left is None else left - len(sizes)


def _together(sizes: list[int]) -> Iterator[int]:
    """How many blocks are read at once, again and again: as many as come to ``CHUNK_BYTES``, but at least one."""
    number = total = 0
    for size in sizes:
        if number and total + size > CHUNK_BYTES:
            yield number
            number = total = 0
        number, total = number + 1, total + size
    if number:
        yield number


def measure(database: Database, window: Window, offset: int = 0, limit: int | None = None) -> Measure:
    """What ``read`` gives, without reading any content."""
    place = {"offset": offset, "limit": _ALL if limit is None else limit}
    with database.read() as connection:
        row = connection.execute(_sums(window.binding is not None), _parameters(window) | place).one()
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


def outdated(connection: sa.Connection, before: datetime) -> set[int]:
    """The keys of collections with versions that ended before ``before``."""
    return set(connection.scalars(sa.select(superseded.c.collection_id).where(superseded.c.ended < before).distinct()))


def _check(connection: sa.Connection, window: Window) -> None:
    purged = connection.scalar(_PURGED, {"collection": window.collection_id})
    if purged is None or purged > window.revision:
        raise OutdatedRevisionError("what it held then is no longer kept; poll again", resource="collection")


def _parameters(window: Window) -> dict[str, Any]:
    return {
        "collection": window.collection_id,
        "begin": window.begin or FIRST,
        "end": window.end or LAST,
        "revision": window.revision,
        "binding": window.binding,
    }


# The statements are made once: making one takes longer than most of them take to run.
_PURGED = (
    sa.select(ledgers.c.purged)
    .join(data_collections, data_collections.c.name == ledgers.c.name)
    .where(data_collections.c.id == sa.bindparam("collection"))
)


@cache
def _contents(by_binding: bool) -> sa.CompoundSelect[Any]:
    """Of each block: the fields of ``Version``."""
    ours = (content_blocks.c.content, content_blocks.c.binding_id, content_blocks.c.message)
    theirs = (superseded.c.content, superseded.c.binding, superseded.c.message)
    found = _valid(
        sa.select(blocks.c.content_block_id, blocks.c.label.label("label"), blocks.c.indicators, *ours),
        sa.select(superseded.c.content_block_id, superseded.c.label, superseded.c.indicators, *theirs),
        joined=True,
        by_binding=by_binding,
    )
    return _placed(found)


@cache
def _sizes(by_binding: bool) -> sa.Select[Any]:
    found = _placed(_bare(by_binding)).subquery()
    return sa.select(found.c.size).order_by(found.c.label)


@cache
def _sums(by_binding: bool) -> sa.Select[int, Any, Any]:
    found = _placed(_bare(by_binding)).subquery()
    return sa.select(sa.func.count(), sa.func.sum(found.c.indicators), sa.func.sum(found.c.size)).select_from(found)


def _bare(by_binding: bool) -> sa.CompoundSelect[Any]:
    """Of each block what can be told without reading its content."""
    return _valid(
        sa.select(blocks.c.label.label("label"), blocks.c.indicators, blocks.c.size),
        sa.select(superseded.c.label, superseded.c.indicators, superseded.c.size),
        joined=by_binding,
        by_binding=by_binding,
    )


def _placed(found: sa.CompoundSelect[Any]) -> sa.CompoundSelect[Any]:
    """By rising label, from a place on."""
    return found.order_by("label").offset(sa.bindparam("offset")).limit(sa.bindparam("limit"))


def _valid(
    current: sa.Select[Any], former: sa.Select[Any], *, joined: bool, by_binding: bool
) -> sa.CompoundSelect[Any]:
    """The current versions that were there at the revision, and the superseded ones that still were."""
    revision, collection = sa.bindparam("revision", type_=sa.Integer()), sa.bindparam("collection", type_=sa.Integer())
    if joined:
        current = current.join(content_blocks, content_blocks.c.id == blocks.c.content_block_id)
    current = current.where(blocks.c.collection_id == collection, blocks.c.revision <= revision)
    former = former.where(
        superseded.c.collection_id == collection,
        superseded.c.from_revision <= revision,
        superseded.c.to_revision > revision,
    )
    if by_binding:
        current = current.where(content_blocks.c.binding_id == sa.bindparam("binding"))
        former = former.where(superseded.c.binding == sa.bindparam("binding"))
    within = ((current, blocks.c.label), (former, superseded.c.label))
    begin, end = sa.bindparam("begin", type_=UTCDateTime()), sa.bindparam("end", type_=UTCDateTime())
    return sa.union_all(*(one.where(label > begin, label <= end) for one, label in within))
