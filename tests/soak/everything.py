"""A soak of one installation that nobody disturbs: pulls, publications, pages and polls together.

``python -m soak.everything --seconds 3600 --database postgresql`` from ``tests/``. Judged are what each client was given
(as in ``soak.ledger``), any poll or page that failed, any error in the log, and memory and files that grow. Exits 1 on a
fault.
"""

# ruff: noqa: T201 - its figures are its output

from __future__ import annotations

import argparse
import os
import random
import re
import statistics
import sys
import time
from datetime import timedelta
from typing import Any

from ports import free_port
from pulsegate.model.collection import Collection
from pulsegate.otx.simulator import Simulator
from pulsegate.store import decisions
from pulsegate.store.database import Database
from soak.hosts_processes import READY, Process, wait
from soak.hosts_world import PASSWORD, HostsWorld, Observer, OTXFeeder, PollFailedError, WebPoller, in_thread
from soak.judge import Verdict, judge
from soak.ledger import a_database, a_folder, report
from soak.people import Curator, Person
from soak.samples import Samples, grows
from soak.world import KINDS, NEVER, Client, utc_now
from support import BIN

KEY = "a-key-of-the-soak"
BULK = 400  # pulses with 50 indicators each that never change
PEOPLE = 5
LEAST = 600.0  # seconds before memory is judged: it grows while caches fill
AUTHOR = "author"  # of the pulses that change
SETTINGS = {
    "PULSEGATE_OTX__INTERVAL": "5s", "PULSEGATE_OTX__JITTER": "0s", "PULSEGATE_OTX__COMPARE": "20s",
    "PULSEGATE_OTX__MAX_REMOVAL": "1", "PULSEGATE_OTX__BACKFILL": "3650d", "PULSEGATE_ADMIN_PASSWORD": PASSWORD,
    "PULSEGATE_RESULTS_KEPT": "1m", "OTX_API_KEY": KEY,
}  # fmt: skip
COLLECTIONS = f"""
pulsegate:
  collections:
    - {{name: once, include: {{authors: [{AUTHOR}]}}}}
    - {{name: each, include: {{authors: [{AUTHOR}]}}, deduplicate: false}}
    - {{name: mail, profile: esa}}
"""


class CalmWorld(HostsWorld):
    """The judged collections hold the pulses that change, of one author."""

    @property
    def collections(self) -> dict[str, tuple[Collection, timedelta]]:
        return {name: (Collection(name, deduplicate=name == "once"), NEVER) for name in ("once", "each")}

    def clients(self, kind: str) -> dict[str, Client]:
        pause, least = (0.5, 3.0), min(10.0, self.seconds / 60)
        return {
            "answered": dict.fromkeys(self.collections, Client("answered", pause=pause)),
            "clock": {
                "once": Client("clock", "clock", -self.skew, pause=pause),
                "each": Client("clock", "clock", self.skew, pause=pause),
            },
            "slow": dict.fromkeys(self.collections, Client("slow", "far", pause=(least, 9 * least))),
            "whole": dict.fromkeys(self.collections, Client("whole", whole=True, pause=(1.0, 5.0))),
            "reader": {"subscribed": Client("reader", whole=True)},
        }[kind]


class Reader(WebPoller):
    """Reads all of a large collection, again and again; what is in it is not judged."""

    def run(self) -> None:
        self.faults: list[str] = []
        while not self.world.stopped:
            began = time.monotonic()
            try:
                body = self.ask("subscribed", None, None)
            except (OSError, PollFailedError) as error:
                self.faults.append(str(error))
            else:
                self.seconds.append(time.monotonic() - began)
                if body.count(b"<indicator:Title>") < 50 * BULK:
                    self.faults.append(f"only {body.count(b'<indicator:Title>')} indicators")
            time.sleep(self.random.uniform(2.0, 8.0))


