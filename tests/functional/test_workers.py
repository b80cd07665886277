"""Workers as processes: alarms that really come, one at work at a time, sources beside each other."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from functional.webhook import Webhook
from pulsegate.cli.commands import app
from pulsegate.errors import PulsegateError
from pulsegate.otx.simulator import Misbehaviour, Simulator
from pulsegate.store.database import Database
from store.databases import each_kind as database_kind
from store.databases import url_of
from store.test_locks import lose_locks
from support import BIN, end

__all__ = ["database_kind"]
KEY, OTHER_KEY = "a-key-that-must-never-be-printed-0123456789", "another-key-that-must-never-be-printed"
SECRET = "s3cret-0123456789"


def pulse(number: int, *values: str) -> dict[str, Any]:
    names = values or (f"{number}.example.org",)
    rows = [{"id": place, "type": "domain", "indicator": name} for place, name in enumerate(names)]
    return {
        "id": f"{number:024x}", "name": f"Pulse {number}", "author_name": f"author {number}",
        "created": "2026-01-01T00:00:00", "modified": "2026-01-02T00:00:00.5", "indicators": rows,
    }  # fmt: skip


class Worker:
    """A running ``pulsegate worker``."""

    def __init__(self, process: subprocess.Popen[str], log: Path) -> None:
        self.process = process
        self._log = log

    @property
    def output(self) -> str:
        return self._log.read_text()

    def wait_for(self, text: str, seconds: float = 30.0) -> None:
        until(lambda: text in self.output, seconds, lambda: self.output)


def until(condition: Callable[[], object], seconds: float = 30.0, say: Callable[[], object] = lambda: "") -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, say()
        time.sleep(0.05)


@pytest.fixture
def worker(environment: dict[str, str], tmp_path: Path) -> Callable[..., Any]:
    """A context manager that runs ``pulsegate worker`` with these variables."""

    @contextmanager
    def run(**given: str) -> Iterator[Worker]:
        log = tmp_path / f"worker-{time.monotonic_ns()}.log"
        with log.open("w") as stream:
            process = subprocess.Popen(
                [BIN / "pulsegate", "worker"], env=environment | given, cwd=tmp_path, stdout=stream,
                stderr=subprocess.STDOUT, text=True,
            )  # fmt: skip
            try:
                yield Worker(process, log)
            finally:
                end(process)

    return run


def settings(otx: Simulator, **more: str) -> dict[str, str]:
    """A source that is pulled twice a second."""
    quick = {"INTERVAL": "500ms", "RETRY": "500ms", "BACKOFF": "10ms", "COMPARE": "500ms"}
    variables = {
        f"PULSEGATE_OTX__{name}": value for name, value in ({"URL": otx.url, "BACKFILL": "3650d"} | quick).items()
    }
    return {"OTX_API_KEY": KEY} | variables | more


# --- Alarms ----------------------------------------------------------------------------------------------------------


def test_source_that_fails_and_recovers_is_one_alarm_and_one_all_clear(worker, pulsegate) -> None:
    otx = Simulator([pulse(1)], api_key=KEY)
    with otx, Webhook() as hook:
        otx.misbehave(Misbehaviour.GATEWAY_TIMEOUT)
        told = hook.address(f"/{SECRET}?+X-Token={SECRET}", f"user:{SECRET}@")
        given = settings(otx, PULSEGATE_OTX__STALE_AFTER="2s", PULSEGATE_ALARMS__NOTIFY=told)
        with worker(**given) as running:
            until(lambda: hook.taken, say=lambda: running.output)
            status = json.loads(pulsegate("status", "--json", **given).stdout)["sources"][0]
            people = pulsegate("status", **given).stdout
            time.sleep(3)
            otx.behave()
            until(lambda: len(hook.taken) > 1, say=lambda: running.output)
        shown = running.output
    (_, kind, title, text), *others = hook.taken
    assert (kind, title.split(": ", 1)[1]) == ("failure", "otx: stale")
    assert text.startswith("The source otx was never pulled completely for a moment.")
    assert " It has failed since 20" in text
    assert "504" in text
    assert text.endswith("What is published goes on being served.")
    assert [(one[1], one[3]) for one in others] == [("success", "The source otx was pulled completely again")]
    assert (status["alarms"], status["completed"], status["pulses"]) == (["stale"], None, 0)
    assert status["error"]
    assert "  ALARM (stale): The source otx was never pulled completely" in people
    assert (shown.count("alarm.raised"), shown.count("alarm.cleared")) == (1, 1)
    for secret in (SECRET, KEY):
        assert secret not in shown + people


def test_test_message_is_sent_and_its_failure_said(pulsegate) -> None:
    with Webhook() as hook:
        sent = pulsegate("config", "check", "--notify", PULSEGATE_ALARMS__NOTIFY=hook.address(f"/{SECRET}"))
        assert (sent.returncode, SECRET in sent.stdout + sent.stderr) == (0, False)
        assert [(path, kind, text) for path, kind, _, text in hook.taken] == [
            (f"/{SECRET}", "info", "This is a test: alarms come here.")
        ]


# --- Several workers -------------------------------------------------------------------------------------------------


def finished(one: Worker) -> int:
    return one.output.count("pull.finished")


def test_one_worker_works_and_another_one_takes_over(worker) -> None:
    with Simulator([pulse(1)], api_key=KEY) as otx:
        given = settings(otx)
        with worker(**given) as first, worker(**given) as second:
            until(lambda: finished(first) or finished(second), say=lambda: first.output + second.output)
            at_work, standing_by = (first, second) if finished(first) else (second, first)
            standing_by.wait_for("worker.stands_by")
            before = finished(at_work)
            until(lambda: finished(at_work) > before + 1)
            assert finished(standing_by) == 0
            os.kill(at_work.process.pid, signal.SIGKILL)
            died = time.monotonic()
            until(lambda: finished(standing_by), say=lambda: standing_by.output)
            assert time.monotonic() - died < 10
            assert standing_by.output.count("worker.stands_by") == 1


def test_worker_that_lost_its_lock_ends(worker, environment: dict[str, str]) -> None:
    """As when PostgreSQL was started again: another worker may have the lock by now."""
    with closing(Database(url_of(environment))) as database:
        if database.is_sqlite:
            pytest.skip("a file's lock is lost with its process only")
        _lose_the_lock(worker, database)


def _lose_the_lock(worker, database: Database) -> None:
    with Simulator([pulse(1)], api_key=KEY) as otx:
        with worker(**settings(otx)) as running:
            running.wait_for("outcome=ok")
            lose_locks(database)
            assert running.process.wait(timeout=20) == 1
            assert "worker.lock_lost" in running.output
        with worker(**settings(otx)) as again:
            again.wait_for("outcome=ok")


def test_worker_that_is_asked_to_end_in_a_pull_ends_and_the_next_one_goes_on(worker, pulsegate) -> None:
    otx = Simulator([pulse(1)], api_key=KEY)
    with otx:
        otx.misbehave(Misbehaviour.SILENCE, path="/pulses/subscribed", seconds=20)
        given = settings(otx)
        with worker(**given) as first:
            until(lambda: any(one.path == "/pulses/subscribed" for one in otx.requests))
            first.process.send_signal(signal.SIGTERM)
            assert first.process.wait(timeout=10) == 0
        otx.behave()
        with worker(**given) as second:
            second.wait_for("outcome=ok")
        assert json.loads(pulsegate("status", "--json", **given).stdout)["sources"][0]["error"] is None
        for one in (first, second):
            assert "Traceback" not in one.output


# --- Several sources -------------------------------------------------------------------------------------------------


@pytest.fixture
def accounts() -> Iterator[Simulator]:
    """Two keys: one subscribes to the pulses 1 and 2, the other one to 2 and 3."""
    otx = Simulator([pulse(1), pulse(2), pulse(3)], keys={KEY: "one", OTHER_KEY: "two"})
    otx.unsubscribe(pulse(3)["id"], key=KEY)
    otx.unsubscribe(pulse(1)["id"], key=OTHER_KEY)
    with otx:
        yield otx


@pytest.fixture
def both(accounts: Simulator, install: Callable[[Path], str], tmp_path: Path) -> Callable[..., Any]:
    """Run a command in this process with both sources, or with others beside otx; gives its output, or the error."""
    partner = {
        "name": "partner", "url": accounts.url, "api_key": OTHER_KEY, "backfill": "3650d", "backoff": "10ms",
    }  # fmt: skip

    install(tmp_path)

    def run(*words: str, code: int = 0, sources: Any = (partner,), **more: str) -> Any:
        given = settings(accounts, PULSEGATE_SOURCES=json.dumps(list(sources)), **more)
        done = CliRunner().invoke(app, words, env=given)
        error = done.exception if isinstance(done.exception, PulsegateError) else None
        assert (error.exit_code if error else done.exit_code) == code, f"{done.output} {done.exception!r}"
        for secret in (KEY, OTHER_KEY):
            assert secret not in f"{done.stdout} {done.stderr} {error}"
        return done

    return run


def served(both: Callable[..., Any], **more: Any) -> list[str]:
    lines = both("preview", "subscribed", "--json", **more).stdout.splitlines()
    return sorted(json.loads(line)["value"].removesuffix(".example.org") for line in lines)


def test_pulse_stays_as_long_as_one_source_has_it(accounts: Simulator, both) -> None:
    both("pull")
    assert served(both) == ["1", "2", "3"]
    listed = json.loads(both("source", "list", "--json").stdout)
    assert [(one["name"], one["pulses"]) for one in listed] == [("otx", 2), ("partner", 2)]
    accounts.unsubscribe(pulse(2)["id"], key=KEY)
    assert json.loads(both("pull", "--json").stdout)["removed"] == 0
    assert served(both) == ["1", "2", "3"]
    accounts.unsubscribe(pulse(2)["id"], key=OTHER_KEY)
    assert json.loads(both("pull", "--source", "partner", "--json").stdout)["removed"] == 1
    assert served(both) == ["1", "3"]
    both("source", "remove", "partner", sources=())
    both("publish", sources=())
    assert served(both, sources=()) == ["1"]


def test_source_that_fails_stops_no_other(accounts: Simulator, both) -> None:
    broken = {"name": "broken", "url": accounts.url, "api_key": "wrong", "backoff": "10ms"}
    good = {"name": "partner", "url": accounts.url, "api_key": OTHER_KEY, "backfill": "3650d"}
    done = both("pull", "--json", code=1, sources=[broken, good])
    assert (json.loads(done.stdout)["new"], "source=broken" in done.stderr) == (3, True)
    assert served(both, sources=[broken, good]) == ["1", "2", "3"]
    states = json.loads(both("source", "list", "--json", sources=[broken, good]).stdout)
    assert [(one["name"], one["error"] is None) for one in states] == [
        ("otx", True),
        ("broken", False),
        ("partner", True),
    ]


def test_only_the_source_that_is_named_is_pulled(accounts: Simulator, both) -> None:
    both("pull", "--source", "partner")
    assert served(both) == ["2", "3"]
    refused = both("pull", "--source", "nobody", code=2)
    assert str(refused.exception) == ("nobody: there is no such source in the settings. There are: otx, partner")


@pytest.mark.sqlite("the demo")
def test_demo_has_its_own_source_whatever_the_settings_name(both) -> None:
    done = both("--demo", "pull", "--json")
    assert json.loads(done.stdout)["new"] > 5
    states = json.loads(both("--demo", "source", "list", "--json").stdout)
    assert [(one["name"], one["error"], one["alarms"]) for one in states] == [("otx", None, [])]
