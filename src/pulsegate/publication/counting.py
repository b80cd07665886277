"""Keeps the numbers that pages show of a large store: counted anew where something changed, and seldom."""

from __future__ import annotations

import time

from pulsegate.publication.pulse_search import number_waiting
from pulsegate.store import collections, counts, decisions
from pulsegate.store.counts import TYPES, WAITING
from pulsegate.store.database import Connection, Database, now

SHARE = 50  # so many times as long as it took, nothing is counted


class Counting:
    """Called again and again. It takes at most a fiftieth of the time, however large the store is."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._rests_until = 0.0

    def __call__(self) -> None:
        begun = time.monotonic()
        if begun >= self._rests_until:
            recount(self._database)
            ended = time.monotonic()
            self._rests_until = ended + SHARE * (ended - begun)


def recount(database: Database) -> None:
    """Count what has changed since it was counted."""
    with database.read() as connection:
        known = {name: one.stamp for name, one in counts.every(connection).items()}
        due = {f"{TYPES}{name}": str(revision) for name, revision in counts.revisions(connection).items()}
        due[WAITING] = _waiting_stamp(connection)
    for name, stamp in due.items():
        if known.get(name) != stamp:
            _count(database, name, stamp)
    if known.keys() - due.keys():
        with database.write() as connection:
            counts.keep(connection, set(due))


def _count(database: Database, name: str, stamp: str) -> None:
    with database.read() as connection:
        if name == WAITING:
            found = {WAITING: number_waiting(connection)}
        else:
            found = counts.types(connection, name.removeprefix(TYPES))
    with database.write() as connection:
        counts.put(connection, name, stamp, found)


def _waiting_stamp(connection: Connection) -> str:
    """Rules ask for ages too, so each hour has another one."""
    rules = max((one.changed for one in collections.every(connection)), default=None)
    decided = decisions.revision(connection)
    return f"{counts.pulses_stamp(connection)} {decided} {rules} {now(connection):%Y-%m-%d %H}"
