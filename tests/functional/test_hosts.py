"""Several hosts on one PostgreSQL, nginx in front, killed and restarted at random: a short soak."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from soak.hosts_processes import NGINX

TESTS = Path(__file__).parents[1]
SECONDS = int(os.environ.get("HOSTS_SECONDS", "15"))


@pytest.mark.skipif(NGINX is None, reason="nginx is not installed (Debian: apt-get install nginx-light)")
@pytest.mark.timeout(SECONDS + 240)
def test_hosts_that_come_and_go_fail_no_poll_and_lose_nothing() -> None:
    command = [sys.executable, "-m", "soak.hosts", "--seconds", str(SECONDS)]
    done = subprocess.run(command, cwd=TESTS, capture_output=True, text=True, timeout=SECONDS + 220, check=False)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, f"{SECONDS} s: no fault"), done.stdout + done.stderr
