"""What the local OTX does wrong when it is told to, as a client of HTTP sees it."""

from __future__ import annotations

import gzip
import json
import time
import urllib.error
import urllib.parse
import urllib.request
from datetime import UTC, datetime

import pytest

from pulsegate.errors import PulseFormatError
from pulsegate.otx.parse import read_pulse
from pulsegate.otx.simulator import Misbehaviour, Simulator

NOW = datetime(2024, 5, 17, 12, 0, tzinfo=UTC)
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))
SUBSCRIBED = "/pulses/subscribed"
IDS = "/pulses/subscribed_pulse_ids"


def a_pulse(number):
    return {
        "id": f"{number:024x}",
        "name": f"Pulse {number}",
        "author_name": "harbor",
        "modified": f"2024-05-{number:02d}T00:00:00",
        "indicators": [{"id": 1, "type": "domain", "indicator": "h.example"}],
    }


@pytest.fixture
def simulator():
    with Simulator([a_pulse(n) for n in range(1, 6)], clock=lambda: NOW) as sim:
        yield sim


def raw(simulator, path, headers=None, **query):
    """Status, headers and body of an answer."""
    url = f"{simulator.url}/api/v1{path}?{urllib.parse.urlencode(query)}"
    try:
        with OPENER.open(urllib.request.Request(url, headers=headers or {}), timeout=5) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers, error.read()


def ask(simulator, path, headers=None, **query):
    status, _, body = raw(simulator, path, headers, **query)
    return status, json.loads(body)


def numbers(simulator, path, **query):
    """The pulses on a page, and its count."""
    page = ask(simulator, path, **query)[1]
    rows = [row["id"] if isinstance(row, dict) else row for row in page["results"]]
    return [int(row, 16) for row in rows], page.get("count")


def walk(simulator, path, limit=2):
    """The pulses on all pages, by following what `next` says."""
    found, page = [], 1
    while True:
        answer = ask(simulator, path, limit=limit, page=page)[1]
        found.append([int(row["id"] if isinstance(row, dict) else row, 16) for row in answer["results"]])
        if answer["next"] is None:
            return found
        page += 1


def test_misbehaviour_strikes_its_page_so_often(simulator):
    simulator.misbehave(Misbehaviour.NOT_AN_OBJECT, path="/pulses/subscribed", page=2, times=1)
    assert ask(simulator, "/pulses/subscribed", limit=2)[1]["count"] == 5
    assert ask(simulator, "/pulses/subscribed_pulse_ids", page=2)[1]["count"] == 5
    assert ask(simulator, "/pulses/subscribed", limit=2, page=2) == (200, [1, 2, 3])
    assert ask(simulator, "/pulses/subscribed", limit=2, page=2)[1]["count"] == 5


def test_misbehaviour_ends_when_told(simulator):
    simulator.misbehave(Misbehaviour.INTERNAL_ERROR)
    assert [ask(simulator, "/users/me")[0] for _ in range(2)] == [500, 500]
    simulator.behave()
    assert ask(simulator, "/users/me")[0] == 200


@pytest.mark.parametrize(
    ("measures", "query", "status"),
    [
        ({"depth": 4}, {"limit": 2, "page": 2}, 200),
        ({"depth": 4}, {"limit": 2, "page": 3}, 504),
        ({"depth": 4}, {"limit": 5}, 504),
        ({"depth": 9}, {}, 504),
        ({"depth": 10}, {}, 200),
        ({"most": 3}, {"limit": 3, "page": 2}, 200),
        ({"most": 3}, {"limit": 4}, 504),
        ({}, {"limit": 1000, "page": 1000}, 200),
    ],
)
def test_too_slow_for_deep_and_for_large_pages(simulator, measures, query, status):
    simulator.misbehave(Misbehaviour.TOO_SLOW, **measures)
    assert raw(simulator, SUBSCRIBED, **query)[0] == status
    assert raw(simulator, "/users/me", limit=9999)[0] == 200


def test_trouble_is_not_used_up_by_what_it_does_not_concern(simulator):
    simulator.misbehave(Misbehaviour.TOO_SLOW, most=3, times=1)
    assert [raw(simulator, SUBSCRIBED, limit=limit)[0] for limit in (2, 4, 4)] == [200, 504, 200]


def test_drip(simulator):
    expected = raw(simulator, "/users/me")[2]
    simulator.misbehave(Misbehaviour.DRIP, rate=len(expected) / 0.4)
    started = time.monotonic()
    assert (raw(simulator, "/users/me")[2], 0.3 < time.monotonic() - started < 3) == (expected, True)


def test_drip_ends_when_it_is_stopped(simulator):
    simulator.misbehave(Misbehaviour.DRIP, rate=0.01)
    connection = OPENER.open(f"{simulator.url}/api/v1/users/me", timeout=5)
    started = time.monotonic()
    simulator.stop()
    connection.close()
    assert time.monotonic() - started < 3


@pytest.mark.parametrize("kind", [Misbehaviour.HUGE_BODY, Misbehaviour.GZIP_BOMB])
def test_good_page_and_so_many_bytes_more(simulator, kind):
    expected = raw(simulator, SUBSCRIBED)[2]
    simulator.misbehave(kind, size=300_001)
    _, headers, body = raw(simulator, SUBSCRIBED, {"Accept-Encoding": "gzip"})
    packed = headers["Content-Encoding"] == "gzip"
    assert (gzip.decompress(body) if packed else body) == expected + b" " * 300_001
    assert (packed, len(body) < 3_000, int(headers["Content-Length"])) == (
        kind is Misbehaviour.GZIP_BOMB, packed, len(body)
    )  # fmt: skip


