"""What the pages ask of the worker about sources and the quarantine, done."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import pytest

from pulsegate.cli import feeding
from pulsegate.cli import tasks as cli_tasks
from pulsegate.cli.setup import Installation, prepare
from pulsegate.cli.tasks import KINDS, Runner
from pulsegate.curation.policy import Policy
from pulsegate.errors import OTXKeyError
from pulsegate.model.indicator import RawIndicator
from pulsegate.model.marks import Marks
from pulsegate.settings import Settings
from pulsegate.store import failures, pulses, quarantine, sources, taken, tasks
from pulsegate.store.database import Database
from pulsegate.store.quarantine import INDICATOR, Quarantined, Wanted
from store.test_pulses import a_name, a_pulse
from sync.fakes import FakeOTX, pulse_id, raw


@pytest.fixture
def where(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Installation:
    monkeypatch.setattr(cli_tasks, "PAUSE", 0.02)
    made = Installation(Settings(data_dir=tmp_path), database, Policy(), demo=False)
    prepare(made)
    return made


@pytest.fixture
def otx(monkeypatch: pytest.MonkeyPatch) -> FakeOTX:
    """What OTX answers."""
    made = FakeOTX([[]], ids=[[]])

    @contextmanager
    def client(*_: object) -> Iterator[FakeOTX]:
        yield made

    monkeypatch.setattr(feeding, "client", client)
    return made


def done(where: Installation, kind: str, **arguments: object) -> tasks.Task:
    with where.database.write() as connection:
        pk = tasks.start(connection, kind, arguments, "ann")
    assert Runner(where).once()
    with where.database.read() as connection:
        found = tasks.get(connection, pk)
    assert found is not None
    return found


def test_test_of_a_key_says_whose_it_is(where: Installation, otx: FakeOTX) -> None:
    otx.name = "somebody"
    assert done(where, "key", source="otx").result == {"owner": "somebody"}
    with where.database.read() as connection:
        assert sources.owner(connection, "otx") == "somebody"
    otx.name = None
    assert done(where, "key", source="otx").result == {"owner": None}
    otx.name = [OTXKeyError("OTX refused the key")]
    assert done(where, "key", source="otx").error == "OTX refused the key"


def test_pull_says_what_it_read_and_whose_the_key_is(where: Installation, otx: FakeOTX) -> None:
    otx.name, otx.pages, otx.ids = "somebody", [[raw(1, "a.example")]], [[pulse_id(1)]]
    found = done(where, "pull", source="otx", full=True)
    assert found.error is None
    assert found.result is not None
    assert found.result["read"] == {
        "pulses": 1, "indicators": 1, "new": 1, "changed": 0, "removed": 0, "rejected": 0, "unreadable": 0,
    }  # fmt: skip
    assert found.result["added"] == 2
    with where.database.read() as connection:
        assert sources.owner(connection, "otx") == "somebody"


def test_removals_leave_as_they_were_accepted(where: Installation, otx: FakeOTX) -> None:
    numbers = range(1, 11)
    otx.pages, otx.ids = [[raw(one, f"{one}.example") for one in numbers]], [[pulse_id(one) for one in numbers]]
    done(where, "pull", source="otx")
    otx.pages, otx.ids = [[]], [[pulse_id(one) for one in range(1, 6)]]
    done(where, "pull", source="otx")
    with where.database.read() as connection:
        stamp = sources.stamp(sources.held(connection, "otx"))
    refused = done(where, "pull", source="otx", held="another")
    assert refused.error is not None
    assert "other removals wait by now" in refused.error
    otx.pages, otx.ids = [[]], [[pulse_id(one) for one in range(1, 6)]]
    accepted = done(where, "pull", source="otx", held=stamp)
    assert accepted.result is not None
    assert accepted.result["read"]["removed"] == 5
    with where.database.read() as connection:
        assert sources.held(connection, "otx") == set()


def entry(value: str, source: str = "otx") -> Quarantined:
    sent = json.dumps(asdict(RawIndicator(type="domain", value=value)), default=str)
    return Quarantined(INDICATOR, a_pulse(1).id, "domain", value, "not a domain name: once", sent, source=source)


@pytest.fixture
def quarantined(where: Installation) -> list[int]:
    """A pulse with a.example.net, and beside it two values that are readable by now, and one that is not."""
    with where.database.write() as connection:
        taken.put(connection, a_pulse(1), [a_name("a.example.net")], lambda _: Marks())
        for one in (entry("b.example"), entry("c.example", "partner"), entry("a b")):
            quarantine.add(connection, one)
        return quarantine.keys(connection)


def left(where: Installation) -> list[str]:
    with where.database.read() as connection:
        return [one.value for one in quarantine.every(connection)]


def test_entry_is_tried_again_and_published(where: Installation, quarantined: list[int]) -> None:
    found = done(where, "retry", entry=quarantined[0])
    assert found.result == {"taken": 1, "refused": 0, "not_kept": 0, "added": 4, "removed": 0}
    assert left(where) == ["c.example", "a b"]


@pytest.mark.usefixtures("quarantined")
def test_those_of_a_filter_are_tried_again(where: Installation) -> None:
    found = done(where, "retry", wanted=asdict(Wanted(source="partner")))
    assert found.result is not None
    assert found.result["taken"] == 1
    assert left(where) == ["b.example", "a b"]
    found = done(where, "retry", wanted={})
    assert found.result is not None
    assert (found.result["taken"], found.result["refused"]) == (1, 1)
    assert left(where) == ["a b"]


@pytest.mark.usefixtures("quarantined")
def test_what_could_not_be_written_is_written(where: Installation) -> None:
    with where.database.write() as connection:
        stored = pulses.get(connection, a_pulse(1).id)
        assert stored is not None
        (found,) = pulses.indicators_of(connection, stored.pk)
        failures.mark(connection, found.pk, "full", "no such object")
    result = done(where, "retry", unwritten=True).result
    assert result == {"taken": 1, "refused": 0, "not_kept": 0, "added": 2, "removed": 0}


def test_pull_that_lasts_holds_up_no_publication(where: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    let, came = threading.Event(), threading.Event()
    monkeypatch.setitem(KINDS, "pull", lambda *_: {"waited": let.wait(10)})
    monkeypatch.setitem(KINDS, "publish", lambda *_: came.set() or {})
    with where.database.write() as connection:
        tasks.start(connection, "pull", {"source": "otx"}, "ann")
        tasks.start(connection, "publish", {}, "ann")
    runner = Runner(where)
    runner.start()
    assert came.wait(10)
    let.set()
    runner.stop()
    for one in runner._threads:
        one.join(10)
        assert not one.is_alive()
