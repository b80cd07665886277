"""Two installations with nothing between them but files, which are lost, repeated, damaged and come in any order.

``RELAY_DAYS=30`` runs for so many simulated days (default 3), ``RELAY_SEED`` with another history.
"""

from __future__ import annotations

import json
import os
import random
import shutil
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from pulsegate.curation.policy import Policy
from pulsegate.intake import taking
from pulsegate.intake.taking import Claim, Intake
from pulsegate.otx.dates import write_date
from pulsegate.publication.built_in import SUBSCRIBED
from pulsegate.publication.marking import Marker
from pulsegate.relay import export, importing, inbox, keys, outbox, ways
from pulsegate.relay.inbox import REFUSED, REPORT, TAKEN, Inbox, deliveries
from pulsegate.relay.keys import Trust
from pulsegate.relay.outbox import Outbox, write_next
from pulsegate.store import collections, pulses, relay, sources, state
from pulsegate.store.database import Database
from pulsegate.store.tables import indicators
from pulsegate.store.tables import pulses as pulse_rows
from sync.pulls import served

DAYS = int(os.environ.get("RELAY_DAYS", "3"))
SEED = os.environ.get("RELAY_SEED", "0")
HOUR = timedelta(hours=1)
BEGIN = datetime(2026, 3, 1, tzinfo=UTC)
SOURCE = Claim("otx", "subscription")
Pair = tuple[str, str]


@dataclass
class Carrier:
    """Carries files from folder to folder, badly."""

    random: random.Random
    under_way: list[tuple[datetime, str, bytes]] = field(default_factory=list)
    damaged: set[bytes] = field(default_factory=set)
    is_good: bool = False
    lost = repeated = late = 0

    def collect(self, folder: Path, moment: datetime) -> None:
        for path in sorted(folder.iterdir()):
            data = path.read_bytes()
            path.unlink()
            self._send(path.name, data, moment)

    def _send(self, name: str, data: bytes, moment: datetime) -> None:
        fate = 1.0 if self.is_good else self.random.random()
        if fate < 0.12:
            self.lost += 1
        elif fate < 0.24:
            self.under_way.append((moment, name, self._spoil(data)))
        elif fate < 0.4:
            self.late += 1
            self.under_way.append((moment + self.random.randint(1, 7) * HOUR, name, data))
        else:
            self.under_way.append((moment, name, data))
            if fate < 0.5:
                self.repeated += 1
                self.under_way.append((moment + self.random.randint(0, 40) * HOUR, name, data))

    def _spoil(self, data: bytes) -> bytes:
        spoilt = bytearray(data)
        how = self.random.choice(("bit", "cut", "more", "hole"))
        place = self.random.randrange(len(data))
        if how == "bit":
            spoilt[place] ^= 1 << self.random.randrange(8)
        elif how == "cut":
            del spoilt[place:]
        elif how == "more":
            spoilt += b"\0" * self.random.randint(1, 3000)
        else:
            del spoilt[place : place + self.random.randint(1, 600)]
        self.damaged.add(bytes(spoilt))
        return bytes(spoilt)

    def deliver(self, folder: Path, moment: datetime) -> None:
        due = [one for one in self.under_way if one[0] <= moment]
        self.under_way = [one for one in self.under_way if one[0] > moment]
        for _, name, data in due:
            path = folder / name
            path.write_bytes(data)
            os.utime(path, (moment.timestamp(), moment.timestamp()))


