"""A store with a clock of its own, pulses to put into it, and what a stock OpenTAXII would serve from it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

import support
from pulsegate.curation.policy import Policy
from pulsegate.model.collection import Collection
from pulsegate.model.indicator import Indicator, IndicatorType, RawIndicator
from pulsegate.model.marks import Marks
from pulsegate.model.pulse import Pulse
from pulsegate.publication import marking
from pulsegate.publication.publish import Publication, publish_all
from pulsegate.store import collections, ledger, taken
from pulsegate.store.database import Database
from pulsegate.store.tables import (
    blocks,
    collection_to_content_block,
    content_blocks,
    data_collections,
    metadata,
    placements,
)
from support import read_values

NOW = datetime(2024, 6, 1, 12, 0, 0, 123456, tzinfo=UTC)
DAY = timedelta(days=1)
MICROSECOND = timedelta(microseconds=1)
MAIL = Collection("mail")
MODULES = (
    "publication.backfill",
    "publication.marking",
    "publication.outlook",
    "publication.planning",
    "publication.publish",
    "publication.explain",
    "publication.review_effect",
    "publication.spots",
    "publication.waiting",
    "publication.trial",
    "store.blocks",
    "store.audit",
    "store.collections",
    "store.decisions",
    "store.contents",
    "store.decisions",
    "store.ledger",
    "store.taken",
)


@dataclass
class Clock:
    """The database's clock, standing still where it is put."""

    moment: datetime = NOW

    def read(self, _connection: object = None) -> datetime:
        return self.moment


def a_pulse(number: int, modified: datetime = NOW - DAY, **fields) -> Pulse:
    base = Pulse(
        id=f"{number:024x}", name=f"Pulse {number}", author="someone", created=NOW - 400 * DAY, modified=modified
    )
    return replace(base, **fields)


def a_name(value: str, **raw) -> Indicator:
    return Indicator(IndicatorType.DOMAIN, value, RawIndicator("domain", value, **raw))


@dataclass(frozen=True)
class Served:
    """A content block that is linked to a collection."""

    id: int
    label: datetime
    content: bytes

    @property
    def values(self) -> list[str]:
        return [value for _, value in read_values(self.content)]


@dataclass
class Feed:
    """Puts pulses in, publishes, and reads what the collections hold then."""

    database: Database
    clock: Clock
    policy: Policy = field(default_factory=Policy)

    def collection(self, collection: Collection = MAIL, **rules) -> None:
        with self.database.write() as connection:
            collections.put(connection, replace(collection, **rules))

    def put(self, pulse: Pulse, indicators: Iterable[str | Indicator], protection: str | None = None) -> taken.Change:
        found = [a_name(one) if isinstance(one, str) else one for one in indicators]
        with self.database.write() as connection:
            return taken.put(connection, pulse, found, lambda _: Marks(protection))

    def withdraw(self, pulse: Pulse) -> None:
        with self.database.write() as connection:
            support.withdraw(connection, pulse.id)

    def publish(self, policy: Policy | None = None) -> dict[str, Publication]:
        return {one.collection: one for one in publish_all(self.database, policy or self.policy)}

    def served(self, name: str = "mail") -> list[Served]:
        """The linked blocks, by label, as a stock OpenTAXII finds them."""
        query = (
            sa.select(content_blocks.c.id, content_blocks.c.timestamp_label, content_blocks.c.content)
            .join(collection_to_content_block, collection_to_content_block.c.content_block_id == content_blocks.c.id)
            .join(data_collections, data_collections.c.id == collection_to_content_block.c.collection_id)
            .where(data_collections.c.name == name)
            .order_by(content_blocks.c.timestamp_label)
        )
        with self.database.read() as connection:
            return [Served(*row) for row in connection.execute(query)]

    def values(self, name: str = "mail") -> list[list[str]]:
        return [one.values for one in self.served(name)]

    def placed(self, name: str = "mail") -> int:
        query = sa.select(sa.func.count()).select_from(placements)
        query = query.join(data_collections, data_collections.c.id == placements.c.collection_id)
        with self.database.read() as connection:
            return int(connection.scalar(query.where(data_collections.c.name == name)) or 0)

    def ledger(self, name: str = "mail") -> ledger.Ledger:
        with self.database.read() as connection:
            found = ledger.get(connection, name)
        assert found is not None
        return found

    def check(self) -> None:
        """Every stored block is linked and ours, once; OpenTAXII's volumes count them."""
        with self.database.read() as connection:
            there = set(connection.scalars(sa.select(content_blocks.c.id).where(content_blocks.c.content != b"")))
            linked = list(connection.execute(sa.select(collection_to_content_block)))
            ours = set(connection.scalars(sa.select(blocks.c.content_block_id).where(blocks.c.revision.is_not(None))))
            volumes = dict(connection.execute(sa.select(data_collections.c.id, data_collections.c.volume)).all())
            labels = list(
                connection.execute(
                    sa.select(blocks.c.collection_id, content_blocks.c.timestamp_label).join(
                        content_blocks, content_blocks.c.id == blocks.c.content_block_id
                    )
                )
            )
        assert {row.content_block_id for row in linked} == there == ours
        assert len(linked) == len(there)
        assert {key: volume for key, volume in volumes.items() if volume} == Counter(
            row.collection_id for row in linked
        )
        assert len(set(labels)) == len(labels)

    def wipe(self) -> None:
        """Empty every table, for the next example."""
        with self.database.write() as connection:
            for table in reversed(metadata.sorted_tables):
                connection.execute(sa.delete(table))
        with self.database.write() as connection:
            collections.ensure_services(connection)
        marking.refresh(self.database, self.policy)
