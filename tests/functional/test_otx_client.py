"""The client of OTX against the local OTX, over real HTTP."""

from __future__ import annotations

import contextlib
import logging
import re
import socket
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from functional.otx_servers import ADDRESS, KEY, failure, head, kind_and_text, raw_server
from pulsegate.errors import (
    OTXAnswerError,
    OTXError,
    OTXKeyError,
    OTXRateLimitedError,
    OTXUnavailableError,
)
from pulsegate.otx.client import OTXClient
from pulsegate.otx.failures import KEY_HINT, WAIT_HINT, OTXMissingError, OTXTooLargeError
from pulsegate.otx.parse import Page, read_pulse
from pulsegate.otx.simulator import Misbehaviour, Simulator

TIME = re.compile(r"after \d+\.\d s")
SUBSCRIBED = "/api/v1/pulses/subscribed?limit=2&page=1"


def a_pulse(number, author="harbor", rows=1):
    return {
        "id": f"{number:024x}",
        "name": f"Pulse {number}",
        "author_name": author,
        "modified": f"2024-05-{number:02d}T00:00:00",
        "indicators": [
            {"id": n, "type": "domain", "indicator": f"h{n}.example", "is_active": n % 2} for n in range(rows)
        ],
    }


@pytest.fixture
def simulator():
    pulses = [a_pulse(n, "harbor" if n % 2 else "Mika & Co", rows=3) for n in range(1, 6)]
    with Simulator(pulses, api_key=KEY, owner="demo user") as sim:
        yield sim


@pytest.fixture
def client(simulator):
    with OTXClient(
        simulator.url, KEY, timeout=(1, 0.3), page_size=2, max_body=100_000, user_agent="Pulsegate/test"
    ) as one:
        yield one


def test_pages_are_counted_by_the_caller(client):
    pages = [client.subscribed(page) for page in (1, 2, 3, 4)]
    assert [(page.count, page.has_next, len(page.results)) for page in pages] == [
        (5, True, 2), (5, True, 2), (5, False, 1), (5, False, 0),
    ]  # fmt: skip
    assert pages[2].results == [a_pulse(1, rows=3)]


def test_subscribed_sends_its_query(client, simulator):
    zone_of_finland = datetime(2024, 5, 2, 3, 0, 0, 5, tzinfo=UTC).astimezone()
    assert client.subscribed(1, 9, zone_of_finland, "Mika & Co").results == [a_pulse(4, "Mika & Co", rows=3)]
    (request,) = simulator.requests
    assert (request.path, request.query, request.has_key, request.headers["user-agent"]) == (
        "/pulses/subscribed",
        {"limit": "9", "page": "1", "modified_since": "2024-05-02T03:00:00.000005", "author_name": "Mika & Co"},
        True,
        "Pulsegate/test",
    )


def test_subscribed_pulse_ids(client):
    assert client.subscribed_pulse_ids(2, 2) == Page([f"{3:024x}", f"{2:024x}"], 5, has_next=True)


def test_events(client, simulator):
    simulator.delete(f"{1:024x}")
    (event,) = client.events(datetime.now(UTC) - timedelta(minutes=1)).results
    assert (event["action"], event["object_id"]) == ("delete", f"{1:024x}")
    assert client.events(datetime.now(UTC) + timedelta(minutes=1)) == Page([], 0, has_next=False)


def test_pulse_and_its_indicators(client):
    pulse = a_pulse(2, "Mika & Co", rows=3)
    rows = pulse["indicators"]
    assert client.pulse(pulse["id"]) == pulse
    assert client.pulse_indicators(pulse["id"], 1, 2) == Page(rows[:2], 3, has_next=True)
    assert client.pulse_indicators(pulse["id"], 2, 2) == Page(rows[2:], 3, has_next=False)
    assert client.pulse_indicators(pulse["id"], include_inactive=False) == Page(rows[1:2], 1, has_next=False)


