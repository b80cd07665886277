"""An installation is copied whole or not at all, while nobody changes it, and clients don't notice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from pulsegate.errors import BusyError, StoreError
from pulsegate.store import copying, ledger, locks, migrate, moving, state, versions
from pulsegate.store.database import Database
from pulsegate.store.tables import content_blocks, data_collections, ledgers
from pulsegate.store.versions import Window
from store.databases import KINDS, bare
from store.released import write

SKEW = timedelta(minutes=10)


@pytest.fixture
def source(tmp_path: Path) -> str:
    """The URL of an SQLite installation with a feed."""
    made = write("0005", tmp_path / "source.db")
    migrate.upgrade(made)
    made.close()
    return made.url


@pytest.fixture(params=KINDS)
def target(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    made = bare(request, tmp_path / "target.db")
    made.close()
    return made.url


def polled(url: str, **window) -> dict[str, list[tuple]]:
    """What each collection gives."""
    base = Database(url)
    with base.read() as connection:
        names = {
            name: key for key, name in connection.execute(sa.select(data_collections.c.id, data_collections.c.name))
        }
    found = {}
    for name, key in names.items():
        answer = ledger.answer(base, name, window.get("end"), SKEW)
        reading = Window(key, window.get("begin"), answer.end, answer.revision)
        found[name] = [(one.label, one.content, one.binding) for one in versions.read(base, reading)]
    base.close()
    return found


def sums(url: str) -> dict[str, copying.Sum]:
    base = Database(url)
    with base.read() as connection:
        found = copying.sums(connection)
    base.close()
    return found


def is_empty(url: str) -> bool:
    base = Database(url)
    with base.read() as connection:
        found = copying.is_empty(connection)
    base.close()
    return found


def without_frontiers(found: dict) -> dict:
    return {name: one for name, one in found.items() if name not in ("ledgers", "state")}


def test_copy_answers_polls_as_its_source_does(source, target):
    before = sums(source)
    told = []
    found = moving.copy(source, target, lambda *said: told.append(said))
    assert sums(source) == before == found
    assert without_frontiers(sums(target)) == without_frontiers(before)
    middle = datetime(2026, 1, 3, 12, tzinfo=UTC)
    for window in ({}, {"begin": middle}, {"end": middle}, {"begin": middle, "end": datetime.now(UTC)}):
        assert polled(target, **window) == polled(source, **window)
    assert sum(len(one) for one in polled(target).values()) == found["content_blocks"].rows > 10
    assert ("indicators", found["indicators"].rows, found["indicators"].rows) in told


def test_copy_of_a_copy_on_postgresql_is_the_first_one(source, target, tmp_path):
    back = f"sqlite:///{tmp_path / 'back.db'}"
    moving.copy(source, target)
    moving.copy(target, back)
    assert without_frontiers(sums(back)) == without_frontiers(sums(source))
    assert polled(back) == polled(source)
    assert (tmp_path / "back.db").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.glob("*.partial*")] == []


def test_no_label_is_given_that_the_source_answered_while_it_was_copied(source, target):
    late = datetime.now(UTC) + timedelta(minutes=5)

    def poll(*_said) -> None:
        base = Database(source)
        ledger.answer(base, "subscribed", late, SKEW)
        base.close()

    moving.copy(source, target, poll)
    base = Database(target)
    with base.write() as connection:
        assert min(connection.scalars(sa.select(ledgers.c.frontier))) >= late
        assert ledger.floor(connection) >= late
    base.close()


def test_target_that_is_not_empty_is_refused(source, target):
    moving.copy(source, target)
    before = sums(target)
    with pytest.raises(StoreError, match=r"is not empty\. Name an empty one; nothing was changed"):
        moving.copy(source, target)
    assert sums(target) == before


@pytest.mark.parametrize("schema", ["0004", "9999"])
def test_source_of_another_schema_is_refused(target, tmp_path, schema):
    old = write("0004", tmp_path / "old.db")
    with old.write() as connection:
        connection.execute(sa.text(f"UPDATE alembic_version SET version_num = '{schema}'"))
    old.close()
    with pytest.raises(
        StoreError, match=f"has the schema {schema}, and this version needs .* Run 'pulsegate db upgrade'"
    ):
        moving.copy(old.url, target)
    assert is_empty(target)


def test_source_that_is_not_there_is_not_made(target, tmp_path):
    with pytest.raises(StoreError, match=r"nowhere\.db: there is no such file"):
        moving.copy(f"sqlite:///{tmp_path / 'nowhere.db'}", target)
    assert not (tmp_path / "nowhere.db").exists()


@pytest.mark.parametrize("name", [locks.WORKER, locks.pull("files"), locks.pull("own"), locks.PUBLISH])
def test_source_at_work_is_refused(source, target, name):
    base = Database(source)
    with locks.hold(base, name), pytest.raises(BusyError, match=f"another process is at work on it .{name}"):
        moving.copy(source, target)
    base.close()
    assert is_empty(target)


def test_pull_of_the_source_waits_until_it_is_copied(source, target):
    base = Database(source)
    held = []
    moving.copy(source, target, lambda *_: held.append(locks.is_held(base, locks.pull("files"))))
    assert set(held) == {True}
    assert not locks.is_held(base, locks.pull("files"))
    base.close()


def test_target_in_use_is_refused(source, target):
    base = Database(target)
    with base.read() as connection:
        copying.is_empty(connection)
        with pytest.raises(BusyError, match=r"another process has it open|other sessions use it"):
            moving.copy(source, target)
    base.close()
    assert is_empty(target)


def test_source_is_not_written(source, target, tmp_path):
    base = Database(source, read_only=True)
    with pytest.raises(StoreError, match="attempt to write a readonly database"), base.write() as connection:
        state.put(connection, "a", "b")
    base.close()
    before = (tmp_path / "source.db").read_bytes()
    moving.copy(source, target)
    assert (tmp_path / "source.db").read_bytes() == before


def test_source_on_postgresql_is_not_written(postgresql):
    base = Database(postgresql, read_only=True)
    with pytest.raises(sa.exc.InternalError, match="read-only transaction"), base.write() as connection:
        connection.execute(sa.text("CREATE TABLE a (b integer)"))
    base.close()


def test_password_of_a_database_is_not_in_its_name():
    base = Database("postgresql+psycopg://me:s3cret@h/n?password=s3cret&sslpassword=s3cret&port=1")
    assert "s3cret" not in base.name
    assert base.name.startswith("postgresql://me:***@h/n?")


# --- Killed ----------------------------------------------------------------------------------------------------------

COPIER = """
import sys, time
from pulsegate.store import moving
def told(what, done, total):
    if what == "content_blocks":
        print("at work", flush=True)
        time.sleep(60)
