"""``pulsegate db``: copies, backups and restores as commands, and what is said before a migration."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import sqlalchemy as sa
from typer.testing import CliRunner

from pulsegate.cli.commands import app
from pulsegate.cli.setup import load_settings, open_installation
from pulsegate.errors import StoreError, UsageError
from pulsegate.files import sqlite_url
from pulsegate.store import backups, migrate
from pulsegate.store.database import Database
from store.databases import KINDS, bare
from store.released import put, write


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The data folder, with the database of schema 0005."""
    monkeypatch.setenv("PULSEGATE_DATA_DIR", str(tmp_path))
    monkeypatch.setattr("getpass.getuser", lambda: "carol")
    write("0005", tmp_path / "pulsegate.db").close()
    return tmp_path


def run(*words: str) -> str:
    result = CliRunner().invoke(app, words, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def logs(*words: str) -> str:
    """What the command says on stderr."""
    result = CliRunner().invoke(app, words, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stderr


def rows(file: Path, table: str) -> int:
    base = Database(sqlite_url(file))
    with base.read() as connection:
        found = connection.scalar(sa.text(f"SELECT count(*) FROM {table}"))
    base.close()
    return found


# --- Upgrades --------------------------------------------------------------------------------------------------------


def test_upgrade_backs_up_first_and_says_where(data):
    logged = logs("db", "upgrade")
    file = data / f"pulsegate.db.before-{migrate.HEAD}"
    assert "database.backed_up" in logged
    assert f"file={file}" in logged
    assert backups.schema(file) == "0005"
    assert backups.schema(data / "pulsegate.db") == migrate.HEAD
    assert run("db", "upgrade") == f"{data / 'pulsegate.db'} has the newest schema, {migrate.HEAD}.\n"


def test_upgrade_without_a_backup_when_asked(data):
    assert "database.migrating" in logs("db", "upgrade", "--no-backup")
    assert list(data.glob("*.before-*")) == []


@pytest.mark.parametrize("backup", [True, False])
def test_serve_and_worker_back_up_before_they_migrate(data, backup):
    open_installation(load_settings(), upgrade=True, backup=backup).database.close()
    assert bool(list(data.glob("*.before-*"))) == backup
    assert backups.schema(data / "pulsegate.db") == migrate.HEAD


def test_without_room_for_a_backup_nothing_is_migrated(data, monkeypatch):
    monkeypatch.setattr(backups, "_SPARE", 2**62)
    with pytest.raises(StoreError, match="there is no room for a backup"):
        run("db", "upgrade")
    assert backups.schema(data / "pulsegate.db") == "0005"
    run("db", "upgrade", "--no-backup")
    assert backups.schema(data / "pulsegate.db") == migrate.HEAD


def test_newer_database_is_refused_before_it_is_backed_up(data):
    base = Database(f"sqlite:///{data / 'pulsegate.db'}")
    with base.write() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    base.close()
    with pytest.raises(StoreError, match="was made by a newer Pulsegate"):
        run("db", "upgrade")
    assert list(data.glob("*.before-*")) == []


@pytest.mark.parametrize("empty", ["postgresql"], indirect=True)
def test_postgresql_is_migrated_with_a_word_about_pg_dump(data, monkeypatch, empty):
    put("0004", empty, data / "old.db")
    monkeypatch.setenv("PULSEGATE_DATABASE", empty.url)
    logged = logs("db", "upgrade")
    assert "database.migrating" in logged
    assert "pg_dump" in logged
    assert migrate.current(empty)[0] == migrate.HEAD


@pytest.fixture
def empty(request: pytest.FixtureRequest, tmp_path: Path):
    base = bare(request, tmp_path / "empty.db")
    yield base
    base.close()


# --- Copies ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("empty", KINDS, indirect=True)
def test_copy_tells_what_it_copied(data, empty):
    run("db", "upgrade")
    empty.close()
    said = json.loads(run("db", "copy", "pulsegate.db", empty.url, "--json"))
    assert (said["from"], said["to"]) == (str(data / "pulsegate.db"), empty.name)
    assert said["tables"]["pulses"] == 2
    assert said["rows"] == sum(said["tables"].values()) > 100
    back = run("db", "copy", empty.url, f"sqlite:///{data / 'back.db'}")
    assert back.startswith(f"Copied and compared: {said['rows'] + 1:,} rows of")  # it has a floor by now
    assert f"Set PULSEGATE_DATABASE (or 'database:') to sqlite:///{data / 'back.db'}. " in back
    assert rows(data / "back.db", "indicators") == rows(data / "pulsegate.db", "indicators") > 0


@pytest.mark.parametrize("name", ["a b.db", "what?.db", "50%41.db", "#1.db"])
def test_file_may_have_any_name(data, name, monkeypatch):
    run("db", "upgrade")
    folder = data / name.removesuffix(".db")
    folder.mkdir()
    run("db", "backup", str(folder / name))
    monkeypatch.setenv("PULSEGATE_DATA_DIR", str(folder))
    run("db", "restore", str(folder / name))
    said = run("db", "copy", str(folder / "pulsegate.db"), str(folder / f"copy of {name}"))
    monkeypatch.setenv("PULSEGATE_DATABASE", said.partition(" (or 'database:') to ")[2].partition(". ")[0])
    run("db", "backup", str(folder / "again.db"))
    files = {path.name for path in folder.glob("*.db")}
    assert files == {name, "pulsegate.db", f"copy of {name}", "again.db"}
    assert rows(folder / "again.db", "pulses") == 2


def test_copy_onto_itself_is_refused(data):
    with pytest.raises(UsageError, match="the same database"):
        run("db", "copy", "pulsegate.db", f"sqlite:///{data}/./pulsegate.db")


def test_copy_to_a_kind_that_there_is_not_is_refused_without_its_password():
    with pytest.raises(UsageError) as caught:
        run("db", "copy", "pulsegate.db", "mysql://me:s3cret@host/name")
    assert str(caught.value) == "mysql://…: write sqlite:///FILE, a path, or postgresql://user@host/name"


def test_database_that_does_not_answer_is_named_without_its_password():
    run("db", "upgrade")
    with pytest.raises(StoreError) as caught:
        run("db", "copy", "pulsegate.db", "postgresql://me:s3cret@/name?host=/nowhere")
    assert "me:***@" in str(caught.value)
    assert "s3cret" not in str(caught.value)


# --- Backups ---------------------------------------------------------------------------------------------------------


def test_backup_and_restore_tell_what_they_did(data):
    run("db", "upgrade")
    said = json.loads(run("db", "backup", "backup.db", "--json"))
    assert said == {
        "database": str(data / "pulsegate.db"), "file": "backup.db", "bytes": (data / "backup.db").stat().st_size,
        "schema": migrate.HEAD,
    }  # fmt: skip
    shown = run("db", "restore", "backup.db", "--replace")
    (aside,) = data.glob("pulsegate.db.replaced-*")
    assert f"What was there is kept in {aside}." in shown
    assert "- A value that was withdrawn since the backup may be served again until the next pull" in shown
    told = json.loads(run("db", "restore", "backup.db", "--replace", "--json"))
    assert (told["database"], told["schema"]) == (str(data / "pulsegate.db"), migrate.HEAD)
    assert told["labels_after"] > "2026-"
    assert "database.restore" in run("audit")


def test_backup_says_what_it_does_not_hold(data):
    shown = run("db", "backup", "backup.db")
    assert f"{data / 'pulsegate.db'} is backed up in backup.db: " in shown
    assert "It does not hold opentaxii.yml" in shown


def test_restored_installation_serves(data):
    run("db", "upgrade")
    run("db", "backup", "backup.db")
    before = run("preview", "subscribed", "--json")
    (data / "pulsegate.db").unlink()
    run("db", "restore", "backup.db")
    assert run("preview", "subscribed", "--json") == before
    assert before.count("\n") > 3
