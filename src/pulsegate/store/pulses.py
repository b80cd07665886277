"""Pulses and their indicators, as they were last taken from OTX."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from pulsegate.model.indicator import Indicator, IndicatorType, RawIndicator
from pulsegate.model.pulse import Pulse
from pulsegate.model.tlp import TLP
from pulsegate.store.chunks import chunks
from pulsegate.store.digests import digest
from pulsegate.store.tables import indicators, pulses


@dataclass(frozen=True, slots=True)
class StoredPulse:
    """A pulse in the store. ``active`` is false once OTX no longer has it in the subscription."""

    pk: int
    pulse: Pulse
    active: bool


@dataclass(frozen=True, slots=True)
class StoredIndicator:
    """An indicator in the store, with what curation decides by."""

    pk: int
    pulse_pk: int
    indicator: Indicator
    protection: str | None
    failure: str | None
    lists: str | None = None
    noted: bool = False


def _to_pulse(row: Any) -> Pulse:
    details: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in json.loads(row.details).items()
    }
    return Pulse(
        id=row.id,
        name=row.name,
        author=row.author,
        created=row.created,
        modified=row.modified,
        tlp=TLP(row.tlp),
        **details,
    )


def to_indicator(row: Any) -> StoredIndicator:
    raw = RawIndicator(
        type=row.raw_type,
        value=row.raw_value,
        otx_id=row.otx_id,
        created=row.created,
        expiration=row.expiration,
        active=row.active,
        role=row.role,
        title=row.title,
        description=row.description,
        content=row.content,
    )
    indicator = Indicator(IndicatorType(row.type), row.value, raw)
    return StoredIndicator(row.pk, row.pulse_pk, indicator, row.protection, row.failure, row.lists, row.noted)


def stored(row: Any) -> StoredPulse:
    """From a whole row of ``pulses``."""
    return StoredPulse(row.pk, _to_pulse(row), row.active)


def get(connection: sa.Connection, pulse_id: str) -> StoredPulse | None:
    row = connection.execute(sa.select(pulses).where(pulses.c.id == pulse_id)).first()
    return stored(row) if row else None


def by_pk(connection: sa.Connection, pk: int) -> StoredPulse | None:
    row = connection.execute(sa.select(pulses).where(pulses.c.pk == pk)).first()
    return stored(row) if row else None


def keys_of(connection: sa.Connection, ids: Iterable[str]) -> dict[str, int]:
    """The keys of those of these pulses that are stored, by their ids."""
    found: dict[str, int] = {}
    for chunk in chunks(sorted(ids)):
        query = sa.select(pulses.c.id, pulses.c.pk).where(pulses.c.id.in_(chunk))
        found |= {row[0]: row[1] for row in connection.execute(query)}
    return found


def every(connection: sa.Connection, author: str | None = None) -> Iterator[StoredPulse]:
    """The stored pulses (of one author, if given), the longest unmodified first."""
    query = sa.select(pulses).order_by(pulses.c.modified, pulses.c.pk)
    if author is not None:
        query = query.where(pulses.c.author == author)
    for row in connection.execute(query):
        yield stored(row)


def some(connection: sa.Connection, keys: Iterable[int]) -> list[StoredPulse]:
    """Those of the pulses with these keys that are there, the longest unmodified first."""
    rows: list[Any] = []
    for chunk in chunks(sorted(keys)):
        rows += connection.execute(sa.select(pulses).where(pulses.c.pk.in_(chunk)))
    rows.sort(key=lambda row: (row.modified, row.pk))
    return [StoredPulse(row.pk, _to_pulse(row), row.active) for row in rows]


def authors_of(connection: sa.Connection, keys: Iterable[int]) -> set[str]:
    """The authors of the pulses with these keys."""
    found: set[str] = set()
    for chunk in chunks(sorted(keys)):
        found.update(connection.scalars(sa.select(pulses.c.author).where(pulses.c.pk.in_(chunk)).distinct()))
    return found


def authors_with(connection: sa.Connection, identities: Iterable[bytes]) -> set[str]:
    """The authors of pulses that have an indicator with one of these identities."""
    found: set[str] = set()
    query = sa.select(pulses.c.author).join(indicators, indicators.c.pulse_pk == pulses.c.pk).distinct()
    for chunk in chunks(sorted(identities)):
        found.update(connection.scalars(query.where(indicators.c.identity.in_(chunk))))
    return found


def authors(connection: sa.Connection) -> list[str]:
    """The authors that are known by name."""
    query = sa.select(pulses.c.author).where(pulses.c.author != "").distinct().order_by(pulses.c.author)
    return list(connection.scalars(query))


def count_by_author(connection: sa.Connection, names: Iterable[str]) -> dict[str, int]:
    """How many pulses each of these authors has; those with none are not there."""
    found: dict[str, int] = {}
    query = sa.select(pulses.c.author, sa.func.count()).group_by(pulses.c.author)
    for chunk in chunks(sorted(names)):
        found |= {row[0]: row[1] for row in connection.execute(query.where(pulses.c.author.in_(chunk)))}
    return found


def count(connection: sa.Connection) -> int:
    return int(connection.scalar(sa.select(sa.func.count()).select_from(pulses)) or 0)


def count_indicators(connection: sa.Connection) -> int:
    return int(connection.scalar(sa.select(sa.func.count()).select_from(indicators)) or 0)


def indicator_counts(connection: sa.Connection) -> dict[int, int]:
    """How many indicators each pulse has, by the pulse's key."""
    query = sa.select(indicators.c.pulse_pk, sa.func.count()).group_by(indicators.c.pulse_pk)
    return {row[0]: row[1] for row in connection.execute(query)}


def indicators_of(connection: sa.Connection, pulse_pk: int) -> list[StoredIndicator]:
    query = sa.select(indicators).where(indicators.c.pulse_pk == pulse_pk).order_by(indicators.c.pk)
    return [to_indicator(row) for row in connection.execute(query)]


def indicators_of_value(connection: sa.Connection, identities: Iterable[str]) -> list[StoredIndicator]:
    """Every pulse's indicator with one of these identities (``model.Indicator.identity``)."""
    keys = [digest(identity) for identity in identities]
    query = sa.select(indicators).where(indicators.c.identity.in_(keys)).order_by(indicators.c.pk)
    return [to_indicator(row) for row in connection.execute(query)]


@dataclass(frozen=True, slots=True)
class Candidate:
    """The part of an indicator that a decision needs, for a walk over all of them."""

    pk: int
    pulse_pk: int
    identity: bytes
    type: str
    value: str
    content: str  # of YARA rules only
    created: datetime | None
    expiration: datetime | None
    active: bool
    protection: str | None
    failure: str | None
    lists: str | None
    noted: bool
    role: str
