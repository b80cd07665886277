"""Connections and transactions, and errors in words for people."""

from __future__ import annotations

import sqlite3
import threading
import traceback
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import make_url

from pulsegate.errors import StoreError
from pulsegate.store import state
from pulsegate.store.database import Database, now
from pulsegate.store.tables import accounts


def test_transaction_that_ends_is_kept_and_one_that_fails_is_not(database):
    with database.write() as connection:
        state.put(connection, "kept", "x")

    def fail():
        with database.write() as connection:
            state.put(connection, "lost", "x")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    with database.read() as connection:
        assert (state.get(connection, "kept"), state.get(connection, "lost")) == ("x", None)


def test_reading_keeps_nothing(database):
    with database.read() as connection:
        state.put(connection, "key", "x")
    with database.read() as connection:
        assert state.get(connection, "key") is None


def test_reader_does_not_see_or_wait_for_a_writer(database):
    with database.write() as writer:
        state.put(writer, "key", "x")
        with database.read() as reader:
            assert state.get(reader, "key") is None


def test_clock_is_aware_and_in_utc(database):
    before = datetime.now(UTC) - timedelta(seconds=5)
    with database.read() as connection:
        moment = now(connection)
        later = now(connection)
    assert moment.tzinfo is UTC
    assert before < moment < later < datetime.now(UTC) + timedelta(seconds=5)


@pytest.mark.sqlite("its file")
def test_sqlite_is_in_wal_with_foreign_keys(tmp_path):
    base = Database(f"sqlite:///{tmp_path / 'new' / 'folder' / 'a.db'}")
    with base.read() as connection:
        found = [connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("journal_mode", "foreign_keys")]
    base.close()
    assert found == ["wal", 1]


@pytest.mark.sqlite("its file")
def test_sqlite_writers_wait_for_each_other(tmp_path):
    """A transaction that reads first and writes then does not fail when another has written between."""
    base = Database(f"sqlite:///{tmp_path / 'a.db'}")
    with base.write() as connection:
        connection.execute(sa.text("CREATE TABLE t (n INTEGER)"))
        connection.execute(sa.text("INSERT INTO t VALUES (0)"))

    def count():
        for _ in range(20):
            with base.write() as connection:
                found = connection.scalar(sa.text("SELECT n FROM t"))
                connection.execute(sa.text("UPDATE t SET n = :n"), {"n": found + 1})

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    with base.read() as connection:
        assert connection.scalar(sa.text("SELECT n FROM t")) == 80
    base.close()


@pytest.mark.sqlite("its file")
def test_file_that_is_no_database(tmp_path):
    path = tmp_path / "a.db"
    path.write_text("This is no database. " * 100)
    base = Database(f"sqlite:///{path}")
    with pytest.raises(StoreError) as caught, base.write():
        pass
    base.close()
    assert str(caught.value) == (
        f"database {path}: file is not a database. Restore it from a backup, or name another one"
    )


@pytest.mark.sqlite("its file")
def test_folder_that_can_not_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError) as caught:
        Database(f"sqlite:///{tmp_path}/file/a.db")
    assert str(caught.value).startswith(f"{tmp_path}/file: the folder can't be made: ")


@pytest.mark.parametrize(
    "url",
    ["postgresql+psycopg://u:geheim@[::1/x", "postgresql+psycopg://u:geheim:@h:port/x", "sqlite:///x?timeout=geheim"],
)
def test_url_that_cannot_be_read_is_told_without_the_password(url):
    with pytest.raises(StoreError, match="its URL can't be read") as caught:
        Database(url)
    assert "geheim" not in f"{caught.value}{caught.value.__cause__}"
    assert caught.value.__suppress_context__


