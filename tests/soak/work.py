"""The processes of a soak: one that changes pulses, publishers, and pollers."""

from __future__ import annotations

import json
import random
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import support
from pulsegate.errors import OutdatedRevisionError, PublicationConflictError, StoreError
from pulsegate.model.indicator import Indicator, IndicatorType, RawIndicator
from pulsegate.model.pulse import Pulse
from pulsegate.publication import planning, publish, render
from pulsegate.stix import Block
from pulsegate.store import collections, ledger, migrate, taken, versions
from pulsegate.store.database import Database
from pulsegate.store.versions import Window
from soak.faults import plant
from soak.world import CAP, DAY, POLICY, Client, World, utc_now

PULSES = 40
VALUES = [f"v{number}.example" for number in range(240)]
BLOCK = 5  # indicators in a new block
CHUNK = 4  # blocks in one transaction of a reading
SLEEPS = 0.004  # of the blocks that a sleepy client reads
FAR = datetime(2099, 1, 1, tzinfo=UTC)


def prepare(world: World) -> None:
    """A schema, and the collections with nothing in them."""
    database = Database(world.url)
    migrate.upgrade(database)
    with database.write() as connection:
        collections.ensure_services(connection)
        for collection, _lag in world.collections.values():
            collections.put(connection, collection)
    database.close()


# --- the feeder ------------------------------------------------------------------------------------------------------


