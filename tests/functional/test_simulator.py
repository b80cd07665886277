"""The local OTX as a client of HTTP sees it."""

from __future__ import annotations

import gzip
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from pulsegate.errors import PulseFormatError
from pulsegate.otx.demo import demo_pulses
from pulsegate.otx.simulator import Simulator, main

NOW = datetime(2024, 5, 17, 12, 0, tzinfo=UTC)
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def a_pulse(number, author="harbor", rows=1, **fields):
    return {
        "id": f"{number:024x}",
        "name": f"Pulse {number}",
        "author_name": author,
        "created": "2024-05-01T00:00:00",
        "modified": f"2024-05-{number:02d}T00:00:00",
        "indicators": [
            {"id": n, "type": "domain", "indicator": f"h{n}.example", "is_active": n % 2} for n in range(rows)
        ],
        **fields,
    }


def ids(*numbers):
    return [f"{number:024x}" for number in numbers]


@pytest.fixture
def simulator():
    with Simulator(
        [a_pulse(n, "harbor" if n % 2 else "mika") for n in range(1, 6)], owner="demo", clock=lambda: NOW
    ) as sim:
        yield sim


def ask(simulator, path, headers=None, **query):
    url = f"{simulator.url}/api/v1{path}?{urllib.parse.urlencode(query)}"
    request = urllib.request.Request(url, headers=headers or {})
    try:
        with OPENER.open(request, timeout=5) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read())


def page_of(simulator, path, headers=None, **query):
    rows = ask(simulator, path, headers, **query)[1]["results"]
    return [row["id"] if isinstance(row, dict) else row for row in rows]


def test_subscribed_page_as_otx_sends_it(simulator):
    assert ask(simulator, "/pulses/subscribed", limit=2, page=2) == (
        200,
        {
            "count": 5,
            "next": f"{simulator.url}/api/v1/pulses/subscribed?limit=2&page=3",
            "previous": f"{simulator.url}/api/v1/pulses/subscribed?limit=2&page=1",
            "results": [a_pulse(3), a_pulse(2, "mika")],
            "prefetch_pulse_ids": False,
            "t": 0,
            "t2": 0.0,
            "t3": 0.0,
        },
    )


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, (5, 4, 3, 2, 1)),
        ({"limit": 3}, (5, 4, 3)),
        ({"limit": 3, "page": 2}, (2, 1)),
        ({"limit": 3, "page": 3}, ()),
        ({"modified_since": "2024-05-03T00:00:00"}, (5, 4)),
        ({"modified_since": "2024-05-03T00:00:00+02:00"}, (5, 4, 3)),
        ({"author_name": "mika"}, (4, 2)),
        ({"author_name": "nobody"}, ()),
        ({"author_name": "harbor", "modified_since": "2024-05-01"}, (5, 3)),
    ],
)
def test_subscribed_selects(simulator, query, expected):
    assert page_of(simulator, "/pulses/subscribed", **query) == ids(*expected)


def test_subscribed_selects_anew_for_each_question(simulator):
    questions = [{}, {"author_name": "mika"}, {"modified_since": "2024-05-03"}, {"author_name": "harbor"}, {}]
    found = [page_of(simulator, "/pulses/subscribed", **query) for query in questions]
    assert found == [ids(5, 4, 3, 2, 1), ids(4, 2), ids(5, 4), ids(5, 3, 1), ids(5, 4, 3, 2, 1)]


def test_subscribed_has_ten_pulses_without_limit():
    with Simulator([a_pulse(n) for n in range(1, 13)]) as simulator:
        data = ask(simulator, "/pulses/subscribed")[1]
        assert (len(data["results"]), data["count"], data["next"] is None) == (10, 12, False)


def test_subscribed_since_no_date(simulator):
    assert ask(simulator, "/pulses/subscribed", modified_since="x") == (400, {"detail": "modified_since: not a date"})


def test_subscribed_pulse_ids(simulator):
    assert page_of(simulator, "/pulses/subscribed_pulse_ids", limit=3) == ids(5, 4, 3)


def test_history(simulator):
    simulator.delete(ids(1)[0])
    simulator.unsubscribe(ids(2)[0])
    simulator.put(a_pulse(3, modified="2024-05-30T00:00:00", name="Edited"))
    simulator.put(a_pulse(6))
    simulator.unsubscribe(ids(6)[0])
    simulator.subscribe(ids(6)[0])
    events = [(event["action"], event["object_id"]) for event in ask(simulator, "/pulses/events")[1]["results"]]
    assert events == [
        ("subscribe", ids(6)[0]),
        ("unsubscribe", ids(6)[0]),
        ("subscribe", ids(6)[0]),
        ("unsubscribe", ids(2)[0]),
        ("delete", ids(1)[0]),
    ]
    assert page_of(simulator, "/pulses/subscribed") == ids(3, 6, 5, 4)
    assert ask(simulator, f"/pulses/{ids(1)[0]}") == (404, {"detail": "Not found."})
    assert ask(simulator, f"/pulses/{ids(2)[0]}") == (200, a_pulse(2, "mika"))


