"""How many polls there were, and how long they took: totals that only rise, for Prometheus.

They are added with the poll log, in its transaction, and outlive its records; all processes and hosts add to the same.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields

import sqlalchemy as sa

from pulsegate.store.polls import PollRecord, spellings
from pulsegate.store.tables import data_collections, poll_totals
from pulsegate.store.upsert import upsert

BUCKETS = (0.005, 0.02, 0.1, 0.5, 2.0, 10.0)  # seconds; poll_totals has a column for each


@dataclass(slots=True)
class Totals:
    """Of one collection and outcome. ``within_N``: polls that took at most the N-th of ``BUCKETS``."""

    polls: int = 0
    blocks: int = 0
    indicators: int = 0
    bytes: int = 0
    seconds: float = 0.0
    within_0: int = 0
    within_1: int = 0
    within_2: int = 0
    within_3: int = 0
    within_4: int = 0
    within_5: int = 0

    def add(self, one: PollRecord) -> None:
        self.polls += 1
        self.blocks += one.blocks
        self.indicators += one.indicators
        self.bytes += one.bytes
        self.seconds += one.seconds
        for number, bucket in enumerate(BUCKETS):
            if one.seconds <= bucket:
                setattr(self, f"within_{number}", self.within(number) + 1)

    def within(self, number: int) -> int:
        return int(getattr(self, f"within_{number}"))


_NAMES = [one.name for one in fields(Totals)]
Key = tuple[str, str]


def add(connection: sa.Connection, records: Iterable[PollRecord]) -> None:
    """Count the polls, by collection and outcome. A name that no collection has counts as none: anybody may ask."""
    known = set(connection.scalars(sa.select(data_collections.c.name)))
    found: dict[Key, Totals] = {}
    for one in records:
        key = (next(iter(spellings(one.collection) & known), ""), one.outcome)
        found.setdefault(key, Totals()).add(one)
    for (collection, outcome), totals in sorted(found.items(), key=lambda each: each[0]):  # one order for all processes
        values = {name: getattr(totals, name) for name in _NAMES}
        more = {name: poll_totals.c[name] + value for name, value in values.items()}
        upsert(connection, poll_totals, {"collection": collection, "outcome": outcome}, values, more)


def every(connection: sa.Connection) -> dict[Key, Totals]:
    query = sa.select(poll_totals).order_by(poll_totals.c.collection, poll_totals.c.outcome)
    rows = connection.execute(query).mappings()
    return {(row["collection"], row["outcome"]): Totals(**{name: row[name] for name in _NAMES}) for row in rows}
