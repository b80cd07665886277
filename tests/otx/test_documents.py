"""Pulses in files of every form."""

from __future__ import annotations

import gzip
import io
import json
import math
import tracemalloc

import pytest

from pulsegate.errors import PulseFormatError
from pulsegate.otx import jsonstream
from pulsegate.otx.documents import EXPECTED, documents

ONE = {
    "id": "64d31e8a5133613a90976b3f",
    "name": "Eins, 一",
    "indicators": [{"indicator": 'a]}"', "type": "x"}],
    "n": 1.5e3,
}
TWO = {"pulse_id": "64d31e8a5133613a90976b40", "indicators": []}
PAGE = {"count": 2, "next": None, "results": [ONE, TWO], "t": 3}


def text(*values, separator="\n", **options):
    return separator.join(json.dumps(value, ensure_ascii=False, **options) for value in values).encode()


def read(tmp_path, content):
    path = tmp_path / "pulses"
    path.write_bytes(content)
    return list(documents(path))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (text(PAGE), [ONE, TWO]),
        (text(PAGE, indent=2), [ONE, TWO]),
        (text([ONE, TWO]), [ONE, TWO]),
        (text([PAGE, PAGE]), [ONE, TWO, ONE, TWO]),
        (text([[ONE], [TWO]]), [ONE, TWO]),
        (text({"pulses": [ONE]}), [ONE]),
        (text(ONE), [ONE]),
        (text(ONE, TWO), [ONE, TWO]),
        (text(ONE, TWO, separator="\r\n\r\n") + b"\r\n", [ONE, TWO]),
        (text(PAGE, ONE), [ONE, TWO, ONE]),
        (text({"results": []}), []),
        (text([]), []),
        (text([7, None, {"other": 1}]), [7, None, {"other": 1}]),
        (text({"results": [7, ONE]}), [7, ONE]),
        (b"\xef\xbb\xbf" + text(PAGE), [ONE, TWO]),
        (text(PAGE).decode().encode("utf-16"), [ONE, TWO]),
        (gzip.compress(text(PAGE), mtime=0), [ONE, TWO]),
        (gzip.compress(text(ONE), mtime=0) + gzip.compress(text(TWO), mtime=0), [ONE, TWO]),
        (gzip.compress(text(PAGE).decode().encode("utf-16"), mtime=0), [ONE, TWO]),
    ],
)
def test_documents_in_each_form(tmp_path, content, expected):
    assert read(tmp_path, content) == expected


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b" \n ", "is empty"),
        (b"\xef\xbb\xbf", "is empty"),
        (gzip.compress(b"", mtime=0), "is empty"),
        (b"<html>504</html>", "is not JSON: Expecting value at character 0"),
        (b"42", "holds a bare value ('42') where a pulse belongs"),
        (b'"text"', "holds a bare value ('text') where a pulse belongs"),
        (b"{}", "holds an object without pulses (its fields: none)"),
        (b'{"detail": "Not found.", "a": 1}', "holds an object without pulses (its fields: detail, a)"),
        (b'{"results": {}}', "holds an object without pulses (its fields: results)"),
        (b"{1: 2}", "is not JSON: a member of an object has no key at character 1"),
        (b'{"id" 2}', "is not JSON: expected one of : at character 6, found 2"),
        (b"[[", "is not JSON: Expecting value at character 2"),
        (gzip.compress(text(PAGE), mtime=0)[:-12], "is a damaged or incomplete gzip file"),
        (gzip.compress(text(PAGE), mtime=0)[:20], "is a damaged or incomplete gzip file"),
        (b"\x1f\x8bnothing of the kind", "is a damaged or incomplete gzip file"),
        (b"[" * 100_000, "is nested too deep"),
        (b'{"id": ' + b"[" * 100_000, "is nested too deep"),
        (text(PAGE).decode().encode("utf-16-le"), "is not JSON: a member of an object has no key at character 1"),
        ('{"name": "Größe"}'.encode("latin-1"), "is not UTF-8 text"),
    ],
)  # fmt: skip
def test_documents_that_are_none(tmp_path, content, message):
    with pytest.raises(PulseFormatError) as caught:
        read(tmp_path, content)
    assert str(caught.value) == f"{tmp_path / 'pulses'}: {message}. {EXPECTED}"


def test_documents_of_an_enormous_integer(tmp_path):
    assert read(tmp_path, b'{"id": ' + b"9" * 5000 + b', "name": "a\tb\nc"}') == [{"id": None, "name": "a\tb\nc"}]


def test_documents_without_file(tmp_path):
    with pytest.raises(PulseFormatError) as caught:
        list(documents(tmp_path / "absent"))
    assert str(caught.value) == f"{tmp_path / 'absent'}: can't be read: No such file or directory. {EXPECTED}"


def test_documents_of_a_directory(tmp_path):
    with pytest.raises(PulseFormatError, match="can't be read: Is a directory"):
        list(documents(tmp_path))


def test_documents_before_the_cut_are_given(tmp_path):
    path = tmp_path / "pulses"
    path.write_bytes(text(PAGE)[:-40])
    given = []
    with pytest.raises(PulseFormatError, match="is not JSON"):
        given.extend(iter_into(given, documents(path)))
    assert given == [ONE]


def iter_into(given, values):
    for value in values:
        given.append(value)
    return []


def test_documents_larger_than_what_is_read_at_once(tmp_path):
    rows = [{"indicator": f"h{n}.example", "type": "domain", "n": n} for n in range(20_000)]
    pulses = [{"id": f"{n:024x}", "indicators": rows} for n in range(3)]
    assert read(tmp_path, text({"results": pulses})) == pulses


def test_documents_stream_in_little_memory(tmp_path):
    path = tmp_path / "pulses.gz"
    pulse = text({**ONE, "description": "x" * 100_000})
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(b'{"results": [' + b",".join([pulse] * 400) + b"]}")
    tracemalloc.start()
    count = sum(1 for _ in documents(path))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (count, peak < 8_000_000) == (400, True)


def test_documents_fault_is_named_by_its_place_in_the_whole(tmp_path):
    content = text([ONE] * 10_000)[:-1] + b", {oops}, " + text([ONE] * 10_000)[1:]
    with pytest.raises(PulseFormatError, match=f"at character {content.decode().index('oops')}"):
        read(tmp_path, content)


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_stream_read_in_small_pieces(size, monkeypatch):
    monkeypatch.setattr(jsonstream, "CHUNK", size)
    values = [ONE, {"a": [-math.inf, 12345, True, None, "\U0001f600\\"], "b": {}}, [], 3.25, "x"]
    stream = jsonstream.JSONStream(io.StringIO(f"  {json.dumps(values, indent=20)} ").read)
    assert ([stream.value() for _ in stream.elements()], stream.peek()) == (values, "")