def test_events_since(simulator):
    simulator.delete(ids(1)[0])
    assert ask(simulator, "/pulses/events", since="2024-05-17T11:59:59")[1]["results"] == [
        {
            "id": 1,
            "action": "delete",
            "object_type": "pulse",
            "object_id": ids(1)[0],
            "created": "2024-05-17T12:00:00.000000",
        }
    ]
    assert ask(simulator, "/pulses/events", since="2024-05-17T12:00:00")[1]["results"] == []


def test_large_pulse_is_cut_and_its_indicators_are_paged():
    with Simulator([a_pulse(1, rows=5)], max_indicators=2) as simulator:
        expected = {**a_pulse(1, rows=2), "more_indicators": True}
        assert ask(simulator, "/pulses/subscribed")[1]["results"] == [expected]
        assert ask(simulator, f"/pulses/{ids(1)[0]}") == (200, expected)
        path = f"/pulses/{ids(1)[0]}/indicators"
        assert page_of(simulator, path) == [1, 3]
        assert page_of(simulator, path, include_inactive=1, limit=3) == [0, 1, 2]
        assert page_of(simulator, path, include_inactive=1, limit=3, page=2) == [3, 4]


def test_users_and_types(simulator):
    owner = {"username": "demo", "user_id": 1, "pulse_count": 0, "subscriber_count": 0}
    assert ask(simulator, "/users/me") == (200, owner)
    assert ask(simulator, "/users/harbor") == (200, {**owner, "username": "harbor", "pulse_count": 3})
    assert ask(simulator, "/users/nobody") == (404, {"detail": "Not found."})
    assert len(ask(simulator, "/pulses/indicators/types")[1]["detail"]) == 21
    assert ask(simulator, "/something/else") == (404, {"detail": "Not found."})


def test_search_matches_name_tags_and_author():
    pulses = [
        a_pulse(1, name="Lantern loader", rows=3),
        a_pulse(2, "lantern.watch", tags=["x"], more_indicators=False),
        a_pulse(3, tags=["LANTERN", "y"], description="d"),
        a_pulse(4, description="of a lantern"),
    ]
    with Simulator(pulses, max_indicators=2) as simulator:
        simulator.unsubscribe(ids(3)[0])
        status, page = ask(simulator, "/search/pulses", q="lantern", limit=2)
        assert (status, page["count"], page["next"]) == (
            200, 3, f"{simulator.url}/api/v1/search/pulses?q=lantern&limit=2&page=2"
        )  # fmt: skip
        row = {key: value for key, value in pulses[2].items() if key != "indicators"}
        assert page["results"][0] == {**row, "indicator_count": 1}
        assert page_of(simulator, "/search/pulses", q=" LANTERN", limit=2, page=2) == ids(1)
        assert ask(simulator, "/search/pulses", q="loader")[1]["results"][0]["indicator_count"] == 3
        assert page_of(simulator, "/search/pulses", q="nowhere") == []
        assert page_of(simulator, "/search/pulses") == ids(4, 3, 2, 1)


def test_users_pulses_leave_and_come_back(simulator):
    simulator.subscribe(ids(2)[0])
    simulator.unsubscribe(ids(5)[0])
    simulator.unsubscribe_user("mika")
    assert page_of(simulator, "/pulses/subscribed") == ids(3, 2, 1)
    simulator.put(a_pulse(6, "mika"))
    simulator.put(a_pulse(7))
    assert page_of(simulator, "/pulses/subscribed_pulse_ids") == ids(7, 3, 2, 1)
    simulator.unsubscribe(ids(2)[0])
    simulator.subscribe_user("mika")
    assert page_of(simulator, "/pulses/subscribed") == ids(7, 6, 4, 3, 2, 1)
    simulator.subscribe_user("harbor")
    assert page_of(simulator, "/pulses/subscribed") == ids(7, 6, 5, 4, 3, 2, 1)
    told = [(e["action"], e["object_type"], e["object_id"]) for e in ask(simulator, "/pulses/events")[1]["results"]]
    assert told == [
        ("subscribe", "user", "harbor"),
        ("subscribe", "user", "mika"),
        ("unsubscribe", "pulse", ids(2)[0]),
        ("subscribe", "pulse", ids(7)[0]),
        ("unsubscribe", "user", "mika"),
        ("unsubscribe", "pulse", ids(5)[0]),
        ("subscribe", "pulse", ids(2)[0]),
    ]


