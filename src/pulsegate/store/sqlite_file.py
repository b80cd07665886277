"""SQLite's files as such: copied while others write to them, checked, put in the place of one that nobody has open."""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from pulsegate.errors import BusyError, StoreError
from pulsegate.files import synchronise

PAGES = 2_000  # that are copied in one step
_BESIDE = ("-wal", "-shm", "-journal")  # files that SQLite keeps beside one
_PATIENCE = 1.0  # seconds


@contextmanager
def unfinished(file: Path) -> Iterator[Path]:
    """A new file in the folder of ``file``, for its owner only; what is left of it at the end is taken away."""
    with _explained(file):
        handle, name = tempfile.mkstemp(prefix=f"{file.name}.", suffix=".partial", dir=file.parent)
        os.close(handle)
    try:
        yield Path(name)
    finally:
        for path in (Path(name), *beside(Path(name))):
            path.unlink(missing_ok=True)


def beside(file: Path) -> list[Path]:
    """What SQLite may keep beside the file."""
    return [file.with_name(file.name + suffix) for suffix in _BESIDE]


def size(file: Path) -> int:
    """Bytes of the file and of what belongs to it."""
    return sum(path.stat().st_size for path in (file, *beside(file)) if path.exists())


def copy(source: Path, target: Path, told: Callable[[int, int], None] = lambda _done, _total: None) -> None:
    """Copy one state of the database, whoever writes to it meanwhile; ``told`` gets the bytes done, and how many.

    The transaction that is held keeps the state: without one SQLite begins anew each time that somebody writes. Writers
    don't wait; only the file with their log grows. StoreError: it can't be read or written, or is damaged.
    """
    with (
        _explained(source, target),
        closing(sqlite3.connect(_address(source), uri=True, isolation_level=None)) as one,
        closing(sqlite3.connect(target, isolation_level=None)) as other,
    ):
        one.execute("BEGIN")
        (page_size,) = one.execute("PRAGMA page_size").fetchone()
        one.execute("SELECT count(*) FROM sqlite_master").fetchone()
        one.backup(
            other,
            pages=PAGES,
            progress=lambda _, left, pages: told((pages - left) * page_size, pages * page_size),
        )
    seal(target)


def seal(file: Path) -> None:
    """Make one file of it, with nothing beside it, on the disk and checked. StoreError: it is damaged."""
    with _explained(file), closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA journal_mode=DELETE")
        found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if found != "ok":
        raise StoreError(f"is damaged: {found}", resource=str(file), hint="Take another backup")
    synchronise(file)


def place(new: Path, file: Path) -> None:
    """Give the new file its name, which none has."""
    with _explained(file):
        new.replace(file)
        synchronise(file.parent)


def exchange(new: Path, file: Path, aside: Path | None) -> None:
    """Put the new one in the place of ``file``, which is kept as ``aside``; at any moment there is one of the two.

    BusyError: another process has it open.
    """
    with _explained(file), _alone(file):
        if aside is not None:
            _keep(file, aside)
        for old in beside(file):  # of a damaged file: SQLite must not take its log for the new one's
            if old.exists() and aside is not None:
                old.replace(aside.with_name(aside.name + old.name.removeprefix(file.name)))
        new.replace(file)
        synchronise(file.parent)


def require_alone(file: Path) -> None:
    """BusyError when another process has the file open."""
    with _explained(file), _alone(file):
        pass


@contextmanager
def _alone(file: Path) -> Iterator[None]:
    """Nobody else has the file open: only then SQLite leaves its log; and nobody can begin to use it."""
    if not file.exists():
        yield
        return
    with closing(sqlite3.connect(file, isolation_level=None, timeout=_PATIENCE)) as connection:
        try:
            connection.execute("PRAGMA journal_mode=DELETE")
            connection.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            if "locked" in str(error):
                raise BusyError(
                    "another process has it open",
                    resource=f"database {file}",
                    hint="Stop 'pulsegate serve' and 'pulsegate worker', and what else uses it",
                ) from error
            raise
        except sqlite3.DatabaseError:  # it is damaged: nobody can be at work on it
            pass
        yield


def _keep(file: Path, aside: Path) -> None:
    try:
        os.link(file, aside)
    except OSError:  # a file system without links
        shutil.copy2(file, aside)


def _address(file: Path) -> str:
    return f"{file.resolve().as_uri()}?mode=rw"  # as it is, or not at all


@contextmanager
def _explained(file: Path, target: Path | None = None) -> Iterator[None]:
    """The system's errors and SQLite's, as one that says which file and what to do; ``target``: which is written."""
    try:
        yield
    except OSError as error:
        raise StoreError(
            error.strerror or str(error), resource=str(error.filename or file), hint="Check the folder and its rights"
        ) from error
    except sqlite3.Error as error:
        if "full" in str(error):
            hint = "Free some space on the disk"
            raise StoreError(str(error), resource=str(target or file), hint=hint) from error
        hint = "Check that it is a database, and its rights"
        raise StoreError(str(error), resource=str(file), hint=hint) from error
