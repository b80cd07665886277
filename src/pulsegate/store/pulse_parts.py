"""What one pulse has, a page at a time: its indicators, its blocks in a collection, and who claims it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import sqlalchemy as sa

from pulsegate.model.indicator import IndicatorType
from pulsegate.store.paged import paged
from pulsegate.store.pulses import StoredIndicator, to_indicator
from pulsegate.store.tables import blocks, content_blocks, indicators, source_pulses


class Life(StrEnum):
    """Of an indicator."""

    LIVE = "live"
    INACTIVE = "inactive"  # OTX says so
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which indicators; None: whatever. ``text``: part of the value; ``moment``: as of which ``life`` is meant."""

    moment: datetime
    type: IndicatorType | None = None
    life: Life | None = None
    text: str | None = None


def page(
    connection: sa.Connection, pulse_pk: int, wanted: Wanted, key: int | None, *, backwards: bool = False, limit: int
) -> list[StoredIndicator]:
    """Indicators of the pulse in the order of their keys, from behind that one on; ``backwards``: from before it on."""
    query = sa.select(indicators).where(indicators.c.pulse_pk == pulse_pk)
    if wanted.type is not None:
        query = query.where(indicators.c.type == wanted.type.value)
    if wanted.life is not None:
        query = query.where(_lives(wanted.life, wanted.moment))
    if wanted.text is not None:
        query = query.where(indicators.c.value.icontains(wanted.text, autoescape=True))
    query = paged(query, indicators.c.pk, key, backwards=backwards, limit=limit, falls=False)
    return [to_indicator(row) for row in connection.execute(query)]


def _lives(life: Life, moment: datetime) -> sa.ColumnElement[bool]:
    is_over = sa.and_(indicators.c.expiration.is_not(None), indicators.c.expiration <= moment)
    return {
        Life.LIVE: sa.and_(indicators.c.active, sa.not_(is_over)),
        Life.INACTIVE: sa.not_(indicators.c.active),
        Life.EXPIRED: is_over,
    }[life]


@dataclass(frozen=True, slots=True)
class PulseBlock:
    """A published block of the pulse; ``size``: of its content, in bytes."""

    id: int
    label: datetime
    indicators: int
    size: int


def blocks_of(
    connection: sa.Connection,
    pulse_pk: int,
    collection_id: int,
    key: int | None,
    *,
    backwards: bool = False,
    limit: int,
) -> Sequence[PulseBlock]:
    """The pulse's published blocks in a collection, in the order of their keys."""
    query = sa.select(blocks).where(_published(pulse_pk, collection_id))
    query = paged(query, blocks.c.content_block_id, key, backwards=backwards, limit=limit, falls=False)
    rows = connection.execute(query)
    return [PulseBlock(row.content_block_id, row.label, row.indicators, row.size) for row in rows]


def content(connection: sa.Connection, pulse_pk: int, collection_id: int, block_id: int) -> bytes | None:
    """The package of one of these blocks."""
    query = sa.select(content_blocks.c.content).join(blocks, blocks.c.content_block_id == content_blocks.c.id)
    mine = query.where(_published(pulse_pk, collection_id), blocks.c.content_block_id == block_id)
    found: bytes | None = connection.scalar(mine)
    return None if found is None else bytes(found)


def _published(pulse_pk: int, collection_id: int) -> sa.ColumnElement[bool]:
    mine = sa.and_(blocks.c.pulse_pk == pulse_pk, blocks.c.collection_id == collection_id)
    return sa.and_(mine, blocks.c.revision.is_not(None))


def claims(connection: sa.Connection, pulse_pk: int) -> list[tuple[str, str]]:
    """The sources that have the pulse, each with how it came by it."""
    columns = (source_pulses.c.source, source_pulses.c.via)
    query = sa.select(*columns).where(source_pulses.c.pulse_pk == pulse_pk).order_by(*columns)
    return [(row[0], row[1]) for row in connection.execute(query)]
