"""A feed in each kind of database, on a clock that stands still."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

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
def new_feed(new_database: Callable[..., str]) -> Iterator[Callable[[], str]]:
    """Gives a database for the next example of a state machine, in place of the last one's; SQLite's is in memory."""
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as folder:
        yield lambda: new_database(Path(folder) / "feed.db")


@pytest.fixture
def feed(database: Database, clock: Clock) -> Feed:
    """Nothing in it but the services."""
    with database.write() as connection:
        collections.ensure_services(connection)
    marking.refresh(database, Policy())  # as a first pull does: nothing is marked anew
    return Feed(database, clock)
