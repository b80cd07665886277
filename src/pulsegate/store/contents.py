"""What stands in content blocks: many new ones at once, written or copied from published ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from pulsegate.errors import PublicationConflictError
from pulsegate.model.omission import Omission
from pulsegate.store import bulk
from pulsegate.store.candidates import Mark
from pulsegate.store.chunks import chunks
from pulsegate.store.collections import STIX_BINDING
from pulsegate.store.database import now
from pulsegate.store.tables import blocks, content_blocks, pulses


@dataclass(frozen=True, slots=True)
class Original:
    """A version of a published block, and the state that its pulse had: as long as both hold it may be copied.

    ``size``: of its content, in bytes.
    """

    block_id: int
    revision: int
    mark: Mark
    size: int


@dataclass(frozen=True, slots=True)
class Text:
    """The content of a block of a pulse (None: pushed), and what its sender says of it.

    ``label``: foreseen for it; ``profile``: that it is written in; ``omitted``: what its networks are without.
    """

    pulse_pk: int | None
    content: bytes | Original
    binding: str = STIX_BINDING
    message: str | None = None
    label: datetime | None = None
    indicators: int = 0
    profile: str = "full"
    omitted: Sequence[Omission] = ()

    @property
    def size(self) -> int:
        """Of the content, in bytes."""
        return self.content.size if isinstance(self.content, Original) else len(self.content)


@dataclass(frozen=True, slots=True)
class PulseBlock:
    """A published block as it may be copied now, with its pulse, and when that was modified."""

    original: Original
    pulse_pk: int
    modified: datetime


def of_pulses(connection: sa.Connection, block_ids: Sequence[int]) -> dict[int, PulseBlock]:
    """Those of the blocks that are published and whose pulses are still there, by their keys."""
    columns = (blocks.c.content_block_id, blocks.c.revision, blocks.c.size)
    query = sa.select(*columns, pulses.c.pk, pulses.c.modified, pulses.c.fingerprint, pulses.c.stored).join(
        pulses, pulses.c.pk == blocks.c.pulse_pk
    )
    found = {}
    for chunk in chunks(block_ids):
        mine = blocks.c.content_block_id.in_(chunk)
        for key, revision, size, pk, modified, *mark in connection.execute(
            query.where(mine, blocks.c.revision.is_not(None))
        ):
            found[key] = PulseBlock(Original(key, revision, Mark(*mark), size), pk, modified)
    return found


def add(connection: sa.Connection, texts: Sequence[Text]) -> list[int]:
    """Store contents that are linked to nothing, in a transaction that writes; gives their keys in the same order.

    PublicationConflictError when one that is to be copied, or its pulse, has changed meanwhile.
    """
    if not texts:
        return []
    moment, keys = now(connection), _new_keys(connection, len(texts))
    written, copied = [], []
    for key, one in zip(keys, texts, strict=True):
        row = (key, moment, one.label or moment)  # a label in the place of another one is written in no time
        if isinstance(one.content, Original):
            copied.append((*row, one.content))
        else:
            written.append((*row, one.content, one.binding, one.message))
    bulk.insert(connection, content_blocks, _COLUMNS, written)
    _copy(connection, copied)
    return keys


def _new_keys(connection: sa.Connection, number: int) -> list[int]:
    """Rising keys of content blocks, which nobody else gets: on SQLite the transaction is the only one that writes."""
    if connection.dialect.name != "sqlite":
        return list(connection.scalars(_NEXT, {"number": number}))
    highest = connection.scalar(sa.select(sa.func.max(content_blocks.c.id))) or 0
    return list(range(highest + 1, highest + 1 + number))


_NEXT = sa.text("SELECT nextval(pg_get_serial_sequence('content_blocks', 'id')) FROM generate_series(1, :number)")
_COLUMNS = ("id", "date_created", "timestamp_label", "content", "binding_id", "message")


def _copy(connection: sa.Connection, rows: Sequence[tuple[int, datetime, datetime, Original]]) -> None:
    """Copy contents under new keys and labels within the database, which on PostgreSQL leaves them compressed."""
    given = [
        {
            "new": key,
            "moment": moment,
            "label": label,
            "block": one.block_id,
            "version": one.revision,
            "print": one.mark.fingerprint,
            "since": one.mark.stored,
        }
        for key, moment, label, one in rows
    ]
    if given:
        expect(connection.execute(_COPY, given), len(given))


def _copying() -> sa.Insert:
    old = content_blocks.alias("old")
    moment, label = (sa.bindparam(name, type_=content_blocks.c.date_created.type) for name in ("moment", "label"))
    columns = (moment, label, old.c.content, old.c.binding_id, old.c.message)
    found = (
        sa.select(sa.bindparam("new", type_=content_blocks.c.id.type), *columns)
        .join(blocks, blocks.c.content_block_id == old.c.id)
        .join(pulses, pulses.c.pk == blocks.c.pulse_pk)
        .where(blocks.c.content_block_id == sa.bindparam("block"), blocks.c.revision == sa.bindparam("version"))
        .where(pulses.c.fingerprint == sa.bindparam("print"), pulses.c.stored == sa.bindparam("since"))
    )
    return sa.insert(content_blocks).from_select(list(_COLUMNS), found)


_COPY = _copying().execution_options(preserve_rowcount=True)


def expect(result: sa.CursorResult[Any], rows: int) -> None:
    """PublicationConflictError unless a statement met so many rows."""
    if result.rowcount != rows:
        raise PublicationConflictError("another publisher has changed what this one planned from")
