"""A soak of several hosts: three servers and two workers on one PostgreSQL, nginx in front, killed and restarted at random.

``python -m soak.hosts --seconds 600 --seed N`` from ``tests/``. Pulls come from a simulated OTX that changes, clients of
every kind poll through nginx. Judged are what each was given (as in ``soak.ledger``), polls that failed though nothing
was killed on them, and how long it took until another worker was at work. Exits 1 on a fault.
"""

# ruff: noqa: T201 - its figures are its output

from __future__ import annotations

import argparse
import os
import random
import signal
import statistics
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from itertools import cycle

from pulsegate.otx.simulator import Simulator
from soak.hosts_processes import READY, Nginx, Process, Server, Worker, wait
from soak.hosts_world import PASSWORD, HostsWorld, Observer, OTXFeeder, WebPoller, in_thread
from soak.judge import Verdict, judge
from soak.ledger import a_database, a_folder, report
from soak.world import KINDS, utc_now

KEY = "a-key-of-the-soak"
SERVERS, WORKERS = 3, 2
TAKEN_OVER = 60.0  # seconds until another worker must be at work
SETTINGS = {
    "PULSEGATE_OTX__INTERVAL": "1s", "PULSEGATE_OTX__JITTER": "0s", "PULSEGATE_OTX__RETRY": "1s",
    "PULSEGATE_OTX__COMPARE": "100ms", "PULSEGATE_OTX__MAX_REMOVAL": "1", "PULSEGATE_OTX__BACKFILL": "3650d",
    "PULSEGATE_ADMIN_PASSWORD": PASSWORD, "PULSEGATE_PROXIES": "127.0.0.1", "OTX_API_KEY": KEY,
}  # fmt: skip