def test_ids_in_rows_that_are_objects():
    body = b'{"count": 3, "results": [{"id": "AA"}, "bb", {"pulse_id": "cc"}], "next": null}'
    with raw_server(head(len(body)), body) as address, OTXClient(f"http://{address}", KEY) as client:
        assert client.subscribed_pulse_ids().results == ["aa", "bb", "cc"]


@pytest.mark.parametrize("row", ["null", '""', "{}", "[]"])
def test_ids_in_a_row_without_one(row):
    body = f'{{"results": ["aa", {row}]}}'.encode()
    with raw_server(head(len(body)), body) as address, OTXClient(f"http://{address}", KEY) as client:
        assert kind_and_text(failure(client.subscribed_pulse_ids)) == (
            OTXAnswerError, "/api/v1/pulses/subscribed_pulse_ids: a row of the page has no pulse id"
        )  # fmt: skip


@pytest.mark.parametrize(
    ("line", "date"),
    [
        ("Date: Fri, 17 May 2024 12:00:01 GMT", datetime(2024, 5, 17, 12, 0, 1, tzinfo=UTC)),
        ("date: Fri, 17 May 2024 14:00:01 +0200", datetime(2024, 5, 17, 12, 0, 1, tzinfo=UTC)),
        ("Date: Fri, 17 May 2024 12:00:01 -0000", datetime(2024, 5, 17, 12, 0, 1, tzinfo=UTC)),
        ("Date: soon", None),
        ("Date: Fri, 32 May 2024 12:00:01 GMT", None),
        ("Date: Fri, 17 May 99999999999 12:00:01 GMT", None),
        ("Date: Fri, 17 May 2024 12:00:01 +9999999999", None),
        ("X-Date: Fri, 17 May 2024 12:00:01 GMT", None),
    ],
)
def test_time_of_an_answer_is_otx_s_own(line, date):
    body = b'{"results": ["aa"]}'
    ask = {"subscribed": OTXClient.subscribed, "ids": OTXClient.subscribed_pulse_ids, "events": OTXClient.events}
    for name, method in ask.items():
        with raw_server(head(len(body), line), body) as address, OTXClient(f"http://{address}", KEY) as client:
            assert (name, method(client).date) == (name, date)


def test_search(client, simulator):
    page = client.search("mika & co {0}", 1, 3)
    assert page == Page([], 0, has_next=False)
    assert (simulator.requests[0].path, simulator.requests[0].query) == (
        "/search/pulses",
        {"q": "mika & co {0}", "page": "1", "limit": "3"},
    )
    rows = client.search("MIKA", 1, 1)
    pulse = {key: value for key, value in a_pulse(4, "Mika & Co").items() if key != "indicators"}
    assert rows == Page([{**pulse, "indicator_count": 3}], 2, has_next=True)
    assert read_pulse(rows.results[0]).more_indicators


def test_connection_is_kept():
    body = b'{"username": "someone"}'
    answers = [
        head(len(body)) + body,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n17\r\n" + body + b"\r\n0\r\n\r\n",
    ]
    with raw_server(*answers, *answers, on_request=True) as address, OTXClient(f"http://{address}", KEY) as client:
        assert [client.owner() for _ in range(4)] == ["someone"] * 4


def test_owner(client):
    assert client.owner() == "demo user"


@pytest.mark.parametrize("kind", [Misbehaviour.NO_RESULTS])
def test_owner_that_otx_does_not_tell(client, simulator, kind):
    simulator.misbehave(kind, path="/users/me")
    assert client.owner() is None


def test_owner_of_an_otx_without_that_path(client, simulator, monkeypatch):
    monkeypatch.setattr("pulsegate.otx.client.OWNER", "/api/v1/users/nobody")
    assert client.owner() is None


@pytest.mark.parametrize("pulse_id", [f"{9:024x}", "../users/me", "{0.__class__}", "a?b#c"])
def test_pulse_that_is_not_there(client, pulse_id):
    error = failure(lambda: client.pulse(pulse_id))
    assert (type(error), error.message) == (OTXMissingError, "OTX doesn't know it (404), saying 'Not found.'")


