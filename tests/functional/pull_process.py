"""``pulsegate pull`` as a process of its own, against a local OTX of the test's: run, killed, and measured."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from functional.otx_world import KEY
from support import BIN

# A process begins with the peak of the one that it was forked from, so a small one must come between.
MEASURE = """
import resource, subprocess, sys
code = subprocess.call(sys.argv[1:])
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(code)
"""


@dataclass
class PullProcess:
    """``database``: its URL; ``folder``: where the process works; ``url``: the address of the local OTX."""

    database: str
    folder: Path
    url: str
    page_size: int = 20

    def start(self, *words: str, under: Sequence[str | Path] = ()) -> subprocess.Popen[bytes]:
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("PULSEGATE_", "OTX_"))}
        ours = {
            "PULSEGATE_DATABASE": self.database, "PULSEGATE_DATA_DIR": str(self.folder),
            "PULSEGATE_OTX__URL": self.url, "PULSEGATE_OTX__BACKOFF": "10ms", "OTX_API_KEY": KEY,
            "PULSEGATE_OTX__PAGE_SIZE": str(self.page_size),
        }  # fmt: skip
        return subprocess.Popen(
            [*under, BIN / "pulsegate", "pull", *words], env=kept | ours, cwd=self.folder,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def run(self, *words: str) -> None:
        """To its end, which must be good."""
        process = self.start(*words)
        _, told = process.communicate(timeout=300)
        assert process.returncode == 0, told.decode()

    def memory(self) -> int:
        """The most that a pull had in memory, in bytes."""
        process = self.start(under=(sys.executable, "-S", "-c", MEASURE))
        measured, told = process.communicate(timeout=300)
        assert process.returncode == 0, told.decode()
        return int(measured.split()[-1]) * 1024


def kill(process: subprocess.Popen[bytes]) -> bool:
    """kill -9; whether it was still at work."""
    was_alive = process.poll() is None
    process.kill()
    _, told = process.communicate()
    assert b"Traceback" not in told, told.decode()
    return was_alive
