"""The process of the pages where systemd forbids what it asks for."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

FILTERED = """
import ctypes, errno, os, struct
LOAD, EQUAL, RETURN, ALLOW, REFUSE = 0x20, 0x15, 0x06, 0x7FFF0000, 0x00050000 | errno.EPERM
NUMBERS = {"x86_64": 141, "aarch64": 140}  # of setpriority
number = NUMBERS[os.uname().machine]
steps = [(LOAD, 0, 0, 0), (EQUAL, 0, 1, number), (RETURN, 0, 0, REFUSE), (RETURN, 0, 0, ALLOW)]
code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in steps))
program = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(steps), ctypes.addressof(code)))
libc = ctypes.CDLL(None, use_errno=True)
assert libc.prctl(38, 1, 0, 0, 0) == 0  # PR_SET_NO_NEW_PRIVS
assert libc.prctl(22, 2, program, 0, 0) == 0, os.strerror(ctypes.get_errno())  # PR_SET_SECCOMP
"""


def run(text: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=False)


def test_pages_are_made_where_setpriority_is_forbidden() -> None:
    """As ``SystemCallFilter=~@resources`` does it."""
    without = run(FILTERED + "os.nice(1)")
    if "PermissionError" not in without.stderr:
        pytest.skip(f"no system call can be forbidden here: {without.stderr[-200:]}")
    done = run(FILTERED + "from pulsegate.cli import pages; pages.stand_back(); print('goes on')")
    assert (done.returncode, done.stdout) == (0, "goes on\n"), done.stderr


def test_pages_stand_back_where_they_may() -> None:
    done = run(
        "import os; from pulsegate.cli import pages; before = os.nice(0); pages.stand_back(); print(before, os.nice(0))"
    )
    before, after = map(int, done.stdout.split())
    assert after == min(before + 10, 19), done.stderr  # nothing stands back further than that


def test_what_gunicorn_tells_of_them_is_a_line_of_the_log_in_its_form() -> None:
    done = run("""
import logging
from types import SimpleNamespace
from pulsegate.cli import logs, pages
from pulsegate.settings import Settings
logs.configure(logging.WARNING, as_json=True)
cfg = pages._Application(SimpleNamespace(settings=Settings())).cfg
cfg.logger_class(cfg).error("Error handling request")
""")
    (line,) = done.stderr.splitlines()
    assert json.loads(line)["event"] == "Error handling request"
