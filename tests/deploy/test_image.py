"""The Dockerfile: what it must be, and what each of its commands really does, on this machine in place of an engine."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from deploy.dockerfile import ROOT, Sandbox, Stage, can_be_run, is_sent, stages
from pulsegate import __version__
from support import BIN

TEXT = (ROOT / "Dockerfile").read_text()
IGNORE = (ROOT / ".dockerignore").read_text()
ARGUMENTS, (BUILD, LAST) = stages(TEXT)
IS_WHOLE = os.environ.get("IMAGE_TEST") == "whole"
# Starts the container's command, asks the health check until it is content, and stops the command as an engine does.
LIFE = """
"$@" & pid=$!
for i in $(seq 300); do
    if {health} 2>/dev/null; then echo HEALTHY; break; fi
    kill -0 $pid || break
    sleep 0.2
done
sleep {more}
kill -TERM $pid; wait $pid; echo "ENDED $?"; echo "USER $(id -u):$(id -g)"; touch /opt/x /etc/x 2>&1
"""


def test_base_is_pinned_and_the_same_in_each_stage() -> None:
    assert [stage.base for stage in (BUILD, LAST)] == ["${BASE}", "${BASE}"]
    image, _, tag = ARGUMENTS["BASE"].partition(":")
    assert (image, tag) == ("python", "{}.{}-slim-bookworm".format(*sys.version_info)), "the Python that is tested"


def test_last_stage_has_no_tools_that_build_and_runs_as_nobody_in_particular() -> None:
    user, group = LAST.last("USER").text.split(":")
    assert int(user) > 0 < int(group)
    commands = " ".join(one.text for one in LAST.all("RUN"))
    assert [word for word in ("apt-get", "pip install", "curl", "gcc") if word in commands] == []
    assert "rm -rf /usr/local/lib/python3.*/site-packages/pip*" in commands
    assert TEXT.count("\nADD ") == 0


def test_no_instruction_holds_a_secret() -> None:
    assert [name for name in LAST.environment if "KEY" in name or "PASSWORD" in name] == []
    assert [path for path in ("secrets/otx-api-key", ".env", "var/pulsegate.db", ".git/config", "opentaxii.local.yml")
            if is_sent(path, IGNORE)] == []  # fmt: skip


def test_what_is_copied_is_sent_and_there() -> None:
    copied = [word for stage in (BUILD, LAST) for one in stage.all("COPY") for word in one.words[:-1]]
    context = [word for word in copied if not word.startswith(("--", "/"))]
    assert [path for path in context if not (is_sent(path, IGNORE) and (ROOT / path).exists())] == []
    assert is_sent("src/pulsegate/cli/serve.py", IGNORE)
    assert not is_sent("src/pulsegate/__pycache__", IGNORE)


def test_labels_tell_this_version() -> None:
    assert f"VERSION={__version__}" in [one.text for one in LAST.all("ARG")]


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-build.txt"])
def test_every_package_is_pinned(name: str) -> None:
    lines = [line for line in (ROOT / name).read_text().splitlines() if line and not line.lstrip().startswith("#")]
    assert lines
    assert [line for line in lines if "==" not in line] == []


def test_pins_are_of_everything_that_the_project_needs() -> None:
    """The wheel is installed with --no-deps: what is not pinned would not be there."""

    def names(lines: list[str]) -> set[str]:
        return {re.split("[^a-z0-9-]", line.lower().replace("_", "-"))[0] for line in lines}

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    pinned = names((ROOT / "requirements.txt").read_text().splitlines())
    tools = names((ROOT / "requirements-build.txt").read_text().splitlines())
    assert names(project["project"]["dependencies"]) - pinned == set(), "run make lock"
    assert names(project["build-system"]["requires"]) - tools == set(), "run make lock"


def test_linter_has_nothing_to_say() -> None:
    program = shutil.which("hadolint", path=f"{BIN}:{os.environ.get('PATH', '')}")
    if program is None:
        pytest.skip("no hadolint for this machine")
    done = subprocess.run([program, ROOT / "Dockerfile"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.fixture
def sandbox(tmp_path: Path) -> Sandbox:
    """The last stage, before its first instruction."""
    if (reason := can_be_run()) is not None:
        pytest.skip(reason)
    return Sandbox(tmp_path / "last", LAST)


def build(folder: Path) -> Path:
    """Run the first stage; gives its root file system."""
    made = Sandbox(folder, BUILD)
    index = {
        key: value for key, value in os.environ.items() if key.startswith("PIP_") or key.lower().endswith("_proxy")
    }
    for one in BUILD.instructions:
        if one.word == "COPY":
            *sources, target = one.words
            for source in sources:
                made.copy(ROOT / source, f"{BUILD.last('WORKDIR').text}/{target.removeprefix('./')}")
        if one.word == "RUN":
            shell = ["sh", "-c", one.text]
            done = made.run(shell, workdir=BUILD.last("WORKDIR").text, environment=index, seconds=600)
            assert done.returncode == 0, f"{one.text}\n{done.stdout}{done.stderr}"
    return made.root


def borrowed(sandbox: Sandbox) -> dict[Path, str]:
    """In place of what the first stage makes: the packages of this checkout's environment, pinned by the same file."""
    done = sandbox.run(["python", "-m", "venv", "--without-pip", "/opt/pulsegate"])
    assert done.returncode == 0, done.stderr
    version = "python{}.{}".format(*sys.version_info)
    (sandbox.root / f"opt/pulsegate/lib/{version}/site-packages/borrowed.pth").write_text("/opt/code/src\n/opt/site\n")
    program = sandbox.root / "opt/pulsegate/bin/pulsegate"
    program.write_text("#!/opt/pulsegate/bin/python\nfrom pulsegate.cli import main\nmain()\n")
    program.chmod(0o755)
    site = Path(pytest.__file__).parents[1].resolve()
    return {site: "opt/site", ROOT / "src": "opt/code/src", ROOT / "migrations": "opt/code/migrations"}