class Everything:
    def __init__(self, world: CalmWorld, otx: Simulator) -> None:
        self.world, self.otx = world, otx
        config = world.folder / "opentaxii.yml"
        config.write_text(COLLECTIONS)
        port = free_port()
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("PULSEGATE_", "OTX_"))}
        environment = kept | SETTINGS | {
            "PULSEGATE_DATABASE": world.url, "PULSEGATE_OTX__URL": otx.url, "PULSEGATE_CONFIG": str(config),
            "PULSEGATE_DATA_DIR": str(world.folder / "data"),
        }  # fmt: skip
        self.address = f"http://127.0.0.1:{port}"
        self.server = Process(
            "serve", [str(BIN / "pulsegate"), "serve", "--port", str(port)], environment, world.folder
        )
        poll = f"{self.address}/taxii/poll"
        self.pollers = [WebPoller(world, kind, poll) for kind in KINDS]
        self.reader = Reader(world, "reader", poll)
        self.people = [Person(world, self.address, number) for number in range(PEOPLE)]
        self.curator = Curator(world, self.address, PEOPLE)
        self.people.append(self.curator)

    def run(self) -> Verdict:
        feeder = OTXFeeder(self.world, self.otx)
        for number in range(BULK):
            self.otx.put(bulk(number))
            self.otx.subscribe(f"b{number:023x}")
        for number in range(20):
            feeder.commit([feeder.grow(number)])
        self.server.start()
        try:
            wait(lambda: "pull.finished" in self.server.log.read_text(), READY * 2, "the first pull")
            return self.soak(feeder)
        finally:
            self.server.kill()

    def soak(self, feeder: OTXFeeder) -> Verdict:
        observer, samples = Observer(self.world), Samples(self.server.process.pid)
        threads = [in_thread(one.run) for one in (feeder, *self.pollers, self.reader, *self.people)]
        in_thread(samples.run)
        deadline = time.monotonic() + self.world.seconds
        while time.monotonic() < deadline:
            observer.look()
            self.otx.forget_requests()
            time.sleep(1.0)
        (self.world.folder / "stop").touch()
        for thread in threads:
            thread.join(120)
        stopped = utc_now()
        wait(lambda: (observer.look() or stopped) > stopped, READY * 2, "the last pull")
        for poller in self.pollers:
            poller.last()
        samples.stop.set()
        code = self.server.end()
        return self.judge(samples, code)

    # --- Verdict -----------------------------------------------------------------------------------------------------

    def judge(self, samples: Samples, code: int) -> Verdict:
        verdict = judge(self.world)
        verdict.check("end", good=code == 0, evidence=lambda: f"serve ended with {code}")
        failed = [fault for one in (self.reader, *self.people) for fault in one.faults]
        failed += [str(entry) for one in self.pollers for entry in one.journal.read() if "error" in entry]
        verdict.counts["requests looked at"] += 1
        verdict.faults["request"] += failed
        errors = re.findall(r"^.*(?:\[error|\[critical|Traceback).*$", self.server.log.read_text(), re.MULTILINE)
        verdict.check("log", good=not errors, evidence=lambda: "\n".join(errors[:5]))
        allowed, made = len(decided(self.world.url)), self.curator.made
        verdict.check("decisions", good=allowed == made > 0, evidence=lambda: f"{made} made, {allowed} there")
        self.grown(samples, verdict)
        self.figures()
        return verdict

    def grown(self, samples: Samples, verdict: Verdict) -> None:
        for name, unit, early, late, most in samples.growth():
            print(f"{name}: {early:.0f} {unit}, at last {late:.0f}, at most {most:.0f}")
            if self.world.seconds >= LEAST:
                told = f"{name}: from {early:.0f} to {late:.0f} {unit}"
                verdict.check("growth", good=not grows(unit, early, late), evidence=lambda told=told: told)

    def figures(self) -> None:
        polls = [second for poller in self.pollers for second in poller.seconds]
        pages = [second for person in self.people for second in person.seconds]
        statuses = sum((person.answers for person in self.people), start=type(self.people[0].answers)())
        for what, seconds in (
            ("polls", polls),
            ("full polls of 20,000 indicators", self.reader.seconds),
            ("pages", pages),
        ):
            found = sorted(seconds) or [0.0]  # nothing was answered, which is told elsewhere
            p99 = found[len(found) * 99 // 100]
            print(
                f"{len(found)} {what}: median {statistics.median(found):.3f} s, p99 {p99:.3f} s, longest {found[-1]:.3f} s"
            )
        print(f"pages by status: {dict(statuses)}")
        for file in sorted(self.world.folder.glob("soak.db*")):
            print(f"{file.name}: {file.stat().st_size / 1e6:.1f} MB")


def decided(url: str) -> list[Any]:
    database = Database(url)
    with database.read() as connection:
        found = list(decisions.read(connection).allowed)
    database.close()
    return found


def bulk(number: int) -> dict[str, Any]:
    rows = [{"id": place, "type": "domain", "indicator": f"{place}.b{number}.example.net"} for place in range(50)]
    return {
        "id": f"b{number:023x}", "name": f"Bulk {number}", "author_name": "bulk", "created": "2026-01-01T00:00:00",
        "modified": "2026-01-02T00:00:00", "indicators": rows,
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m soak.everything", description="Everything together, undisturbed.")
    parser.add_argument("--seconds", type=float, default=60.0, help="how long (default 60)")
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--keep", action="store_true", help="keep the folder with the journals and the log")
    given = parser.parse_args()
    with a_folder(given.seed, given.database, keep=given.keep) as folder:
        with a_database(given.database, folder) as url, Simulator(api_key=KEY) as otx:
            verdict = Everything(CalmWorld(url, folder, given.seconds, given.seed), otx).run()
        good = report(verdict, given.seconds)
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
