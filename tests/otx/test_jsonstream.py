"""A stream of JSON: stepping over values, and bounds."""

from __future__ import annotations

import io
import json
import tracemalloc

import pytest

from pulsegate.otx import jsonstream
from pulsegate.otx.jsonstream import JSONStream, TooLongError

DEEP = 100_000
VALUES = [
    '"a"', '"\\"]}\\\\"', '"\\\\\\\\"', "12.5e3", "-Infinity", "null", "[]", "{}", " [ ]", '[1, "]", [2, {"a": "}"}]]',
    '{"a": {"b": [1, {"c": "\\\\"}]}, "d": "[{"}', "[" * DEEP + "]" * DEEP, "[[" * DEEP + "]]" * DEEP,
    '{"a":' * DEEP + "1" + "}" * DEEP, '["\\ud83d\\ude00", "é", "\U0001f600"]', '""',
]  # fmt: skip


def in_pieces(texts):
    """Each text with the sizes of the pieces that it is read in; a long one isn't read in tiny ones."""
    sizes = (1, 2, 3, 7, jsonstream.CHUNK)
    return [(text, size) for text in texts for size in (sizes if len(text) < DEEP else sizes[-1:])]


@pytest.mark.parametrize(("value", "size"), in_pieces(VALUES), ids=lambda it: str(it)[:12])
def test_skip_ends_where_the_value_ends(monkeypatch, size, value):
    monkeypatch.setattr(jsonstream, "CHUNK", size)
    stream = JSONStream(io.StringIO(f'{{"x": {value}, "y" :{value}}} 5').read)
    keys = []
    for key in stream.members():
        keys.append(key)
        stream.skip()
    assert (keys, stream.value(), stream.peek()) == (["x", "y"], 5, "")


CUT = ["", "[1", '["a', '"a\\', '{"a": ', "[1 2]", "[1,]", ",", "]", "[}", "[" * DEEP]


@pytest.mark.parametrize(("text", "size"), in_pieces(CUT), ids=lambda it: str(it)[:12])
def test_skip_of_what_is_cut_or_no_json(monkeypatch, size, text):
    monkeypatch.setattr(jsonstream, "CHUNK", size)
    with pytest.raises(ValueError):
        JSONStream(io.StringIO(text).read).skip()


def endless(start, again, times, end):
    """What reads a text of megabytes that is never held."""
    parts = iter([start, *[again] * times, end])
    return lambda characters: next(parts, "")


@pytest.mark.parametrize(
    ("start", "again", "end"),
    [
        ("[", '{"id": 1, "indicator": "a.example", "content": "x\\n"}, ' * 2000, "1]"),
        ('["', "x" * 100_000, '"]'),
        ('["', '\\"\\\\' * 25_000, '"]'),
        ('[{"a": [', '"b", [{}], ' * 3000, "0]}]"),
        ('{"a": "', "\U0001f600" * 50_000, '"}'),
        ("[1, ", " " * 100_000, "2]"),
        ("[0.", "1" * 100_000, "]"),
    ],
    ids=range(7),
)
def test_skip_takes_little_memory(start, again, end):
    stream = JSONStream(endless(start, again, 30, end))
    tracemalloc.start()
    stream.skip()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (stream.peek(), stream.position > 900_000, peak < 5_000_000) == ("", True, True)


@pytest.mark.parametrize("text", [f'"{"x" * 500}"', json.dumps([1] * 500), "1" + "0" * 500, f'{{"{"k" * 500}": 1}}'])
def test_value_longer_than_the_bound(monkeypatch, text):
    monkeypatch.setattr(jsonstream, "CHUNK", 10)
    assert JSONStream(io.StringIO(text).read, longest=len(text)).value() == json.loads(text)
    with pytest.raises(TooLongError, match="a value is longer than 100 characters at character 0"):
        JSONStream(io.StringIO(text).read, longest=100).value()


def test_key_longer_than_the_bound(monkeypatch):
    monkeypatch.setattr(jsonstream, "CHUNK", 10)
    with pytest.raises(TooLongError):
        next(JSONStream(io.StringIO(f'{{"{"k" * 500}": 1}}').read, longest=100).members())


def test_bound_is_of_one_value_at_a_time(monkeypatch):
    monkeypatch.setattr(jsonstream, "CHUNK", 10)
    stream = JSONStream(io.StringIO(json.dumps(["x" * 50] * 40)).read, longest=100)
    assert [stream.value() for _ in stream.elements()] == ["x" * 50] * 40


def test_position_is_that_of_the_cursor(monkeypatch):
    monkeypatch.setattr(jsonstream, "CHUNK", 4)
    stream = JSONStream(io.StringIO('  ["é", 1 , [2]]').read)
    assert [(stream.peek(), stream.position, stream.skip()) for _ in stream.elements()] == [
        ('"', 3, None), ("1", 8, None), ("[", 12, None),
    ]  # fmt: skip
