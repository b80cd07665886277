"""A feed in each kind of database, on a clock that stands still."""

from __future__ import annotations

import pytest

from publication.feeds import MODULES, Clock, Feed
from pulsegate.curation.policy import Policy
from pulsegate.publication import marking
from pulsegate.store import collections
from pulsegate.store.database import Database


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    for module in MODULES:
        monkeypatch.setattr(f"pulsegate.{module}.now", clock.read)
    return clock


@pytest.fixture
def feed(database: Database, clock: Clock) -> Feed:
    """Nothing in it but the services."""
    with database.write() as connection:
        collections.ensure_services(connection)
    marking.refresh(database, Policy())  # as a first pull does: nothing is marked anew
    return Feed(database, clock)
