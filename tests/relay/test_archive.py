"""The bundle's file, to the byte."""

from __future__ import annotations

import io
import random
import tarfile
import tempfile

import pytest

from pulsegate.relay import archive
from pulsegate.relay.archive import Packer, header, padding
from relay.forge import unpack


@pytest.mark.parametrize("size", [0, 1, 511, 512, 513, 10**6, 8**11 - 1])
@pytest.mark.parametrize("name", ["manifest.json", "manifest.sig", "pulses.jsonl.gz", "removals.jsonl.gz"])
def test_header_is_that_of_tar(name, size):
    found = tarfile.TarInfo.frombuf(header(name, size), "ascii", "strict")
    assert (found.name, found.size, found.mode, found.type, found.mtime) == (name, size, 0o644, tarfile.REGTYPE, 0)
    assert (found.uid, found.gid, found.uname, found.gname, found.linkname) == (0, 0, "", "", "")
    assert archive._size(header(name, size)) == size
    info = tarfile.TarInfo(name)
    info.size = size
    assert header(name, size) == info.tobuf(tarfile.USTAR_FORMAT)


@pytest.mark.parametrize("size", [0, 1, 511, 512, 513])
def test_padding_fills_the_block(size):
    assert (size + len(padding(size))) % 512 == 0
    assert len(padding(size)) < 512


@pytest.mark.parametrize("number", [0, 1, 1_000])
def test_packed_lines_come_back(number):
    lines = [b"x" * (one % 700) + b"%d\n" % one for one in range(number)]
    file = io.BytesIO()
    packer = Packer("pulses.jsonl.gz", file)
    for line in lines:
        packer.add(line)
    member = packer.done()
    assert (member.lines, member.length, member.size) == (number, sum(map(len, lines)), len(file.getvalue()))
    assert unpack(file.getvalue()) == b"".join(lines)
    assert file.getvalue()[:10] == b"\x1f\x8b\x08" + bytes(5) + b"\0\x03"
    file.seek(0)
    assert list(archive.lines(member, file.read)) == lines


@pytest.mark.parametrize("chunk", [1, 7, 64, 1_000])
def test_pieces_of_any_size_give_the_same_lines(chunk, monkeypatch):
    dice = random.Random(chunk)
    lines = [dice.randbytes(dice.randrange(50)).hex().encode() * dice.choice([1, 40]) + b"\n" for _ in range(300)]
    with tempfile.TemporaryFile() as file:
        packer = Packer("pulses.jsonl.gz", file)
        for line in lines:
            packer.add(line)
        member = packer.done()
        file.seek(0)
        monkeypatch.setattr(archive, "CHUNK", chunk)
        assert list(archive.lines(member, file.read)) == lines
