"""What the worker does for the pages: in order, with progress, and with its failures told."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pulsegate.cli import tasks as cli_tasks
from pulsegate.cli.setup import Installation, prepare
from pulsegate.cli.tasks import KINDS, Runner
from pulsegate.curation.policy import Policy
from pulsegate.errors import PublicationError
from pulsegate.model.marks import Marks
from pulsegate.settings import Settings
from pulsegate.store import taken, tallies, tasks
from pulsegate.store.database import Database
from store.test_pulses import a_name, a_pulse


@pytest.fixture
def where(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Installation:
    monkeypatch.setattr(cli_tasks, "PAUSE", 0.02)
    made = Installation(Settings(data_dir=tmp_path), database, Policy(), demo=False)
    prepare(made)
    return made


def ask(where: Installation, kind: str, **arguments: object) -> int:
    with where.database.write() as connection:
        return tasks.start(connection, kind, arguments, "ann")


def got(where: Installation, pk: int) -> tasks.Task:
    with where.database.read() as connection:
        found = tasks.get(connection, pk)
    assert found is not None
    return found


def test_publication_is_done_and_counted(where: Installation) -> None:
    with where.database.write() as connection:
        taken.put(connection, a_pulse(1), [a_name("a.example.net"), a_name("b.example.net")], lambda _: Marks())
    pk = ask(where, "publish")
    runner = Runner(where)
    assert runner.once()
    assert not runner.once()
    task = got(where, pk)
    assert (task.outcome, task.result) == ("ok", {"added": 4, "removed": 0})  # subscribed, and the author's
    today = datetime.now(UTC).date()
    with where.database.read() as connection:
        found = {one.collection: (one.added, one.removed) for one in tallies.since(connection, today)}
    assert found == {"subscribed": (2, 0), "user_some+one": (2, 0)}


@pytest.mark.parametrize(
    ("kind", "arguments", "said"),
    [
        ("unknown", {}, "this version knows no task unknown"),
        ("pull", {"source": "nothing"}, "nothing: there is no such source in the settings. There are: otx"),
        ("pull", {"source": "otx"}, "no API key is set for otx"),
        ("pull", {}, "an unexpected error, KeyError: 'source'"),
    ],
)
def test_failure_is_told(where: Installation, kind: str, arguments: dict[str, str], said: str) -> None:
    pk = ask(where, kind, **arguments)
    assert Runner(where).once()
    task = got(where, pk)
    assert task.outcome == "failed"
    assert task.error is not None
    assert task.error.startswith(said)


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """A kind that says where it is, and ends when it is let; one that fails."""
    let = threading.Event()

    def work(_where: object, _arguments: object, progress: cli_tasks.Progress) -> dict[str, int]:
        progress.say("pulling", done=3, total=9)
        assert let.wait(10)
        return {"added": 0, "removed": 0}

    def fail(*_: object) -> dict[str, int]:
        raise PublicationError("it broke", hint="Mend it")

    monkeypatch.setitem(KINDS, "slow", work)
    monkeypatch.setitem(KINDS, "fails", fail)
    yield let
    let.set()


def until(where: Installation, pk: int, wanted: str) -> tasks.Task:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        task = got(where, pk)
        if getattr(task, wanted) is not None:
            return task
        time.sleep(0.02)
    raise AssertionError(f"no {wanted}: {task}")


def test_thread_does_one_after_the_other_and_notes_how_far_it_is(where: Installation, slow: threading.Event) -> None:
    dead = ask(where, "slow", number=0)
    with where.database.write() as connection:
        tasks.take(connection)
    runner = Runner(where)
    runner.start()
    assert got(where, dead).error == tasks.DIED
    first, second = ask(where, "slow", number=1), ask(where, "fails")
    running = until(where, first, "progress")
    assert running.progress == {"step": "pulling", "done": 3, "total": 9}
    assert running.heartbeat > running.created
    assert got(where, second).started is None
    slow.set()
    assert until(where, first, "finished").outcome == "ok"
    assert until(where, second, "finished").error == "it broke. Mend it"
    runner.stop()
    [one.join(5) for one in runner._threads]
    assert not any(one.is_alive() for one in runner._threads)


@pytest.mark.parametrize("kind", ["pull", "try_bundle", "take_bundle", "write_bundle"])
def test_what_takes_long_holds_up_no_decision(
    where: Installation, slow: threading.Event, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setitem(KINDS, kind, KINDS["slow"])
    runner = Runner(where)
    runner.start()
    first, second = ask(where, kind), ask(where, "publish")
    until(where, first, "progress")
    assert until(where, second, "finished").outcome == "ok"
    assert got(where, first).finished is None
    slow.set()
    assert until(where, first, "finished").outcome == "ok"
    runner.stop()
    [one.join(5) for one in runner._threads]
