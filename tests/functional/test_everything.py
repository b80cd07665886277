"""Pulls, publications, pages and polls together on one installation that nobody disturbs: a short soak."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
SECONDS = int(os.environ.get("CALM_SECONDS", "20"))


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
@pytest.mark.timeout(SECONDS + 300)
def test_everything_together_fails_nothing_and_loses_nothing(kind: str) -> None:
    command = [sys.executable, "-m", "soak.everything", "--seconds", str(SECONDS), "--database", kind]
    done = subprocess.run(command, cwd=TESTS, capture_output=True, text=True, timeout=SECONDS + 290, check=False)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, f"{SECONDS} s: no fault"), done.stdout + done.stderr