@pytest.mark.parametrize(
    ("kind", "expected", "message"),
    [
        (
            Misbehaviour.INTERNAL_ERROR,
            OTXUnavailableError,
            "OTX answered 500 after N s, saying 'Internal server error'",
        ),
        (Misbehaviour.BAD_GATEWAY, OTXUnavailableError, "OTX answered 502 after N s"),
        (Misbehaviour.UNAVAILABLE, OTXUnavailableError, "OTX answered 503 after N s"),
        (Misbehaviour.GATEWAY_TIMEOUT, OTXUnavailableError, "OTX answered 504 after N s"),
        (Misbehaviour.SILENCE, OTXUnavailableError, "OTX didn't answer; given up after N s"),
        (Misbehaviour.CUT, OTXUnavailableError, "OTX's answer broke off"),
        (Misbehaviour.BROKEN_GZIP, OTXUnavailableError, "OTX's answer came damaged"),
        (Misbehaviour.HTML, OTXAnswerError, "OTX's answer is not JSON"),
        (Misbehaviour.EMPTY_BODY, OTXAnswerError, "OTX's answer is not JSON"),
        (Misbehaviour.NOT_AN_OBJECT, OTXAnswerError, "OTX's answer is not a JSON object"),
        (Misbehaviour.NO_RESULTS, OTXAnswerError, "is not a page: it has no list of results"),
        (Misbehaviour.HUGE_BODY, OTXTooLargeError, "OTX's answer is larger than 100,000 bytes; not read"),
        (Misbehaviour.REDIRECT, OTXAnswerError, "OTX redirects to another host; not followed"),
    ],
)
def test_misbehaviour_is_told_apart(client, simulator, kind, expected, message):
    simulator.misbehave(kind, times=1, size=200_000)
    error = failure(client.subscribed)
    message_without_time = TIME.sub("after N s", error.message)
    assert (type(error), message_without_time, ADDRESS.sub("", error.resource).partition("?")[0]) == (
        expected,
        message,
        "/api/v1/pulses/subscribed",
    )
    assert client.subscribed().count == 5


def test_error_names_what_was_asked(client, simulator):
    simulator.misbehave(Misbehaviour.GATEWAY_TIMEOUT, page=3)
    assert TIME.sub("after N s", str(failure(lambda: client.subscribed(3, 2)))) == (
        f"{simulator.url}/api/v1/pulses/subscribed?limit=2&page=3: OTX answered 504 after N s. {WAIT_HINT}"
    )


def test_empty_page_is_no_error(client, simulator):
    simulator.misbehave(Misbehaviour.EMPTY_PAGE)
    assert client.subscribed() == Page([], 0, has_next=False)


@pytest.mark.parametrize(
    ("header", "low", "high"),
    [
        ("7", 7, 7),
        ("0", 0, 0),
        (timedelta(hours=1), 3000, 3600),
        (timedelta(hours=-1), 0, 0),
        ("999999999", 999_999_999, 999_999_999),
    ],
    ids=["seconds", "at once", "in an hour", "an hour ago", "for years"],
)
def test_rate_limit_tells_how_long_to_wait(client, simulator, header, low, high):
    if isinstance(header, timedelta):
        header = format_datetime(datetime.now(UTC) + header, usegmt=True)
    simulator.misbehave(Misbehaviour.RATE_LIMIT, retry_after=header)
    error = failure(client.subscribed)
    assert (type(error), low <= error.retry_after <= high) == (OTXRateLimitedError, True)
    assert error.message.startswith(
        f"{SUBSCRIBED}: OTX answered 429, too many requests, saying 'Request was throttled.'"
    )


@pytest.mark.parametrize("header", [None, "soon", "-1", "9" * 5000])
def test_rate_limit_that_does_not_tell(client, simulator, header):
    simulator.misbehave(Misbehaviour.RATE_LIMIT, retry_after=header)
    assert failure(client.subscribed).retry_after is None


def test_rate_limit_that_means_the_key(client, simulator):
    simulator.misbehave(Misbehaviour.ASKS_FOR_KEY)
    said = "'You have exceeded the anonymous rate limit. Please authenticate with an API key.'"
    assert kind_and_text(failure(client.subscribed)) == (
        OTXKeyError, f"{SUBSCRIBED}: OTX asks to authenticate (429), saying {said}. {KEY_HINT}"
    )  # fmt: skip


