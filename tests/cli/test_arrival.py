"""When a request is there, whatever the pieces it comes in."""

from __future__ import annotations

import pytest

from pulsegate.cli.arrival import BUFFER, Arrival

HEAD = b"POST / HTTP/1.1\r\nHost: h\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
LIMIT = 50_000
WHOLE = [
    HEAD + b"\r\n",
    HEAD + b"Content-Length: 0\r\n\r\n",
    HEAD + b"content-length:5\r\nX: y\r\n\r\nhello",
    CHUNKED + b"0\r\n\r\n",
    CHUNKED + b"5\r\nhello\r\n0\r\n\r\n",
    CHUNKED + b"5;a=b\r\nhel\r\n\r\nA\r\n0123456789\r\n0\r\nX-Trailer: y\r\n\r\n",
]


@pytest.mark.parametrize("request_", WHOLE)
@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_request_is_complete_with_its_last_octet_and_not_before(request_: bytes, size: int) -> None:
    arrival = Arrival(LIMIT)
    pieces = [request_[start : start + size] for start in range(0, len(request_), size)]
    assert [arrival.add(piece) for piece in pieces] == [False] * (len(pieces) - 1) + [True]
    assert arrival.take() == request_


def test_next_request_begins_anew() -> None:
    arrival = Arrival(LIMIT)
    assert arrival.add(WHOLE[2])
    arrival.take()
    assert [arrival.add(WHOLE[4][:-1]), arrival.add(WHOLE[4][-1:])] == [False, True]


@pytest.mark.parametrize(
    "request_",
    [
        HEAD + b"Expect: 100-continue\r\nContent-Length: 9\r\n\r\n",
        HEAD + b"Content-Length: 50001\r\n\r\n",
        HEAD + b"Content-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n",
        CHUNKED + b"zz\r\n",
        CHUNKED + b"-5\r\n\r\n\r\n",
        CHUNKED + b"x" * 9000,
        CHUNKED + b"FFFFFF\r\nx",
        b"x" * BUFFER,
    ],
)
def test_what_need_not_be_waited_for_is_handed_over(request_: bytes) -> None:
    assert Arrival(LIMIT).add(request_)


def test_long_body_is_handed_over_when_its_first_part_is_there() -> None:
    arrival = Arrival(10_000_000)
    assert not arrival.add(HEAD + b"Content-Length: 1000000\r\n\r\n")
    assert not arrival.add(b"x" * 1000)
    assert arrival.add(b"x" * BUFFER)


@pytest.mark.parametrize(
    ("line", "is_for"),
    [
        (b"GET /admin/ HTTP/1.1", True),
        (b"POST /admin/lists/allow?x=/ HTTP/1.1", True),
        (b"GET /admin HTTP/1.1", True),
        (b"GET /admin?x HTTP/1.1", True),
        (b"\r\nGET http://gate.example:9000/admin/ HTTP/1.1", True),
        (b"GET /administration HTTP/1.1", False),
        (b"POST /taxii/poll?/admin/ HTTP/1.1", False),
        (b"POST /taxii/admin/ HTTP/1.1", False),
        (b"nonsense", False),
        (b"GET  /admin/ HTTP/1.1", False),
        (b"", False),
    ],
)
def test_request_for_what_is_mounted_is_told_by_its_first_line(line: bytes, is_for: bool) -> None:
    arrival = Arrival(LIMIT)
    arrival.add(line + b"\r\nReferer: http://h/admin/\r\n\r\n")
    assert arrival.is_for("/admin") is is_for
