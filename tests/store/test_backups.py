"""Backups of either kind of database, while somebody writes, and restored into either kind."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
import sqlalchemy as sa

from pulsegate.errors import BusyError, StoreError
from pulsegate.model.collection import Collection, CollectionKind
from pulsegate.store import backups, collections, copying, ledger, migrate, moving, restoring, sqlite_file, state
from pulsegate.store.database import Database
from pulsegate.store.tables import audit, ledgers, sources, web_sessions
from store.released import write
from store.test_moving import SKEW, is_empty, polled, source, sums, target, without_frontiers

__all__ = ["source", "target"]


@pytest.fixture
def installation(source, target) -> str:
    """One with a feed, of either kind."""
    moving.copy(source, target)
    return target


def back_up(url: str, file: Path) -> Path:
    with closing(Database(url, read_only=True)) as base:
        backups.backup(base, file)
    return file


def restore(file: Path, url: str, *, replace: bool = False) -> restoring.Restored:
    return restoring.restore(file, url, replace=replace, skew=SKEW, account="carol (host)")


def change(url: str, **values: str) -> None:
    base = Database(url)
    with base.write() as connection:
        for key, value in values.items():
            state.put(connection, key, value)
    base.close()


def value(url: str, key: str) -> str | None:
    base = Database(url)
    with base.read() as connection:
        found = state.get(connection, key)
    base.close()
    return found


# --- Backups ---------------------------------------------------------------------------------------------------------


def test_backup_is_one_file_for_its_owner_with_everything(installation, tmp_path):
    file = back_up(installation, tmp_path / "backup.db")
    assert file.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.glob("backup.db*")] == ["backup.db"]
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)
    assert without_frontiers(sums(f"sqlite:///{file}")) == without_frontiers(sums(installation))
    assert value(f"sqlite:///{file}", ledger.FLOOR) == value(installation, ledger.FLOOR)


def test_backup_does_not_overwrite(installation, tmp_path):
    file = tmp_path / "backup.db"
    file.write_text("mine")
    with pytest.raises(StoreError, match=r"backup\.db: is there already\. Name another file"):
        back_up(installation, file)
    assert file.read_text() == "mine"


def test_backup_into_no_folder_says_so(installation, tmp_path):
    with pytest.raises(StoreError, match="No such file or directory"):
        back_up(installation, tmp_path / "none" / "backup.db")


def test_database_without_tables_is_not_backed_up(target, tmp_path):
    assert is_empty(target)
    with pytest.raises(StoreError, match=r"has no tables yet|has the schema of no version"):
        back_up(target, tmp_path / "backup.db")
    assert list(tmp_path.glob("backup.db*")) == []


def test_backup_holds_the_state_from_its_beginning_whoever_writes_meanwhile(installation, tmp_path, monkeypatch):
    monkeypatch.setattr(sqlite_file, "PAGES", 20)
    change(installation, a="0", b="0", filling="x" * 3_000_000)
    written = []

    def write_meanwhile(*_said) -> None:
        if len(written) < 10:
            written.append(str(len(written) + 1))
            change(installation, a=written[-1], b=written[-1])

    base = Database(installation, read_only=True)
    backups.backup(base, tmp_path / "backup.db", write_meanwhile)
    base.close()
    assert len(written) == 10
    assert value(installation, "a") == "10"
    url = f"sqlite:///{tmp_path / 'backup.db'}"
    assert (value(url, "a"), value(url, "b")) == ("0", "0")


# --- Restored --------------------------------------------------------------------------------------------------------


def test_backup_is_restored_into_either_kind(source, target, tmp_path):
    file = back_up(source, tmp_path / "backup.db")
    before = polled(source)
    moment = datetime.now(UTC)
    done = restore(file, target)
    assert (done.schema, done.aside) == (migrate.HEAD, None)
    assert polled(target) == before
    assert moment + SKEW <= done.lifted <= datetime.now(UTC) + SKEW + timedelta(seconds=1)
    base = Database(target)
    with base.read() as connection:
        assert set(connection.scalars(sa.select(ledgers.c.frontier))) == {done.lifted}
        row = connection.execute(sa.select(audit).order_by(audit.c.pk.desc())).first()
    assert (row.account, row.action, row.subject) == ("carol (host)", "database.restore", "backup.db")
    base.close()


def test_no_label_is_given_again_after_a_restore(installation, tmp_path):
    """Not that of a poll which ran ahead before the restore, and not in a collection that the backup doesn't know."""
    file = back_up(installation, tmp_path / "backup.db")
    ahead = datetime.now(UTC) + timedelta(hours=1)
    base = Database(installation)
    with base.write() as connection:
        collections.put(connection, Collection(name="new", kind=CollectionKind.OWN))
    ledger.answer(base, "new", ahead, timedelta(hours=2))
    base.close()
    done = restore(file, installation, replace=True)
    assert done.lifted >= ahead
    base = Database(installation)
    with base.write() as connection:
        assert ledger.get(connection, "new") is None
        collections.put(connection, Collection(name="new", kind=CollectionKind.OWN))
        assert ledger.get(connection, "new").frontier >= ahead
        assert min(connection.scalars(sa.select(ledgers.c.frontier))) >= ahead
    base.close()


