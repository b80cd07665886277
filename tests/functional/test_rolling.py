"""A rolling upgrade: a server of the release before serves polls while this version migrates its database, and after it."""

from __future__ import annotations

import io
import json
import os
import subprocess
import tarfile
import threading
import time
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from functional.test_drills import ask_at, until
from functional.test_workers import pulse
from pulsegate.store import migrate
from pulsegate.store.database import Database
from soak.hosts_processes import ROOT
from soak.hosts_world import PASSWORD, PollFailedError, read
from store.databases import KINDS, bare

RELEASE = os.environ.get("ROLLING_FROM", "1d715f9")  # a commit of the release before, with the schema 0005


@pytest.fixture
def before(tmp_path: Path) -> dict[str, str]:
    """The environment in which ``pulsegate`` is that of the release before."""
    words = ["git", "archive", RELEASE, "src", "migrations"]
    archive = subprocess.run(words, cwd=ROOT, capture_output=True, check=False)
    if archive.returncode:
        pytest.skip(f"the commit {RELEASE} is not in this checkout (git fetch --unshallow, or ROLLING_FROM)")
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as tar:
        tar.extractall(tmp_path / "before", filter="data")
    return {"PYTHONPATH": str(tmp_path / "before" / "src")}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.timeout(180)
def test_server_of_the_release_before_serves_on(
    kind: str, before: dict[str, str], serve: Any, pulsegate: Any, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    request.param = kind
    empty = bare(request, tmp_path / "rolling.db")
    empty.close()
    given = {"PULSEGATE_DATABASE": empty.url, "PULSEGATE_ADMIN_PASSWORD": PASSWORD}
    (tmp_path / "1.json").write_text(json.dumps(pulse(1)))
    (tmp_path / "2.json").write_text(json.dumps(pulse(2)))
    first = pulsegate("pull", "--from", "1.json", **given, **before)
    assert first.returncode == 0, first.stderr
    assert migrate.current(empty)[0] < migrate.HEAD
    with serve("--no-worker", **given, **before) as server:
        server.wait_for("To look at a feed:")
        polls = Polls(server.address)
        polls.start()
        until(lambda: polls.number > 5, 20, lambda: polls.failed)
        upgraded = pulsegate("db", "upgrade", **given)
        assert upgraded.returncode == 0, upgraded.stderr
        assert migrate.current(empty)[0] == migrate.HEAD
        pulled = pulsegate("pull", "--from", "2.json", **given)
        assert pulled.returncode == 0, pulled.stderr
        until(lambda: polls.values == ["1.example.org", "2.example.org"], 20, lambda: (polls.values, polls.failed))
        polls.stop()
        time.sleep(2)  # the poll log is written once a second
        assert "Traceback" not in server.output, server.output
    assert not polls.failed
    assert logged(empty) >= polls.number
    empty.close()


def logged(database: Database) -> int:
    with database.read() as connection:
        return int(connection.scalar(sa.text("SELECT count(*) FROM polls")) or 0)


class Polls(threading.Thread):
    """Polls again and again; ``values`` are those of the last answer."""

    def __init__(self, address: str) -> None:
        super().__init__(daemon=True)
        self.number = 0
        self.failed: list[str] = []
        self.values: list[str] = []
        self._address, self._stopped = address, threading.Event()

    def run(self) -> None:
        while not self._stopped.wait(0.05):
            answer = ask_at(self._address)
            try:
                self.values = sorted(f"{value}.org" for *_, values in read(answer.content)[1] for value in values)
            except PollFailedError:
                self.failed.append(f"{answer.status_code} {answer.text}")
            self.number += 1

    def stop(self) -> None:
        self._stopped.set()
        self.join(20)
