"""The head of a pulse, from the pieces of an answer."""

from __future__ import annotations

import itertools
import json
import tracemalloc

import pytest

from pulsegate.errors import OTXAnswerError, PulseFormatError
from pulsegate.otx.failures import OTXMissingError, OTXTooLargeError
from pulsegate.otx.head import first_head, pulse_head
from pulsegate.otx.parse import read_pulse

ROW = {"id": 4, "indicator": "a.example", "type": "domain", "content": 'x"]}\\'}
HEAD = {
    "id": f"{1:024x}",
    "name": "Señor 😀",
    "modified": "2024-05-01T00:00:00",
    "tags": ["a", "b"],
    "author": {"username": "harbor"},
    "more_indicators": False,
}
MEMBERS = [*HEAD.items(), ("indicators", [ROW, ROW])]
LARGE = 10**6


def pieces(text, size=3):
    """The bytes of an answer, in pieces that cut characters, some of them empty."""
    data = text if isinstance(text, bytes) else text.encode()
    for start in range(0, len(data), size):
        yield data[start : start + size]
        yield b""


def page(rows, **others):
    return json.dumps({**others, "results": rows, "next": None, "indicators": [1]}, ensure_ascii=False)


@pytest.mark.parametrize("place", range(len(MEMBERS)))
def test_all_but_the_indicators_wherever_they_stand(place):
    members = [*MEMBERS[:-1][:place], MEMBERS[-1], *MEMBERS[:-1][place:]]
    expected = {**HEAD, "indicators": None}
    assert pulse_head(pieces(json.dumps(dict(members))), LARGE) == expected
    assert first_head(pieces(page([dict(members), {"id": 2}], count=7)), LARGE) == expected
    read = read_pulse(expected)
    assert (read.pulse.name, read.pulse.author, read.indicators, read.more_indicators) == (
        "Señor 😀", "harbor", (), True,
    )  # fmt: skip


def test_pulse_without_indicators_stays_one():
    assert pulse_head(pieces(json.dumps(HEAD)), LARGE) == HEAD


def test_pulse_without_a_name_is_read():
    head = pulse_head(pieces(json.dumps({"id": HEAD["id"], "indicators": [ROW], "created": "2024-05-01"})), LARGE)
    assert read_pulse(head).more_indicators


def test_nothing_is_read_after_the_pulse():
    def answer():
        yield page([HEAD]).encode()[:-20]
        raise AssertionError("read on")

    text = page([HEAD])
    cut = text.index('"more_indicators"') + 40
    assert first_head(itertools.chain(pieces(text[:cut] + " " * 300_000), answer()), LARGE)["id"] == HEAD["id"]


def test_byte_order_mark_and_broken_characters():
    data = b"\xef\xbb\xbf" + json.dumps({"id": "x", "name": "a?b"}).encode().replace(b"?", b"\xff")
    assert pulse_head(pieces(data), LARGE) == {"id": "x", "name": "a\ufffdb"}


@pytest.mark.parametrize("rows", [[], [None], ["x"], [[HEAD]]])
def test_page_without_a_pulse(rows):
    kind = PulseFormatError if rows else OTXMissingError
    with pytest.raises(kind):
        first_head(pieces(page(rows)), LARGE)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "OTX's answer is not JSON"),
        ("<html>", "OTX's answer is not a JSON object"),
        ("[]", "OTX's answer is not a JSON object"),
        ("{}", "is not a page: it has no list of results"),
        ('{"results": null}', "is not a page: it has no list of results"),
        ('{"results": {"id": 1}}', "is not a page: it has no list of results"),
        ('{"results": [{"id": 1', "OTX's answer is not JSON"),
        ('{"results": [{"id": 1]}', "OTX's answer is not JSON"),
        ('{"results": [{"id": ' + "[" * 9000, "OTX's answer is not JSON"),
        ('{"results": [{"indicators": [{]}]}', "OTX's answer is not JSON"),
    ],
)
def test_answer_that_is_no_page(text, message):
    with pytest.raises(OTXAnswerError) as caught:
        first_head(pieces(text), LARGE)
    assert caught.value.message == message


def test_row_without_a_pulse():
    with pytest.raises(PulseFormatError):
        pulse_head(pieces("[]"), LARGE)


@pytest.mark.parametrize(
    "pulse",
    [
        {"description": "x" * 600_000},
        {f"k{n}": "x" * 1000 for n in range(600)},
        {"k" * 600_000: 1},
        {"tags": ["x"] * 200_000},
    ],
    ids=range(4),
)
def test_what_is_kept_is_bounded(pulse):
    with pytest.raises(OTXTooLargeError):
        pulse_head(pieces(json.dumps({**pulse, "id": "x"}), 65_536), 300_000)
    assert pulse_head(pieces(json.dumps({**pulse, "id": "x"}), 65_536), 3_000_000)["id"] == "x"


def test_indicators_of_any_size_take_little_memory():
    row = json.dumps(ROW).encode()

    def answer():
        yield b'{"count": 1, "results": [{"id": "x", "indicators": ['
        for _ in range(200):
            yield (row + b", ") * 700
        yield row + b'], "name": "y"}]}'

    tracemalloc.start()
    head = first_head(answer(), LARGE)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (head, peak < 6_000_000) == ({"id": "x", "indicators": None, "name": "y"}, True)
