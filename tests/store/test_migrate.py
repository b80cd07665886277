"""Migrations: from nothing, from a stock OpenTAXII's database, again, and not from a newer one."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from opentaxii.auth.sqldb.models import Account
from opentaxii.persistence.sqldb.models import ContentBlock, DataCollection, Service
from sqlalchemy.orm import Session

from pulsegate.errors import StoreError
from pulsegate.store import accounts, migrate
from pulsegate.store.tables import OPENTAXII_TABLES, metadata
from store.schemas import STOCK_TABLES, describe, make_stock

NEW_IN_0004 = (
    "withdrawals", "touched", "reflections", "allowed", "overrides", "reviews", "trusted_authors", "audit",
)  # fmt: skip
NEW_IN_0005 = (
    "account_roles", "accounts_disabled", "web_sessions", "tasks", "tallies", "drafts", "held_back", "alarms", "counts",
)  # fmt: skip
NEW_IN_0006 = ("relay_heads", "relay_pulses", "relay_log", "relay_keys", "poll_totals")
LABEL = datetime(2024, 6, 1, 12, 0, 0, 123456, tzinfo=UTC)


def tables(database):
    with database.read() as connection:
        return sorted(sa.inspect(connection).get_table_names())


def schema(database):
    with database.read() as connection:
        return {name: describe(connection, name) for name in metadata.tables}


def test_empty_database_gets_every_table(empty):
    assert migrate.current(empty) == (None, migrate.HEAD)
    assert migrate.upgrade(empty) == (None, migrate.HEAD)
    assert tables(empty) == sorted([*metadata.tables, "alembic_version"])
    migrate.require_current(empty)


def test_migrated_database_differs_in_nothing_from_the_tables(database):
    with database.read() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, metadata) == []


def test_opentaxiis_tables_are_those_of_a_stock_opentaxii(empty):
    assert sorted(OPENTAXII_TABLES) == STOCK_TABLES
    with empty.write() as connection:
        make_stock(connection)
    with empty.read() as connection:
        stock = {name: describe(connection, name) for name in STOCK_TABLES}
    with empty.write() as connection:
        found = sa.MetaData()
        found.reflect(connection)
        found.drop_all(connection)
    migrate.upgrade(empty)
    with empty.read() as connection:
        ours = {name: describe(connection, name) for name in STOCK_TABLES}
    assert ours == stock


def test_migration_again_changes_nothing(database):
    before = schema(database)
    with database.write() as connection:
        connection.execute(sa.insert(accounts.accounts).values(username="a", _permissions="{}"))
    assert migrate.upgrade(database) == (migrate.HEAD, migrate.HEAD)
    assert schema(database) == before
    with database.read() as connection:
        assert connection.scalars(sa.select(accounts.accounts.c.username)).all() == ["a"]


def fill_stock(database):
    with database.write() as connection:
        make_stock(connection)
    with Session(database.engine) as session:
        collection = DataCollection(name="old", type="DATA_FEED", bindings="[]", volume=0)
        block = ContentBlock(content=b"<old/>", binding_id="urn:x", timestamp_label=LABEL)
        session.add_all([collection, block, Service(id="poll", type="poll", _properties="{}")])
        session.flush()
        block.collections.append(collection)
        session.add(Account(username="someone", password_hash="x", is_admin=True, _permissions='{"old": "read"}'))
        session.commit()


def test_database_of_a_stock_opentaxii_is_taken_over_with_what_is_in_it(empty):
    fill_stock(empty)
    with empty.read() as connection:
        stock = {name: describe(connection, name) for name in STOCK_TABLES}
    assert migrate.upgrade(empty) == (None, migrate.HEAD)
    assert tables(empty) == sorted([*metadata.tables, "alembic_version"])
    with empty.read() as connection:
        assert {name: describe(connection, name) for name in STOCK_TABLES} == stock
        assert accounts.every(connection) == [
            accounts.Account(1, "someone", is_admin=True, permissions={"old": "read"})
        ]
    with Session(empty.engine) as session:
        (collection,) = session.query(DataCollection)
        assert [(block.content, block.binding_id) for block in collection.content_blocks] == [(b"<old/>", "urn:x")]
    with empty.read() as connection:
        moment = connection.scalar(sa.select(metadata.tables["content_blocks"].c.timestamp_label))
    assert moment == LABEL
    assert migrate.upgrade(empty) == (migrate.HEAD, migrate.HEAD)


def test_database_of_a_newer_version_is_refused(database):
    with database.write() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(StoreError, match=r"was made by a newer Pulsegate \(schema 9999\)"):
        migrate.upgrade(database)
    with pytest.raises(StoreError, match=r"has the schema 9999, and this version needs"):
        migrate.require_current(database)


def test_database_that_was_not_migrated_is_not_current(empty):
    with pytest.raises(StoreError, match=r"has the schema of no version, and this version needs"):
        migrate.require_current(empty)


def test_migration_that_is_cut_short_leaves_nothing(empty, monkeypatch):
    upgrade = command.upgrade

    def die(*args):
        upgrade(*args)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(command, "upgrade", die)
        with pytest.raises(KeyboardInterrupt):
            migrate.upgrade(empty)
    assert tables(empty) == []
    assert migrate.upgrade(empty) == (None, migrate.HEAD)


def test_migrations_at_the_same_time_wait_for_each_other(empty):
    code = (
        "import sys; from pulsegate.store import migrate; from pulsegate.store.database import Database; "
        "print(migrate.upgrade(Database(sys.argv[1])))"
    )
    both = [
        subprocess.Popen([sys.executable, "-c", code, empty.url], stdout=subprocess.PIPE, text=True) for _ in range(2)
    ]
    said = sorted(one.communicate(timeout=60)[0].strip() for one in both)
    assert said == [f"('{migrate.HEAD}', '{migrate.HEAD}')", f"(None, '{migrate.HEAD}')"]


# --- From 0002 to 0003 -----------------------------------------------------------------------------------------------


def value_for(column):
    """Something that the column takes; keys are 1, so that rows belong together."""
    kind = column.type
    if isinstance(kind, sa.Boolean):
        return True
    if isinstance(kind, sa.DateTime):
        return LABEL if kind.timezone else LABEL.replace(tzinfo=None)
    if isinstance(kind, sa.Date):
        return LABEL.date()
    if isinstance(kind, sa.LargeBinary):
        return b"bytes"
    return 1 if isinstance(kind, sa.Integer | sa.Float) else "text"


def reflected(connection):
    found = sa.MetaData()
    found.reflect(connection)
    found.remove(found.tables["alembic_version"])
    return found


def rows(database):
    with database.read() as connection:
        tables = reflected(connection).sorted_tables
        return {one.name: [dict(row._mapping) for row in connection.execute(sa.select(one))] for one in tables}


def fill(connection, revision):
    """Migrate to the revision and put a row into every table; gives the tables."""
    command.upgrade(migrate._config(connection), revision)
    found = reflected(connection)
    for table in found.sorted_tables:
        connection.execute(sa.insert(table), {column.name: value_for(column) for column in table.columns})
    return found


def fill_0002(database, *state):
    """A database of schema 0002 with a row in every table, a withdrawn pulse, and these keys in ``state``."""
    with database.write() as connection:
        found = fill(connection, "0002")
        pulses = found.tables["pulses"]
        withdrawn = {column.name: value_for(column) for column in pulses.columns} | {
            "pk": 2,
            "id": "2",
            "active": False,
        }
        connection.execute(sa.insert(pulses), withdrawn)
        for key in state:
            connection.execute(sa.insert(found.tables["state"]).values(key=key, value="x"))


@pytest.mark.parametrize(
    ("keys", "source", "via"),
    [
        (["otx.watermark", "otx.owner"], "otx", "subscription"),
        (["otx.owner"], "otx", "subscription"),  # a first pull that never came to its end
        ([], "files", "file"),
    ],
)
def test_everything_of_0002_is_there_with_its_source(empty, keys, source, via):
    fill_0002(empty, *keys)
    before = rows(empty)
    assert migrate.upgrade(empty) == ("0002", migrate.HEAD)
    after = rows(empty)
    (indicator,) = before["indicators"]
    before["indicators"] = [indicator | {"failure": None, "host_key": None, "lists": None, "noted": False}]
    before["collection_rules"] = [one | {"origin": "settings", "sender": None} for one in before["collection_rules"]]
    before["blocks"] = [one | {"profile": "full"} for one in before["blocks"]]
    before["pulses"] = [one | {"complete": True} for one in before["pulses"]]
    before["quarantine"] = [one | {"source": source} for one in before["quarantine"]]
    before["runs"] = [one | {"source": None} for one in before["runs"]]
    before["superseded"] = [one | {"message": None} for one in before["superseded"]]
    before["polls"] = [one | {"request": None} for one in before["polls"]]
    before["state"] = [one for one in before["state"] if one["key"] == "text"]
    new = {"sources": [], "passed_over": [], "source_pulses": [{"source": source, "pulse_pk": 1, "via": via}]}
    new |= {name: [] for name in (*NEW_IN_0004, *NEW_IN_0005, *NEW_IN_0006)}
    assert after == before | new
    assert all(after[name] for name in before)


# --- From 0004 to 0005 -----------------------------------------------------------------------------------------------


def test_everything_of_0004_is_there_beside_the_tables_of_the_pages(empty):
    with empty.write() as connection:
        fill(connection, "0004")
    before = rows(empty)
    assert migrate.upgrade(empty) == ("0004", migrate.HEAD)
    before["polls"] = [one | {"request": None} for one in before["polls"]]
    before["collection_rules"] = [one | {"sender": None} for one in before["collection_rules"]]
    assert rows(empty) == before | {name: [] for name in (*NEW_IN_0005, *NEW_IN_0006)}
    assert all(before.values())


# --- From 0005 to 0006 -----------------------------------------------------------------------------------------------


def test_everything_of_0005_is_there_beside_the_tables_of_the_relay(empty):
    with empty.write() as connection:
        fill(connection, "0005")
    before = rows(empty)
    assert migrate.upgrade(empty) == ("0005", migrate.HEAD)
    before["polls"] = [one | {"request": None} for one in before["polls"]]
    before["collection_rules"] = [one | {"sender": None} for one in before["collection_rules"]]
    assert rows(empty) == before | {name: [] for name in NEW_IN_0006}
    assert all(before.values())
