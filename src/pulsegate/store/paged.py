"""A page of a long list by key: rows from behind one on, or, backwards, from before it on to the front."""

from __future__ import annotations

from typing import Any, TypeVar

import sqlalchemy as sa

Query = TypeVar("Query", bound=sa.Select[Any])


def paged(
    query: Query, column: sa.ColumnElement[int], key: int | None, *, backwards: bool, limit: int, falls: bool = True
) -> Query:
    """The query for up to ``limit`` rows behind the key in the order of ``column``; ``falls``: the greatest first."""
    down = falls is not backwards
    if key is not None:
        query = query.where(column < key if down else column > key)
    return query.order_by(column.desc() if down else column.asc()).limit(limit)
