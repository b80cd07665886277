"""What people decided that concerns one value: found by keys, since an allow list may be long."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from pulsegate.model.decisions import Allowed, Override, Review, ReviewStatus, Trusted
from pulsegate.store.affected import EXACT, NETWORK, SUBTREE
from pulsegate.store.chunks import chunks
from pulsegate.store.decisions import Decisions
from pulsegate.store.tables import allowed, overrides, reviews, trusted_authors


@dataclass(frozen=True, slots=True)
class Concerned:
    """What decisions may be about: a value, by its identities, with the pulses that have it and their authors.

    ``texts``: those of all entries of the allow list that may cover it; ``is_network``: any entry of a network may.
    """

    identities: Collection[bytes]
    texts: Collection[str]
    is_network: bool
    pulse_ids: Collection[str] = ()
    authors: Collection[str] = ()


def read(connection: sa.Connection, moment: datetime, about: Concerned) -> Decisions:
    """The decisions that hold at the moment."""
    return Decisions(
        tuple(Allowed(**_fields(row, Allowed)) for row in _holding(_allowed(connection, about), moment)),
        tuple(
            Override(**_fields(row, Override))
            for row in _holding(_rows(connection, overrides.c.identity, about.identities), moment)
        ),
        tuple(
            Review(**_fields(row, Review) | {"status": ReviewStatus(row.status)})
            for row in _rows(connection, reviews.c.pulse_id, about.pulse_ids)
        ),
        tuple(Trusted(**_fields(row, Trusted)) for row in _rows(connection, trusted_authors.c.author, about.authors)),
    )


def _allowed(connection: sa.Connection, about: Concerned) -> list[Any]:
    kinds = (EXACT, SUBTREE) if about.is_network else (EXACT, SUBTREE, NETWORK)
    found = _rows(connection, allowed.c.text, about.texts, allowed.c.kind.in_(kinds))
    if about.is_network:
        found += connection.execute(sa.select(allowed).where(allowed.c.kind == NETWORK))
    return sorted(found, key=lambda row: row.pk)


def _holding(rows: list[Any], moment: datetime) -> list[Any]:
    return [row for row in rows if row.expires is None or row.expires > moment]


def _rows(
    connection: sa.Connection, column: sa.ColumnElement[Any], keys: Collection[Any], *more: sa.ColumnElement[bool]
) -> list[Any]:
    table = column.table
    query = sa.select(table).order_by(*table.primary_key)
    found: list[Any] = []
    for chunk in chunks(sorted(keys)):
        found += connection.execute(query.where(column.in_(chunk), *more))
    return found


def _fields(row: Any, kind: Any) -> dict[str, Any]:
    return {name: getattr(row, name) for name in kind.__dataclass_fields__}
