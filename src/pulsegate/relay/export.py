"""Writing a bundle: what a state has, or what changed since an earlier one.

The same state gives the same bytes. A state gets a number, its head, when it is exported; pulses remember the number
that brought them as they are. What is exported is read from one snapshot.
"""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import BinaryIO

import structlog

from pulsegate import files
from pulsegate.errors import RelayError
from pulsegate.model.collection import CollectionKind
from pulsegate.model.indicator import RawIndicator
from pulsegate.model.pulse import Pulse
from pulsegate.relay import archive, records, ways
from pulsegate.relay.archive import Packer
from pulsegate.relay.curation import Decision, as_lines
from pulsegate.relay.keys import SecretKey
from pulsegate.relay.manifest import (
    CURATION,
    LONGEST_CHAIN,
    OWN,
    PULSES,
    REMOVALS,
    Head,
    Manifest,
    Member,
    Window,
    canonical,
    read_head,
)
from pulsegate.relay.ways import Way
from pulsegate.store import collections, decisions, relay, state
from pulsegate.store.database import Connection, Database, now
from pulsegate.store.locks import hold
from pulsegate.store.relay import Entry, Part
from pulsegate.store.sources import RELAYED

log = structlog.get_logger(__name__)

LOCK, LOCK_WAIT = "relay.export", 600.0  # seconds
ORIGIN = "relay.origin"  # the name that was made up for this installation, in ``state``
FULL = "Export a full snapshot with --full"
CURATED = "relay.curated"  # the number of the last state that was written with its curation, and a digest of that


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to export. ``full``: everything. ``since``: what changed since that number; None: since the last export.

    ``way``: by which it goes out; the last export is that of the same way.
    ``curation``: with what was decided here, and the own pulses. ``anew``: under a number of its own, also where
    nothing has changed, so that the receiver sees that there was nothing.
    """

    full: bool = False
    since: int | None = None
    curation: bool = False
    anew: bool = False
    way: Way = Way.BY_HAND


@dataclass(frozen=True, slots=True)
class Exported:
    """A bundle that was written. ``left_out``: what of the curation no receiver would take, and why."""

    path: Path
    manifest: Manifest
    size: int
    left_out: Sequence[str] = ()


def origin_of(connection: Connection, configured: str | None) -> str:
    """The name of this installation: the configured one, or one that was made up when it was first asked for."""
    if configured is not None:
        return configured
    found = state.get(connection, ORIGIN)
    if found is None:
        found = f"gate-{secrets.token_hex(6)}"
        state.put(connection, ORIGIN, found)
    return found


Write = Callable[[BinaryIO], int]
"""Writes a bundle to a file, which may be a pipe; gives its size."""
Place = Callable[[Manifest, Write], tuple[Path, int]]
"""Puts a bundle where it belongs, as a whole, when ``Write`` has written it; gives its path and size."""


def to_file(path: Path) -> Place:
    """Puts it there, whatever it is. RelayError: no file can be there."""
    if not path.name or path.is_dir():
        raise RelayError("is a folder", resource=str(path), hint="Give --out the name of a file")
    if not path.parent.is_dir():
        raise RelayError("is no folder", resource=str(path.parent), hint="Make it, or give --out another name")

    def place(_manifest: Manifest, write: Write) -> tuple[Path, int]:
        with written(path) as file:
            return path, write(file)

    return place


def export(database: Database, key: SecretKey, origin: str | None, place: Place, wanted: Wanted) -> Exported:
    """Write a bundle, which appears when it is whole. RelayError: it can't be written, or built upon."""
    with hold(database, LOCK, wait=LOCK_WAIT):
        with database.write() as connection:
            name = origin_of(connection, origin)
        with database.snapshot() as snapshot:
            exported = _Export(database, key, snapshot, name, wanted).run(place)
        with database.write() as connection:
            ways.note(connection, wanted.way, exported.manifest)
            relay.log(connection, _entry(exported))
    log.info("relay.exported", file=exported.path.name, sequence=exported.manifest.head.sequence, bytes=exported.size)
    return exported


