"""The pages in a process of their own, over real HTTP: what comes through, and what is left when a process dies."""

from __future__ import annotations

import os
import re
import signal
import socket
import time
from contextlib import ExitStack, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
import pytest
import requests
from libtaxii.constants import VID_TAXII_XML_11

from functional.conftest import Server
from functional.test_pages import log_in
from functional.test_workers import until
from pulsegate.model.collection import Profile
from pulsegate.model.indicator import Indicator, IndicatorType, RawIndicator
from pulsegate.model.pulse import Pulse
from pulsegate.publication.built_in import SUBSCRIBED
from pulsegate.stix import Block, blocks
from pulsegate.store import blocks as stored_blocks
from pulsegate.store import collections, ledger, migrate
from pulsegate.store.blocks import Ready
from pulsegate.store.database import Database
from store.databases import url_of
from taxii.filled import headers
from taxii.questions import poll11

WORD = "right-word"
BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)
MEGABYTES = 120  # of the feed, more than all sockets on the way hold


@pytest.fixture
def start(serve):
    """A server without worker whose admin's password is known."""

    def run(*words: str, **extra: str):
        return serve("--no-worker", *words, PULSEGATE_ADMIN_PASSWORD=WORD, **extra)

    return run


@pytest.fixture
def feed(environment: dict[str, str]) -> None:
    """A collection of many blocks, all alike, in the database that is going to be served."""
    database = Database(url_of(environment))
    migrate.upgrade(database)
    names = [f"bad{place}.example.org" for place in range(400)]
    members = [Indicator(IndicatorType.DOMAIN, name, RawIndicator("domain", name)) for name in names]
    block = next(iter(blocks(Pulse("1" * 24, "A pulse", "someone", BEGINNING, BEGINNING), members, Profile.FULL)))
    assert isinstance(block, Block)
    with database.write() as connection:
        collections.ensure_services(connection)
        collections.put(connection, SUBSCRIBED)
        row, stored = ledger.lock(connection, SUBSCRIBED.name), collections.get(connection, SUBSCRIBED.name)
        assert stored is not None
        for number in range(MEGABYTES * 1_000_000 // len(block.content)):
            label = BEGINNING + timedelta(minutes=number)
            ready = Ready(stored_blocks.stage(connection, stored.id, None, block.content), label, [], 0)
            stored_blocks.publish(connection, stored.id, row.revision + 1, [ready])
        ledger.record(connection, SUBSCRIBED.name, label)
    database.close()


def browse(server: Server) -> requests.Session:
    """A browser in which the admin is logged in."""
    server.wait_for("Stop with Ctrl-C")
    browser = requests.Session()
    assert log_in(browser, server.address, WORD).status_code == 303
    return browser


def pages_of(server: Server) -> int:
    """The pid of the process of the pages that was started last."""
    return int(re.findall(r"pages\.started +pid=(\d+)", server.wait_for("pages.started"))[-1])


def server_process_of(server: Server) -> int:
    return next(one.pid for one in psutil.Process(server.process.pid).children() if one.pid != pages_of(server))


def peak(pid: int) -> float:
    """MB."""
    return int(Path(f"/proc/{pid}/status").read_text().split("VmHWM:")[1].split()[0]) / 1000


def download_of(browser: requests.Session, server: Server, form: str = "stix") -> str:
    found = re.search(
        r'href="(/admin/collections/\d+)"[^>]*>\s*subscribed', browser.get(f"{server.address}/admin/collections/").text
    )
    assert found
    return f"{server.address}{found[1]}/download/{form}"


def begin_poll(server: Server) -> socket.socket:
    """The connection of a poll of everything, whose answer has begun."""
    host, port = server.address.removeprefix("http://").split(":")
    body = poll11().to_xml()
    lines = [f"{name}: {value}" for name, value in headers(VID_TAXII_XML_11).items() if name != "Authorization"]
    basic = requests.auth._basic_auth_str("admin", WORD)
    head = ["POST /taxii/poll HTTP/1.1", "Host: h", "Connection: close", f"Authorization: {basic}", *lines]
    client = socket.create_connection((host, int(port)), timeout=30)
    client.sendall("\r\n".join([*head, f"Content-Length: {len(body)}", "", ""]).encode() + body)
    assert client.recv(64).startswith(b"HTTP/1.1 200 OK")
    return client


def rest_of(client: socket.socket) -> int:
    """The octets that still come, until the server closes."""
    size = 0
    while octets := client.recv(1_000_000):
        size += len(octets)
    return size


# --- One process, when somebody browses ------------------------------------------------------------------------------


def test_server_that_nobody_browses_has_no_process_for_it_and_all_share_one(start, database: Database) -> None:
    database.close()
    with start("--workers", "2", PULSEGATE_DATABASE=database.url) as server:
        server.wait_for("Stop with Ctrl-C")
        assert requests.get(f"{server.address}/healthz", timeout=10).status_code == 200
        assert "pages.started" not in server.output
        with ExitStack() as stack:
            for _ in range(8):  # each has a connection of its own, to one or the other server process
                browser = stack.enter_context(closing(requests.Session()))
                assert log_in(browser, server.address, WORD).status_code == 303
                assert "admin" in browser.get(f"{server.address}/admin/me", timeout=20).text
        assert server.output.count("pages.started") == 1
        assert os.getpriority(os.PRIO_PROCESS, pages_of(server)) >= 10
        descriptors = psutil.Process(pages_of(server)).net_connections("tcp")
        assert [one for one in descriptors if one.status == psutil.CONN_LISTEN] == []


def test_client_scheme_and_host_come_through_as_the_proxy_tells_them(start) -> None:
    told = {"X-Forwarded-For": "192.0.2.9", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "pages.example"}
    with start(PULSEGATE_PROXIES="127.0.0.1") as server:
        server.wait_for("Stop with Ctrl-C")
        with requests.Session() as browser:
            browser.headers.update(told)
            page = browser.get(f"{server.address}/admin/login", timeout=20)
            assert re.match(
                r"__Host-pulsegate=[^;]+; Secure; HttpOnly; Path=/; SameSite=Lax", page.headers["Set-Cookie"]
            )
            browser.headers["Cookie"] = page.headers["Set-Cookie"].partition(";")[0]  # Secure: not sent by itself
            form = {"csrf_token": re.search(r'name="csrf-token" content="([^"]+)"', page.text)[1]}
            form |= {"name": "admin", "password": WORD}
            done = browser.post(f"{server.address}/admin/login", form, timeout=20, allow_redirects=False)
            assert (done.status_code, done.headers["Location"]) == (303, "/admin/")
            browser.headers["Cookie"] = done.headers["Set-Cookie"].partition(";")[0]
            assert "192.0.2.9" in browser.get(f"{server.address}/admin/me", timeout=20).text


def test_odd_requests_are_answered_as_by_the_pages_themselves(start) -> None:
    with start(PULSEGATE_TAXII__MAX_BODY="300000") as server, browse(server) as browser:
        at = server.address

        def ask(method: str, path: str, **more):
            answer = browser.request(method, f"{at}/admin{path}", timeout=20, allow_redirects=False, **more)
            return answer.status_code, answer.headers.get("Content-Length"), answer.content

        (status, length, page), (head_status, head_length, nothing) = ask("GET", "/me"), ask("HEAD", "/me")
        assert (status, length, head_status, nothing) == (200, str(len(page)), 200, b"")
        assert abs(int(head_length) - len(page)) < 10  # it says how long ago something was
        style = re.search(rb'href="/admin(/static/pulsegate.css[^"]+)"', page)[1].decode()
        first = browser.get(f"{at}/admin{style}", timeout=20)
        assert first.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert first.content == (Path(__file__).parents[2] / "src/pulsegate/web/static/pulsegate.css").read_bytes()
        assert ask("GET", style, headers={"If-None-Match": first.headers["ETag"]})[0] == 304
        assert ask("GET", "/%E3%81%82%ff?x=%zz", headers={"X-Odd": "caf\xe9"})[0] == 404
        assert ask("GET", "/pulses/?text=%E3%81%82")[2].count("あ".encode()) > 0
        assert ask("BREW", "/me")[0] == 405
        for body in (b"x" * 400_000, iter([b"x" * 100_000] * 4)):  # told, and found out
            status, _, page = ask(
                "POST", "/login", data=body, headers={"Content-Type": "application/x-www-form-urlencoded"}
            )
            assert (status, b"larger than this server takes" in page) == (413, True)
        refused = ask("POST", "/login", data=b"x" * 290_000, headers={"Sec-Fetch-Site": "cross-site"})
        assert (refused[0], b"Not allowed" in refused[2]) == (403, True)  # before its body is read
        assert "pages.unanswered" not in server.output


@pytest.mark.sqlite("the sockets of processes, among which connections to PostgreSQL would be counted")
def test_slow_bodies_keep_no_page_from_being_made(start) -> None:
    with start(PULSEGATE_THREADS="4") as server, browse(server) as browser, ExitStack() as stack:
        port = int(server.address.rpartition(":")[2])
        head = b"POST /admin/login HTTP/1.1\r\nHost: h\r\nContent-Length: 900000\r\n\r\n"
        for number in range(12):  # of another address, which has two of the four threads
            client = socket.create_connection(("127.0.0.1", port), 10, ("127.0.0.2", 0))
            stack.enter_context(closing(client)).sendall(head + b"x" * (150_000 if number % 2 else 10))
        time.sleep(0.5)
        began = time.monotonic()
        for _ in range(3):
            assert browser.get(f"{server.address}/admin/me", timeout=20).status_code == 200
        assert time.monotonic() - began < 3
        until(lambda: ends_of(pages_of(server)) == 0)  # nothing of them has come to the pages


def ends_of(pid: int) -> int:
    """Connections to server processes that the process of the pages has, the channel aside."""
    return sum(one.type == socket.SOCK_STREAM for one in psutil.Process(pid).net_connections("unix")) - 1


# --- Downloads -------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("feed")
def test_download_streams_in_flat_memory(start) -> None:
    with start() as server, browse(server) as browser:
        address = download_of(browser, server)
        both = pages_of(server), server_process_of(server)
        before = [peak(one) for one in both]
        with browser.get(address, stream=True, timeout=60) as answer:
            assert answer.status_code == 200
            size = sum(map(len, answer.iter_content(1_000_000)))
        assert size > MEGABYTES * 990_000
        assert max(peak(one) - start for one, start in zip(both, before, strict=True)) < 25


@pytest.mark.sqlite("the sockets of processes, among which connections to PostgreSQL would be counted")
@pytest.mark.usefixtures("feed")
def test_client_that_goes_ends_its_download(start) -> None:
    with start() as server, browse(server) as browser:
        pages = pages_of(server)
        answer = browser.get(download_of(browser, server), stream=True, timeout=60)
        next(answer.iter_content(100_000))
        until(lambda: ends_of(pages) == 1, 10)
        answer.close()
        until(lambda: ends_of(pages) == 0, 10)
        server.wait_for("connection.lost")


# --- Deaths ----------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("feed")
def test_poll_goes_on_when_the_pages_die_and_the_next_page_is_answered(start) -> None:
    with start() as server, browse(server) as browser:
        pages = pages_of(server)
        download = browser.get(download_of(browser, server), stream=True, timeout=60)
        with closing(begin_poll(server)) as client:
            os.kill(pages, signal.SIGKILL)
            with requests.Session() as other:
                other.cookies.update(browser.cookies)
                assert other.get(f"{server.address}/admin/me", timeout=20).status_code == 200  # logged in still
            assert rest_of(client) > MEGABYTES * 990_000
        with pytest.raises(requests.RequestException):  # never like a whole one
            sum(map(len, download.iter_content(1_000_000)))
        assert pages_of(server) != pages
        server.wait_for("pages.ended")


def test_pages_that_go_on_dying_say_so_and_come_back(start) -> None:
    with start() as server, browse(server) as browser:
        for number in range(1, 4):
            os.kill(pages_of(server), signal.SIGKILL)
            until(lambda number=number: server.output.count("pages.ended") == number)
            at_once = browser.get(f"{server.address}/admin/me", timeout=20)
            if number < 3:
                until(lambda: browser.get(f"{server.address}/admin/me", timeout=20).status_code == 200)
        assert (at_once.status_code, at_once.headers["Retry-After"]) == (503, "3")
        assert "The administration pages are starting. Reload in a moment." in at_once.text
        posted = browser.post(
            f"{server.address}/admin/login", {"name": "x"}, timeout=20, headers={"HX-Request": "true"}
        )
        assert (posted.status_code, posted.text.startswith('<div class="notice bad" role="alert"><p>')) == (503, True)
        assert "Look whether what you did was saved" in posted.text
        until(lambda: browser.get(f"{server.address}/admin/me", timeout=20).status_code == 200, 10)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_no_process_is_left_when_the_server_ends(start, how: signal.Signals) -> None:
    with start() as server, browse(server):
        pages, processes = pages_of(server), psutil.Process(server.process.pid).children(recursive=True)
        assert psutil.pid_exists(pages)
        os.kill(server.process.pid, how)
        server.process.wait(20)
        until(lambda: not any(one.is_running() and one.status() != psutil.STATUS_ZOMBIE for one in processes), 10)
        assert "Traceback" not in server.output


def test_two_servers_on_one_data_directory_do_not_disturb_each_other(start) -> None:
    with start() as one, browse(one) as browser, start() as other, browse(other) as second:
        assert pages_of(one) != pages_of(other)
        os.kill(pages_of(one), signal.SIGKILL)
        assert second.get(f"{other.address}/admin/me", timeout=20).status_code == 200
        assert browser.get(f"{one.address}/admin/me", timeout=20).status_code == 200
        assert other.output.count("pages.started") == 1
        os.kill(one.process.pid, signal.SIGKILL)
        assert second.get(f"{other.address}/admin/me", timeout=20).status_code == 200
