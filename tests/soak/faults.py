"""Faults that are planted to see that a soak finds them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pulsegate.publication import publish
from pulsegate.publication.labels import Labels
from pulsegate.store import ledger
from pulsegate.store.database import Database, now

FAULTS = ("labels-before-lock", "no-raise")


def plant(fault: str) -> None:
    """Change the code of this process."""
    if fault == "labels-before-lock":
        publish._Publisher = _LabelsBeforeLock
    elif fault == "no-raise":
        ledger._raise = _no_raise


class _LabelsBeforeLock(publish._Publisher):
    """The frontier and the time are read in a transaction before the one that publishes."""

    def _carry_out(self, step: Any) -> None:
        with self._database.read() as connection:
            row = ledger.get(connection, self._collection.name)
            assert row is not None
            self._early = Labels(row.frontier, row.frontier, now(connection))
        super()._carry_out(step)

    def _labels(self, row: ledger.Ledger, moment: datetime) -> Labels:
        return self._early


def _no_raise(database: Database, name: str, needed: datetime) -> int:
    """The revision, with the frontier left where it is."""
    with database.read() as connection:
        row = ledger.get(connection, name)
    assert row is not None
    return row.revision
