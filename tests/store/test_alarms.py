"""Alarms as they are kept: open ones first, and forgotten 90 days after they were over."""

from __future__ import annotations

from datetime import timedelta

import sqlalchemy as sa

from pulsegate.store import alarms, retention, tables
from pulsegate.store.database import now


def test_open_alarms_come_first_and_old_ones_are_forgotten(database):
    with database.write() as connection:
        for kind in ("old", "open", "over"):
            alarms.raise_(connection, "otx", kind, f"{kind} \0")
        alarms.clear(connection, "otx", "over")
        alarms.clear(connection, "otx", "old")
        assert alarms.open_kinds(connection, "otx") == {"open"}
        assert alarms.open_kinds(connection, "partner") == set()
        past = now(connection) - timedelta(days=91)
        old = tables.alarms.c.kind == "old"
        connection.execute(sa.update(tables.alarms).where(old).values(raised=past, cleared=past))
        assert [one.kind for one in alarms.latest(connection, limit=9)] == ["open", "over", "old"]
    retention.purge(database, timedelta(days=365), timedelta(days=30), timedelta(days=730))
    with database.write() as connection:
        assert [one.text for one in alarms.latest(connection, limit=9)] == ["open \\x00", "over \\x00"]
        alarms.clear(connection, "otx")
        assert alarms.open_kinds(connection, "otx") == set()
