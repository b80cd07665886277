"""Installations that bundles are carried between, and what they hold."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from pulsegate.curation.policy import Policy
from pulsegate.errors import RelayError
from pulsegate.intake.taking import Claim, Intake, take
from pulsegate.publication import marking
from pulsegate.publication.built_in import SUBSCRIBED
from pulsegate.publication.marking import Marker
from pulsegate.publication.publish import publish_all
from pulsegate.relay import importing
from pulsegate.relay.export import Wanted, export, to_file
from pulsegate.relay.keys import SecretKey, Trust, TrustedKey
from pulsegate.store import collections, pulses, sources
from pulsegate.store.database import Database
from pulsegate.store.tables import metadata
from pulsegate.store.tables import pulses as pulses_table
from sync.fakes import pulse_id
from sync.pulls import served

OTX = Claim("otx", "subscription")
KEY = SecretKey(Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
OTHER_KEY = SecretKey(Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33))))


def trusted(*keys: SecretKey, name: str = "sender", **more) -> Trust:
    return Trust(tuple(TrustedKey(name, one.key.public_key(), **more) for one in keys or (KEY,)))


@dataclass
class Gate:
    """One installation; ``folder`` is where its bundles are written."""

    database: Database
    folder: Path
    name: str = "north"
    policy: Policy = field(default_factory=Policy)

    def prepare(self) -> Gate:
        with self.database.write() as connection:
            collections.ensure_services(connection)
            collections.put(connection, SUBSCRIBED)
        marking.refresh(self.database, self.policy)
        return self

    def wipe(self) -> None:
        """Empty every table, for the next example."""
        with self.database.write() as connection:
            for table in reversed(metadata.sorted_tables):
                connection.execute(sa.delete(table))
        self.prepare()

    def pull(self, *raw_pulses) -> None:
        """Take pulses as OTX sends them."""
        take(self.database, raw_pulses, Intake(), OTX, Marker(self.database, self.policy))

    def lose(self, *numbers: int) -> None:
        """OTX has these pulses no more."""
        with self.database.write() as connection:
            keys = pulses.keys_of(connection, [pulse_id(one) for one in numbers])
            sources.release(connection, OTX.source, OTX.via, list(keys.values()))

    def publish(self) -> None:
        publish_all(self.database, self.policy)

    def export(self, name: str = "bundle", key: SecretKey = KEY, **wanted):
        return export(self.database, key, self.name, to_file(self.folder / name), Wanted(**wanted))

    def take(self, path: Path, trust: Trust | None = None, *, restart: bool = False):
        """As the commands do it: what is refused is noted."""
        try:
            return importing.take(self.database, self.policy, path, trust or trusted(), restart=restart)
        except RelayError as error:
            importing.note_refusal(self.database, path.name, error)
            raise

    def forecast(self, path: Path, trust: Trust | None = None, *, restart: bool = False):
        return importing.forecast(self.database, self.policy, path, trust or trusted(), restart=restart)

    def state(self):
        """Its active pulses with their indicators, and what is served of them."""
        with self.database.read() as connection:
            ids = list(connection.scalars(sa.select(pulses_table.c.id).where(pulses_table.c.active)))
            found = {}
            for one in sorted(ids):
                stored = pulses.get(connection, one)
                assert stored is not None
                inside = pulses.indicators_of(connection, stored.pk)
                found[one] = stored.pulse, sorted((i.indicator.type, i.indicator.value) for i in inside)
        return found, sorted(served(self.database))

    def dump(self, *without: str):
        """Each row of each table."""
        with self.database.read() as connection:
            return {
                table.name: sorted(map(repr, connection.execute(sa.select(table))))
                for table in metadata.sorted_tables
                if table.name not in without
            }
