"""A bundle's file: a tar archive (POSIX.1-1988, "ustar") with the manifest, its signature and the members.

Each byte of it follows from the contents: a file is read only as long as it is exactly what would be written. So there
are no links, no folders, no paths and no second copy of a member, and no bit can be another one unnoticed.
"""

from __future__ import annotations

import hashlib
import re
import tempfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from shutil import copyfileobj
from typing import BinaryIO

from pulsegate.errors import RelayError, RelayFormatError
from pulsegate.relay.keys import SIGNATURE
from pulsegate.relay.manifest import Member, is_bomb
from pulsegate.relay.records import MAX_LINE

MANIFEST, SIGNED = "manifest.json", "manifest.sig"
MAX_MANIFEST = 1_000_000  # bytes
CHUNK = 1_000_000  # bytes that are read, or unpacked, at a time
BLOCKSIZE = 512
_SUM = 148  # where the sum of a header's bytes stands, in 8 bytes that count as blanks
_END = bytes(2 * BLOCKSIZE)
_GZIP = 16 + zlib.MAX_WBITS  # as RFC 1952: without a name or a time
_LEVEL = 6
_COPY = "Copy it again"


# --- Writing ---------------------------------------------------------------------------------------------------------


def header(name: str, size: int) -> bytes:
    """The 512 bytes before a member's content, of at most 8 GiB.

    Written out here, as each bit of it belongs to the format: what ``tarfile`` makes of the same has changed before.
    """
    owner = b"0000000\0"
    before = name.encode().ljust(100, b"\0") + b"0000644\0" + 2 * owner + b"%011o\0%011o\0" % (size, 0)
    block = (before + b" " * 8 + b"0" + bytes(100) + b"ustar\x0000").ljust(BLOCKSIZE, b"\0")
    return block[:_SUM] + b"%06o\0 " % sum(block) + block[_SUM + 8 :]


def _size(block: bytes) -> int:
    """What the header says; 0: it is none."""
    digits = block[124:135]
    return int(digits, 8) if re.fullmatch(rb"[0-7]{11}", digits) else 0


def padding(size: int) -> bytes:
    """What fills up the last block of a content."""
    return bytes(-size % BLOCKSIZE)


class Packer:
    """Packs the lines of one member into a file; ``done`` gives what the manifest says of it."""

    def __init__(self, name: str, file: BinaryIO) -> None:
        self._name = name
        self._file = file
        self._waiting: list[bytes] = []
        self._begin(zlib.Z_DEFAULT_STRATEGY)
        self._length = self._lines = self._gathered = 0

    def add(self, line: bytes) -> None:
        """RelayError: the line is longer than any receiver reads."""
        if len(line) > MAX_LINE:
            raise RelayError(
                f"there is a text of more than {MAX_LINE:,} bytes", resource=line[:80].decode("utf-8", "replace")
            )
        self._length += len(line)
        self._lines += 1
        self._gathered += len(line)
        self._waiting.append(line)
        if self._gathered >= CHUNK // 10:
            self._pack()

    def done(self) -> Member:
        self._pack()
        self._write(self._packed.flush())
        if is_bomb(self._size, self._length):
            self._pack_anew()
        return Member(
            name=self._name,  # type: ignore[arg-type]  # one of them
            size=self._size,
            sha256=self._hash.hexdigest(),
            length=self._length,
            lines=self._lines,
        )

    def _begin(self, strategy: int) -> None:
        self._packed = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP, zlib.DEF_MEM_LEVEL, strategy)
        self._hash = hashlib.sha256()
        self._size = 0

    def _pack(self) -> None:
        """What was gathered, in one go."""
        self._write(self._packed.compress(b"".join(self._waiting)))
        self._waiting.clear()
        self._gathered = 0

    def _pack_anew(self) -> None:
        """What repeats itself so much that it looks like a bomb: by its letters alone, to an eighth at best."""
        with tempfile.TemporaryFile(prefix="pulsegate-") as copy:
            self._file.seek(0)
            copyfileobj(self._file, copy)
            copy.seek(0)
            self._file.seek(0)
            self._file.truncate()
            self._begin(zlib.Z_HUFFMAN_ONLY)
            for piece in _unpacked(self._name, copy.read):
                self._write(self._packed.compress(piece))
            self._write(self._packed.flush())

    def _write(self, data: bytes) -> None:
        self._size += len(data)
        self._hash.update(data)
        self._file.write(data)


