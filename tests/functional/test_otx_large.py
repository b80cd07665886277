"""Answers that are too large, too slow or damaged, over real HTTP: what the client makes of them, and in what memory."""

from __future__ import annotations

import contextlib
import gzip
import itertools
import threading
import time
import tracemalloc
import zlib

import pytest

from functional.otx_servers import KEY, failure, head, kind_and_text, raw_server
from pulsegate.errors import OTXAnswerError, OTXUnavailableError, PulseFormatError
from pulsegate.otx.client import MAX_BODY, OTXClient
from pulsegate.otx.failures import OTXMissingError, OTXTooLargeError
from pulsegate.otx.parse import read_pulse
from pulsegate.otx.simulator import Misbehaviour, Simulator

MB = 1024 * 1024
LARGE = 200 * MB
BLOCK = b" " * 65_536
GZIP = "Content-Encoding: gzip"
SUBSCRIBED = "/pulses/subscribed"


def a_pulse(number, rows=1, **fields):
    return {
        "id": f"{number:024x}",
        "name": f"Pulse {number}",
        "author_name": "harbor" if number % 2 else "mika",
        "indicators": [
            {"id": n, "type": "domain", "indicator": f"h{n}.example", "content": "x" * 50} for n in range(rows)
        ],
        "modified": f"2024-05-{number:02d}T00:00:00",
        "tags": ["last"],
        **fields,
    }


def without_indicators(pulse):
    return {**pulse, "indicators": None}


@contextlib.contextmanager
def client_of(simulator, **options):
    with OTXClient(simulator.url, KEY, **options) as client:
        yield client


@contextlib.contextmanager
def served(*pieces, pause=0.0, **options):
    """A client of a server that sends ``pieces`` whatever it is asked."""
    with raw_server(*pieces, pause=pause) as address, OTXClient(f"http://{address}", KEY, **options) as client:
        yield client


@contextlib.contextmanager
def little_memory(most):
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < most
    finally:
        tracemalloc.stop()


