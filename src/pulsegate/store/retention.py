"""Forgetting what has been over for long enough, so that the database stays bounded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import sqlalchemy as sa

from pulsegate.store import alarms, audit, drafts, polls, relay, sessions, tallies, tasks, withdrawals
from pulsegate.store.database import Connection, Database, now
from pulsegate.store.quarantine import INDICATOR
from pulsegate.store.tables import blocks, pulses, quarantine, runs

DRAFT_KEPT = timedelta(days=1)
ALARMS_KEPT = timedelta(days=90)
SESSION_KEPT = timedelta(days=1)  # longer than any lasts


@dataclass(frozen=True, slots=True)
class Forgotten:
    """How many rows of each kind were deleted."""

    runs: int
    pulses: int
    quarantined: int
    polls: int
    changes: int  # records of who changed what
    withdrawals: int


def purge(database: Database, keep: timedelta, polls_kept: timedelta, audit_kept: timedelta) -> Forgotten:
    """Delete the records of pulls, and the pulses withdrawn with all that is theirs, that ended more than ``keep`` ago.

    The newest run stays, and so does a pulse that a block still belongs to. Records of polls go after ``polls_kept``,
    those of who changed what after ``audit_kept``.
    Tasks that are done, the relay's log and the numbers by day go after ``keep`` too; sessions of the pages when they
    are over, and alarms 90 days later.
    """
    with database.write() as connection:
        before = now(connection) - keep
        newest = sa.select(sa.func.max(runs.c.pk)).scalar_subquery()
        old_runs = connection.execute(sa.delete(runs).where(runs.c.finished < before, runs.c.pk < newest)).rowcount
        used = sa.select(blocks.c.pulse_pk).where(blocks.c.pulse_pk.is_not(None))
        over = sa.and_(pulses.c.active.is_(False), pulses.c.withdrawn < before, pulses.c.pk.not_in(used))
        old_pulses = connection.execute(sa.delete(pulses).where(over)).rowcount
        orphaned = sa.and_(
            quarantine.c.kind == INDICATOR,
            quarantine.c.since < before,
            quarantine.c.pulse_id.not_in(sa.select(pulses.c.id)),
        )
        entries = connection.execute(sa.delete(quarantine).where(orphaned)).rowcount
        changes = audit.purge(connection, now(connection) - audit_kept)
        polls_before = now(connection) - polls_kept
        tallies.purge(connection, before)
        relay.purge(connection, before)
        tasks.purge(connection, before)
        drafts.purge(connection, now(connection) - DRAFT_KEPT)
        alarms.purge(connection, now(connection) - ALARMS_KEPT)
        sessions.purge(connection, now(connection) - SESSION_KEPT)
    gone = _purge(database, lambda connection: polls.purge(connection, polls_before))
    left = _purge(database, lambda connection: withdrawals.purge(connection, before))
    return Forgotten(old_runs, old_pulses, entries, gone, changes, left)


def _purge(database: Database, some: Callable[[Connection], int]) -> int:
    """In short transactions: a poll must not wait for a day's worth of deletions."""
    total = 0
    while True:
        with database.write() as connection:
            gone = some(connection)
        total += gone
        if not gone:
            return total