def test_option_that_the_client_does_not_take_is_told_without_the_password():
    base = Database("postgresql+psycopg://u:geheim@localhost/x?connect_timeout=soon")
    with (
        pytest.raises(StoreError, match=r"bad value for connect_timeout.* Check PULSEGATE_DATABASE") as caught,
        base.read(),
    ):
        pass
    assert "geheim" not in str(caught.value)


def test_server_that_is_not_there_is_named_without_the_password(tmp_path):
    base = Database(f"postgresql+psycopg://someone:hunter2@/feed?host={tmp_path}")
    with pytest.raises(StoreError) as caught, base.read():
        pass
    assert base.name.startswith("postgresql://someone:***@/feed?host=")
    assert "hunter2" not in str(caught.value)
    assert caught.value.hint == "Check PULSEGATE_DATABASE, and that the server runs and lets this user in"


@pytest.fixture
def sqlite(tmp_path):
    database = Database(f"sqlite:///{tmp_path / 'feed.db'}")
    yield database
    database.close()


def cache_size(connection):
    return -int(connection.execute("PRAGMA cache_size").fetchone()[0])


@pytest.mark.sqlite("its file")
def test_sqlite_holds_more_pages_while_much_is_written(sqlite):
    used = []

    def size():
        with sqlite.read() as connection:
            used.append(connection.connection.driver_connection)
            return cache_size(used[-1])

    plain = size()
    with sqlite.roomy():
        assert size() > 2 * plain
        with ThreadPoolExecutor(1) as other:
            assert other.submit(size).result() == plain
        assert size() > 2 * plain
    for one in {used[1], used[3]}:  # at once, not when they are used next
        with pytest.raises(sqlite3.ProgrammingError, match="closed"):
            cache_size(one)
    assert size() == plain


@pytest.mark.sqlite("its file")
def test_no_connection_is_left_over_however_often_much_is_written(sqlite):
    there = set()
    event.listen(sqlite.engine, "connect", lambda connection, _record: there.add(connection))
    event.listen(sqlite.engine, "close", lambda connection, _record: there.discard(connection))
    for _ in range(5):
        with sqlite.roomy():
            beside = sqlite.engine.connect()
            beside.exec_driver_sql("SELECT 1")
            with sqlite.write() as connection:
                connection.exec_driver_sql("SELECT 1")
        beside.close()
    assert len(there) <= 2


def test_error_tells_no_value_that_was_to_be_stored(database):
    secret = "pbkdf2:sha256:hash-of-a-password"
    ann = sa.insert(accounts).values(username="ann", password_hash=secret, _permissions="{}")
    with database.write() as connection:
        connection.execute(ann)
    with database.read() as connection, pytest.raises(sa.exc.IntegrityError) as caught:
        connection.execute(ann)
    assert secret not in "".join(traceback.format_exception(caught.value))


# --- Sessions with PostgreSQL ----------------------------------------------------------------------------------------


def _parameters(url):
    database = Database(url)
    with database.read() as connection:
        found = connection.connection.driver_connection.info.get_parameters()
        work_mem = connection.scalar(sa.text("SHOW work_mem"))
    database.close()
    return found, work_mem


def test_session_that_is_silent_is_given_up(postgresql):
    found, _ = _parameters(postgresql)
    assert (found["keepalives_idle"], found["tcp_user_timeout"], found["connect_timeout"]) == ("10", "20000", "10")
    assert "-c tcp_keepalives_idle=10 -c tcp_keepalives_interval=5" in found["options"]


def test_parameters_of_the_url_count(postgresql):
    url = make_url(postgresql).update_query_dict({
        "keepalives_idle": "77", "options": "-c tcp_keepalives_idle=78 -c work_mem=5MB",
    })  # fmt: skip
    found, work_mem = _parameters(url.render_as_string(hide_password=False))
    assert (found["keepalives_idle"], found["tcp_user_timeout"]) == ("77", "20000")
    assert found["options"].index("tcp_keepalives_idle=10") < found["options"].index("tcp_keepalives_idle=78")
    assert work_mem == "5MB"