class _Export:
    """One export, read from one snapshot."""

    def __init__(self, database: Database, key: SecretKey, snapshot: Connection, origin: str, wanted: Wanted) -> None:
        self._database = database
        self._key = key
        self._snapshot = snapshot
        self._origin = origin
        self._wanted = wanted
        self._last = relay.last_head(snapshot, relay.OWN)
        self._known = relay.parts(snapshot, relay.OWN)
        self._there = relay.versions(snapshot)
        self._left_out: list[str] = []

    def run(self, place: Place) -> Exported:
        """Write the bundle by way of files without names, which end with the process."""
        with ExitStack() as stack:
            try:
                return self._run(place, lambda name: _File(name, stack))
            except OSError as error:
                hint = "Free some space there, or set TMPDIR to a folder with more"
                folder = tempfile.gettempdir()
                raise RelayError(f"can't be written: {error.strerror}", resource=folder, hint=hint) from error

    def _run(self, place: Place, open_: Callable[[str], _File]) -> Exported:
        since = self._since()
        pulses = open_(PULSES)
        curation = self._curation(open_) if self._wanted.curation else []
        head, parts = self._state(since, pulses, curation)
        files = [pulses, *curation]
        removed: list[str] = []
        if since is not None:
            removed = sorted(one for one, part in parts.items() if part.digest is None and part.sequence > since)
            files.insert(0, open_(REMOVALS))
            files[0].add_all(records.removal_line(one) for one in removed)
            self._scan([one for one, part in parts.items() if part.digest and part.sequence > since], pulses)
        members = [one.done() for one in files]
        manifest = Manifest(
            head=head,
            kind="full" if since is None else "delta",
            since=since,
            chain=self._chain(head, since),
            window=Window(start=self._begin(since), end=head.created),
            removals=len(removed),
            members=tuple(members),
            signer=self._key.fingerprint,
        )
        return self._assemble(manifest, files, place)

    def _curation(self, open_: Callable[[str], _File]) -> list[_File]:
        """What was decided here, and the own pulses, all of it. What others' bundles brought is theirs to send."""
        here = decisions.read(self._snapshot)
        every: tuple[Decision, ...] = (*here.allowed, *here.overrides, *here.reviews, *here.trusted)
        made = [one for one in every if not one.account.startswith(RELAYED)]
        rules = [
            one.collection
            for one in collections.every(self._snapshot)
            if one.sender is None and one.collection.kind is CollectionKind.OWN
        ]
        lines, self._left_out = as_lines([*made, *rules])
        for fault in self._left_out:
            log.warning("relay.left_out", reason=fault)
        decided, own = open_(CURATION), open_(OWN)
        decided.add_all(lines)
        there = relay.own_pulses(self._snapshot)
        with closing(relay.contents(self._snapshot, [there[one] for one in sorted(there)])) as contents:
            for pulse, number, indicators in contents:
                own.add_all(_lines_of(pulse, number, indicators))
        return [decided, own]

    def _since(self) -> int | None:
        """The number to build on; None: nothing, it is a full snapshot.

        Nobody has anything of a sender that has another name now: its first bundle is a full snapshot, too.
        """
        if self._wanted.full:
            return None
        last, since = self._last, self._wanted.since
        if since is None:
            gone = ways.gone(self._snapshot, self._wanted.way)
            since = gone.number if gone is not None and last is not None else None
            return None if since is None or self._is_renamed(since) else since
        if last is None or not 1 <= since <= last.sequence:
            known = "nothing was exported yet" if last is None else f"the last one has number {last.sequence}"
            raise RelayError(f"there is no export with number {since}: {known}", hint=FULL)
        return None if self._is_renamed(since) else since

    def _is_renamed(self, since: int) -> bool:
        """Whether that number went out under another name."""
        found = relay.head(self._snapshot, relay.OWN, since)
        return found is not None and read_head(found.head).origin != self._origin

    def _state(self, since: int | None, pulses: _File, curation: Sequence[_File]) -> tuple[Head, dict[str, Part]]:
        """The head of what is stored now, and its pulses; the last one where nothing changed. It is kept.

        So there is one curation to each number, or none.

        For a full snapshot all pulses are read, and written to ``pulses`` on the way; else those that were stored anew.
        """
        if since is None:
            made = self._scan(self._there, pulses)
        else:
            made = self._scan(one for one, (_, version) in self._there.items() if self._version(one) != version)
        known = relay.present(self._known)
        digests = {one: made.get(one) or known[one] for one in self._there}
        changed = {one for one, digest in digests.items() if known.get(one) != digest}
        gone = known.keys() - digests.keys()
        last = self._last
        curated = records.digest(one.done().sha256.encode() for one in curation).hex() if curation else None
        is_same = last is not None and not changed and not gone and last.sequence != since
        is_same = is_same and last is not None and read_head(last.head).origin == self._origin
        is_same = is_same and not self._wanted.anew and not self._is_curated_anew(curated)
        number = (last.sequence if last else 0) + (not is_same)
        noted = {
            one: Part(digests[one], number if one in changed else self._known[one].sequence, self._there[one][1])
            for one in made
        } | {one: Part(None, number, None) for one in gone}
        head = read_head(last.head) if last is not None and is_same else self._head(number, digests)
        self._keep(head, noted, curated)
        return head, self._known | noted

    def _version(self, pulse_id: str) -> datetime | None:
        """The version that was read for the last state."""
        known = self._known.get(pulse_id)
        return None if known is None else known.stored

    def _head(self, number: int, digests: Mapping[str, bytes]) -> Head:
        return Head(
            origin=self._origin,
            sequence=number,
            created=now(self._snapshot),
            previous=self._last.digest.hex() if self._last else None,
            pulses=len(digests),
            indicators=relay.count_indicators(self._snapshot),
            state=records.state_digest(digests),
        )

    def _is_curated_anew(self, digest: str | None) -> bool:
        """Whether the last state has gone out with another curation than this."""
        number, _, known = (state.get(self._snapshot, CURATED) or "").partition(" ")
        is_of_the_last = self._last is not None and number == str(self._last.sequence)
        return digest is not None and is_of_the_last and digest != known

    def _keep(self, head: Head, noted: Mapping[str, Part], curated: str | None) -> None:
        with self._database.write() as connection:
            if curated is not None:
                state.put(connection, CURATED, f"{head.sequence} {curated}")
            relay.put_parts(connection, relay.OWN, noted)
            if self._last is None or head.sequence != self._last.sequence:
                text = canonical(head).decode()
                relay.put_head(connection, relay.OWN, head.sequence, bytes.fromhex(head.digest), text)

    def _scan(self, ids: Iterable[str], file: _File | None = None) -> dict[str, bytes]:
        """The digests of these pulses; their lines are written to the file, if one is given."""
        found: dict[str, bytes] = {}
        keys = [self._there[one][0] for one in sorted(ids)]
        with closing(relay.contents(self._snapshot, keys)) as contents:
            for pulse, number, indicators in contents:
                lines = _lines_of(pulse, number, indicators)
                found[pulse.id] = records.digest(lines if file is None else file.through(lines))
        return found

    def _chain(self, head: Head, since: int | None) -> dict[str, str]:
        """The digests of the heads from what it builds on to the one before it."""
        if since is None:
            return {}
        with self._database.read() as connection:
            found = relay.chain(connection, relay.OWN, since)
        digests = {str(number): digest.hex() for number, digest in found.items() if number < head.sequence}
        if len(digests) > LONGEST_CHAIN:
            raise RelayError(f"number {since} is more than {LONGEST_CHAIN:,} exports ago", hint=FULL)
        return digests

    def _begin(self, since: int | None) -> datetime | None:
        found = None if since is None else relay.head(self._snapshot, relay.OWN, since)
        return None if found is None else read_head(found.head).created

    def _assemble(self, manifest: Manifest, files: Iterable[_File], place: Place) -> Exported:
        """Put the parts together, where they belong."""
        data = canonical(manifest)
        contents = list(zip(manifest.members, (one.file for one in files), strict=True))
        path, size = place(manifest, lambda file: archive.write(file, data, self._key.sign(data), contents))
        return Exported(path, manifest, size, self._left_out)


