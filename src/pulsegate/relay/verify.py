"""Verifying a bundle, all of it, before anything is changed: who signed it, each byte, each line.

Nothing is read beyond the manifest of what nobody trusted has signed. What was verified is kept aside, so that what is
taken later is what was verified, whatever happens to the file.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from heapq import merge
from pathlib import Path
from typing import BinaryIO

from pulsegate.errors import RelayError, RelayFormatError, RelayLocalError, RelayTrustError
from pulsegate.model.indicator import RawIndicator
from pulsegate.model.pulse import Pulse
from pulsegate.relay import archive, curation, manifest, records
from pulsegate.relay.archive import Archive, Opened
from pulsegate.relay.curation import Line
from pulsegate.relay.keys import Trust, TrustedKey, names
from pulsegate.relay.manifest import CURATION, OWN, PULSES, REMOVALS, Manifest, Member

CHUNK = 2_000  # indicators that are given at a time, or
BYTES = 4_000_000  # of their lines


@dataclass(frozen=True, slots=True)
class Piece:
    """A pulse with all, or some, of its indicators; ``first`` and ``last``: of its pieces; the last has the digest.

    ``size``: bytes of its lines.
    """

    pulse: Pulse
    indicators: list[RawIndicator]
    total: int
    first: bool
    last: bool
    size: int
    digest: bytes = b""


class Bundle:
    """A bundle that was verified; its members can be read as often as need be."""

    def __init__(self, made: Manifest, signer: TrustedKey, spool: BinaryIO, places: dict[str, int], size: int) -> None:
        self.manifest = made
        self.signer = signer
        self.size = size
        self._spool = spool
        self._places = places

    def removals(self) -> Iterator[str]:
        return map(records.read_removal, self._lines(REMOVALS))

    def pulses(self) -> Iterator[Piece]:
        return read_pieces(self._lines(PULSES))

    def own(self) -> Iterator[Piece]:
        return read_pieces(self._lines(OWN))

    def curation(self) -> Iterator[Line]:
        return curation.read_all(self._lines(CURATION))

    def has(self, name: str) -> bool:
        return name in self._places

    def _lines(self, name: str) -> Iterator[bytes]:
        member = self.manifest.member(name)
        if member is None:
            return iter(())
        return archive.lines(member, self._reader(member))

    def _reader(self, member: Member) -> Callable[[int], bytes]:
        at, end = self._places[member.name], self._places[member.name] + member.size

        def read(size: int) -> bytes:
            nonlocal at
            self._spool.seek(at)
            data = self._spool.read(min(size, end - at))
            at += len(data)
            return data

        return read


@contextmanager
def verified(path: Path, trust: Trust, moment: datetime, name: str | None = None) -> Iterator[Bundle]:
    """The bundle in the file, verified whole; errors call it by ``name``, or by the file's.

    RelayFormatError: it is none; RelayTrustError: it is a stranger's; RelayLocalError: it can't be read or kept aside.
    """
    try:
        with _opened(path) as file, _aside() as spool:
            bundle = _read(file, spool, trust, moment)
            _look_at_all(bundle)
            yield bundle
    except RelayError as error:
        error.resource = error.resource or name or path.name
        raise


@contextmanager
def _aside() -> Iterator[BinaryIO]:
    """A file without a name. RelayLocalError: what is read into it can't be read, or is too much."""
    try:
        with tempfile.TemporaryFile(prefix="pulsegate-") as spool:
            yield spool
    except OSError as error:
        raise RelayLocalError(
            f"can't be read, or copied to a temporary file: {error.strerror}",
            hint="Free some space for temporary files, or set TMPDIR to a folder with more",
        ) from error


def _opened(path: Path) -> BinaryIO:
    try:
        if not path.is_file():
            raise RelayLocalError("is no file" if path.exists() else "is not there", hint="Give the name of a bundle")
        return path.open("rb")
    except OSError as error:
        raise RelayLocalError(f"can't be read: {error.strerror}") from error