def finish(sandbox: Sandbox, made: Path | None, stage: Stage = LAST) -> None:
    """The last stage's own instructions."""
    for one in stage.instructions:
        if one.word == "RUN":
            done = sandbox.run(["sh", "-c", one.text])
            assert done.returncode == 0, f"{one.text}\n{done.stdout}{done.stderr}"
        if one.word == "COPY" and one.words[0] == "--from=build":
            if made is not None:
                sandbox.copy(made / one.words[1].lstrip("/"), one.words[2])
        elif one.word == "COPY":
            sandbox.copy(ROOT / one.words[0], one.words[1])


@pytest.mark.timeout(1500)
def test_container_starts_is_healthy_and_stops(sandbox: Sandbox, tmp_path: Path) -> None:
    """Read-only, as its own user, in a network of its own; with IMAGE_TEST=whole everything is built for it first."""
    finish(sandbox, build(tmp_path / "build") if IS_WHOLE else None)
    more = {} if IS_WHOLE else borrowed(sandbox)
    health = LAST.last("HEALTHCHECK").text.partition("CMD ")[2]
    script = LIFE.format(health=shlex.join(json.loads(health)), more=1)
    command = ["sh", "-c", script, "sh", *LAST.last("CMD").words]
    place = {"workdir": LAST.last("WORKDIR").text, "user": LAST.last("USER").text, "apart": True, "more": more}
    done = sandbox.run(command, **place, seconds=120)
    said = done.stdout + done.stderr
    assert "HEALTHY\n" in done.stdout, said
    assert "ENDED 0\n" in done.stdout, said
    assert f"USER {LAST.last('USER').text}\n" in done.stdout, said
    assert "Pulsegate serves TAXII 1.1 at http://127.0.0.1:9000" in said, said
    assert done.stdout.count("Read-only file system") == 2, said
    file = tmp_path / "last" / "data" / "pulsegate.db"
    assert (file.stat().st_uid, file.stat().st_mode & 0o077) == (10001, 0), "others may read the accounts"
    status = sandbox.run(["pulsegate", "status", "--json"], **place)
    assert status.returncode == 0, status.stderr
    assert [str(one) for one in (sandbox.root / "usr/local").glob("lib/python3.*/site-packages/pip*")] == []
