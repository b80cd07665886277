"""Indicators that can't be written as STIX, in one profile or the other, and why."""

from __future__ import annotations

import json
from dataclasses import dataclass

import sqlalchemy as sa

from pulsegate.store import touched
from pulsegate.store.tables import indicators, pulses


@dataclass(frozen=True, slots=True)
class Unwritten:
    """An indicator with what was wrong when it was tried."""

    pulse_id: str
    type: str
    value: str
    reason: str


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
    query = (
        sa.select(pulses.c.id, indicators.c.type, indicators.c.value, indicators.c.failure)
        .join(pulses, pulses.c.pk == indicators.c.pulse_pk)
        .where(indicators.c.failure.is_not(None))
        .order_by(indicators.c.pk)
    )
    return [Unwritten(row[0], row[1], row[2], words(row[3]) or "") for row in connection.execute(query)]


def forget(connection: sa.Connection) -> int:
    """Let all of them be tried again; gives their number."""
    failed = sa.update(indicators).where(indicators.c.failure.is_not(None)).values(failure=None)
    again = list(connection.scalars(failed.returning(indicators.c.identity)))
    touched.touch_values(connection, again)
    return len(again)


def _reasons(failure: str | None) -> dict[str, str]:
    found: dict[str, str] = json.loads(failure) if failure else {}
    return found
