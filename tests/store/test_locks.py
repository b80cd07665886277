"""One process at a time, and none when it has died."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
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


def test_lock_of_another_database_is_free(tmp_path):
    first, second = (Database(f"sqlite:///{tmp_path / name}") for name in ("a.db", "b.db"))
    with locks.hold(first, "pull"), locks.hold(second, "pull"):
        assert locks.is_held(second, "pull")
    first.close()
    second.close()