class _File:
    """A member on its way into the bundle."""

    def __init__(self, name: str, stack: ExitStack) -> None:
        self.file: BinaryIO = stack.enter_context(tempfile.TemporaryFile(prefix="pulsegate-"))  # noqa: SIM115 - the stack closes it
        self._packer = Packer(name, self.file)
        self._done: Member | None = None

    def add_all(self, lines: Iterable[bytes]) -> None:
        for line in lines:
            self._packer.add(line)

    def through(self, lines: Iterable[bytes]) -> Iterator[bytes]:
        """The lines, each of them added."""
        for line in lines:
            self._packer.add(line)
            yield line

    def done(self) -> Member:
        """What the manifest says of it; nothing is added from now on."""
        if self._done is None:
            self._done = self._packer.done()
        return self._done


def _lines_of(pulse: Pulse, number: int, indicators: Iterable[RawIndicator]) -> Iterator[bytes]:
    return chain((records.pulse_line(pulse, number),), map(records.indicator_line, indicators))


@contextmanager
def written(path: Path) -> Iterator[BinaryIO]:
    """``files.written``. RelayError: it can't be."""
    try:
        with files.written(path) as file:
            yield file
    except OSError as error:
        raise RelayError(f"can't be written: {error.strerror}", resource=str(path)) from error


def _entry(exported: Exported) -> Entry:
    manifest = exported.manifest
    return Entry(
        relay.OUT,
        exported.path.name,
        relay.WRITTEN,
        manifest.head.origin,
        manifest.head.sequence,
        manifest.kind,
        removals=manifest.removals,
        bytes=exported.size,
    )
