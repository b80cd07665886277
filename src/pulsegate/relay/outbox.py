"""Bundles without anybody's doing: the sender's worker writes them into a folder, from where something carries them."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from pulsegate.errors import RelayError
from pulsegate.files import synchronise
from pulsegate.relay import ways
from pulsegate.relay.export import Exported, Place, Wanted, Write, export, written
from pulsegate.relay.keys import SecretKey
from pulsegate.relay.manifest import Manifest, read_head
from pulsegate.relay.ways import Way
from pulsegate.store import relay
from pulsegate.store.database import Connection, Database, now

SUFFIX = ".pgb"
CHUNK = 1_000_000  # bytes that are copied at a time
MOST_PARTS = 9_999
_PART = re.compile(r"(.+\.pgb)\.(\d{4})-of-(\d{4})")


@dataclass(frozen=True, slots=True)
class Outbox:
    """How bundles are written; see ``settings.RelaySettings``."""

    folder: Path
    full_every: timedelta
    repeat: int = 0
    part_size: int | None = None
    curation: bool = False


def write_next(
    database: Database, key: SecretKey, origin: str | None, outbox: Outbox, *, full: bool = False
) -> Exported:
    """Write what changed since the last bundle of the outbox; everything, when that is due or ``full`` is given.

    RelayError: it can't be written.
    """
    make_folder(outbox.folder)
    with database.read() as connection:
        wanted = _wanted(connection, outbox, now(connection), full=full)
    return export(database, key, origin, _into(outbox), wanted)


def _wanted(connection: Connection, outbox: Outbox, moment: datetime, *, full: bool) -> Wanted:
    last = ways.gone(connection, Way.OUTBOX)
    if full or last is None or last.full is None or moment - last.full >= outbox.full_every:
        return Wanted(full=True, curation=outbox.curation, anew=True, way=Way.OUTBOX)
    numbers = range(max(1, last.number - outbox.repeat), last.number + 1)
    name = _name_at(connection, last.number)
    since = next(one for one in numbers if _name_at(connection, one) == name)  # what an old name repeats is nobody's
    return Wanted(since=since, curation=outbox.curation, anew=True, way=Way.OUTBOX)


def _name_at(connection: Connection, number: int) -> str | None:
    """The name under which that number went out."""
    found = relay.head(connection, relay.OWN, number)
    return None if found is None else read_head(found.head).origin


def _into(outbox: Outbox) -> Place:
    def place(manifest: Manifest, write: Write) -> tuple[Path, int]:
        path = outbox.folder / name_of(manifest)
        whole = path.with_name(f".{path.name}.whole")  # what carries bundles passes over it
        try:
            with written(whole) as file:
                size = write(file)
            if outbox.part_size is not None and size > outbox.part_size:
                _split(whole, path, size, outbox.part_size)
            else:
                _rename(whole, path)
        finally:
            with suppress(OSError):
                whole.unlink()
        return path, size

    return place


def name_of(manifest: Manifest) -> str:
    """``ORIGIN-0000000042-delta.pgb``: by name they stand in the order of their numbers."""
    return f"{manifest.head.origin}-{manifest.head.sequence:010}-{manifest.kind}{SUFFIX}"


def _rename(whole: Path, path: Path) -> None:
    """RelayError: it can't be renamed."""
    try:
        whole.replace(path)
        synchronise(path.parent)
    except OSError as error:
        raise RelayError(f"can't be written: {error.strerror}", resource=str(path)) from error


def _split(whole: Path, path: Path, size: int, part_size: int) -> None:
    """In place of ``path`` the parts of the whole, ``NAME.0001-of-0003``; each appears when it is whole."""
    count = -(-size // part_size)
    if count > MOST_PARTS:
        raise RelayError(
            f"would be split into {count:,} parts", resource=str(path), hint="Set a larger relay.part_size"
        )
    try:
        with whole.open("rb") as source:
            for number in range(1, count + 1):
                with written(path.with_name(f"{path.name}.{number:04}-of-{count:04}")) as part:
                    left = part_size
                    while left and (data := source.read(min(CHUNK, left))):
                        part.write(data)
                        left -= len(data)
    except OSError as error:
        raise RelayError(f"can't be split: {error.strerror}", resource=str(path)) from error


@dataclass(frozen=True, slots=True)
class PartName:
    """What the name of a part says: of which bundle, the how many-th, of how many."""

    bundle: str
    number: int
    count: int


def part_name(name: str) -> PartName | None:
    """None: it is no part's name."""
    match = _PART.fullmatch(name)
    if match is None or not 1 <= int(match[2]) <= int(match[3]):
        return None
    return PartName(match[1], int(match[2]), int(match[3]))


def make_folder(folder: Path) -> None:
    """RelayError: it can't be made."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RelayError(f"the folder can't be made: {error.strerror}", resource=str(folder)) from error


def forget_files(folder: Path, before: datetime) -> int:
    """Remove the relay's files in the folder that are older than that; gives how many."""
    gone = 0
    for path in sorted(folder.glob(f"*{SUFFIX}*")) if folder.is_dir() else ():
        with suppress(OSError):  # somebody else was faster, or it is not ours to remove
            if path.is_file() and path.stat().st_mtime < before.timestamp():
                path.unlink()
                gone += 1
    return gone