class World:
    """A sender and a receiver, each with a store of its own, and a clock for both."""

    def __init__(self, sender: Database, receiver: Database, folder: Path, rng: random.Random) -> None:
        self.sender, self.receiver = sender, receiver
        self.random = rng
        self.moment = BEGIN
        for name in ("out", "in"):
            (folder / name).mkdir()
        self.out, self.into = folder / "out", folder / "in"
        keys.generate(folder / "key")
        self.key = keys.read_secret(folder / "key")
        trust = Trust((keys.read_public(folder / "key.pub"),))
        part = rng.choice((None, 2_500, 20_000))
        self.outbox = Outbox(self.out, timedelta(days=1), repeat=rng.choice((0, 1, 3)), part_size=part)
        self.inbox = Inbox(receiver, Policy(), self.into, trust)
        self.carrier = Carrier(rng)
        self.marker = Marker(sender, Policy())
        self.states: dict[int, set[Pair]] = {}
        self.ever: set[Pair] = set()
        self.taken = self.refused = 0

    def live(self) -> None:
        """One hour."""
        self._happen()
        exported = write_next(self.sender, self.key, "outside", self.outbox)
        self.states[exported.manifest.head.sequence] = pairs(self.sender)
        self.ever |= pairs(self.sender)
        self.carrier.collect(self.out, self.moment)
        self.carrier.deliver(self.into, self.moment)
        for _ in range(2):  # what came is looked at when it lies still
            looked = self.inbox.look()
            self.taken += len(looked.taken)
            self.refused += len(looked.refused)
        self.judge()
        self.moment += HOUR

    def _happen(self) -> None:
        number = self.random.choice((0, 0, 1, 1, 2, 5))
        raw = [self._pulse(self.random.randrange(30)) for _ in range(number)]
        if raw:
            taking.take(self.sender, raw, Intake(), SOURCE, self.marker)
        if self.random.random() < 0.2:
            with self.sender.write() as connection:
                claimed = sources.claimed(connection, *_claim())
                gone = [pk for pk in claimed.values() if self.random.random() < 0.1]
                sources.release(connection, *_claim(), gone)

    def _pulse(self, number: int) -> dict[str, Any]:
        values = self.random.sample(range(40), self.random.randint(0, 12))
        return {
            "id": f"{number:024x}",
            "name": f"Pulse {number}",
            "author_name": self.random.choice(("amber", "basil")),
            "created": write_date(BEGIN),
            "modified": write_date(self.moment),
            "indicators": [{"type": "domain", "indicator": f"d{one}.relayed.example.com"} for one in values],
        }

    def judge(self) -> None:
        """What is here is a state of the sender's; what is no bundle of its is put aside with a report."""
        with self.receiver.read() as connection:
            last = relay.last_head(connection, "outside")
        there = pairs(self.receiver)
        assert there == (self.states[last.sequence] if last else set())
        for path in (self.into / REFUSED).iterdir():
            if path.name.endswith(REPORT):
                assert json.loads(path.read_text())["reason"]
        reported = {path.name.removesuffix(REPORT) for path in (self.into / REFUSED).glob(f"*{REPORT}")}
        for one in deliveries(self.into / REFUSED):
            assert one.name in reported
        for one in deliveries(self.into / TAKEN):
            if not one.missing and len(one.files) == 1:
                assert one.files[0].read_bytes() not in self.carrier.damaged

    def recover(self) -> None:
        """A day on which all goes well."""
        self.carrier.is_good = True
        for _ in range(26):
            self.live()


def _claim() -> tuple[str, str]:
    return SOURCE.source, SOURCE.via


def pairs(database: Database) -> set[Pair]:
    """What the active pulses hold."""
    query = sa.select(pulse_rows.c.id, indicators.c.value).join(indicators, indicators.c.pulse_pk == pulse_rows.c.pk)
    with database.read() as connection:
        return {(row[0], row[1]) for row in connection.execute(query.where(pulse_rows.c.active))}


@pytest.fixture
def world(database, new_database, tmp_path, monkeypatch):
    sender = Database(new_database(tmp_path / "sender.db"))
    for one in (sender, database):
        with one.write() as connection:
            collections.ensure_services(connection)
            collections.put(connection, SUBSCRIBED)
    made = World(sender, database, tmp_path, random.Random(f"{SEED}:{database.is_sqlite}"))
    for module in (export, outbox, inbox, importing, relay, ways):
        monkeypatch.setattr(module, "now", lambda _connection: made.moment)
    yield made
    sender.close()


@pytest.mark.timeout(120 + 60 * DAYS)
def test_receiver_equals_the_sender_after_whatever_happened_to_the_files(world):
    for _ in range(24 * DAYS):
        world.live()
    assert world.carrier.lost
    assert world.carrier.damaged
    assert world.carrier.late
    assert world.carrier.repeated
    assert world.taken
    assert world.refused
    world.recover()
    assert pairs(world.receiver) == pairs(world.sender)
    values = {value for _, value in pairs(world.sender)}
    assert sorted(set(served(world.receiver))) == sorted(values)
    with world.receiver.read() as connection:
        assert all(one.active is False for one in pulses.every(connection) if not _is_sent(world, one.pulse.id))
        entries = [one.entry for one in relay.logged(connection, "in", None, limit=100_000)]
    assert all(one.reason for one in entries if one.outcome in (relay.REFUSED, relay.WAITS))
    assert not [one for one in entries if one.outcome == relay.TAKEN and one.reason]  # the same state each time


def _is_sent(world: World, pulse_id: str) -> bool:
    with world.sender.read() as connection:
        found = pulses.get(connection, pulse_id)
    return found is not None and found.active


def test_one_more_run_changes_nothing(world):
    world.carrier.is_good = True
    for _ in range(5):
        world.live()
    with world.receiver.read() as connection:
        before = state.get(connection, "nothing"), relay.last_head(connection, "outside")
    for path in (world.into / TAKEN).iterdir():
        shutil.copy(path, world.into / path.name)
    looked = [world.inbox.look() for _ in range(2)]
    assert not looked[1].taken
    with world.receiver.read() as connection:
        assert (state.get(connection, "nothing"), relay.last_head(connection, "outside")) == before
