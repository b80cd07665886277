"""Bodies of answers, decoded in bounded pieces."""

from __future__ import annotations

import gzip
import io
import tracemalloc
import zlib

import pytest
import requests
import urllib3

from pulsegate.errors import OTXAnswerError
from pulsegate.otx import body

TEXT = b"".join(b"%d " % n for n in range(60_000))


def answer(content, **headers):
    made = requests.Response()
    made.headers.update(headers)
    made.raw = urllib3.HTTPResponse(body=io.BytesIO(content), headers=headers, preload_content=False)
    return made


def read(content, encoding="gzip"):
    found = list(body.pieces(answer(content, **{"Content-Encoding": encoding})))
    assert max(map(len, found), default=0) <= body.CHUNK
    return b"".join(found)


@pytest.mark.parametrize("encoding", ["gzip", " GZIP ", "x-gzip"])
@pytest.mark.parametrize("size", [0, 1, body.CHUNK - 1, body.CHUNK, body.CHUNK + 1, 2 * body.CHUNK, len(TEXT)])
def test_gzip_of_any_size(encoding, size):
    for level in (0, 1, 9):
        assert read(gzip.compress(TEXT[:size], level, mtime=0), encoding) == TEXT[:size]
        assert read(gzip.compress(b" " * size * 9, level, mtime=0), encoding) == b" " * size * 9


@pytest.mark.parametrize("encoding", ["", "identity"])
def test_plain(encoding):
    assert read(TEXT, encoding) == TEXT


def test_gzip_of_several_members():
    parts = [gzip.compress(TEXT[start : start + 7_000], mtime=0) for start in range(0, len(TEXT), 7_000)]
    assert read(b"".join([gzip.compress(b"", mtime=0), *parts])) == TEXT


@pytest.mark.parametrize(
    "content",
    [
        b"",
        TEXT,
        gzip.compress(TEXT, mtime=0)[:-1],
        gzip.compress(TEXT, mtime=0)[:-9],
        gzip.compress(TEXT, mtime=0)[:5],
        gzip.compress(TEXT, mtime=0) + b"garbage",
        gzip.compress(TEXT, mtime=0)[:-8] + b"\0" * 8,
        zlib.compress(TEXT),
    ],
    ids=range(8),
)
def test_broken_gzip(content):
    with pytest.raises(zlib.error):
        read(content)


@pytest.mark.parametrize("encoding", ["deflate", "br", "zstd", "gzip, gzip", "x" * 1000])
def test_encoding_that_was_not_asked_for(encoding):
    with pytest.raises(OTXAnswerError, match=f"OTX's answer is encoded as '{encoding[:40]}', which wasn't asked for"):
        read(zlib.compress(TEXT), encoding)


def test_bomb_is_decoded_in_small_pieces():
    packer = zlib.compressobj(9, wbits=31)
    bomb = b"".join([*(packer.compress(b" " * 1_000_000) for _ in range(100)), packer.flush()])
    made = answer(bomb, **{"Content-Encoding": "gzip"})
    tracemalloc.start()
    size = sum(map(len, body.pieces(made)))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (size, peak < 500_000) == (100_000_000, True)
