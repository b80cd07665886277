"""What an administrator gets wrong: one clear line that says what to do, exit 1 or 2, no traceback, nothing lost."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from pathlib import Path

import pytest

from pulsegate.otx.simulator import Misbehaviour, Simulator
from support import BIN

KEY = "a-key-that-must-never-be-printed-0123456789"


def refusal(done) -> tuple[int, str]:
    """Exit code and the one line; fails on a traceback or on more than one line."""
    lines = [line for line in done.stderr.splitlines() if "[warning" not in line]
    assert "Traceback" not in done.stderr
    assert KEY not in done.stdout + done.stderr
    assert len(lines) == 1, done.stderr
    return done.returncode, lines[0]


def test_wrong_key_is_told_with_where_to_find_it(pulsegate) -> None:
    with Simulator([], api_key="another") as otx:
        code, line = refusal(pulsegate("pull", OTX_API_KEY=KEY, PULSEGATE_OTX__URL=otx.url))
    assert code == 1
    assert "key" in line
    assert "OTX_API_KEY" in line
    assert json.loads(pulsegate("status", "--json").stdout)["last_pull"]["outcome"] == "failed"


def test_missing_key_is_told(pulsegate) -> None:
    code, line = refusal(pulsegate("pull"))
    assert code == 1
    assert "OTX_API_KEY" in line


def test_unreachable_otx_is_told_and_what_was_stored_stays(pulsegate, tmp_path: Path) -> None:
    pulse = {
        "id": "0123456789abcdef01234567", "name": "P", "author_name": "A", "modified": "2026-01-01T00:00:00",
        "created": "2026-01-01T00:00:00", "indicators": [{"type": "domain", "indicator": "bad.example.org"}],
    }  # fmt: skip
    (tmp_path / "pulse.json").write_text(json.dumps(pulse))
    assert pulsegate("pull", "--from", "pulse.json").returncode == 0
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{probe.getsockname()[1]}"
    code, line = refusal(pulsegate("pull", OTX_API_KEY=KEY, PULSEGATE_OTX__URL=url, PULSEGATE_OTX__BACKOFF="10ms"))
    assert code == 1
    assert url.removeprefix("http://") in line
    found = json.loads(pulsegate("status", "--json").stdout)
    assert (found["pulses"], found["last_pull"]["outcome"]) == (1, "failed")
    assert [one["indicators"] for one in found["collections"]] == [1, 1]


@pytest.mark.parametrize("kind", [Misbehaviour.HTML, Misbehaviour.NO_RESULTS, Misbehaviour.GATEWAY_TIMEOUT])
def test_strange_answers_of_otx_are_told(pulsegate, kind: Misbehaviour) -> None:
    with Simulator([], api_key=KEY) as otx:
        otx.misbehave(kind, path="/pulses/subscribed")
        code, line = refusal(
            pulsegate("pull", OTX_API_KEY=KEY, PULSEGATE_OTX__URL=otx.url, PULSEGATE_OTX__BACKOFF="1ms")
        )
    assert code == 1
    assert "/pulses/subscribed" in line


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("pulsegate: {otx: [", "line 1"),
        ("pulsegate:\n  prot: 9000\n", "did you mean port?"),
        ("pulsegat:\n  port: 9000\n", "did you mean pulsegate?"),
        ("pulsegate:\n  otx: {interval: 15}\n", "write 100ms, 90s, 15m, 6h or 30d"),
        ("pulsegate:\n  own: ['no such name']\n", "neither a domain nor a network"),
        ("pulsegate:\n  collections: [{name: x, protections: [reserved]}]\n", "reserved-range"),
        ("pulsegate:\n  collections: [{name: x, review: twice}]\n", "changes"),
        ("pulsegate:\n  collections: [{name: x, warning_lists: [tranco10]}]\n", "tranco10k"),
        ("pulsegate:\n  warning_lists: {modes: {goggle: block}}\n", "Did you mean google?"),
    ],
)
def test_wrong_settings_are_named(pulsegate, tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "opentaxii.yml").write_text(text)
    for command in (["config", "check"], ["serve"], ["pull"]):
        code, line = refusal(pulsegate(*command))
        assert code == 2
        assert said in line


def test_settings_file_that_is_not_there_is_named(pulsegate) -> None:
    code, line = refusal(pulsegate("config", "check", PULSEGATE_CONFIG="nowhere.yml"))
    assert code == 2
    assert "nowhere.yml" in line


def test_unknown_variable_is_named(pulsegate) -> None:
    code, line = refusal(pulsegate("status", PULSEGATE_DATABSE="sqlite:///x.db"))
    assert code == 2
    assert "PULSEGATE_DATABSE" in line
    assert "did you mean database?" in line


@pytest.mark.parametrize("url", ["sqlite:////proc/no/such.db", "sqlite:////dev/null/x.db"])
def test_database_that_cannot_be_written_is_named(pulsegate, url: str) -> None:
    code, line = refusal(pulsegate("pull", PULSEGATE_DATABASE=url))
    assert code == 1
    assert "PULSEGATE_DATA" in line


@pytest.mark.sqlite("its file")
def test_database_that_is_none_is_left_alone(pulsegate, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    file = tmp_path / "data" / "pulsegate.db"
    file.write_text("this is no database, and somebody may need it" * 100)
    before = file.read_bytes()
    code, line = refusal(pulsegate("serve"))
    assert code == 1
    assert "not a database" in line
    assert file.read_bytes() == before


def test_postgresql_that_is_not_there_is_named_without_its_password(pulsegate) -> None:
    url = "postgresql://pulsegate:hunter2@127.0.0.1:1/feeds"
    code, line = refusal(pulsegate("status", PULSEGATE_DATABASE=url))
    assert code == 1
    assert "hunter2" not in line
    assert "PULSEGATE_DATABASE" in line


def test_port_in_use_is_told(pulsegate) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        code, line = refusal(pulsegate("serve", "--port", str(port)))
    assert code == 1
    assert f"127.0.0.1:{port}" in line
    assert "--port" in line


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("empty.json", b"", "empty.json"),
        ("text.json", b"this is not JSON", "text.json"),
        ("cut.json", b'[{"id": "0123456789abcdef01234567", "na', "cut.json"),
        ("cut.gz", b"\x1f\x8b\x08\x00", "cut.gz"),
        ("other.json", b'{"a": 1}', "other.json"),
    ],
)
def test_files_that_hold_no_pulses_are_named(pulsegate, tmp_path: Path, name: str, content: bytes, said: str) -> None:
    (tmp_path / name).write_bytes(content)
    code, line = refusal(pulsegate("pull", "--from", name))
    assert code == 1
    assert said in line


def test_file_that_is_not_there_is_named(pulsegate) -> None:
    code, line = refusal(pulsegate("pull", "--from", "nowhere.json"))
    assert code == 1
    assert "nowhere.json" in line


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["collection", "show", "nothing"], 2),
        (["pulse", "show", "nothing"], 2),
        (["esa", "nothing"], 2),
        (["account", "password", "nobody"], 1),
        (["account", "grant", "nobody", "--read", "subscribed"], 1),
        (["account", "add", "a:b"], 1),
        (["pull", "file.json"], 2),
        (["polls", "--account", os.fsdecode(b"\xff")], 2),
        (["indicator", "add", os.fsdecode(b"\xff.example.org")], 2),  # not example.org
        (["db", "backup", "x" * 300], 1),
    ],
)
def test_names_that_are_not_there_are_told(pulsegate, words: list[str], code: int) -> None:
    assert refusal(pulsegate(*words))[0] == code


def test_terminal_without_the_letters_shows_them_escaped(pulsegate, tmp_path: Path) -> None:
    pulse = {
        "id": "0123456789abcdef01234567", "name": "Ü \U0001f47e", "author_name": "A", "modified": "2026-01-01T00:00:00",
        "created": "2026-01-01T00:00:00", "indicators": [{"type": "domain", "indicator": "bad.example.org"}],
    }  # fmt: skip
    (tmp_path / "pulse.json").write_text(json.dumps(pulse))
    ascii_only = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    assert pulsegate("pull", "--from", "pulse.json", **ascii_only).returncode == 0
    assert json.loads(pulsegate("pulse", "list", "--json", **ascii_only).stdout)[0]["name"] == "Ü \U0001f47e"
    assert r"\xdc \U0001f47e" in pulsegate("pulse", "list", **ascii_only).stdout
    code, line = refusal(pulsegate("indicator", "add", "ü.example.org", **ascii_only))
    assert code == 2
    assert "is no ascii text" in line


@pytest.mark.parametrize("words", ["--help", "--version", "status", "collection list --json", "config check"])
@pytest.mark.parametrize(
    ("way", "code", "said"),
    [(">/dev/full", 1, "No space left on device"), (">&-", 0, ""), (">&- 2>&- <&-", 0, ""), ("| true", 1, "")],
)
def test_output_that_goes_nowhere_is_told_or_borne(
    environment, tmp_path: Path, words: str, way: str, code: int, said: str
) -> None:
    line = f"sleep 1; exec {BIN}/pulsegate {words}" if "|" in way else f"{BIN}/pulsegate {words}"
    script = f"set -o pipefail; ({line}) {way}"
    done = subprocess.run(
        ["bash", "-c", script], env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == code
    told = [one for one in done.stderr.splitlines() if "[warning" not in one]
    assert len(told) == bool(said), told
    assert said in done.stderr


def test_bundle_on_stdout_is_the_bundle_alone(environment, tmp_path: Path) -> None:
    script = f"""
{BIN}/pulsegate relay keygen --out key >keygen
{BIN}/pulsegate relay export --key key --out /dev/stdout | cat >bundle
{BIN}/pulsegate relay verify bundle --trust key.pub
"""
    done = subprocess.run(
        ["bash", "-ec", script], env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout.startswith("bundle: number 1 of gate-"), done.stderr
    assert "/dev/stdout: number 1 of gate-" in done.stderr


@pytest.mark.sqlite("the demo")
def test_demo_never_works_on_real_data(pulsegate, tmp_path: Path) -> None:
    (tmp_path / "none.json").write_text("[]")
    assert pulsegate("pull", "--from", "none.json").returncode == 0
    (tmp_path / "data" / "demo").mkdir()
    (tmp_path / "data" / "pulsegate.db").rename(tmp_path / "data" / "demo" / "pulsegate.db")
    code, line = refusal(pulsegate("serve", "--demo"))
    assert code == 2
    assert "real data" in line


@pytest.mark.sqlite("its folder, which nothing else needs")
def test_unwritable_data_folder_is_told(pulsegate, tmp_path: Path) -> None:
    if os.geteuid() == 0:
        (tmp_path / "data").write_text("a file where the folder should be")
    else:
        (tmp_path / "data").mkdir(mode=0o500)
    code, line = refusal(pulsegate("serve"))
    assert code == 1
    assert "PULSEGATE_DATA_DIR" in line
