"""One process at a time, and none when it has died."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from pulsegate.errors import StoreError
from pulsegate.store import locks
from pulsegate.store.database import Database

HOLDER = """
import sys, time
from pulsegate.store.database import Database
from pulsegate.store.locks import hold
with hold(Database(sys.argv[1]), "pull"):
    print("held", flush=True)
    time.sleep(60)
"""


def test_lock_that_nobody_holds(database):
    assert not locks.is_held(database, "pull")
    with locks.hold(database, "pull"):
        assert locks.is_held(database, "pull")
        assert not locks.is_held(database, "publish")
    assert not locks.is_held(database, "pull")


def test_lock_that_is_held_is_refused(database):
    waits = []
    with (
        locks.hold(database, "pull"),
        pytest.raises(StoreError, match=r"another process is at work on it \(pull\)"),
        locks.hold(database, "pull", on_wait=lambda: waits.append("waited")),
    ):
        pytest.fail("held twice")
    assert waits == ["waited"]
    with locks.hold(database, "pull", on_wait=lambda: waits.append("again")):
        assert waits == ["waited"]


def lose_locks(database):
    """End the sessions that hold locks, as a server that is started again does."""
    with database.write() as connection:
        query = "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND pid <> pg_backend_pid()"
        connection.exec_driver_sql(query)


def test_holder_finds_out_that_its_lock_is_lost(database):
    with locks.hold(database, "pull") as holds:
        assert holds()
        if database.is_sqlite:  # a file's lock is lost with its process only
            return
        lose_locks(database)
        deadline = time.monotonic() + 10
        while holds():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        with locks.hold(database, "pull", wait=10):
            assert not holds()


def test_lock_of_another_name_is_free(database):
    with locks.hold(database, "pull"), locks.hold(database, "publish"):
        assert locks.is_held(database, "publish")


def test_lock_is_given_back_after_an_error(database):
    with pytest.raises(ZeroDivisionError), locks.hold(database, "pull"):
        raise ZeroDivisionError
    assert not locks.is_held(database, "pull")


def test_asking_does_not_take_the_lock_from_its_holder(database):
    with locks.hold(database, "pull"):
        for _ in range(3):
            assert locks.is_held(database, "pull")


def test_lock_of_a_process_that_was_killed_is_free(database):
    with subprocess.Popen([sys.executable, "-c", HOLDER, database.url], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        assert locks.is_held(database, "pull")
        os.kill(process.pid, signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    start = time.monotonic()
    with locks.hold(database, "pull", wait=20):
        assert time.monotonic() - start < 20


def test_lock_of_another_database_is_free(new_database, tmp_path):
    first, second = (Database(new_database(tmp_path / name)) for name in ("a.db", "b.db"))
    with locks.hold(first, "pull"), locks.hold(second, "pull"):
        assert locks.is_held(second, "pull")
    first.close()
    second.close()


def test_lock_that_is_held_within_a_transaction_lets_others_wait(database):
    """Two that store pulses at once would both find that one isn't there yet."""
    order = []

    def second():
        with database.write() as connection:
            locks.within(connection, locks.INTAKE)
            order.append("second")

    thread = threading.Thread(target=second)
    with database.write() as connection:
        locks.within(connection, locks.INTAKE)
        thread.start()
        thread.join(0.5)
        order.append("first")
    thread.join(20)
    assert order == ["first", "second"]


def test_locks_of_other_names_within_transactions_do_not_wait(database):
    if database.is_sqlite:
        pytest.skip("one transaction writes at a time")
    with database.write() as one, database.write() as other:
        locks.within(one, locks.INTAKE)
        locks.within(other, "other")


def test_lock_within_a_transaction_is_had_again_after_it_and_within_it(database):
    for _ in range(2):
        with database.write() as connection:
            locks.within(connection, locks.INTAKE)
            locks.within(connection, locks.INTAKE)


def test_lock_of_a_pull_is_that_of_its_source(database):
    with locks.hold(database, locks.pull("otx")), locks.hold(database, locks.pull("partner")):
        assert [locks.is_held(database, locks.pull(name)) for name in ("otx", "partner", "third")] == [
            True,
            True,
            False,
        ]
