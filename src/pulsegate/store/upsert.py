"""One row, new or in place of the one with its key."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite


def upsert(
    connection: sa.Connection,
    table: sa.Table,
    key: Mapping[str, Any],
    values: Mapping[str, Any],
    instead: Mapping[str, Any] | None = None,
) -> None:
    """Insert ``values`` under the ``key``; where that is there, set them, or what is given ``instead`` of them."""
    insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    new = insert(table).values(**key, **values)
    connection.execute(new.on_conflict_do_update(index_elements=list(key), set_=instead or values))