class Hosts:
    """Starts everything, disturbs it, and sees it to its end."""

    def __init__(self, world: HostsWorld, otx: Simulator) -> None:
        self.world, self.otx = world, otx
        self.random = random.Random(f"hosts {world.seed}")
        (world.folder / "opentaxii.yml").write_text("pulsegate:\n  collections: [{name: each, deduplicate: false}]\n")
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("PULSEGATE_", "OTX_"))}
        self.environment = kept | SETTINGS | {
            "PULSEGATE_DATABASE": world.url, "PULSEGATE_OTX__URL": otx.url, "PULSEGATE_DATA_DIR": str(world.folder / "data"),
            "PULSEGATE_CONFIG": str(world.folder / "opentaxii.yml"),
        }  # fmt: skip
        self.servers = [Server(f"server-{number}", self.environment, world.folder) for number in range(SERVERS)]
        self.workers = [Worker(f"worker-{number}", self.environment, world.folder) for number in range(WORKERS)]
        self.nginx = Nginx([one.port for one in self.servers], world.folder)
        self.kills: list[float] = []  # of servers, when they were about to be killed
        self.takeovers: list[float] = []
        self.ends: list[float] = []  # seconds that servers took to end
        self.verdict = Verdict()

    @property
    def processes(self) -> list[Process]:
        return [*self.servers, *self.workers, self.nginx]

    def run(self) -> Verdict:
        feeder, observer = OTXFeeder(self.world, self.otx), Observer(self.world)
        pollers = [WebPoller(self.world, kind, f"{self.nginx.address}/taxii/poll") for kind in KINDS]
        for number in range(20):
            feeder.commit([feeder.grow(number)])
        try:
            self.start()
            observe = self.every(0.3, observer.look)
            threads = [in_thread(one) for one in (feeder.run, *(poller.run for poller in pollers), observe)]
            self.disturb(time.monotonic() + self.world.seconds)
            (self.world.folder / "stop").touch()
            for thread in threads:
                thread.join(90)
            self.finish(observer, pollers)
        finally:
            for one in self.processes:
                with suppress(AttributeError):  # it was not started
                    one.kill()
        return self.judge(pollers)

    def start(self) -> None:
        """All at once, on an empty database."""
        for one in self.processes:
            one.start()
        took = wait(self.all_ready, READY * 2, "the start of all servers")
        print(f"started in {took:.1f} s", flush=True)
        wait(lambda: any(one.works() for one in self.workers), READY, "the first pull")

    def all_ready(self) -> bool:
        return all(one.is_ready() for one in self.servers)

    def every(self, seconds: float, work: Callable[[], object]) -> Callable[[], None]:
        def run() -> None:
            while not self.world.stopped:
                work()
                time.sleep(seconds)

        return run

    def finish(self, observer: Observer, pollers: list[WebPoller]) -> None:
        """What was changed last is pulled; then everybody polls once more."""
        stopped = utc_now()
        began = None

        def is_pulled() -> bool:
            nonlocal began
            began = observer.look() or began
            return began is not None and began > stopped

        wait(is_pulled, TAKEN_OVER, "the last pull")
        wait(self.all_ready, READY, "servers")
        for poller in pollers:
            poller.last()

    # --- Disturbances ------------------------------------------------------------------------------------------------

    def disturb(self, deadline: float) -> None:
        kinds = [self.kill_server, self.kill_worker, self.end_server, self.kill_process, self.end_worker]
        for kind in cycle(kinds):
            time.sleep(self.random.uniform(0.2, 2.0))
            if time.monotonic() > deadline:
                return
            kind()
            self.verdict.counts[f"disturbances, {kind.__name__}"] += 1

    def a_server(self) -> Server:
        """One of them, while the others can serve."""
        wait(self.all_ready, READY, "servers")
        return self.random.choice(self.servers)

    def kill_server(self) -> None:
        server = self.a_server()
        self.kills.append(time.monotonic())
        server.kill()
        time.sleep(self.random.uniform(0.0, 2.0))
        server.start()

    def kill_process(self) -> None:
        """Of a server; its master starts another one."""
        server = self.a_server()
        self.kills.append(time.monotonic())
        os.kill(server.children()[0], signal.SIGKILL)
        time.sleep(0.5)

    def end_server(self) -> None:
        server = self.a_server()
        began = time.monotonic()
        code = server.end()
        self.ends.append(time.monotonic() - began)
        self.verdict.check("end", good=code == 0, evidence=lambda: f"{server.name} ended with {code}")
        server.start()

    def kill_worker(self) -> None:
        self.replace_worker(lambda worker: worker.kill())

    def end_worker(self) -> None:
        self.replace_worker(lambda worker: worker.end())

    def replace_worker(self, end: Callable[[Worker], object]) -> None:
        """End the one that is at work; the other one takes over."""
        pair = self.workers
        wait(lambda: any(one.works() and other.stands_by() for one, other in (pair, pair[::-1])), READY, "a worker by")
        worker, other = sorted(pair, key=Worker.stands_by)
        began = time.monotonic()
        end(worker)
        wait(other.works, TAKEN_OVER, "another worker at work")
        self.takeovers.append(time.monotonic() - began)
        worker.start()

    # --- Verdict -----------------------------------------------------------------------------------------------------

    def judge(self, pollers: list[WebPoller]) -> Verdict:
        verdict, disturbed = judge(self.world), self.verdict
        verdict.counts.update(disturbed.counts)
        for kind, found in disturbed.faults.items():
            verdict.faults[kind] += found
        for poller in pollers:
            for entry in poller.journal.read():
                if "error" in entry:
                    good = any(entry["start"] <= moment <= entry["done"] for moment in self.kills)
                    verdict.check("failed poll", good=good, evidence=lambda e=entry, p=poller: f"{p.kind}: {e}")
        for one in self.processes:
            text = one.log.read_text()
            verdict.check("log", good="Traceback" not in text, evidence=lambda o=one, t=text: f"{o.name}:\n{t[-3000:]}")
        self.figures([second for poller in pollers for second in poller.seconds])
        return verdict

    def figures(self, seconds: list[float]) -> None:
        seconds.sort()
        p99 = seconds[len(seconds) * 99 // 100]
        print(
            f"{len(seconds)} polls: median {statistics.median(seconds):.3f} s, p99 {p99:.3f} s, longest {seconds[-1]:.3f} s"
        )
        for what, found in (("another worker was at work after", self.takeovers), ("servers ended after", self.ends)):
            print(f"{what}: {', '.join(f'{one:.1f}' for one in found)} s")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m soak.hosts", description="Several hosts, killed at random.")
    parser.add_argument("--seconds", type=float, default=60.0, help="how long they are disturbed (default 60)")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--keep", action="store_true", help="keep the folder with the journals and logs")
    given = parser.parse_args()
    with a_folder(given.seed, "several hosts", keep=given.keep) as folder:
        with a_database("postgresql", folder) as url, Simulator(api_key=KEY) as otx:
            verdict = Hosts(HostsWorld(url, folder, given.seconds, given.seed), otx).run()
        good = report(verdict, given.seconds)
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
