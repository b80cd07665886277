"""Every schema that was released is migrated with all that is in it, and serves what it served."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from pulsegate.store import migrate, versions
from pulsegate.store.database import Database
from pulsegate.store.versions import Window
from store.databases import KINDS, bare
from store.released import SCHEMAS, put, write

_STOCK = """
SELECT c.name, b.timestamp_label, b.content FROM content_blocks b
JOIN collection_to_content_block l ON l.content_block_id = b.id JOIN data_collections c ON c.id = l.collection_id
ORDER BY c.name, b.timestamp_label
"""


@pytest.fixture(params=KINDS)
def base(request: pytest.FixtureRequest, tmp_path: Path):
    found = bare(request, tmp_path / "old.db")
    yield found
    found.close()


def instant(label) -> datetime:
    found = datetime.fromisoformat(label) if isinstance(label, str) else label
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def served_by_stock(base: Database) -> list[tuple]:
    """What a stock OpenTAXII of that time gives when each collection is polled whole."""
    with base.read() as connection:
        rows = connection.execute(sa.text(_STOCK)).all()
    return [(name, instant(label), bytes(content)) for name, label, content in rows]


def served(base: Database) -> list[tuple]:
    """What our polls give."""
    with base.read() as connection:
        query = (
            "SELECT c.id, c.name, l.revision FROM data_collections c JOIN ledgers l ON l.name = c.name ORDER BY c.name"
        )
        found = connection.execute(sa.text(query)).all()
    return [
        (name, one.label, one.content)
        for key, name, revision in found
        for one in versions.read(base, Window(key, None, None, revision))
    ]


def rows(base: Database) -> dict[str, list[str]]:
    """What stands in the columns that there are."""
    found = sa.MetaData()
    with base.read() as connection:
        found.reflect(connection)
        return {
            table.name: sorted(repr(sorted(row._mapping.items())) for row in connection.execute(sa.select(table)))
            for table in found.sorted_tables
        }


def test_there_is_one_of_each_schema():
    older = [f"{number:04}" for number in range(1, int(migrate.HEAD))]
    assert older == SCHEMAS, "put a dump of the schema that came before into tests/store/released"


@pytest.mark.parametrize("schema", SCHEMAS)
def test_released_schema_is_migrated_and_serves_what_it_served(base, schema, tmp_path):
    if base.is_sqlite:
        base.close()
        base = write(schema, tmp_path / "released.db")
    else:
        put(schema, base, tmp_path / "released.db")
    before, polled = rows(base), served_by_stock(base)
    assert [name for name, _, _ in polled].count("subscribed") > 1
    assert migrate.upgrade(base) == (schema, migrate.HEAD)
    assert served(base) == polled
    after = rows(base)
    assert {name for name in before if len(before[name]) != len(after[name])} <= {"state"}
    for name in ("content_blocks", "collection_to_content_block", "accounts", "ledgers", "placements"):
        assert after[name] == before[name]
    base.close()
