"""Alarms about sources, and about the certificate: each from when it was raised until it was over."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from pulsegate.store.database import now
from pulsegate.store.digests import storable
from pulsegate.store.tables import alarms

CERTIFICATE = "certificate"  # stands for a source


@dataclass(frozen=True, slots=True)
class Alarm:
    """``text``: as people were told when it was raised. ``cleared``: None as long as it is so."""

    pk: int
    source: str
    kind: str
    text: str
    raised: datetime
    cleared: datetime | None = None


def open_kinds(connection: sa.Connection, source: str) -> set[str]:
    """The kinds of the alarms of the source that are not over."""
    return set(connection.scalars(sa.select(alarms.c.kind).where(alarms.c.source == source, _IS_OPEN)))


def raise_(connection: sa.Connection, source: str, kind: str, text: str) -> None:
    values = {"source": source, "kind": kind, "text": storable(text), "raised": now(connection)}
    connection.execute(sa.insert(alarms).values(values))


def clear(connection: sa.Connection, source: str, kind: str | None = None) -> None:
    """That alarm of the source is over; None: all of them are."""
    mine = sa.and_(alarms.c.source == source, _IS_OPEN, sa.true() if kind is None else alarms.c.kind == kind)
    connection.execute(sa.update(alarms).where(mine).values(cleared=now(connection)))


def latest(connection: sa.Connection, *, limit: int) -> list[Alarm]:
    """Those that are not over, then the others; the newest first."""
    columns = [alarms.c[name] for name in ("pk", "source", "kind", "text", "raised", "cleared")]
    query = sa.select(*columns).order_by(alarms.c.cleared.is_not(None), alarms.c.pk.desc()).limit(limit)
    return [Alarm(*row) for row in connection.execute(query)]


def purge(connection: sa.Connection, before: datetime) -> int:
    """Forget those that were over before."""
    return connection.execute(sa.delete(alarms).where(alarms.c.cleared < before)).rowcount


_IS_OPEN = alarms.c.cleared.is_(None)
