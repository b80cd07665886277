"""Backups beside a server that is polled and a worker that pulls; a restore that no client notices."""

from __future__ import annotations

import json
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from store.databases import KINDS, bare
from support import poll, read_values

NUMBER = 300


def pulse(number: int, *values: str) -> dict[str, Any]:
    rows = [{"id": place, "type": "domain", "indicator": name} for place, name in enumerate(values)]
    return {
        "id": f"{number:024x}", "name": f"Pulse {number}", "author_name": "author", "created": "2026-01-01T00:00:00",
        "modified": "2026-01-02T00:00:00.5", "indicators": rows,
    }  # fmt: skip


@pytest.fixture(params=KINDS)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    base = bare(request, tmp_path / "pulsegate.db")
    base.close()
    return base.url


def bring(pulsegate: Any, tmp_path: Path, database: str, name: str, *pulses: dict[str, Any]) -> None:
    file = tmp_path / f"{name}.json"
    file.write_text(json.dumps({"results": list(pulses)}))
    done = pulsegate("pull", "--from", str(file), PULSEGATE_DATABASE=database)
    assert done.returncode == 0, done.stderr


class Client:
    """Polls (last end, now] again and again, by its own clock, as an appliance does."""

    def __init__(self) -> None:
        self.end: datetime | None = None
        self.found: set[str] = set()

    def poll(self, address: str, password: str) -> None:
        end = datetime.now(UTC)
        given = {"begin_date": self.end, "end_date": end} if self.end else {"end_date": end}
        for block in poll(address, "subscribed", "gateway", password, **given):
            self.found |= {value for _, value in read_values(block.content)}
        self.end = end


def test_backup_beside_polls_and_publications_is_restored_and_no_client_misses_anything(
    database, pulsegate, serve, tmp_path
):
    names = [f"{number}.example.org" for number in range(NUMBER)]
    bring(pulsegate, tmp_path, database, "first", *(pulse(key, name) for key, name in enumerate(names)))
    client, stop, seconds, failures = Client(), threading.Event(), [], []
    backup = tmp_path / "backup.db"

    def go_on(address: str, password: str) -> None:
        while not stop.is_set():
            start = time.monotonic()
            try:
                found = poll(address, "subscribed", "gateway", password)
            except Exception as error:  # noqa: BLE001 - whatever it is, it is one
                failures.append(error)
            else:
                seconds.append(time.monotonic() - start)
                if len(found) < NUMBER:
                    failures.append(len(found))

    with serve("--no-worker", PULSEGATE_DATABASE=database) as server:
        password = server.wait_for("gateway") and server.password("gateway")
        client.poll(server.address, password)
        load = threading.Thread(target=go_on, args=(server.address, password))
        load.start()
        try:
            done = pulsegate("db", "backup", str(backup), "--json", PULSEGATE_DATABASE=database)
            assert done.returncode == 0, done.stderr
            assert json.loads(done.stdout)["bytes"] == backup.stat().st_size
            bring(pulsegate, tmp_path, database, "second", pulse(NUMBER, "since.example.org"))
        finally:
            stop.set()
            load.join()
        client.poll(server.address, password)
        assert "since.example.org" in client.found
        refused = pulsegate("db", "restore", str(backup), "--replace", PULSEGATE_DATABASE=database)
        assert refused.returncode == 1
        assert "pulsegate serve" in refused.stderr
    assert failures == []
    assert len(seconds) > 3
    restored = pulsegate("db", "restore", str(backup), "--replace", PULSEGATE_DATABASE=database)
    assert restored.returncode == 0, restored.stderr
    late = pulse(NUMBER + 1, "late.example.org") | {"modified": "2026-01-03T00:00:00"}
    with serve("--no-worker", PULSEGATE_DATABASE=database) as server:
        server.wait_for("/taxii/")
        client.poll(server.address, password)
        assert client.end is not None
        bring(pulsegate, tmp_path, database, "third", late)
        found = poll(server.address, "subscribed", "gateway", password, begin_date=client.end, end_date=None)
        values = {value for block in found for _, value in read_values(block.content)}
        assert "late.example.org" in values