moving.copy(sys.argv[1], sys.argv[2], told)
"""


def test_copy_that_is_killed_leaves_the_target_as_it_was_and_is_done_anew(source, target, tmp_path):
    with subprocess.Popen([sys.executable, "-c", COPIER, source, target], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "at work\n"
        with pytest.raises(BusyError):
            moving.copy(source, target)
        os.kill(process.pid, signal.SIGKILL)
    assert is_empty(target)
    is_sqlite = target.startswith("sqlite")
    assert bool(list(tmp_path.glob("target.db.*.partial"))) == is_sqlite
    deadline = time.monotonic() + 20
    while True:  # PostgreSQL takes a moment to see that its client is gone
        try:
            moving.copy(source, target)
        except BusyError:
            assert time.monotonic() < deadline
            time.sleep(0.2)
        else:
            break
    assert polled(target) == polled(source)
    assert list(tmp_path.glob("*.partial*")) == []


def test_full_disk_leaves_no_target(source, tmp_path):
    """As far as a process may write, which is no farther than 500 kB here."""
    code = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, 500_000));"
        "from pulsegate.store import moving; moving.copy(sys.argv[1], sys.argv[2])"
    )
    base = Database(source)
    with base.write() as connection:
        connection.execute(sa.insert(content_blocks).values(content=os.urandom(1_000_000)))
    base.close()
    target = tmp_path / "target.db"
    done = subprocess.run(
        [sys.executable, "-c", code, source, f"sqlite:///{target}"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "StoreError" in done.stderr
    assert not target.exists()
    assert list(tmp_path.glob("*.partial*")) == []