def plain():
    return [head(LARGE), *itertools.repeat(BLOCK, LARGE // len(BLOCK))]


def chunked():
    piece = b"%x\r\n%b\r\n" % (len(BLOCK), BLOCK)
    return [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", *itertools.repeat(piece, LARGE // len(BLOCK))]


def bomb():
    packer = zlib.compressobj(6, wbits=31)
    packed = b"".join([*map(packer.compress, itertools.repeat(BLOCK, LARGE // len(BLOCK))), packer.flush()])
    assert len(packed) < MB
    return [head(len(packed), GZIP), packed]


def bomb_of_members():
    member = gzip.compress(BLOCK, mtime=0)
    return [head(len(member) * 3200, GZIP), *itertools.repeat(member, 3200)]


def bomb_that_never_comes_to_anything():
    """Empty members: nothing to hold, but no end of it."""
    member = gzip.compress(b"", mtime=0) * 3000
    return [b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n", *itertools.repeat(member, 400)]


@pytest.mark.parametrize("server", [plain, chunked, bomb, bomb_of_members])
@pytest.mark.parametrize(("max_body", "memory"), [(100_000, MB), (MAX_BODY, MAX_BODY + MB)])
def test_refused_answer_takes_no_more_memory_than_a_good_one(server, max_body, memory):
    pieces = server()
    with served(*pieces, max_body=max_body) as client, little_memory(memory):
        assert kind_and_text(failure(client.owner)) == (
            OTXTooLargeError, f"/api/v1/users/me: OTX's answer is larger than {max_body:,} bytes; not read"
        )  # fmt: skip


def test_sixteen_megabytes_are_the_most_without_a_word():
    assert MAX_BODY == 16 * MB


def test_packed_bytes_that_come_to_nothing_are_bounded_too():
    with served(*bomb_that_never_comes_to_anything(), max_body=MB) as client, little_memory(2 * MB):
        assert type(failure(client.owner)) is OTXTooLargeError


@pytest.mark.parametrize(("more", "refused"), [(0, False), (1, True)])
@pytest.mark.parametrize("packed", [False, True])
def test_bound_to_the_byte(more, refused, packed):
    body = b'{"username": "me"}'.ljust(5000) + b" " * more
    sent = gzip.compress(body, mtime=0) if packed else body
    with served(head(len(sent), GZIP if packed else "X: y"), sent, max_body=5000) as client:
        assert (type(failure(client.owner)) is OTXTooLargeError) if refused else (client.owner() == "me")


def test_only_gzip_is_asked_for():
    with Simulator([a_pulse(1)]) as simulator, client_of(simulator) as client:
        client.subscribed()
        client.subscribed_head()
        assert [request.headers["accept-encoding"] for request in simulator.requests] == ["gzip", "gzip"]


@pytest.mark.parametrize(
    ("lines", "body", "expected"),
    [
        ([GZIP], gzip.compress(b'{"username": "me"}', mtime=0)[:-4], OTXUnavailableError),
        ([GZIP], b'{"username": "me"}', OTXUnavailableError),
        ([GZIP], b"", OTXUnavailableError),
        (["Content-Encoding: deflate"], zlib.compress(b'{"username": "me"}'), OTXAnswerError),
        (["Content-Encoding: br"], b"\x0b\x02\x80{}\x03", OTXAnswerError),
    ],
)
def test_encoding_that_is_broken_or_was_not_asked_for(lines, body, expected):
    with served(head(len(body), *lines), body) as client:
        assert type(failure(client.owner)) is expected


@pytest.mark.parametrize(
    ("lines", "body", "said"),
    [
        ([GZIP], gzip.compress(b'{"detail": "Slow down"}', mtime=0), ", saying 'Slow down'"),
        ([GZIP], gzip.compress(b'{"detail": "Slow down"}', mtime=0)[:-9], ""),
        (["Content-Encoding: br"], b"\x00", ""),
        ([], b'{"detail": "Slow down"}'.ljust(70_000), ""),
    ],
)
def test_error_whose_body_is_odd_stays_that_error(lines, body, said):
    start = head(len(body), *lines).replace(b"200 OK", b"503 Service Unavailable")
    with served(start, body) as client:
        error = failure(client.owner)
        assert (type(error), error.message.partition(" s")[2]) == (OTXUnavailableError, said)


def test_error_that_drips_is_not_waited_for():
    start = head(1000).replace(b"200 OK", b"503 Service Unavailable")
    with served(start, *[b" "] * 20, pause=0.05, patience=0.2) as client:
        error = failure(client.owner)
    assert (type(error), error.message.startswith("OTX answered 503 after 0.")) == (OTXUnavailableError, True)


@pytest.mark.parametrize("ask", [OTXClient.owner, OTXClient.subscribed, OTXClient.subscribed_head])
def test_answer_that_drips_is_given_up(ask):
    with Simulator([a_pulse(1, 90)]) as simulator, client_of(simulator, patience=0.3) as client:
        simulator.misbehave(Misbehaviour.DRIP, rate=50)
        started = time.monotonic()
        error = failure(lambda: ask(client))
        assert (type(error), error.message) == (OTXUnavailableError, "OTX's answer wasn't complete after 0 s")
        assert time.monotonic() - started < 3


def test_broken_bytes_in_a_page_cost_one_character():
    body = b'{"results": [{"name": "a\xffb"}]}'
    with served(head(len(body)), body) as client:
        assert client.subscribed().results == [{"name": "a\ufffdb"}]


def test_page_that_is_too_large_still_leads_to_its_indicators():
    pulses = [a_pulse(1), a_pulse(2, 5000), a_pulse(3)]
    with Simulator(pulses) as simulator, client_of(simulator, max_body=100_000) as client:
        assert type(failure(lambda: client.subscribed(2, 1))) is OTXTooLargeError
        assert client.subscribed_head(2) == without_indicators(pulses[1])
        assert client.pulse_head(pulses[1]["id"]) == without_indicators(pulses[1])
        read = read_pulse(client.subscribed_head(2))
        assert (read.pulse.tags, read.indicators, read.more_indicators) == (("last",), (), True)
        rows = [row for page in range(1, 11) for row in client.pulse_indicators(read.pulse.id, page, 500).results]
        assert rows == pulses[1]["indicators"]


def test_head_sends_its_query():
    pulses = [a_pulse(1), a_pulse(2), a_pulse(3)]
    with Simulator(pulses) as simulator, client_of(simulator) as client:
        since = read_pulse(pulses[0]).pulse.modified
        assert client.subscribed_head(1, modified_since=since, author="mika") == without_indicators(pulses[1])
        (request,) = simulator.requests
        assert (request.path, request.query, request.has_key) == (
            SUBSCRIBED,
            {"limit": "1", "page": "1", "modified_since": "2024-05-01T00:00:00.000000", "author_name": "mika"},
            True,
        )


def test_head_where_there_is_no_pulse():
    with Simulator([a_pulse(1)]) as simulator, client_of(simulator) as client:
        missing = OTXMissingError, "/api/v1/pulses/subscribed: the page is empty"
        assert kind_and_text(failure(lambda: client.subscribed_head(2))) == missing
        assert type(failure(lambda: client.pulse_head("../users/me"))) is OTXMissingError
        simulator.misbehave(Misbehaviour.UNREADABLE, times=1)
        assert client.subscribed_head()["id"] == a_pulse(1)["id"]


@pytest.mark.parametrize("row", ["null", '"text"', "[1]"])
def test_head_of_a_row_that_is_no_pulse(row):
    body = f'{{"results": [{row}]}}'.encode()
    with served(head(len(body)), body) as client:
        assert type(failure(client.subscribed_head)) is PulseFormatError


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (Misbehaviour.GATEWAY_TIMEOUT, OTXUnavailableError),
        (Misbehaviour.SILENCE, OTXUnavailableError),
        (Misbehaviour.CUT, OTXUnavailableError),
        (Misbehaviour.BROKEN_GZIP, OTXUnavailableError),
        (Misbehaviour.HTML, OTXAnswerError),
        (Misbehaviour.EMPTY_BODY, OTXAnswerError),
        (Misbehaviour.NOT_AN_OBJECT, OTXAnswerError),
        (Misbehaviour.NO_RESULTS, OTXAnswerError),
        (Misbehaviour.REDIRECT, OTXAnswerError),
        (Misbehaviour.EMPTY_PAGE, OTXMissingError),
    ],
)
def test_misbehaviour_is_told_apart_from_a_head(kind, expected):
    with Simulator([a_pulse(1, 900)]) as simulator, client_of(simulator, timeout=(1, 0.3)) as client:
        simulator.misbehave(kind, times=1)
        assert type(failure(client.subscribed_head)) is expected
        assert client.subscribed_head()["name"] == "Pulse 1"


@pytest.mark.parametrize("kind", [Misbehaviour.HUGE_BODY, Misbehaviour.GZIP_BOMB])
def test_head_is_not_read_to_the_end_of_the_page(kind):
    with Simulator([a_pulse(1)]) as simulator, client_of(simulator, max_body=300_000) as client:
        simulator.misbehave(kind, size=10 * MB)
        assert type(failure(client.subscribed)) is OTXTooLargeError
        assert client.subscribed_head() == without_indicators(a_pulse(1))


def a_page(
    *, size, member='"indicators": [', row=b'{"id": 1, "indicator": "h.example", "type": "domain"}, ', end=b"0]"
):
    """An answer of one pulse with a member of ``size`` bytes, and its name behind."""
    start = f'{{"results": [{{"id": "{1:024x}", {member}'.encode()
    piece = row * (65_536 // len(row))
    return [
        b"HTTP/1.1 200 OK\r\n\r\n" + start,
        *itertools.repeat(piece, size // len(piece)),
        end + b', "name": "behind"}], "next": null}',
    ]


def test_head_of_many_indicators_takes_little_memory():
    with served(*a_page(size=12 * MB), max_body=MB) as client, little_memory(6 * MB):
        assert client.subscribed_head() == {"id": f"{1:024x}", "indicators": None, "name": "behind"}


def test_head_of_one_indicator_without_end_takes_little_memory():
    pieces = a_page(size=60 * MB, member='"indicators": [{"content": "', row=b"x" * 65_536, end=b'"}]')
    with served(*pieces, max_body=MB) as client, little_memory(6 * MB):
        assert client.subscribed_head()["name"] == "behind"


def test_head_is_bounded_by_64_times_the_largest_answer():
    pieces = a_page(size=8 * MB, member='"indicators": [{"content": "', row=b"x" * 65_536, end=b'"}]')
    with served(*pieces, max_body=100_000) as client:
        error = failure(client.subscribed_head)
        assert (type(error), error.message) == (
            OTXTooLargeError, "OTX's answer is larger than 6,400,000 bytes; not read"
        )  # fmt: skip


def test_head_with_another_member_that_is_too_large():
    pieces = a_page(size=8 * MB, member='"description": "', row=b"x" * 65_536, end=b'"')
    with served(*pieces, max_body=MB) as client:
        with little_memory(8 * MB):
            error = failure(client.subscribed_head)
        assert (type(error), error.message.startswith("a part of OTX's answer is too large: a value is longer")) == (
            OTXTooLargeError, True
        )  # fmt: skip


def test_heads_and_pages_take_turns_on_one_client():
    with Simulator([a_pulse(1, 900), a_pulse(2)]) as simulator, client_of(simulator) as client:
        for _ in range(3):
            assert client.subscribed_head(2)["name"] == "Pulse 1"
            assert client.subscribed().count == 2
    assert threading.active_count() < 20