def test_keys_have_subscriptions_of_their_own():
    with Simulator([a_pulse(1), a_pulse(2, "mika")], keys={"key-a": "ann", "key-b": "bob"}, api_key="key-c") as sim:

        def seen(key):
            return page_of(sim, "/pulses/subscribed", headers={"X-OTX-API-KEY": key})

        sim.unsubscribe(ids(1)[0], key="key-a")
        sim.unsubscribe_user("mika", key="key-b")
        assert [seen("key-a"), seen("key-b"), seen("key-c")] == [ids(2), ids(1), ids(2, 1)]
        sim.subscribe(ids(1)[0], key="key-a")
        sim.subscribe_user("mika", key="key-b")
        sim.put(a_pulse(3))
        sim.delete(ids(2)[0])
        assert [seen("key-a"), seen("key-b"), seen("key-c")] == [ids(3, 1)] * 3
        sim.unsubscribe(ids(3)[0])
        assert [seen("key-a"), seen("key-b"), seen("key-c")] == [ids(1)] * 3
        with pytest.raises(KeyError):
            sim.unsubscribe(ids(1)[0], key="key-d")
        names = [ask(sim, "/users/me", {"X-OTX-API-KEY": f"key-{end}"})[1].get("username") for end in "abcd"]
        assert names == ["ann", "bob", "demo", None]
        events = ask(sim, "/pulses/events", {"X-OTX-API-KEY": "key-a"})[1]["results"]
        assert [(event["id"], event["action"]) for event in events] == [
            (5, "unsubscribe"), (4, "delete"), (3, "subscribe"), (2, "subscribe"), (1, "unsubscribe"),
        ]  # fmt: skip


def test_answers_are_dated_by_its_clock(simulator):
    with OPENER.open(f"{simulator.url}/api/v1/users/me", timeout=5) as answer:
        assert answer.headers["Date"] == "Fri, 17 May 2024 12:00:00 GMT"


def test_pulse_that_is_changed_outside_is_not_changed_here():
    pulse = a_pulse(1)
    with Simulator([pulse]) as simulator:
        pulse["name"] = "Other"
        pulse["indicators"].clear()
        assert ask(simulator, "/pulses/subscribed")[1]["results"] == [a_pulse(1)]


def test_indicators_asked_for_last_are_not_an_older_version():
    with Simulator([a_pulse(1, rows=4)]) as simulator:
        path = f"/pulses/{ids(1)[0]}/indicators"
        assert page_of(simulator, path, include_inactive=1) == [0, 1, 2, 3]
        simulator.put(a_pulse(1, rows=2))
        assert page_of(simulator, path, include_inactive=1) == [0, 1]


def test_it_is_used_by_many_threads_at_once(simulator):
    def work(number):
        for _ in range(20):
            simulator.put(a_pulse(number, "many"))
            ask(simulator, "/pulses/subscribed", limit=3)
            ask(simulator, "/search/pulses", q="many")
            simulator.unsubscribe_user("many")
            simulator.subscribe_user("many")
            simulator.delete(ids(number)[0])
        return number

    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(work, range(10, 16))) == [10, 11, 12, 13, 14, 15]
    assert (page_of(simulator, "/pulses/subscribed"), len(simulator.requests)) == (ids(5, 4, 3, 2, 1), 241)
    assert ask(simulator, "/pulses/events", limit=1)[1]["count"] == 6 * 20 * 4


def test_key_is_checked_and_not_recorded():
    with Simulator(api_key="right-key") as simulator:
        answers = [
            ask(simulator, "/users/me", {"X-OTX-API-KEY": "right-key"})[0],
            ask(simulator, "/users/me", {"X-OTX-API-KEY": "wrong-key"}),
            ask(simulator, "/users/me"),
        ]
        assert answers == [
            200,
            (403, {"detail": "Authentication required"}),
            (429, {"detail": "You have exceeded the anonymous rate limit. Please authenticate with an API key."}),
        ]
        assert [(request.path, request.has_key) for request in simulator.requests] == [
            ("/users/me", True), ("/users/me", True), ("/users/me", False),
        ]  # fmt: skip
        assert "-key'" not in repr(simulator.requests)
        simulator.forget_requests()
        assert simulator.requests == []


def test_requests_are_recorded_with_their_query(simulator):
    ask(simulator, "/pulses/subscribed", {"User-Agent": "test/1"}, limit=2)
    (request,) = simulator.requests
    assert (request.path, request.query, request.headers["user-agent"]) == (
        "/pulses/subscribed",
        {"limit": "2"},
        "test/1",
    )


