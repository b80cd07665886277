"""``pulsegate serve`` as a process, and the seed document's steps with cabby's own commands."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import time
from contextlib import closing
from pathlib import Path

import pytest
import requests

import support
from pulsegate.otx.simulator import Misbehaviour, Simulator
from support import BIN

NO_RELAY = {
    "written": None, "senders": [], "refused": None, "receipts": [], "waiting": {},
    "trouble": {"outbox": None, "inbox": None},
}  # fmt: skip
KEY = "a-key-that-must-never-be-printed-0123456789"
PULSE = {
    "id": "0123456789abcdef01234567",
    "name": "One pulse",
    "author_name": "AlienVault",
    "created": "2026-01-01T00:00:00",
    "modified": "2026-01-02T00:00:00.5",
    "tlp": "white",
    "indicators": [
        {"id": 1, "type": "domain", "indicator": "bad.example.org", "created": "2026-01-01T00:00:00", "is_active": 1},
        {"id": 2, "type": "IPv4", "indicator": "10.1.2.3", "created": "2026-01-01T00:00:00", "is_active": 1},
        {"id": 3, "type": "domain", "indicator": "not a name", "created": "2026-01-01T00:00:00", "is_active": 1},
    ],
}


def cabby(program: str, address: str, path: str, *words: str, password: str) -> subprocess.CompletedProcess[str]:
    command = [BIN / program, "--path", f"{address}{path}", "--username", "gateway", "--password", password, *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.sqlite("the demo")
def test_demo_says_so_and_the_printed_poll_line_works(serve, tmp_path: Path) -> None:
    project = Path(__file__).parents[2]
    shutil.copy(project / "opentaxii.yml", tmp_path)
    with serve("--demo") as server:
        output = server.wait_for("To look at a feed:")
        shown = (project / "README.md").read_text().split("prints what you need (shortened):")[1]
        for line in shown.split("```")[1].splitlines()[1:]:
            wanted = line.split("…")[0].split(".venv/bin/")[0].replace("http://127.0.0.1:9000", server.address)
            assert wanted in output  # but passwords, and what is left out
        assert "Add Source" in output
        line = next(line for line in output.splitlines() if "taxii-poll" in line)
        polled = subprocess.run(line, shell=True, capture_output=True, timeout=60, cwd=tmp_path, check=False)
        assert polled.returncode == 0, polled.stderr
        assert b"<stix:STIX_Package" in polled.stdout
    assert not (tmp_path / "data" / "pulsegate.db").exists()
    assert (tmp_path / "data" / "demo" / "pulsegate.db").exists()


@pytest.mark.sqlite("the demo")
def test_demos_database_that_was_moved_is_the_workers_too(serve, pulsegate, tmp_path: Path) -> None:
    """The settings name it, so the worker must not look for it where --demo has it."""
    usual, moved = tmp_path / "data" / "demo" / "pulsegate.db", tmp_path / "moved.db"
    assert pulsegate("--demo", "publish").returncode == 0
    usual.rename(moved)
    with serve(PULSEGATE_DATABASE=f"sqlite:///{moved}") as server:
        server.wait_for("pull.finished")
        told = server.wait_for("To look at a feed:")
        assert "DEMO MODE" in told
        assert "--demo" not in told.replace("without --demo", "")
    assert not usual.exists()


def test_steps_of_the_seed_document_work_with_only_host_and_password_changed(serve) -> None:
    otx = Simulator([PULSE], api_key=KEY, owner="mail.admin").start()
    given = {"OTX_API_KEY": KEY, "PULSEGATE_OTX__URL": otx.url, "PULSEGATE_OTX__BACKFILL": "3650d"}
    with otx, serve(**given) as server:
        server.wait_for("pull.finished")
        server.wait_for("To look at a feed:")
        password = server.password("gateway")
        at = server.address
        listed = cabby("taxii-collections", at, "/taxii/collections", password=password)
        names = {"subscribed", "user_AlienVault", "user_mail.admin"}
        assert {line.split(": ")[1] for line in listed.stdout.splitlines() if "Collection Name:" in line} == names
        polled = cabby("taxii-poll", at, "/taxii/poll", "--collection", "user_AlienVault", password=password)
        assert support.read_values(polled.stdout.encode()) == [("name", "bad.example.org")]
        empty = cabby("taxii-poll", at, "/taxi/poll/", "--collection", "user_mail.admin", password=password)
        assert (empty.returncode, empty.stdout) == (0, "")
        assert "0 blocks polled" in empty.stderr
        refused = cabby("taxii-poll", at, "/taxii/poll", "--collection", "user_AlienVault", password="wrong")
        assert "401" in refused.stderr
        assert refused.stdout == ""
        found = cabby("taxii-discovery", at, "/taxii/discovery", password=password)
        assert f"Service Address: {at}/taxii/poll" in found.stdout
        assert KEY not in server.output


def test_key_from_a_file_is_used_and_never_shown(serve, pulsegate, tmp_path: Path) -> None:
    (tmp_path / "key").write_text(KEY + "\n")
    given = {"PULSEGATE_OTX__API_KEY_FILE": str(tmp_path / "key"), "PULSEGATE_OTX__BACKFILL": "3650d"}
    with Simulator([PULSE], api_key=KEY) as otx:
        given["PULSEGATE_OTX__URL"] = otx.url
        with serve(**given) as server:
            server.wait_for("pull.finished")
            assert "outcome=ok" in server.output
            arguments = Path(f"/proc/{server.process.pid}/cmdline").read_bytes()
            children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text().split()
            arguments += b"".join(Path(f"/proc/{child}/cmdline").read_bytes() for child in children)
            status = pulsegate("status", "--json", **given)
            check = pulsegate("config", "check", "--json", **given)
        shown = server.output + arguments.decode() + status.stdout + status.stderr + check.stdout + check.stderr
    assert KEY not in shown
    assert json.loads(check.stdout)["otx_key"] is True
    assert json.loads(status.stdout)["last_pull"]["outcome"] == "ok"


def test_status_and_explain_tell_what_is_in_and_why_the_rest_is_not(pulsegate) -> None:
    with Simulator([PULSE], api_key=KEY) as otx:
        given = {"OTX_API_KEY": KEY, "PULSEGATE_OTX__URL": otx.url, "PULSEGATE_OTX__BACKFILL": "3650d"}
        pulled = pulsegate("pull", **given)
        assert pulled.returncode == 0, pulled.stderr
    status = json.loads(pulsegate("status", "--json").stdout)
    started, finished = status["last_pull"].pop("started"), status["last_pull"].pop("finished")
    assert started < finished
    (source,) = status.pop("sources")
    assert started < source.pop("completed") <= finished
    assert source == {
        "name": "otx", "active": False, "pulses": 1, "walk": None, "failing_since": None, "error": None,
        "next_try": None, "removals_held": 0, "alarms": [],
    }  # fmt: skip  # it is asked without the key
    author = {"name": "user_AlienVault", "indicators": 1, "blocks": 1, "last_label": "2026-01-02T00:00:00.500000Z"}
    assert status == {
        "pulses": 1,
        "indicators": 2,
        "quarantined": 1,
        "last_pull": {"outcome": "ok", "pulses": 1, "indicators": 2, "error": None},
        "collections": [
            author | {"name": "subscribed", "opened": True},
            author | {"opened": True},
            {"name": "user_demo", "indicators": 0, "blocks": 0, "last_label": None, "opened": True},
        ],
        "polls": [],
        "relay": NO_RELAY,
    }
    rules = {}
    for value in ("bad[.]example[.]org", "10.1.2.3", "not a name"):
        found = json.loads(pulsegate("explain", value, "--json").stdout)
        assert found["pulses"] == [{"id": PULSE["id"], "name": "One pulse", "author": "AlienVault"}]
        rules[found["value"]] = {one["name"]: (one["in"], one["rule"]) for one in found["collections"]}["subscribed"]
    assert rules == {
        "bad.example.org": (True, "in"),
        "10.1.2.3": (False, "protection:reserved-range"),
        "not a name": (False, "rejected"),
    }
    unknown = pulsegate("explain", "never-seen.example.org")
    assert (unknown.returncode, unknown.stdout) == (1, "")


def test_serve_without_key_says_so_and_serves_what_is_stored(serve, pulsegate, tmp_path: Path) -> None:
    (tmp_path / "pulse.json").write_text(json.dumps(PULSE))
    assert pulsegate("pull", "--from", "pulse.json").returncode == 0
    with serve() as server:
        output = server.wait_for("To look at a feed:")
        assert "No OTX API key is set" in output
        blocks = support.poll(server.address, "subscribed", "gateway", server.password("gateway"))
        assert [support.read_values(one.content) for one in blocks] == [[("name", "bad.example.org")]]


@pytest.mark.sqlite("a table of its file")
def test_every_line_of_a_json_log_is_json(serve, tmp_path: Path) -> None:
    with serve("--no-worker", PULSEGATE_LOG_FORMAT="json", PYTHONDEVMODE="1") as server:
        server.wait_for("Stop with Ctrl-C")
        with socket.create_connection(("127.0.0.1", int(server.address.rpartition(":")[2]))) as client:
            client.sendall(b"GET / HTTP/9.9\r\n\r\n")
            assert client.recv(100).startswith(b"HTTP/1.1 400 ")
        server.wait_for("Invalid HTTP Version")
        with closing(sqlite3.connect(tmp_path / "data" / "pulsegate.db")) as connection:
            connection.execute("ALTER TABLE data_collections RENAME TO gone")
        with serve("--no-worker", PULSEGATE_LOG_FORMAT="json") as second:
            second.process.wait(30)
            assert "no such table" in second.output
    lines = server.output.partition("Stop with Ctrl-C.")[2] + second.output
    assert [line for line in lines.splitlines() if line and not line.startswith("{")] == []
    assert {json.loads(line)["event"] for line in lines.splitlines() if line} >= {"command.failed"}


def test_passwords_are_made_once_and_a_preset_one_is_not_printed(serve) -> None:
    with serve(PULSEGATE_ADMIN_PASSWORD="preset-by-the-admin") as server:
        first = server.wait_for("To look at a feed:")
        assert "preset-by-the-admin" not in first
        password = server.password("gateway")
        assert support.poll(server.address, "subscribed", "admin", "preset-by-the-admin") == []
    with serve() as server:
        again = server.wait_for("To look at a feed:")
        assert password not in again
        assert support.poll(server.address, "subscribed", "gateway", password) == []


def test_worker_ends_when_the_server_is_killed_and_the_next_start_resumes(serve, tmp_path: Path) -> None:
    with Simulator([PULSE], api_key=KEY) as otx:
        otx.misbehave(Misbehaviour.SILENCE, path="/pulses/subscribed", times=1, seconds=30.0)
        given = {"OTX_API_KEY": KEY, "PULSEGATE_OTX__URL": otx.url, "PULSEGATE_OTX__BACKFILL": "3650d"}
        with serve(**given) as server:
            server.wait_for("To look at a feed:")
            wait_until(lambda: any(one.path.endswith("/pulses/subscribed") for one in otx.requests))
            pid = server.process.pid
            children = [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
            os.kill(pid, signal.SIGKILL)
            server.process.wait()
            wait_until(lambda: not any(alive(child) for child in children))
        otx.behave()
        with serve(**given) as server:
            server.wait_for("pull.finished")
            assert "outcome=ok" in server.output


def alive(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


def wait_until(condition, seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.mark.parametrize("path", ["/healthz", "/"])
def test_open_pages_answer_without_an_account(serve, path: str) -> None:
    with serve("--no-worker") as server:
        server.wait_for("To look at a feed:")
        answer = requests.get(server.address + path, timeout=10)
        assert answer.status_code == 200
