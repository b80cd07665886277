"""The systemd units: what systemd's own tools say of them, and that the server tells when it is ready."""

from __future__ import annotations

import configparser
import re
import shutil
import socket
import subprocess
from pathlib import Path

import pytest

from deploy.dockerfile import ROOT
from functional.conftest import environment, serve
from pulsegate.cli.processes import GRACE
from pulsegate.settings import load

__all__ = ["environment", "serve"]
UNITS = ["pulsegate.service", "pulsegate-worker.service"]
EXPOSURE = 1.5  # of 10, by 'systemd-analyze security'


class _Several(dict):
    """A key may stand there several times."""

    def __setitem__(self, key: str, value: object) -> None:
        if isinstance(value, list) and key in self:
            self[key].extend(value)
        else:
            super().__setitem__(key, value)


def section(name: str) -> dict[str, list[str]]:
    """[Service] of the unit, each key with all its values."""
    found: dict[str, list[str]] = {}
    parser = configparser.RawConfigParser(dict_type=_Several, strict=False, delimiters=("=",), comment_prefixes=("#",))
    parser.optionxform = str
    parser.read_string((ROOT / "deploy" / name).read_text())
    for key, value in parser["Service"].items():
        found[key] = value.splitlines()
    return found


def analyze(*words: object) -> subprocess.CompletedProcess[str]:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("no systemd-analyze on this machine (Debian's package systemd)")
    return subprocess.run([program, *map(str, words)], capture_output=True, text=True, check=False)


@pytest.fixture
def placed(tmp_path: Path) -> list[Path]:
    """The units, with a program that is there."""
    program = tmp_path / "pulsegate"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    made = []
    for name in UNITS:
        text = (ROOT / "deploy" / name).read_text().replace("/opt/pulsegate/bin/pulsegate", str(program))
        made.append(tmp_path / name)
        made[-1].write_text(text)
    return made


def test_units_are_valid(placed: list[Path]) -> None:
    done = analyze("verify", *placed)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_units_may_do_little(placed: list[Path]) -> None:
    for path in placed:
        done = analyze("security", "--offline=true", "--no-pager", path)
        if "Unknown" in done.stderr or "unrecognized" in done.stderr:
            pytest.skip("this systemd-analyze can't look at units that are not installed")
        level = re.search(r"Overall exposure level for \S+: ([\d.]+)", done.stdout)
        assert level, done.stdout + done.stderr
        assert float(level[1]) <= EXPOSURE, done.stdout


def test_both_units_may_do_the_same_and_share_what_they_keep() -> None:
    server, worker = (section(name) for name in UNITS)
    own = {"Type", "NotifyAccess", "ExecStart", "TimeoutStartSec", "TasksMax"}
    assert server["SystemCallFilter"].pop() == "setpriority", "for the pages, which the worker has none of"
    assert {key: value for key, value in server.items() if key not in own} == {
        key: value for key, value in worker.items() if key not in own
    }


def test_units_give_answers_the_time_to_end_and_never_give_up() -> None:
    for name in UNITS:
        found = section(name)
        drain = load({}).drain.total_seconds()
        assert int(found["TimeoutStopSec"][0]) >= GRACE + drain + 5
        assert (found["Restart"], found["RestartSec"]) == (["always"], ["5"])
        assert "\nStartLimitIntervalSec=0\n" in (ROOT / "deploy" / name).read_text()


def test_environment_of_the_units_is_known_to_us(tmp_path: Path) -> None:
    (tmp_path / "opentaxii.yml").write_text((ROOT / "opentaxii.yml").read_text())
    text = (ROOT / "deploy" / UNITS[0]).read_text().replace("%d", "/run/credentials")
    given = dict(re.findall(r"^(?:#\s+)?Environment=(PULSEGATE_\w+)=(\S+)", text, re.MULTILINE))
    assert len(given) == 4
    given |= {"PULSEGATE_CONFIG": str(tmp_path / "opentaxii.yml"), "PULSEGATE_DATABASE": "postgresql://u@db/p"}
    found = load(given)
    assert found.otx.api_key_file == Path("/run/credentials/otx-key")
    assert found.database_password_file == Path("/run/credentials/database-password")
    assert f"StateDirectory={found.data_dir.name}\n" in text


def test_server_tells_systemd_when_it_is_ready(serve, tmp_path: Path) -> None:
    """Type=notify: who waits for the unit waits for a server that listens."""
    path = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told:
        told.bind(str(path))
        told.settimeout(60)
        with serve("--no-worker", NOTIFY_SOCKET=str(path), PULSEGATE_OTX__ENABLED="false") as server:
            assert told.recv(1000).startswith(b"READY=1")
            server.wait_for("Stop with Ctrl-C")