def test_connection_is_kept_and_answers_are_packed(simulator):
    host = simulator.url.removeprefix("http://")
    connection = http.client.HTTPConnection(host, timeout=5)
    connection.request("GET", "/api/v1/pulses/subscribed", headers={"Accept-Encoding": "gzip"})
    with connection.getresponse() as packed:
        first = (
            packed.version,
            packed.getheader("Content-Encoding"),
            json.loads(gzip.decompress(packed.read()))["count"],
        )
    own_socket = connection.sock
    connection.request("GET", "/api/v1/pulses/subscribed", headers={"Accept-Encoding": "identity"})
    with connection.getresponse() as plain:
        body = plain.read()
        second = plain.getheader("Content-Encoding"), int(plain.getheader("Content-Length")) == len(body)
    assert (first, second, connection.sock is own_socket) == ((11, "gzip", 5), (None, True), True)
    connection.close()


def test_stop_and_start_keep_address_and_pulses(simulator):
    url = simulator.url
    simulator.stop()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])), timeout=1)
    simulator.start()
    assert (simulator.url, page_of(simulator, "/pulses/subscribed", limit=1)) == (url, ids(5))


def test_pulses_from_a_file(tmp_path):
    path = tmp_path / "pulses.json"
    path.write_text(json.dumps({"results": [a_pulse(1), a_pulse(2)]}))
    with Simulator([path]) as simulator:
        assert page_of(simulator, "/pulses/subscribed") == ids(2, 1)


def test_file_with_something_else(tmp_path):
    path = tmp_path / "pulses.json"
    path.write_text("[1]")
    with pytest.raises(PulseFormatError, match=r"pulses\.json: holds something that is no pulse$"):
        Simulator([path])


def test_demo_pulses_over_http():
    with Simulator(demo_pulses(NOW)) as simulator:
        data = ask(simulator, "/pulses/subscribed", limit=50, modified_since=(NOW - timedelta(days=20)).isoformat())[1]
        assert data["results"] == demo_pulses(NOW)


# A shell's background job, which these tests may run in, ignores SIGINT, and so would what is started there.
AS_TYPED = ["env", "--default-signal=INT", sys.executable]


def test_program_prints_its_address():
    command = [*AS_TYPED, "-W", "error", "-m", "pulsegate.otx.simulator", "--demo", "--api-key", "k", "--owner", "me2"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ) as program:
        url = program.stdout.readline().strip()
        request = urllib.request.Request(f"{url}/api/v1/users/me", headers={"X-OTX-API-KEY": "k"})
        with OPENER.open(request, timeout=5) as answer:
            name = json.loads(answer.read())["username"]
        program.send_signal(signal.SIGINT)
        rest, code = program.stdout.read(), program.wait(5)
    assert (bool(re.fullmatch(r"http://127\.0\.0\.1:\d+", url)), name, rest, code) == (True, "me2", "", 0)


def test_program_misbehaves_as_told():
    command = [*AS_TYPED, "-m", "pulsegate.otx.simulator", "--demo", "--trouble", "gateway-timeout:/users/me"]
    command += ["--trouble", "no-count:/pulses/subscribed:2:1", "--trouble", "html:::1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ) as program:
        url = f"{program.stdout.readline().strip()}/api/v1"
        with pytest.raises(urllib.error.HTTPError, match="504"):
            OPENER.open(f"{url}/users/me", timeout=5)
        with OPENER.open(f"{url}/users/demo", timeout=5) as answer:
            assert answer.headers["Content-Type"] == "text/html"
        counts = []
        for page in (1, 2, 2):
            with OPENER.open(f"{url}/pulses/subscribed?limit=2&page={page}", timeout=5) as answer:
                counts.append("count" in json.loads(answer.read()))
        program.send_signal(signal.SIGINT)
        assert (counts, program.wait(5)) == ([True, False, True], 0)


@pytest.mark.parametrize("text", ["", "oops", "html:/a:x", "html:/a:1:2:", "html:/a:1:2:3", "html:/a:1:x"])
def test_program_with_trouble_it_does_not_know(text, capsys):
    with pytest.raises(SystemExit) as caught:
        main(["--trouble", text])
    assert caught.value.code == 2
    assert f"{text!r} is no KIND[:PATH[:PAGE[:TIMES]]]; see --help" in capsys.readouterr().err


def test_program_with_a_bad_file(tmp_path, capsys):
    path = tmp_path / "none.json"
    assert main([str(path)]) == 1
    assert capsys.readouterr().err.startswith(f"{path}: can't be read: No such file or directory. Expected pulses")
