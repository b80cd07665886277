"""The record of who changed what, and forgetting it."""

from __future__ import annotations

from datetime import timedelta

from pulsegate.store import audit, retention
from store.conftest import NOW

DAY = timedelta(days=1)


def test_retention_forgets_old_changes_only(database, monkeypatch):
    for age in (800, 731, 729, 0):
        monkeypatch.setattr(audit, "now", lambda _, age=age: NOW - age * DAY)
        with database.write() as connection:
            audit.record(connection, "carol", "allow.add", f"{age}.example", after={"age": age})
    monkeypatch.setattr(retention, "now", lambda _: NOW)
    forgotten = retention.purge(database, timedelta(days=90), timedelta(days=30), timedelta(days=730))
    with database.read() as connection:
        kept = audit.every(connection, limit=10)
    assert (forgotten.changes, [one.after for one in kept]) == (2, [{"age": 0}, {"age": 729}])


def test_group_of_actions(database):
    with database.write() as connection:
        for action in ("allow.add", "allow.remove", "allowance.add", "pulse.review"):
            audit.record(connection, "carol", action, "x")
    with database.read() as connection:
        found = {one.action for one in audit.every(connection, limit=10, action="allow")}
    assert found == {"allow.add", "allow.remove"}
