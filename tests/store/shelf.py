"""A collection whose blocks are published, changed and withdrawn one by one, beside what stood at each revision."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from pulsegate.model.collection import Collection
from pulsegate.store import blocks, collections, ledger
from pulsegate.store.blocks import Ready, StoredBlock
from pulsegate.store.collections import STIX_BINDING
from pulsegate.store.database import Connection, Database
from pulsegate.store.versions import Version, Window
from store.conftest import NOW

MINUTE = timedelta(minutes=1)


def publish_one(
    connection: Connection,
    collection_id: int,
    block_id: int,
    label: datetime,
    revision: int,
    placed: Sequence[tuple[bytes, int]],
) -> None:
    """A publication of one block."""
    blocks.publish(connection, collection_id, revision, [Ready(block_id, label, placed, len(placed))])


def a_version(key: int, label: datetime, content: bytes) -> Version:
    """Of a block with one indicator."""
    return Version(key, label, 1, content, STIX_BINDING)


@dataclass
class Shelf:
    """Each change is a publication of its own. ``stood``: what was there after each, by rising label."""

    database: Database
    name: str = "mail"
    id: int = 0
    label: datetime = NOW
    stood: list[list[Version]] = field(default_factory=lambda: [[]])

    def __post_init__(self) -> None:
        with self.database.write() as connection:
            collections.ensure_services(connection)
            self.id = collections.put(connection, Collection(self.name)).id

    @property
    def revision(self) -> int:
        return len(self.stood) - 1

    @property
    def now(self) -> list[Version]:
        return self.stood[-1]

    def row(self) -> ledger.Ledger:
        with self.database.read() as connection:
            found = ledger.get(connection, self.name)
        assert found is not None
        return found

    def block(self, place: int) -> StoredBlock:
        with self.database.read() as connection:
            found = blocks.get(connection, self.now[place].id)
        assert found is not None
        return found

    def window(self, revision: int, begin: datetime | None = None, end: datetime | None = None) -> Window:
        return Window(self.id, begin, end, revision)

    def within(self, window: Window) -> list[Version]:
        """What the window should have."""
        return [
            one
            for one in self.stood[window.revision]
            if (window.begin is None or one.label > window.begin) and (window.end is None or one.label <= window.end)
        ]

    def add(self) -> int:
        content = f"<new at='{self.revision + 1}'/>".encode()
        with self.database.write() as connection:
            key = blocks.stage(connection, self.id, None, content)
        label = self._next_label()
        with self.database.write() as connection:
            ledger.lock(connection, self.name)
            publish_one(connection, self.id, key, label, self.revision + 1, [(f"{key}".encode(), key)])
            ledger.record(connection, self.name, label)
        self.stood.append([*self.now, a_version(key, label, content)])
        return key

    def rewrite(self, place: int) -> None:
        old, block = self.now[place], self.block(place)
        content = f"<rewritten at='{self.revision + 1}'/>".encode()
        with self.database.write() as connection:
            ledger.lock(connection, self.name)
            blocks.rewrite(connection, block, self.revision + 1, content)
            ledger.record(connection, self.name, self.label)
        new = a_version(old.id, old.label, content)
        self.stood.append([*self.now[:place], new, *self.now[place + 1 :]])

    def relabel(self, place: int) -> None:
        old, block, label = self.now[place], self.block(place), self._next_label()
        with self.database.write() as connection:
            ledger.lock(connection, self.name)
            blocks.relabel(connection, block, self.revision + 1, label)
            ledger.record(connection, self.name, label)
        self.stood.append([*self.now[:place], *self.now[place + 1 :], a_version(old.id, label, old.content)])

    def delete(self, place: int) -> None:
        block = self.block(place)
        with self.database.write() as connection:
            ledger.lock(connection, self.name)
            blocks.delete(connection, self.id, block, self.revision + 1)
            ledger.record(connection, self.name, self.label)
        self.stood.append([*self.now[:place], *self.now[place + 1 :]])

    def _next_label(self) -> datetime:
        self.label += MINUTE
        return self.label
