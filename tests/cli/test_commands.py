"""The program's own module, which each process that writes for a publication imports, too."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

_PROGRAM = """
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from pulsegate.cli import main


def modules():
    return sorted(one for one in sys.modules if one.startswith(("pulsegate", "typer")))


if __name__ == "__main__":
    assert callable(main)
    with ProcessPoolExecutor(1, get_context("spawn")) as executor:
        print(executor.submit(modules).result())
"""


def test_a_process_that_writes_for_a_publication_does_not_import_the_commands(tmp_path: Path) -> None:
    program = tmp_path / "pulsegate"  # as the installed one is: a script that imports main
    program.write_text(_PROGRAM)
    told = subprocess.run([sys.executable, program], capture_output=True, text=True, check=True, timeout=60)
    assert told.stdout == "['pulsegate', 'pulsegate.cli']\n"