@pytest.mark.parametrize(("off", "count"), [(1, 6), (-2, 3), (-9, 0)])
def test_wrong_count(simulator, off, count):
    simulator.misbehave(Misbehaviour.WRONG_COUNT, off=off)
    assert numbers(simulator, SUBSCRIBED, limit=2) == ([5, 4], count)
    assert ask(simulator, "/users/me")[1]["username"] == "demo"


def test_no_count(simulator):
    simulator.misbehave(Misbehaviour.NO_COUNT, path=IDS)
    assert numbers(simulator, IDS, limit=2) == ([5, 4], None)
    assert numbers(simulator, SUBSCRIBED, limit=2) == ([5, 4], 5)


@pytest.mark.parametrize("limit", [1, 5])
def test_rows_that_are_no_pulses(simulator, limit):
    simulator.misbehave(Misbehaviour.UNREADABLE)
    rows = ask(simulator, SUBSCRIBED, limit=limit)[1]["results"]
    assert [row for row in rows if isinstance(row, dict) and "modified" in row] == [
        a_pulse(n) for n in range(5, 5 - limit, -1)
    ]
    others = [row for row in rows if not (isinstance(row, dict) and "modified" in row)]
    assert len(others) == 7
    for row in others:
        with pytest.raises(PulseFormatError):
            read_pulse(row)


def test_a_row_on_two_pages(simulator):
    simulator.misbehave(Misbehaviour.DUPLICATES)
    assert walk(simulator, SUBSCRIBED) == [[5, 4], [4, 3, 2], [2, 1]]
    assert walk(simulator, IDS, 3) == [[5, 4, 3], [3, 2, 1]]


def test_shift_by_pulses_that_are_removed(simulator):
    simulator.misbehave(Misbehaviour.SHIFT, times=1, many=2)
    assert walk(simulator, SUBSCRIBED) == [[5, 4], [1]]
    events = ask(simulator, "/pulses/events")[1]["results"]
    assert {(event["action"], int(event["object_id"], 16)) for event in events} == {("delete", 4), ("delete", 5)}


def test_shift_by_a_pulse_that_is_modified(simulator):
    simulator.misbehave(Misbehaviour.SHIFT, path=SUBSCRIBED, page=2, times=1, which="modified")
    assert walk(simulator, SUBSCRIBED) == [[5, 4], [4, 3], [2]]
    assert walk(simulator, SUBSCRIBED) == [[1, 5], [4, 3], [2]]
    assert ask(simulator, SUBSCRIBED, limit=1)[1]["results"] == [
        {**a_pulse(1), "modified": "2024-05-17T12:00:00.000000"}
    ]
    assert ask(simulator, "/pulses/events")[1]["results"] == []


def test_shift_modifies_a_pulse_to_be_newer_than_all():
    with Simulator([a_pulse(n) for n in range(1, 4)], clock=lambda: datetime(2024, 1, 1, tzinfo=UTC)) as simulator:
        simulator.misbehave(Misbehaviour.SHIFT, which="modified", times=1)
        assert walk(simulator, IDS) == [[3, 2], [2]]
        assert ask(simulator, SUBSCRIBED, limit=1)[1]["results"][0]["modified"] == "2024-05-03T00:00:01.000000"


@pytest.mark.parametrize("measures", [{"which": "moved"}, {"many": 0}])
def test_shift_of_no_such_kind(simulator, measures):
    with pytest.raises(ValueError, match="SHIFT is of one pulse or more, removed or modified; not"):
        simulator.misbehave(Misbehaviour.SHIFT, **measures)


@pytest.mark.parametrize(
    ("share", "left"),
    [(0.4, [[5, 4], [3]]), (0.5, [[5, 4]]), (0.01, [[5, 4], [3, 2]]), (0, [[5, 4], [3, 2]]), (1, [[]])],
)
def test_ids_that_lack_some_and_say_they_are_all(simulator, share, left):
    simulator.misbehave(Misbehaviour.SHORT_IDS, share=share)
    assert walk(simulator, IDS) == left
    assert ask(simulator, IDS, limit=1)[1]["count"] == sum(map(len, left))
    assert len(walk(simulator, SUBSCRIBED)) == 3


def test_ids_that_are_none(simulator):
    simulator.misbehave(Misbehaviour.EMPTY_IDS)
    assert numbers(simulator, IDS) == ([], 0)
    assert numbers(simulator, SUBSCRIBED)[1] == 5


@pytest.mark.parametrize(
    "kind",
    [
        Misbehaviour.FOREIGN_NEXT,
        Misbehaviour.WRONG_COUNT,
        Misbehaviour.NO_COUNT,
        Misbehaviour.UNREADABLE,
        Misbehaviour.DUPLICATES,
        Misbehaviour.SHIFT,
        Misbehaviour.SHORT_IDS,
    ],
)
def test_refusal_of_a_key_is_no_page_to_spoil(kind):
    with Simulator([a_pulse(1)], api_key="right-key") as simulator:
        simulator.misbehave(kind)
        for path in (SUBSCRIBED, IDS):
            refused = ask(simulator, path, {"X-OTX-API-KEY": "wrong"}, page=2, limit=1)
            assert refused == (403, {"detail": "Authentication required"})
        simulator.behave()
        assert ask(simulator, SUBSCRIBED, {"X-OTX-API-KEY": "right-key"})[1]["results"] == [a_pulse(1)]
