"""Files that nobody reads half of: they take their name when all is written and on the disk."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote


@contextmanager
def written(path: Path) -> Iterator[BinaryIO]:
    """A file beside ``path`` that takes its place at the end; after an error there is what was before. OSError.

    A link stays one: what it leads to is replaced. A device or a pipe (/dev/stdout) is written to, as it comes.
    """
    if path.exists() and not path.is_file():
        with path.open("wb") as stream:
            yield stream
        return
    path = _led_to(path)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
        synchronise(path.parent)
    finally:
        with suppress(OSError):  # its name may be what is wrong
            part.unlink()


def _led_to(path: Path) -> Path:
    """What a link leads to. OSError: to itself."""
    try:
        return path.resolve()
    except RuntimeError:  # as Python tells it up to 3.12
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path)) from None


def sqlite_url(path: Path) -> str:
    """An SQLite file as the URL of a database, where a ``?`` begins options, and ``%41`` is another way to write A."""
    return "sqlite:///" + re.sub(r"%(?=[0-9A-Fa-f]{2})|\?", lambda found: quote(found[0]), str(path))


def synchronise(path: Path) -> None:
    """Have a file, or the names in a folder, on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
