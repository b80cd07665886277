"""Content blocks and the indicators placed in them.

A new block is staged first: a row that is linked to no collection, so that nobody serves it, no stock OpenTAXII either.
Publishing it gives it its label and its link, and places its indicators, in one short transaction.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from pulsegate.store.collections import STIX_BINDING
from pulsegate.store.database import inserted_key, now
from pulsegate.store.tables import blocks, collection_to_content_block, content_blocks, data_collections, placements


@dataclass(frozen=True, slots=True)
class Placement:
    """An indicator's place in a collection."""

    identity: bytes
    content_block_id: int
    indicator_pk: int
    since: datetime


def stage(connection: sa.Connection, collection_id: int, pulse_pk: int, content: bytes) -> int:
    """Store a block that nobody is served yet; gives its key."""
    row = {"date_created": now(connection), "content": content, "binding_id": STIX_BINDING}
    key = inserted_key(connection.execute(sa.insert(content_blocks).values(row)))
    mine = {"content_block_id": key, "collection_id": collection_id, "pulse_pk": pulse_pk}
    connection.execute(sa.insert(blocks).values(mine))
    return key


def publish(
    connection: sa.Connection, collection_id: int, block_id: int, label: datetime, placed: Sequence[tuple[bytes, int]]
) -> None:
    """Link a staged block under ``label`` and place its indicators: pairs of identity and indicator key."""
    connection.execute(sa.update(content_blocks).where(content_blocks.c.id == block_id).values(timestamp_label=label))
    link = {"collection_id": collection_id, "content_block_id": block_id}
    connection.execute(sa.insert(collection_to_content_block).values(link))
    rows = [{"identity": identity, "indicator_pk": pk, "since": label} | link for identity, pk in placed]
    connection.execute(sa.insert(placements), rows)


def settle(connection: sa.Connection, collection_id: int, block_ids: Sequence[int], revision: int) -> None:
    """Mark the blocks as published by publication number ``revision``, and count them in OpenTAXII's volume."""
    connection.execute(sa.update(blocks).where(blocks.c.content_block_id.in_(block_ids)).values(revision=revision))
    _change_volume(connection, collection_id, len(block_ids))


def rewrite(connection: sa.Connection, block_id: int, content: bytes) -> None:
    """Give a published block new contents under its old label."""
    connection.execute(sa.update(content_blocks).where(content_blocks.c.id == block_id).values(content=content))


def delete(connection: sa.Connection, collection_id: int, block_id: int) -> None:
    connection.execute(sa.delete(content_blocks).where(content_blocks.c.id == block_id))
    _change_volume(connection, collection_id, -1)


def unplace(connection: sa.Connection, collection_id: int, identities: Sequence[bytes]) -> None:
    for start in range(0, len(identities), 500):
        chunk = identities[start : start + 500]
        mine = sa.and_(placements.c.collection_id == collection_id, placements.c.identity.in_(chunk))
        connection.execute(sa.delete(placements).where(mine))


def clear_staged(connection: sa.Connection, collection_id: int) -> int:
    """Drop the blocks that a publisher staged and, having died, never published; gives their number."""
    mine = sa.and_(blocks.c.collection_id == collection_id, blocks.c.revision.is_(None))
    staged = sa.select(blocks.c.content_block_id).where(mine)
    return connection.execute(sa.delete(content_blocks).where(content_blocks.c.id.in_(staged))).rowcount


def reconcile(connection: sa.Connection) -> int:
    """Forget what was placed in blocks that are gone: ``opentaxii-delete-blocks`` deletes with SQLite's keys off."""
    there = sa.select(content_blocks.c.id)
    gone = connection.execute(sa.delete(placements).where(placements.c.content_block_id.not_in(there))).rowcount
    connection.execute(sa.delete(blocks).where(blocks.c.content_block_id.not_in(there)))
    links = collection_to_content_block
    connection.execute(sa.delete(links).where(links.c.content_block_id.not_in(there)))
    return gone


def placed(connection: sa.Connection, collection_id: int, *, by_identity: bool) -> Iterator[Placement]:
    """All that is placed in the collection, streamed: by identity, or by the indicator's key."""
    columns = (placements.c.identity, placements.c.content_block_id, placements.c.indicator_pk, placements.c.since)
    query = sa.select(*columns).where(placements.c.collection_id == collection_id)
    query = query.order_by(placements.c.identity if by_identity else placements.c.indicator_pk)
    for row in connection.execution_options(yield_per=2000).execute(query):
        yield Placement(*row)


def in_block(connection: sa.Connection, block_id: int) -> list[Placement]:
    columns = (placements.c.identity, placements.c.content_block_id, placements.c.indicator_pk, placements.c.since)
    query = sa.select(*columns).where(placements.c.content_block_id == block_id).order_by(placements.c.indicator_pk)
    return [Placement(*row) for row in connection.execute(query)]


def find(connection: sa.Connection, collection_id: int, identity: bytes) -> Placement | None:
    columns = (placements.c.identity, placements.c.content_block_id, placements.c.indicator_pk, placements.c.since)
    mine = sa.and_(placements.c.collection_id == collection_id, placements.c.identity == identity)
    row = connection.execute(sa.select(*columns).where(mine)).first()
    return Placement(*row) if row else None


def owner(connection: sa.Connection, block_id: int) -> int | None:
    """The key of the pulse that the block belongs to; None when that is gone."""
    return connection.scalar(sa.select(blocks.c.pulse_pk).where(blocks.c.content_block_id == block_id))


def _change_volume(connection: sa.Connection, collection_id: int, by: int) -> None:
    there = data_collections.c.id == collection_id
    connection.execute(sa.update(data_collections).where(there).values(volume=data_collections.c.volume + by))
