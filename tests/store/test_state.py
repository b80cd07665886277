"""Single values that outlive a process."""

from __future__ import annotations

import threading

from pulsegate.store import state


def test_value_that_nobody_put(database):
    with database.read() as connection:
        assert state.get(connection, "key") is None


def test_value_is_put_and_replaced(database):
    for value in ("first", "second", ""):
        with database.write() as connection:
            state.put(connection, "key", value)
            state.put(connection, "other", "x")
        with database.read() as connection:
            assert (state.get(connection, "key"), state.get(connection, "other")) == (value, "x")


def test_secret_is_made_once(database):
    with database.write() as connection:
        first = state.secret(connection, "poll")
        assert state.secret(connection, "poll") == first
    with database.write() as connection:
        assert state.secret(connection, "poll") == first
        assert state.secret(connection, "other") != first
    assert len(bytes.fromhex(first)) == 32


def test_secret_that_two_processes_make_at_once_is_one(database):
    first_is_made, secrets = threading.Event(), []

    def make(wait):
        try:
            with database.write() as connection:
                secrets.append(state.secret(connection, "poll"))
                first_is_made.set()
                if wait:
                    threading.Event().wait(0.3)
        except Exception as error:  # noqa: BLE001 - handed to the test
            secrets.append(type(error).__name__)

    threads = [threading.Thread(target=make, args=(True,)), threading.Thread(target=make, args=(False,))]
    threads[0].start()
    assert first_is_made.wait(10)
    threads[1].start()
    for thread in threads:
        thread.join(30)
    assert len(secrets) == 2
    assert len(set(secrets)) == 1
