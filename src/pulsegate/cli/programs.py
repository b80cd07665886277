"""How to call our programs from where the user is."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from pulsegate.cli.setup import Installation


def program(name: str) -> str:
    """The program as it can be called: by name where that finds ours, else by its path."""
    beside = Path(sys.executable).parent / name
    found = shutil.which(name)
    if found is not None and Path(found).resolve() == beside.resolve():
        return name
    try:
        return str(beside.relative_to(Path.cwd()))
    except ValueError:
        return str(beside)


def command(where: Installation, words: str) -> str:
    """A ``pulsegate`` command line that works on this installation."""
    return " ".join([program("pulsegate"), *(["--demo"] if where.apart else []), words])
