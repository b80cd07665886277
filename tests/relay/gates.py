"""Two Pulsegates with databases of the same kind: one sends bundles, the other takes them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from publication.feeds import Clock, Feed
from pulsegate.curation.policy import Policy
from pulsegate.model.indicator import Indicator, IndicatorType, RawIndicator
from pulsegate.model.pulse import Pulse
from pulsegate.model.relay import Take
from pulsegate.model.tlp import TLP
from pulsegate.publication.built_in import SUBSCRIBED
from pulsegate.publication.marking import Marker
from pulsegate.publication.publish import publish_all
from pulsegate.relay import export, importing, keys
from pulsegate.relay.export import Exported
from pulsegate.relay.importing import Forecast, Imported
from pulsegate.relay.keys import SecretKey, Trust
from pulsegate.reports import Proposed
from pulsegate.store import collections, decisions, migrate, taken
from pulsegate.store.database import Database
from pulsegate.store.digests import value_key
from pulsegate.store.tables import metadata
from pulsegate.sync import own
from pulsegate.sync.own import Into
from store.test_pulses import a_name, a_pulse
from support import read_values

SINCE = datetime(2024, 5, 1, 12, 30, tzinfo=UTC)
ORIGIN = "north"
ACCOUNT = "relay:north"
EVERYTHING = tuple(Take)
WAVE = a_pulse(1, name="Phishing wave", author="alice", tlp=TLP.WHITE)
TOOLS = a_pulse(2, name="Tools", author="bob", tlp=TLP.AMBER)


@dataclass
class Gate:
    """A Pulsegate: its store, its pair of keys, the file that it writes or reads."""

    database: Database
    key: SecretKey
    trust: Trust
    folder: Path
    policy: Policy = field(default_factory=Policy)
    number: int = 0
    exported: Exported | None = None

    def put(self, pulse: Pulse, *found: str | Indicator) -> None:
        """Take a pulse in, as if OTX had sent it."""
        given = [a_name(one) if isinstance(one, str) else one for one in found]
        marker = Marker(self.database, self.policy)
        with self.database.write() as connection:
            taken.put(connection, pulse, given, marker)

    def add_own(self, *values: str, into: Into | None = None) -> None:
        entries = [Proposed(RawIndicator("domain", one)) for one in values]
        own.add(self.database, self.policy, entries, into or Into())

    def publish(self) -> None:
        publish_all(self.database, self.policy)

    def export(self, *, full: bool = False, curation: bool = True, origin: str = ORIGIN) -> Path:
        self.number += 1
        path = self.folder / f"{origin}-{self.number}.bundle"
        wanted = export.Wanted(full=full, curation=curation)
        self.exported = export.export(self.database, self.key, origin, export.to_file(path), wanted)
        return path

    def take(self, path: Path, kinds: Collection[Take] = EVERYTHING, *, restart: bool = False) -> Imported:
        return importing.take(self.database, self.policy, path, self.trust, kinds, restart=restart)

    def forecast(self, path: Path, kinds: Collection[Take] = EVERYTHING) -> Forecast:
        return importing.forecast(self.database, self.policy, path, self.trust, kinds)

    def served(self, name: str = "subscribed") -> list[str]:
        """What a poll gives, as values."""
        blocks = Feed(self.database, Clock(), self.policy).served(name)
        return sorted(value for one in blocks for _, value in read_values(one.content))

    def decisions(self) -> decisions.Decisions:
        with self.database.read() as connection:
            return decisions.read(connection)

    def collections(self) -> dict[str, collections.StoredCollection]:
        with self.database.read() as connection:
            return {one.collection.name: one for one in collections.every(connection)}

    def rows(self, table: sa.Table) -> list[sa.Row]:
        with self.database.read() as connection:
            return list(connection.execute(sa.select(table)))


def between(sender: Gate, receiver: Gate, *, full: bool = False, kinds: Iterable[Take] = EVERYTHING) -> Imported:
    """Carry a bundle over."""
    return receiver.take(sender.export(full=full), tuple(kinds))


@pytest.fixture
def pair(database: Database, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Gate, Gate]]:
    """Sender and receiver, empty but for the collection of all pulses; the receiver trusts the sender's key."""
    other = _second(database, request, tmp_path)
    keys.generate(tmp_path / "key")
    secret = keys.read_secret(tmp_path / "key")
    trust = Trust((keys.read_public(tmp_path / "key.pub"),))
    gates = [Gate(one, secret, trust, tmp_path) for one in (database, other)]
    for one in gates:
        with one.database.write() as connection:
            collections.ensure_services(connection)
            collections.put(connection, SUBSCRIBED)
    yield gates[0], gates[1]
    other.close()


@pytest.fixture
def sender(pair: tuple[Gate, Gate]) -> Gate:
    return pair[0]


@pytest.fixture
def receiver(pair: tuple[Gate, Gate]) -> Gate:
    return pair[1]


def _second(database: Database, request: pytest.FixtureRequest, folder: Path) -> Database:
    if database.is_sqlite:
        return Database(request.getfixturevalue("sqlite_maker").new(folder / "second.db"))
    url = sa.make_url(request.getfixturevalue("postgresql"))
    with sa.create_engine(url, isolation_level="AUTOCOMMIT").connect() as connection:
        if connection.scalar(sa.text("SELECT 1 FROM pg_database WHERE datname = 'second'")) is None:
            connection.execute(sa.text("CREATE DATABASE second"))
        connection.invalidate()
    made = Database(url.set(database="second").render_as_string(hide_password=False))
    migrate.upgrade(made)
    with made.write() as connection:
        for table in reversed(metadata.sorted_tables):
            connection.execute(sa.delete(table))
    return made


def an_override(value: str, *, inside: bool = False, **fields) -> decisions.Override:
    kind = IndicatorType.DOMAIN
    given = {"collection": "", "against_own": False, "reason": "why", "account": "carol", "since": SINCE} | fields
    return decisions.Override(identity=value_key(kind, value), type=kind.value, value=value, inside=inside, **given)