def write(file: BinaryIO, manifest: bytes, signature: bytes, members: Iterable[tuple[Member, BinaryIO]]) -> int:
    """Write the whole archive, and give its size; each member's packed content is read from the start of its file."""
    signed = ((MANIFEST, manifest), (SIGNED, signature))
    size = sum(file.write(header(name, len(data)) + data + padding(len(data))) for name, data in signed)
    for member, content in members:
        size += file.write(header(member.name, member.size))
        content.seek(0)
        while chunk := content.read(CHUNK):
            size += file.write(chunk)
        size += file.write(padding(member.size))
    return size + file.write(_END)


# --- Reading ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Opened:
    """The signed part of an archive, not trusted yet."""

    manifest: bytes
    signature: bytes


class Archive:
    """Reads an archive from its beginning to its end. RelayFormatError: it is none, or not as it was written."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def open(self) -> Opened:
        """The manifest and its signature; nothing else is read."""
        block = self._exactly(BLOCKSIZE, "is too short to be a bundle")
        size = _size(block)
        if not 0 < size <= MAX_MANIFEST or block != header(MANIFEST, size):
            raise RelayFormatError("is no bundle, or its beginning is damaged", hint=_COPY)
        manifest = self._content(size)
        self._header(SIGNED, SIGNATURE)
        return Opened(manifest, self._content(SIGNATURE))

    def member(self, member: Member, keep: Callable[[bytes], object]) -> None:
        """Give ``keep`` the packed content of the next member, which must be this one, as it comes."""
        self._header(member.name, member.size)
        found, left = hashlib.sha256(), member.size
        while left:
            chunk = self._exactly(min(left, CHUNK), "is cut")
            found.update(chunk)
            keep(chunk)
            left -= len(chunk)
        self._padding(member.size)
        if found.hexdigest() != member.sha256:
            raise RelayFormatError(f"is damaged: {member.name} is not what was signed", hint=_COPY)

    def end(self) -> None:
        """There must be nothing more."""
        if self._exactly(len(_END), "is cut") != _END or self._file.read(1):
            raise RelayFormatError("goes on after its end", hint=_COPY)

    def _header(self, name: str, size: int) -> None:
        if self._exactly(BLOCKSIZE, "is cut") != header(name, size):
            fault = f"is damaged, or was put together anew: {name} does not stand in its place"
            raise RelayFormatError(fault, hint=_COPY)

    def _content(self, size: int) -> bytes:
        data = self._exactly(size, "is cut")
        self._padding(size)
        return data

    def _padding(self, size: int) -> None:
        expected = padding(size)
        if self._exactly(len(expected), "is cut") != expected:
            raise RelayFormatError("is damaged between two members", hint=_COPY)

    def _exactly(self, size: int, fault: str) -> bytes:
        data = self._file.read(size)
        if len(data) != size:
            raise RelayFormatError(fault, hint=_COPY)
        return data


def lines(member: Member, read: Callable[[int], bytes]) -> Iterator[bytes]:
    """The lines of a member, each with its end, unpacked as they are asked for. ``read`` gives packed bytes.

    RelayFormatError: it doesn't unpack to what the manifest says of it.
    """
    rest, length, count = b"", 0, 0
    for piece in _unpacked(member.name, read):
        length += len(piece)
        if length > member.length:
            raise RelayFormatError(f"is made to do harm: {member.name} unpacks to more than it says")
        *found, rest = (rest + piece).split(b"\n")
        if len(rest) > MAX_LINE:
            raise RelayFormatError(f"has a line of more than {MAX_LINE:,} bytes in {member.name}")
        count += len(found)
        yield from (one + b"\n" for one in found)
    if rest or length != member.length or count != member.lines:
        raise RelayFormatError(f"is not what it says: {member.name} has {count:,} lines in {length:,} bytes")


def _unpacked(name: str, read: Callable[[int], bytes]) -> Iterator[bytes]:
    """At most a chunk at a time, however much is packed in how little."""
    stream = zlib.decompressobj(_GZIP)
    try:
        while data := read(CHUNK):
            while data:
                if stream.eof:
                    raise RelayFormatError(f"is not what it says: {name} goes on after its end")
                piece = stream.decompress(data, CHUNK)
                data = stream.unconsumed_tail or stream.unused_data
                if piece:
                    yield piece
    except zlib.error as error:
        raise RelayFormatError(f"is not what it says: {name} does not unpack") from error
    if not stream.eof:
        raise RelayFormatError(f"is not what it says: {name} is cut")
