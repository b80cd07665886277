"""A store in each kind of database, and a clock that stands still."""

from __future__ import annotations

import pytest

from pulsegate.intake import running
from pulsegate.publication.built_in import SUBSCRIBED
from pulsegate.store import collections, sources
from pulsegate.sync import comparison, pull, walk
from sync.pulls import NOW


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    """The clock of pulls, standing still; put it elsewhere by calling it."""

    def put(moment):
        for module in (running, pull, walk, comparison, sources):
            monkeypatch.setattr(module, "now", lambda _: moment)

    put(NOW)
    return put


@pytest.fixture
def store(database):
    """A database with the collection of all pulses."""
    with database.write() as connection:
        collections.ensure_services(connection)
        collections.put(connection, SUBSCRIBED)
    return database