def test_wrong_key(simulator):
    with OTXClient(simulator.url, f"{KEY}-other", page_size=2) as client:
        assert kind_and_text(failure(client.subscribed)) == (
            OTXKeyError, f"{SUBSCRIBED}: OTX refused the key with 403, saying 'Authentication required'. {KEY_HINT}"
        )  # fmt: skip


@pytest.mark.parametrize("key", ["", "  \n", f"{KEY}\nX-Other: 1", f"{KEY}é", f"{KEY} {KEY}"])
def test_key_that_is_none(key):
    error = failure(lambda: OTXClient("http://127.0.0.1:9", key))
    assert (type(error), error.resource, error.hint) == (OTXKeyError, "otx.api_key", KEY_HINT)


def test_key_with_a_line_end_from_a_file(simulator):
    with OTXClient(simulator.url, f" {KEY}\n") as client:
        assert client.owner() == "demo user"


@pytest.mark.parametrize("url", ["", "otx.example", "ftp://otx.example", "https://"])
def test_address_that_is_none(url):
    assert kind_and_text(failure(lambda: OTXClient(url, KEY))) == (
        OTXError, "otx.url: is not the address of an OTX. Write https://otx.alienvault.com"
    )  # fmt: skip


@pytest.mark.parametrize("proxy", ["proxy.example:3128", "socks5://proxy.example", f"http://{KEY}@:99999", "http://["])
def test_proxy_that_is_none(proxy):
    assert kind_and_text(failure(lambda: OTXClient("http://127.0.0.1:9", KEY, proxy=proxy))) == (
        OTXError, "otx.proxy: is not the address of an HTTP proxy. Write http://host:port"
    )  # fmt: skip


@pytest.mark.parametrize("kind", [Misbehaviour.REDIRECT, Misbehaviour.FOREIGN_NEXT])
def test_key_never_leaves_for_another_host(client, simulator, kind):
    with Simulator() as foreign:
        simulator.misbehave(kind, host=foreign.url)
        with contextlib.suppress(OTXAnswerError):
            assert client.subscribed().has_next
            client.subscribed(2)
        assert foreign.requests == []


def test_redirect_on_the_same_host_is_followed(client, simulator):
    simulator.misbehave(Misbehaviour.REDIRECT, host=simulator.url, times=1)
    assert client.subscribed().count == 5
    assert [request.has_key for request in simulator.requests] == [True, True]


def test_redirect_in_a_circle(client, simulator):
    simulator.misbehave(Misbehaviour.REDIRECT, host=simulator.url)
    assert failure(client.subscribed).message == "OTX redirects in a circle"


def test_redirect_to_what_is_no_address(client, simulator):
    simulator.misbehave(Misbehaviour.REDIRECT, host="http://[", times=1)
    assert failure(client.subscribed).message == "OTX redirects to another host; not followed"


def test_environment_changes_nothing(simulator, monkeypatch, tmp_path):
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login a password b\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with OTXClient(simulator.url, KEY) as client:
        assert client.owner() == "demo user"
    assert "authorization" not in simulator.requests[0].headers


def test_nothing_listens():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with OTXClient(f"http://127.0.0.1:{port}", KEY, page_size=2) as client:
        assert kind_and_text(failure(client.subscribed)) == (
            OTXUnavailableError, f"{SUBSCRIBED}: OTX can't be reached (Connection refused)"
        )  # fmt: skip


def test_https_where_http_is_spoken():
    with raw_server(b"HTTP/1.1 400 Bad Request\r\n\r\n") as address, OTXClient(f"https://{address}", KEY) as client:
        assert failure(client.owner).message == "OTX's address doesn't speak TLS"


def test_answer_that_is_no_http():
    with raw_server(b"SSH-2.0-OpenSSH_9\r\n") as address, OTXClient(f"http://{address}", KEY) as client:
        assert type(failure(client.owner)) is OTXUnavailableError