class Feeder:
    """Changes pulses; writes down each transaction once it is committed, with the moments before and after it."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.random = random.Random(f"feeder {world.seed}")
        self.database = Database(world.url)
        self.journal = world.journal("truth")
        self.journal.open()
        self.pulses: dict[int, Pulse] = {}
        self.values: dict[int, set[str]] = {}
        self.active: set[int] = set()

    def run(self) -> None:
        for _ in range(PULSES // 2):
            self.commit([self.grow(self.random.randrange(PULSES))])
        while not self.world.stopped:
            self.commit(*self.change())
            quiet = self.random.random() < 0.01
            time.sleep(self.random.uniform(2, 4) if quiet else self.random.expovariate(10))

    def change(self) -> tuple[list[int], ...]:
        """Transactions to commit, each a list of numbers of pulses that have changed."""
        number = self.random.randrange(PULSES)
        known = sorted(self.pulses)
        other = self.random.choice(known)
        kind = self.random.choices(("grow", "shrink", "withdraw", "back", "touch", "hand over"), (30, 20, 8, 12, 8, 22))
        match kind[0]:
            case "grow":
                return ([self.grow(number)],)
            case "shrink":
                lost = self.random.sample(sorted(self.values[other]), min(len(self.values[other]), 3))
                return ([self.alter(other, self.values[other] - set(lost))],)
            case "withdraw":
                self.active.discard(other)
                return ([other],)
            case "back":
                gone = sorted(set(known) - self.active)
                back = self.random.sample(gone, min(len(gone), self.random.randint(1, 3)))
                self.active.update(back)
                return (back,) if back else ()
            case "touch":
                return ([self.alter(other, self.values[other])],)
        return self.hand_over(other, self.random.choice(known))

    def hand_over(self, giver: int, taker: int) -> tuple[list[int], ...]:
        """Values go from one pulse to another, at no moment in none."""
        moved = self.random.sample(sorted(self.values[giver]), min(len(self.values[giver]), 3))
        self.alter(taker, self.values[taker] | set(moved))
        if giver == taker or giver not in self.active:
            return ([taker],)
        if self.random.random() < 0.5:
            self.alter(giver, self.values[giver] - set(moved))
            return ([taker, giver],)
        self.commit([taker])
        self.alter(giver, self.values[giver] - set(moved))
        return ([giver],)

    def grow(self, number: int) -> int:
        more = self.random.sample(VALUES, self.random.randint(1, 7))
        there = self.values.get(number, set())
        return self.alter(number, set(more) if len(there) > 18 else there | set(more))

    def alter(self, number: int, values: set[str]) -> int:
        age = self.random.choice((0.0, 0.0, 0.0, 0.4, 5.0, 86400.0))
        moment = utc_now()
        old = self.pulses.get(number) or Pulse(f"{number:024x}", f"Pulse {number}", "", moment - 9 * DAY, moment)
        self.pulses[number] = replace(old, modified=moment - timedelta(seconds=age), revision=old.revision + 1)
        self.values[number] = values
        self.active.add(number)
        return number

    def commit(self, *transactions: list[int]) -> None:
        for numbers in transactions:
            before = time.monotonic()
            _until_it_works(lambda numbers=numbers: self.store(numbers))
            after = time.monotonic()
            held = {number: sorted(self.values[number]) if number in self.active else [] for number in numbers}
            self.journal.write(before=before, after=after, pulses=held)

    def store(self, numbers: list[int]) -> None:
        with self.database.write() as connection:
            for number in numbers:
                pulse = self.pulses[number]
                if number in self.active:
                    taken.put(connection, pulse, [_name(one) for one in sorted(self.values[number])], taken.unmarked)
                else:
                    support.withdraw(connection, pulse.id)


def _name(value: str) -> Indicator:
    return Indicator(IndicatorType.DOMAIN, value, RawIndicator("domain", value))


def _until_it_works(work: Callable[[], None]) -> None:
    while True:
        try:
            return work()
        except StoreError:
            time.sleep(0.05)


# --- publishers ------------------------------------------------------------------------------------------------------


def quick_blocks(
    pulse: Pulse, members: Any, _profile: Any, *, max_indicators: int = BLOCK, **_bounds: int
) -> Iterator[Block]:
    """Rendering in no time: JSON, a few indicators a block."""
    found = list(members)
    for start in range(0, len(found), max_indicators):
        part = tuple(found[start : start + max_indicators])
        content = {"pulse": int(pulse.id, 16), "values": sorted(one.value for one in part)}
        yield Block(json.dumps(content).encode(), part)


class Publisher:
    """Publishes again and again, without the lock; writes down when it began and ended, and what the frontiers were."""

    def __init__(self, world: World, number: int) -> None:
        self.world = world
        self.random = random.Random(f"publisher {world.seed} {number} {time.monotonic()}")
        self.database = Database(world.url)
        self.journal = world.journal(f"publisher-{number}")
        self.journal.open()
        render.blocks = quick_blocks
        plant(world.fault)

    def run(self) -> None:
        while not self.world.stopped:
            self.once()
            time.sleep(self.random.random() * 0.2)

    def once(self) -> bool:
        start, error = time.monotonic(), ""
        self.journal.write(start=start)
        try:
            publish.publish_unlocked(self.database, POLICY, self.set_lag)
        except (PublicationConflictError, StoreError) as failure:
            error = failure.message.partition("\n")[0]
        except Exception:  # noqa: BLE001 - a fault to report
            error = "crashed"
            self.journal.write(fault=traceback.format_exc())
        end = time.monotonic()  # labels that are given after it are later than the frontiers that are read now
        self.journal.write(start=start, end=end, error=error, frontiers=self.frontiers())
        return not error

    def set_lag(self, name: str) -> None:
        planning.LAG = publish.LAG = self.world.collections[name][1]

    def frontiers(self) -> dict[str, str]:
        with self.database.read() as connection:
            rows = {name: ledger.get(connection, name) for name in self.world.collections}
        return {name: row.frontier.isoformat() for name, row in rows.items() if row is not None}


# --- pollers ---------------------------------------------------------------------------------------------------------


class Poller:
    """Plays one kind of client in every collection. Its journal of whole polls is all it remembers."""

    def __init__(self, world: World, kind: str) -> None:
        self.world = world
        self.clients = world.clients(kind)
        self.random = random.Random(f"poller {world.seed} {kind} {time.monotonic()}")
        self.database = Database(world.url)
        self.journal = world.journal(f"poller-{kind}")
        self.journal.open()
        self.begins: dict[str, datetime] = {}
        for entry in self.journal.read() if kind != "whole" else ():
            if "next" in entry:
                self.begins[entry["collection"]] = datetime.fromisoformat(entry["next"])
        ledger.TICK = timedelta(seconds=3)  # so that a poll without an end raises the frontier often enough
        plant(world.fault)

    def run(self) -> None:
        while not self.world.stopped:
            for name in self.random.sample(sorted(self.clients), len(self.clients)):
                client = self.clients[name]
                self.poll(name, client)
                time.sleep(self.random.uniform(*client.pause))

    def last(self) -> None:
        """Poll once more, up to everything."""
        lead = self.world.skew + 5
        for name, client in self.clients.items():
            last = replace(client, offset=lead, chunk_pause=0.0, sleepy=False)
            while not self.poll(name, last):
                time.sleep(0.1)

    def poll(self, name: str, client: Client) -> bool:
        """Whether it got the whole answer; it takes nothing of any other."""
        begin = None if client.whole else self.begins.get(name)
        asked = {"none": None, "far": FAR, "clock": utc_now() + timedelta(seconds=client.offset)}[client.asks]
        try:
            if not self.opened(name) or (begin and asked and asked < begin):
                return False
            start = time.monotonic()
            answer = ledger.answer(self.database, name, asked, CAP)
            answered, moment = time.monotonic(), utc_now()
            found = self.read(Window(self.ids[name], begin, answer.end, answer.revision), client)
        except OutdatedRevisionError:
            self.journal.write(outdated=name)
            return False
        except StoreError as failure:
            self.journal.write(error=failure.message)
            return False
        except Exception:  # noqa: BLE001 - a fault to report
            self.journal.write(fault=traceback.format_exc())
            return False
        following = asked if client.asks == "clock" and asked else answer.end
        self.journal.write(
            collection=name, start=start, answered=answered, done=time.monotonic(), moment=moment.isoformat(),
            begin=begin and begin.isoformat(), end=answer.end.isoformat(), next=following.isoformat(),
            revision=answer.revision, blocks=found,
        )  # fmt: skip
        self.begins[name] = following
        return True

    def opened(self, name: str) -> bool:
        with self.database.read() as connection:
            self.ids = {stored.collection.name: stored.id for stored in collections.every(connection)}
            row = ledger.get(connection, name)
        return row is not None and row.opened is not None

    def read(self, window: Window, client: Client) -> list[Any]:
        """(label, block, pulse, values) of each block."""
        found = []
        for number, one in enumerate(versions.read(self.database, window, chunk=CHUNK)):
            content = json.loads(one.content)
            found.append((one.label.isoformat(), one.id, content["pulse"], content["values"]))
            if number % CHUNK == 0 and self.random.random() < 0.5:
                time.sleep(self.random.random() * client.chunk_pause)
            if client.sleepy and self.random.random() < SLEEPS:
                time.sleep(POLICY.results_kept.total_seconds() * 1.5)
        return found
