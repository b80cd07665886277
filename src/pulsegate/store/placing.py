"""Places of indicators in blocks: many at once, and walks over all of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite
from sqlalchemy.dialects.postgresql import ARRAY

from pulsegate.errors import PublicationConflictError
from pulsegate.store.columns import UTCDateTime
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
    if not rows:
        return
    try:
        if connection.dialect.name == "sqlite":
            _place_rows(connection, collection_id, rows)
        else:
            _place_arrays(connection, collection_id, rows)
    except sa.exc.IntegrityError as error:
        raise PublicationConflictError("it was placed by another publisher") from error


def _place_rows(connection: sa.Connection, collection_id: int, rows: Sequence[New]) -> None:
    """By the driver, with moments as the column's type writes them, each of them once."""
    given = [(collection_id, identity, block_id, pk, _text(since)) for identity, block_id, pk, since in rows]
    connection.exec_driver_sql(_INSERT, given)


_DIALECT = sqlite.dialect()
_bind = placements.c.since.type.dialect_impl(_DIALECT).bind_processor(_DIALECT)
assert _bind is not None
_text = lru_cache(10_000)(_bind)
_INSERT = (
    "INSERT INTO placements (collection_id, identity, content_block_id, indicator_pk, since) VALUES (?, ?, ?, ?, ?)"
)


def _place_arrays(connection: sa.Connection, collection_id: int, rows: Sequence[New]) -> None:
    """As four arrays, for a server that takes long for each row of its own."""
    identities, block_ids, pks, moments = zip(*rows, strict=True)
    given = {"collection": collection_id, "identities": list(identities), "blocks": list(block_ids)}
    connection.execute(_ARRAYS, given | {"pks": list(pks), "moments": list(moments)})


def _array(name: str, kind: Any) -> sa.BindParameter[Any]:
    return sa.bindparam(name, type_=ARRAY(kind))


_ROWS = (
    sa.func.unnest(
        _array("identities", sa.LargeBinary),
        _array("blocks", sa.Integer),
        _array("pks", sa.Integer),
        _array("moments", UTCDateTime()),
    )
    .table_valued("identity", "block", "pk", "moment")
    .render_derived()
)
_ARRAYS = sa.insert(placements).from_select(
    ["collection_id", "identity", "content_block_id", "indicator_pk", "since"],
    sa.select(
        sa.bindparam("collection", type_=sa.Integer), _ROWS.c.identity, _ROWS.c.block, _ROWS.c.pk, _ROWS.c.moment
    ),
)


def walk(connection: sa.Connection, collection_id: int, *, by_identity: bool) -> Iterator[Place]:
    """All that is placed in the collection, in staged blocks too, streamed by identity or by the indicator's key."""
    columns = (placements.c.identity, placements.c.indicator_pk, placements.c.content_block_id)
    query = sa.select(*columns).where(placements.c.collection_id == collection_id)
    # The index gives the order too, but then looks each row up somewhere else: sorting is faster by far.
    order = sa.func.coalesce(placements.c.identity, placements.c.identity) if by_identity else placements.c.indicator_pk
    found: Iterator[Any] = iter(connection.execute(query.order_by(order), execution_options={"yield_per": CHUNK}))
    return found


def move_label(connection: sa.Connection, block_id: int, since: datetime) -> None:
    """What is placed in the block is there since another moment."""
    mine = placements.c.content_block_id == block_id
    connection.execute(sa.update(placements).where(mine).values(since=since))