def test_what_was_given_out_since_ends(installation, tmp_path):
    change(installation, **{state.RESULT_SECRET: "old", "secret.token": "kept"})
    base = Database(installation)
    with base.write() as connection:
        moment = datetime.now(UTC)
        session = {"digest": b"d", "account_id": 1, "stamp": b"s", "created": moment, "seen": moment}
        connection.execute(sa.insert(web_sessions), session | {"address": "", "browser": ""})
    base.close()
    file = back_up(installation, tmp_path / "backup.db")
    restore(file, installation, replace=True)
    assert (value(installation, state.RESULT_SECRET), value(installation, "secret.token")) == (None, "kept")
    assert sums(installation)["web_sessions"].rows == 0


def test_database_with_rows_is_replaced_only_when_asked(installation, tmp_path):
    file = back_up(installation, tmp_path / "backup.db")
    change(installation, since="the backup")
    with pytest.raises(StoreError, match=r"is not empty\. Name an empty one, or replace what it holds: --replace"):
        restore(file, installation)
    assert value(installation, "since") == "the backup"
    done = restore(file, installation, replace=True)
    assert value(installation, "since") is None
    if done.aside is not None:
        assert value(f"sqlite:///{done.aside}", "since") == "the backup"
        assert done.aside.stat().st_mode & 0o777 == (tmp_path / "target.db").stat().st_mode & 0o777
    assert (done.aside is not None) == installation.startswith("sqlite")


def test_database_in_use_is_not_replaced(installation, tmp_path):
    file = back_up(installation, tmp_path / "backup.db")
    before = sums(installation)
    base = Database(installation)
    with base.read() as connection:
        copying.is_empty(connection)
        with pytest.raises(BusyError):
            restore(file, installation, replace=True)
    base.close()
    assert sums(installation) == before


def test_restore_that_fails_leaves_what_was_there(installation, tmp_path):
    file = back_up(installation, tmp_path / "backup.db")
    if not installation.startswith("sqlite"):
        change(f"sqlite:///{file}", bad="a\0b")
    else:
        with closing(sqlite3.connect(file)) as connection:
            connection.executescript("PRAGMA writable_schema=1; DELETE FROM sqlite_master WHERE name='ledgers'")
    before = sums(installation)
    with pytest.raises((StoreError, sa.exc.DatabaseError)):
        restore(file, installation, replace=True)
    assert sums(installation) == before