def _read(file: BinaryIO, spool: BinaryIO, trust: Trust, moment: datetime) -> Bundle:
    opened = Archive(file)
    signed = opened.open()
    signer = _signer(signed, trust, moment)
    made = manifest.read(signed.manifest)
    if made.signer != signer.fingerprint:
        raise RelayFormatError("names another key than the one that signed it")
    places: dict[str, int] = {}
    for member in made.members:
        places[member.name] = spool.tell()
        opened.member(member, spool.write)
    opened.end()
    return Bundle(made, signer, spool, places, file.tell())


def _signer(signed: Opened, trust: Trust, moment: datetime) -> TrustedKey:
    found = trust.signer(signed.manifest, signed.signature, moment)
    if found is not None:
        return found
    try:
        made = manifest.read(signed.manifest)
    except RelayFormatError as error:
        raise RelayTrustError("is signed by nobody who is trusted here, and its manifest can't be read") from error
    known = next((one for one in trust.keys if one.fingerprint == made.signer), None)
    if known is not None:
        raise RelayTrustError(f"has a signature that is not one of the key {known.name!r}; it was changed or damaged")
    raise RelayTrustError(
        f"is signed by nobody who is trusted here: it says that it comes from {made.head.origin}, with the key "
        f"{made.signer[:16]}…",
        hint=f"Trusted are: {names(trust.keys)}. If it is meant to be, bring the sender's public key, compare its "
        "fingerprint, and add it to relay.trust",
    )


def _look_at_all(bundle: Bundle) -> None:
    """Every line is what it should be, and there are as many as the manifest says."""
    made = bundle.manifest
    found, own = _Looked(), _Looked(own=True)
    # Merged, they rise only if both rise and have no id in common.
    _rise(merge(found.removed(bundle.removals()), found.ids(bundle.pulses())))
    _rise(own.ids(bundle.own()))
    for _ in bundle.curation():
        pass
    if found.removals != made.removals:
        raise RelayFormatError(f"is not what it says: it has {found.removals:,} removals, not {made.removals:,}")
    there, said = (found.pulses, found.indicators), (made.head.pulses, made.head.indicators)
    fits = (there, found.state.done()) == (said, made.head.state) if made.kind == "full" else _within(there, said)
    if not fits:
        raise RelayFormatError(f"is not what it says: it has {there[0]:,} pulses with {there[1]:,} indicators")


def _within(there: tuple[int, int], said: tuple[int, int]) -> bool:
    """A delta brings no more than there is in all."""
    return there[0] <= said[0] and there[1] <= said[1]


class _Looked:
    """What was looked at so far."""

    def __init__(self, *, own: bool = False) -> None:
        self._own = own
        self.removals = self.pulses = self.indicators = 0
        self.state = records.State()

    def removed(self, ids: Iterator[str]) -> Iterator[str]:
        for one in ids:
            self.removals += 1
            yield one

    def ids(self, pieces: Iterator[Piece]) -> Iterator[str]:
        """The ids of the pulses. RelayFormatError: one does not belong there."""
        for piece in pieces:
            self.indicators += len(piece.indicators)
            if piece.pulse.is_own is not self._own:
                raise RelayFormatError(f"has the pulse {piece.pulse.id} where it does not belong")
            if piece.last:
                self.pulses += 1
                self.state.add(piece.pulse.id, piece.digest)
                yield piece.pulse.id


def _rise(ids: Iterator[str]) -> None:
    last = ""
    for one in ids:
        if one <= last:
            raise RelayFormatError(f"has pulses twice, or not in the order of their ids: {one!r}")
        last = one


def read_pieces(lines: Iterator[bytes]) -> Iterator[Piece]:
    """The pulses in these lines, a large one in pieces. RelayFormatError: one is cut."""
    for line in lines:
        head = records.read_pulse(line)
        yield from _pieces(head, line, lines)


def _pieces(head: records.PulseLine, line: bytes, lines: Iterator[bytes]) -> Iterator[Piece]:
    found = records.Digest(line)
    left, first, size = head.indicators, True, len(line)
    while first or left:
        some: list[RawIndicator] = []
        while left and len(some) < CHUNK and size < BYTES:
            following = next(lines, None)
            if following is None:
                raise RelayFormatError(f"ends within the pulse {head.pulse.id}")
            found.add(following)
            some.append(records.read_indicator(following))
            size += len(following)
            left -= 1
        yield Piece(head.pulse, some, head.indicators, first, not left, size, b"" if left else found.done())
        first, size = False, 0
