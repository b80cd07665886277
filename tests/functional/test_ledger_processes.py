"""The agreement between publishers and polls with real processes that are killed at random: a short soak."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pulsegate.store.database import Database

TESTS = Path(__file__).parents[1]
SECONDS = 20


def run(database: Database, *words: str) -> subprocess.CompletedProcess[str]:
    database.close()
    command = [sys.executable, "-m", "soak.ledger", "--seconds", str(SECONDS), "--url", database.url, *words]
    return subprocess.run(command, cwd=TESTS, capture_output=True, text=True, timeout=220, check=False)


@pytest.mark.timeout(240)
def test_soak_finds_no_fault(database: Database) -> None:
    done = run(database)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, f"{SECONDS} s: no fault"), done.stdout + done.stderr
