"""Running ``pulsegate`` as a user does: as a process of its own."""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from ports import free_port
from support import BIN, end

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def environment(installation: Callable[..., dict[str, str]], tmp_path: Path) -> dict[str, str]:
    """A clean environment with its data in the test's folder, and in a database of the run's kind."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("PULSEGATE_", "OTX_", "OPENTAXII_"))}
    return kept | installation(tmp_path / "data", migrated=False)


@pytest.fixture
def pulsegate(environment: dict[str, str], tmp_path: Path) -> Run:
    """Run a command to its end."""

    def run(*words: str, stdin: str = "", **extra: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [BIN / "pulsegate", *words], input=stdin, env=environment | extra, cwd=tmp_path, capture_output=True,
            text=True, timeout=60, check=False,
        )  # fmt: skip

    return run


class Server:
    """A running ``pulsegate serve``."""

    def __init__(self, process: subprocess.Popen[str], log: Path, port: int) -> None:
        self.process = process
        self.address = f"http://127.0.0.1:{port}"
        self._log = log

    @property
    def output(self) -> str:
        return self._log.read_text()

    def wait_for(self, text: str, seconds: float = 40.0) -> str:
        """What was printed, once ``text`` is in it."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if text in self.output:
                return self.output
            assert self.process.poll() is None, self.output
            time.sleep(0.1)
        raise AssertionError(f"{text!r} was not printed in {seconds} s:\n{self.output}")

    def password(self, account: str) -> str:
        found = re.search(rf"^  {account} +(\S+) ", self.output, re.MULTILINE)
        assert found, self.output
        return found[1]


@pytest.fixture
def serve(environment: dict[str, str], tmp_path: Path) -> Callable[..., Any]:
    """A context manager that runs ``pulsegate serve`` with more words and variables."""

    @contextmanager
    def run(*words: str, **extra: str) -> Iterator[Server]:
        port = free_port()
        log = tmp_path / f"serve-{port}.log"
        with log.open("w") as stream:
            process = subprocess.Popen(
                [BIN / "pulsegate", "serve", "--port", str(port), "--workers", "1", *words],
                env=environment | extra, cwd=tmp_path, stdout=stream, stderr=subprocess.STDOUT, text=True,
            )  # fmt: skip
            try:
                yield Server(process, log, port)
            finally:
                end(process)

    return run
