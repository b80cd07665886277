"""As of when each collection reflects what is stored, and what has fallen due since by the clock alone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from pulsegate.store.chunks import chunks
from pulsegate.store.tables import indicators, pulses, reflections


@dataclass(frozen=True, slots=True)
class Reflection:
    """``moment``: up to it, everything that falls due is done. ``whole``: when everything was looked at last.

    ``digest``: of the rules, and of what holds for every collection, that it was done by.
    """

    moment: datetime
    whole: datetime
    digest: bytes


def every(connection: sa.Connection) -> dict[int, Reflection]:
    """By the collections' keys; those that have never been published are not there."""
    rows = connection.execute(sa.select(reflections))
    return {row.collection_id: Reflection(row.moment, row.whole, row.digest) for row in rows}


def put(connection: sa.Connection, collection_id: int, reflection: Reflection) -> None:
    values = {"moment": reflection.moment, "whole": reflection.whole, "digest": reflection.digest}
    there = reflections.c.collection_id == collection_id
    if connection.execute(sa.update(reflections).where(there).values(values)).rowcount == 0:
        connection.execute(sa.insert(reflections).values(collection_id=collection_id, **values))


def advance(connection: sa.Connection, collection_ids: Iterable[int], moment: datetime) -> None:
    """Nothing was to be done in these."""
    for chunk in chunks(sorted(collection_ids)):
        mine = reflections.c.collection_id.in_(chunk)
        connection.execute(sa.update(reflections).where(mine).values(moment=moment))


# --- What has fallen due ----------------------------------------------------------------------------------------------


def expired(connection: sa.Connection, after: datetime, until: datetime) -> set[bytes]:
    """The identities of indicators whose expiration lies between the two, ends included."""
    return set(connection.scalars(_IDENTITIES.where(indicators.c.expiration.between(after, until))))


def created(connection: sa.Connection, kind: str, after: datetime, until: datetime) -> set[bytes]:
    """Of the type, those that OTX gives no end, and that were created between the two: the pulse was, if need be."""
    mine = _IDENTITIES.where(indicators.c.type == kind, indicators.c.expiration.is_(None))
    dated = mine.where(indicators.c.created.between(after, until))
    undated = mine.join(pulses, pulses.c.pk == indicators.c.pulse_pk).where(
        indicators.c.created.is_(None), pulses.c.created.between(after, until)
    )
    return {*connection.scalars(dated), *connection.scalars(undated)}


def modified(connection: sa.Connection, after: datetime, until: datetime) -> set[int]:
    """The keys of pulses that were modified between the two."""
    return set(connection.scalars(sa.select(pulses.c.pk).where(pulses.c.modified.between(after, until))))


_IDENTITIES = sa.select(indicators.c.identity)