def test_damaged_database_is_replaced_and_kept(source, tmp_path):
    file = back_up(source, tmp_path / "backup.db")
    before = polled(source)
    path = tmp_path / "source.db"
    path.write_bytes(b"rubbish" * 1000)
    Path(f"{path}-wal").write_bytes(b"old log")
    done = restore(file, source, replace=True)
    assert done.aside is not None
    assert done.aside.read_bytes() == b"rubbish" * 1000
    assert polled(source) == before


@pytest.mark.parametrize("schema", ["0001", "0005"])
def test_backup_of_an_older_version_is_migrated(target, tmp_path, schema):
    old = write(schema, tmp_path / "old.db")
    old.close()
    done = restore(tmp_path / "old.db", target)
    assert done.schema == schema
    base = Database(target)
    migrate.require_current(base)
    base.close()
    assert sum(len(one) for one in polled(target).values()) > 8
    assert backups.schema(tmp_path / "old.db") == schema


def test_file_that_is_not_there_is_refused(target, tmp_path):
    with pytest.raises(StoreError, match=r"file: there is no such file\. Check the path"):
        restore(tmp_path / "file", target)


@pytest.mark.parametrize("content", [b"", b"no database at all, but a text" * 50])
def test_file_that_is_no_backup_is_refused(target, tmp_path, content):
    file = tmp_path / "file"
    file.write_bytes(content)
    with pytest.raises(StoreError, match=r"is no backup of Pulsegate|file is not a database"):
        restore(file, target)
    assert is_empty(target)


def test_backup_of_a_newer_version_is_refused(source, target, tmp_path):
    file = back_up(source, tmp_path / "backup.db")
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(StoreError, match=r"was made by a newer Pulsegate \(schema 9999\)"):
        restore(file, target)
    assert is_empty(target)


# --- Before a migration ----------------------------------------------------------------------------------------------


def test_file_is_backed_up_before_a_migration_and_the_last_two_are_kept(tmp_path):
    old = write("0003", tmp_path / "pulsegate.db")
    for schema in ("0001", "0004", "0005"):
        (tmp_path / f"pulsegate.db.before-{schema}").touch()
    assert backups.is_due(old)
    file = backups.before_migration(old)
    assert file == tmp_path / f"pulsegate.db.before-{migrate.HEAD}"
    assert file.stat().st_mode & 0o777 == 0o600
    assert backups.schema(file) == "0003"
    assert sorted(path.name for path in tmp_path.glob("*.before-*")) == [
        "pulsegate.db.before-0005", f"pulsegate.db.before-{migrate.HEAD}",
    ]  # fmt: skip
    migrate.upgrade(old)
    assert not backups.is_due(old)
    assert backups.schema(file) == "0003"
    old.close()


def test_nothing_is_due_before_the_first_migration_and_of_no_rows(empty):
    assert not backups.is_due(empty)
    with empty.write() as connection:
        migrate.upgrade_within(empty, connection)
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '0005'"))
    assert not backups.is_due(empty)
    with empty.write() as connection:
        connection.execute(sa.insert(sources).values(name="a", since=datetime.now(UTC), shape=""))
    assert backups.is_due(empty)


def test_without_room_nothing_is_migrated(tmp_path, monkeypatch):
    old = write("0003", tmp_path / "pulsegate.db")
    monkeypatch.setattr(backups.shutil, "disk_usage", lambda _: SimpleNamespace(free=1000))
    with pytest.raises(StoreError, match=r"no room .* needs 16,\d+,\d+ bytes, 1,000 are free\. .* --no-backup"):
        backups.before_migration(old)
    assert list(tmp_path.glob("*.before-*")) == []
    old.close()


def test_backup_of_what_another_process_has_migrated_meanwhile_is_none(tmp_path, monkeypatch):
    old = write("0003", tmp_path / "pulsegate.db")
    copy = sqlite_file.copy

    def late(*args) -> None:
        migrate.upgrade(old)
        copy(*args)

    monkeypatch.setattr(sqlite_file, "copy", late)
    assert backups.before_migration(old) is None
    assert list(tmp_path.glob("*.before-*")) == []
    old.close()
