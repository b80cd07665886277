"""What a collection holds, with all that an export tells of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from pulsegate.store.tables import blocks, indicators, placements, pulses

_STREAMED = 2_000  # rows fetched at once


@dataclass(frozen=True, slots=True)
class Held:
    """An indicator as a collection holds it: ``pulse`` is an id; ``expires``: None where it has no end."""

    type: str
    value: str
    pulse: str
    author: str
    since: datetime
    expires: datetime | None
    tlp: str
    title: str = ""
    description: str = ""
    content: str = ""


def rows(connection: sa.Connection, collection_id: int) -> Iterator[Held]:
    """All that the collection holds, streamed, the longest there first."""
    columns = (
        indicators.c.type,
        indicators.c.value,
        pulses.c.id,
        pulses.c.author,
        placements.c.since,
        indicators.c.expiration,
        pulses.c.tlp,
        indicators.c.title,
        indicators.c.description,
        indicators.c.content,
    )
    query = _placed(sa.select(*columns), collection_id).order_by(placements.c.since, indicators.c.pk)
    for row in _stream(connection, query):
        yield Held(*row)


def values(connection: sa.Connection, collection_id: int) -> Iterator[str]:
    """The values that the collection holds, each once, in their order, streamed."""
    query = _placed(sa.select(indicators.c.value), collection_id).distinct().order_by(indicators.c.value)
    for row in _stream(connection, query):
        yield row[0]


def _placed(query: sa.Select[Any], collection_id: int) -> sa.Select[Any]:
    """Of what is published; what is staged stands nowhere yet."""
    return (
        query.select_from(placements)
        .join(indicators, indicators.c.pk == placements.c.indicator_pk)
        .join(pulses, pulses.c.pk == indicators.c.pulse_pk)
        .join(blocks, blocks.c.content_block_id == placements.c.content_block_id)
        .where(placements.c.collection_id == collection_id, blocks.c.revision.is_not(None))
    )


def _stream(connection: sa.Connection, query: sa.Select[Any]) -> Iterator[Any]:
    return iter(connection.execute(query, execution_options={"yield_per": _STREAMED}))
