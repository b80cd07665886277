"""Indicators that can't be written as STIX, in one profile or the other, and why."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from pulsegate.store import touched
from pulsegate.store.paged import paged
from pulsegate.store.tables import indicators, pulses


@dataclass(frozen=True, slots=True)
class Unwritten:
    """An indicator with what was wrong when it was tried."""

    pulse_id: str
    type: str
    value: str
    reason: str
    pk: int = field(default=0, compare=False)  # the indicator's


def mark(connection: sa.Connection, indicator_pk: int, profile: str, reason: str) -> None:
    """Note that it can't be written in the profile; it is not tried again until it or its pulse changes."""
    mine = indicators.c.pk == indicator_pk
    known = connection.execute(sa.select(indicators.c.failure, indicators.c.identity).where(mine)).first()
    if known is None:
        return
    told = json.dumps(_reasons(known.failure) | {profile: reason}, ensure_ascii=False)
    connection.execute(sa.update(indicators).where(mine).values(failure=told))
    touched.touch_values(connection, [known.identity])  # another pulse may carry it, for now


def reason_in(failure: str | None, profile: str) -> str | None:
    """What the column ``failure`` says of the profile."""
    return _reasons(failure).get(profile) if failure else None


def words(failure: str | None) -> str | None:
    """What the column ``failure`` says, for people."""
    return "; ".join(f"{profile}: {reason}" for profile, reason in _reasons(failure).items()) or None


def every(connection: sa.Connection) -> list[Unwritten]:
    return _unwritten(connection, _query().order_by(indicators.c.pk))


def page(connection: sa.Connection, key: int | None, *, backwards: bool = False, limit: int) -> list[Unwritten]:
    """Newest first, from below that key on; ``backwards``: the oldest first, from above it on. By an index."""
    return _unwritten(connection, paged(_query(), indicators.c.pk, key, backwards=backwards, limit=limit))


def count(connection: sa.Connection) -> int:
    failed = sa.select(sa.func.count()).select_from(indicators).where(indicators.c.failure.is_not(None))
    return int(connection.scalar(failed) or 0)


def _query() -> sa.Select[Any]:
    return (
        sa.select(pulses.c.id, indicators.c.type, indicators.c.value, indicators.c.failure, indicators.c.pk)
        .join(pulses, pulses.c.pk == indicators.c.pulse_pk)
        .where(indicators.c.failure.is_not(None))
    )


def _unwritten(connection: sa.Connection, query: sa.Select[Any]) -> list[Unwritten]:
    rows = connection.execute(query)
    return [Unwritten(row[0], row[1], row[2], words(row[3]) or "", row[4]) for row in rows]


def forget(connection: sa.Connection) -> int:
    """Let all of them be tried again; gives their number."""
    failed = sa.update(indicators).where(indicators.c.failure.is_not(None)).values(failure=None)
    again = list(connection.scalars(failed.returning(indicators.c.identity)))
    touched.touch_values(connection, again)
    return len(again)


def _reasons(failure: str | None) -> dict[str, str]:
    found: dict[str, str] = json.loads(failure) if failure else {}
    return found