def test_connection_that_ends_at_once():
    with raw_server() as address, OTXClient(f"http://{address}", KEY) as client:
        assert type(failure(client.owner)) is OTXUnavailableError


def test_chunked_answer_that_breaks_off():
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    with raw_server(head, b'5\r\n{"a":\r\n', b"ff\r\n12") as address, OTXClient(f"http://{address}", KEY) as client:
        assert kind_and_text(failure(client.owner)) == (OTXUnavailableError, "/api/v1/users/me: OTX's answer broke off")


def test_silence_in_mid_body():
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n"
    with raw_server(head, b"{", pause=0.3) as address, OTXClient(f"http://{address}", KEY, timeout=(1, 0.2)) as client:
        assert failure(client.owner).message.startswith("OTX didn't answer; given up after 0.")


def test_answer_that_drips():
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    drops = [b"1\r\n \r\n"] * 20
    with raw_server(head, *drops, pause=0.05) as address, OTXClient(f"http://{address}", KEY, patience=0.2) as client:
        assert failure(client.owner).message == "OTX's answer wasn't complete after 0 s"


def test_field_that_is_no_json_costs_no_page():
    rows = b'[{"id": 1, "a": [Infinity, 1e999], "c": ' + b"9" * 5000 + b', "d": "x\ty\n\x01"}, {"id": 2}]'
    body = b'{"count": 2, "next": null, "results": ' + rows + b"}"
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    with raw_server(head, body) as address, OTXClient(f"http://{address}", KEY) as client:
        first = {"id": 1, "a": [float("inf")] * 2, "c": None, "d": "x\ty\n\x01"}
        assert client.subscribed() == Page([first, {"id": 2}], 2, has_next=False)


@pytest.mark.parametrize("body", [b"[" * 90_000, b'{"results": [' + b"9" * 5000 + b"}", b"\xff\xfe\x00", b'{"a": '])
def test_json_that_python_refuses(body):
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    with raw_server(head, body) as address, OTXClient(f"http://{address}", KEY) as client:
        assert kind_and_text(failure(client.subscribed)) == (
            OTXAnswerError, "/api/v1/pulses/subscribed: OTX's answer is not JSON"
        )  # fmt: skip


@pytest.mark.parametrize(
    ("status", "expected", "message"),
    [
        ("400 Bad Request", OTXAnswerError, "OTX answered 400, saying 'bad … here'"),
        ("401 Unauthorized", OTXKeyError, "OTX refused the key with 401, saying 'bad … here'"),
        ("407 Proxy", OTXError, "the proxy asks for a name and a password (407)"),
        ("304 Not Modified", OTXAnswerError, "OTX answered 304"),
    ],
)
def test_key_in_the_words_of_otx_is_hidden(status, expected, message):
    body = b"" if status.startswith("304") else f'{{"detail": "bad {KEY}\\n here"}}'.encode()
    head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    with raw_server(head, body) as address, OTXClient(f"http://{address}", KEY) as client:
        error = failure(client.owner)
    assert (type(error), error.message) == (expected, message)


def test_wait_in_the_words_of_otx():
    body = b'{"detail": "Request was throttled. Expected available in 2800 seconds."}'
    head = f"HTTP/1.1 429 Too Many Requests\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    with raw_server(head, body) as address, OTXClient(f"http://{address}", KEY) as client:
        assert failure(client.owner).retry_after == 2800


def test_rows_of_pulse_ids(simulator, client, monkeypatch):
    monkeypatch.setattr("pulsegate.otx.client.SUBSCRIBED_PULSE_IDS", "/api/v1/pulses/subscribed")
    assert client.subscribed_pulse_ids(3).results == [f"{1:024x}"]


def test_key_is_in_no_log_and_no_repr(client, simulator, caplog):
    caplog.set_level(logging.DEBUG)
    simulator.misbehave(Misbehaviour.GATEWAY_TIMEOUT, page=2)
    client.subscribed()
    failure(lambda: client.subscribed(2))
    assert (repr(client), KEY in caplog.text) == (f"OTXClient('{simulator.url}')", False)
