"""Places of indicators in blocks: many at once, and walks over all of them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from pulsegate.errors import PublicationConflictError
from pulsegate.store import bulk
from pulsegate.store.chunks import chunks
from pulsegate.store.tables import placements

CHUNK = 2_000  # rows fetched at once

Place = tuple[bytes, int, int]
"""Identity, the indicator's key, the block's key."""

New = tuple[bytes, int, int, datetime]
"""Identity, the block's key, the indicator's key, the block's label."""


def place(connection: sa.Connection, collection_id: int, rows: Sequence[New]) -> None:
    """Place indicators. In the order of their identities it takes the least time.

    PublicationConflictError when another publisher has placed one of them meanwhile.
    """
    columns = ("collection_id", "identity", "content_block_id", "indicator_pk", "since")
    try:
        bulk.insert(connection, placements, columns, [(collection_id, *row) for row in rows])
    except sa.exc.IntegrityError as error:
        raise PublicationConflictError("it was placed by another publisher") from error


def walk(connection: sa.Connection, collection_id: int, *, by_identity: bool) -> Iterator[Place]:
    """All that is placed in the collection, in staged blocks too, streamed by identity or by the indicator's key."""
    columns = (placements.c.identity, placements.c.indicator_pk, placements.c.content_block_id)
    query = sa.select(*columns).where(placements.c.collection_id == collection_id)
    # The index gives the order too, but then looks each row up somewhere else: sorting is faster by far.
    order = sa.func.coalesce(placements.c.identity, placements.c.identity) if by_identity else placements.c.indicator_pk
    found: Iterator[Any] = iter(connection.execute(query.order_by(order), execution_options={"yield_per": CHUNK}))
    return found


def with_identities(connection: sa.Connection, collection_id: int, identities: Collection[bytes]) -> list[Place]:
    """Those of these identities that are placed in the collection, in no order."""
    columns = (placements.c.identity, placements.c.indicator_pk, placements.c.content_block_id)
    mine = sa.select(*columns).where(placements.c.collection_id == collection_id)
    found: list[Any] = []
    for chunk in chunks(sorted(identities)):
        found += connection.execute(mine.where(placements.c.identity.in_(chunk)))
    return found


def move_label(connection: sa.Connection, block_id: int, since: datetime) -> None:
    """What is placed in the block is there since another moment."""
    mine = placements.c.content_block_id == block_id
    connection.execute(sa.update(placements).where(mine).values(since=since))
