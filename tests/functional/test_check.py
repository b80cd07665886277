"""``pulsegate check`` against good servers and against those with one fault each."""

from __future__ import annotations

import json
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import pytest_socket

import support
from functional.conftest import Run
from functional.taxii_world import BLOCKS, COLLECTION, PASSWORD, USER, World, world
from functional.test_stock_opentaxii import SERVE, configuration, filled
from packages import TAXII_11, package
from pki import Authority
from pulsegate.checking import client, polling
from pulsegate.checking.report import Report
from pulsegate.checking.run import Target, check
from pulsegate.publication.built_in import SUBSCRIBED
from pulsegate.store import collections
from pulsegate.store.database import Database

__all__ = ["filled"]


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(polling, "PAUSE", 0.01)


def checked(server: World, path: str = "/poll", **changes: Any) -> Report:
    values: dict[str, Any] = {
        "address": server.address + path, "collection": COLLECTION, "account": (USER, PASSWORD),
        "age": timedelta(days=6), "segment": timedelta(days=1), "seconds": 60.0,
    }  # fmt: skip
    return check(Target(**values | changes), lambda _: None)


def codes(report: Report) -> set[str]:
    return {one.code for one in report.findings}


@pytest.mark.parametrize("size", [0, 1, 2, 100])
def test_good_server_has_no_problem(size: int) -> None:
    with world(size=size) as server:
        report = checked(server)
    assert codes(report) == {"plain-http"}, [str(one) for one in report.findings]
    assert report.is_good
    assert (report.segments, report.blocks) == (6, BLOCKS)
    assert report.tally.used == {"ip": 0, "domain": BLOCKS, "url": 0, "hash": 0}
    assert report.tally.ignores == 0


FAULTS = [
    "no-end", "end-before-begin", "end-not-asked", "label-form", "record-count", "order", "outside", "future", "twice",
    "unordered", "no-label", "one-label", "repeats", "different", "stix2", "escaped", "no-package", "stix-version",
    "binding", "binding-asked", "empty", "unused", "not-taxii", "taxii-version", "content-type", "encoding", "redirect",
    "no-challenge", "wrong-password", "any-password", "clock", "cut", "timeout", "http", "path", "malformed", "not-poll",
    "status", "advertised",
]  # fmt: skip
BESIDES = {  # what such a server is guilty of, too
    "twice": {"outside"},
    "repeats": {"outside"},
    "stix2": {"unused"},
    "escaped": {"unused"},
    "no-package": {"unused"},
    "stix-version": {"binding-asked"},
}


@pytest.mark.parametrize("fault", FAULTS)
def test_fault_is_found(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if fault == "timeout":
        monkeypatch.setattr(client, "SILENCE", 0.5)
    with world(fault) as server:
        report = checked(server)
    found = codes(report) - {"plain-http"}
    assert found == {fault} | BESIDES.get(fault, set()), [str(one) for one in report.findings]
    warnings = {"content-type", "any-password", "record-count", "advertised"}
    assert report.is_good is (fault in warnings)


@pytest.mark.parametrize("fault", ["part", "past-the-end", "same-part", "empty-part", "no-result-id"])
def test_fault_of_parts_is_found(fault: str) -> None:
    with world(fault, size=1) as server:
        report = checked(server)
    assert fault in codes(report), [str(one) for one in report.findings]


@pytest.mark.parametrize(
    ("fault", "code"),
    [("cut-chunked", "cut"), ("cut-unseen", "cut"), ("doctype", "malformed"), ("html", "malformed"),
     ("large", "too-large"), ("no-end-unless-asked", "no-end"), ("deflate", "encoding"),
     ("redirect-nowhere", "redirect"), ("no-namespace", "not-poll")],
)  # fmt: skip
def test_variant_of_a_fault_is_found(fault: str, code: str) -> None:
    with world(fault) as server:
        report = checked(server)
    assert codes(report) - {"plain-http"} == {code}, [str(one) for one in report.findings]


def test_result_is_asked_for_by_whatever_name_it_has() -> None:
    with world("long-result", size=1) as server:
        report = checked(server)
    assert codes(report) == {"plain-http"}, [str(one) for one in report.findings]
    assert report.blocks == BLOCKS
    with world("empty-result-id", size=1) as server:
        assert "no-result-id" in codes(checked(server))


def test_failure_that_passes_is_told_and_the_rest_is_polled() -> None:
    with world("http-once") as server:
        report = checked(server)
    assert codes(report) == {"plain-http", "http"}
    assert report.blocks == BLOCKS


@pytest.mark.parametrize("path", ["/discovery", "/collections"])
def test_poll_address_is_found(path: str) -> None:
    lines: list[str] = []
    with world("elsewhere") as server:
        target = Target(server.address + path, COLLECTION, (USER, PASSWORD), timedelta(days=6), timedelta(days=6), 60.0)
        report = check(target, lines.append)
        assert f"{server.address}{path} is not polled itself; it tells that feed is at {server.address}/poll" in lines
        assert report.address == f"{server.address}/poll"
    assert codes(report) == {"plain-http"}
    assert report.blocks == BLOCKS


def test_server_that_asks_to_wait_is_waited_for() -> None:
    lines: list[str] = []
    with world("retry") as server:
        target = Target(
            f"{server.address}/poll", COLLECTION, (USER, PASSWORD), timedelta(days=6), timedelta(days=6), 60.0
        )
        report = check(target, lines.append)
    assert lines.count("the server asks to come back in 0 s: being filled") == 3
    assert codes(report) == {"plain-http"}


def test_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with world() as server:
        monkeypatch.setenv("http_proxy", server.address)
        monkeypatch.setenv("no_proxy", "")
        report = checked(server, address="http://taxii.invalid/poll")
    assert codes(report) == {"plain-http", "advertised"}
    assert report.blocks == BLOCKS


def test_words_of_a_server_reach_no_terminal_as_commands(pulsegate: Run) -> None:
    with world("content-type") as server:
        done = run(pulsegate, server.address)
    assert "The Content-Type is text/" in done.stdout
    assert "\x1b" not in done.stdout


def test_password_goes_to_no_other_host() -> None:
    with world() as other, world("elsewhere") as server:
        server.told = f"http://localhost:{other.server_port}/poll"
        report = checked(server, "/discovery")
        assert other.passwords == set()
    assert codes(report) == {"plain-http", "other-host"}
    assert not report.is_good


def test_collections_are_listed_where_there_is_no_such_one() -> None:
    with world() as server:
        report = checked(server, collection="Feed")
    assert [one.what for one in report.problems] == [
        "There is no collection 'Feed' there (NOT_FOUND: no such collection). There are: feed"
    ]


def test_wrong_password_is_told_and_not_tried_again() -> None:
    with world() as server:
        report = checked(server, account=(USER, "mistyped"))
        assert server.passwords == {"mistyped"}
    assert codes(report) == {"plain-http", "unauthorized"}


def test_wrong_password_is_tried_once_unless_it_may_not_be() -> None:
    with world() as server:
        checked(server)
        assert len(server.passwords) == 2
        server.passwords.clear()
        checked(server, wrong_password=False)
        assert server.passwords == {PASSWORD}


def test_time_is_bounded_while_an_answer_drips() -> None:
    with world("drip-body") as server:
        report = checked(server, seconds=2.0)
    assert codes(report) == {"plain-http", "unfinished"}
    assert str(report.problems[0]).startswith(
        "The 2 s of the check were over: 0 of 6 segments were polled (first poll)."
    )
    assert report.seconds < 5


def test_nobody_there_is_a_problem(pulsegate: Run) -> None:
    with world() as server:
        address = server.address
    done = run(pulsegate, address)
    assert done.returncode == 1
    assert "Connection refused" in done.stdout


def run(pulsegate: Run, address: str, *words: str, **more: Any) -> subprocess.CompletedProcess[str]:
    more = {"stdin": PASSWORD + "\n"} | more
    return pulsegate(
        "check", f"{address}/poll", "--collection", COLLECTION, "--username", USER, "--password-stdin", "--age", "6d",
        *words, **more,
    )  # fmt: skip


def test_command_tells_like_the_appliance(pulsegate: Run) -> None:
    with world() as server:
        done = run(pulsegate, server.address)
    assert (done.returncode, done.stderr) == (0, "")
    for line in (
        "First poll of feed: 6 segments until now",
        f"THREAT_FEEDS: {BLOCKS} observables were fetched from the source: feed",
        "THREAT_FEEDS: A delta poll is scheduled for the source: feed",
        "THREAT_FEEDS: 0 observables were fetched from the source: feed",
        "No problem was found.",
    ):
        assert line in done.stdout.splitlines()
    assert PASSWORD not in done.stdout


def test_command_prints_json_alone(pulsegate: Run, tmp_path: Path) -> None:
    with world("no-end") as server:
        done = run(pulsegate, server.address, "--json")
    found = json.loads(done.stdout)
    assert done.returncode == 1
    assert found["observables"] == {"ip": 0, "domain": BLOCKS, "url": 0, "hash": 0, "ignored": 0}
    assert found["blocks"] == BLOCKS
    assert found["problems"][0].startswith("The answer has no Inclusive_End_Timestamp (segment ")
    assert found["warnings"][0].startswith("Plain HTTP")
    assert not (tmp_path / "data").exists()  # it needs no database


def test_command_is_broken_off_while_headers_drip(pulsegate: Run) -> None:
    with world("drip") as server:
        done = run(pulsegate, server.address, "--timeout", "2s")
    assert done.returncode == 1
    assert "0 of 6 segments were polled" in done.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["ftp://a.example/poll", "--username", "u"], "is no http or https address"),
        (["http://u:geheim@a.example/", "--username", "u"], "a user name or password in it is not taken"),
        (["http://a.example/", "--username", "u"], "Give it with --password-stdin, or in PULSEGATE_CHECK_PASSWORD"),
        (["http://a.example/", "--username", "a:b"], "can't have a colon"),
        (["http://a.example/", "--username", "u", "--password-stdin"], "the password is empty"),
        (["http://a.example/", "--password-stdin"], "is of no use without --username"),
        (["http://a.example/", "--age", "soon"], "write 100ms, 90s, 15m, 6h or 30d"),
        (["http://a.example/", "--age", "9000d", "--segment", "1h"], "makes more than 5,000 polls"),
        (["http://a.example/", "--segment", "0s"], "takes 1s to 36500d"),
        (["http://a.example/", "--collection", "a\x01"], "has a character that no name of a collection can have"),
        (["http://a.example/", "--ca-file", "missing.pem"], "holds no certificates"),
    ],
)
def test_wrong_usage_is_told(pulsegate: Run, words: list[str], said: str) -> None:
    done = pulsegate("check", "--collection", "c", *words)
    assert done.returncode == 2
    assert said in done.stderr
    assert "geheim" not in done.stderr


def test_account_of_the_environment_disturbs_no_other_command(pulsegate: Run) -> None:
    account = {"PULSEGATE_CHECK_USERNAME": USER, "PULSEGATE_CHECK_PASSWORD": PASSWORD}
    with world() as server:
        done = pulsegate(
            "check", f"{server.address}/poll", "--collection", COLLECTION, "--age", "6d", **account,
        )  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert pulsegate("config", "check", **account).returncode == 0


@contextmanager
def over_tls(server: World, authority: Authority, *, days: str = "20") -> Iterator[str]:
    pair = authority.issue("server", "/CN=localhost", days=days)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.scheme = "https"
    yield server.address


def test_https_with_an_authority_of_its_own(pulsegate: Run, tmp_path: Path) -> None:
    authority = Authority(tmp_path / "pki")
    with world() as server, over_tls(server, authority) as address:
        good = run(pulsegate, address, "--ca-file", str(authority.ca), "--json")
        assert good.returncode == 0, good.stdout
        assert json.loads(good.stdout)["warnings"] == []
        server.passwords.clear()
        unknown = run(pulsegate, address)
        assert unknown.returncode == 1
        assert "- The certificate is of an authority that is not trusted here" in unknown.stdout
        assert server.passwords == set()


def test_certificate_for_another_host(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "pki")
    with world(host="127.0.0.2") as server, over_tls(server, authority) as address:
        pytest_socket._remove_restrictions()  # loopback as well
        report = checked(server, address=f"{address}/poll", ca_file=authority.ca)
        assert server.passwords == set()
    assert [one.what for one in report.problems] == ["The certificate is for another address"]


@pytest.mark.parametrize(("days", "code", "is_good"), [("5", "certificate-ends", True), ("-1", "certificate", False)])
def test_certificate_that_ends(tmp_path: Path, days: str, code: str, is_good: bool) -> None:
    authority = Authority(tmp_path / "pki")
    with world() as server, over_tls(server, authority, days=days) as address:
        report = checked(server, address=f"{address}/poll", ca_file=authority.ca)
    assert codes(report) == {code}, [str(one) for one in report.findings]
    assert report.is_good is is_good


def test_plain_http_where_https_is_asked_for() -> None:
    with world() as server:
        report = checked(server, address=server.address.replace("http:", "https:"))
    assert codes(report) == {"certificate"}


@pytest.mark.parametrize("collection", ["subscribed", "partners"])
def test_our_own_server_has_no_problem(filled: Database, collection: str) -> None:
    with support.serving(support.application(filled.url)) as address:
        report = checked_at(address, collection, ("admin", "secret-of-admin"))
        other = checked_at(address, collection, ("admin", "secret-of-admin"), segment=timedelta(days=30))
    assert report.problems == [], [str(one) for one in report.problems]
    assert report.is_good
    assert report.blocks == other.blocks >= 3
    assert report.tally.used == other.tally.used
    assert other.problems == []


def checked_at(address: str, collection: str, account: tuple[str, str], **changes: Any) -> Report:
    values: dict[str, Any] = {
        "address": f"{address}/taxii/poll", "collection": collection, "account": account,
        "age": timedelta(days=30), "segment": timedelta(days=1), "seconds": 60.0,
    }  # fmt: skip
    return check(Target(**values | changes), lambda _: None)


def test_parts_of_our_own_server_have_no_problem(filled: Database) -> None:
    with filled.write() as connection:
        collections.put(connection, replace(SUBSCRIBED, blocks_per_part=2))
    with support.serving(support.application(filled.url)) as address:
        report = checked_at(address, "subscribed", ("admin", "secret-of-admin"), segment=timedelta(days=30))
    assert report.problems == [], [str(one) for one in report.problems]
    assert report.blocks > 4


def test_stock_opentaxii_has_its_known_faults(filled: Database, tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", SERVE], env=configuration(filled, tmp_path), stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    with process:
        assert process.stdout is not None
        port = next(line.split()[1] for line in process.stdout if line.startswith("PORT"))
        threading.Thread(target=process.stdout.read, daemon=True).start()  # its log: who doesn't read it, stops it
        report = checked_at(f"http://127.0.0.1:{port}", "subscribed", ("admin", "secret-of-admin"))
        assert process.stdin is not None
        process.stdin.close()
        process.wait(timeout=20)
    assert {one.code for one in report.problems} == {"no-end", "wrong-password"}
    assert report.blocks >= 3


class _Endless(BaseHTTPRequestHandler):
    """A poll of a long window is answered with ``megabytes`` of blocks, all others with nothing."""

    megabytes = 1

    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def do_POST(self) -> None:
        request = self.rfile.read(int(self.headers["Content-Length"]))
        moments = [
            datetime.fromisoformat(piece.partition(b"<")[0].decode())
            for piece in request.split(b"_Timestamp>")[1:]
            if piece[:2] == b"20"
        ]
        self.send_response(200)
        self.send_header("X-TAXII-Content-Type", "urn:taxii.mitre.org:message:xml:1.1")
        self.send_header("Content-Type", "application/xml")
        self.send_header("Connection", "close")
        self.end_headers()
        begin = moments[0] if moments else datetime.now(UTC)
        end = moments[1] if len(moments) > 1 else datetime.now(UTC)
        self.wfile.write(
            f'<t:Poll_Response xmlns:t="{TAXII_11}" message_id="2" in_response_to="1" collection_name="c"><t:'
            f"Inclusive_End_Timestamp>{end.isoformat()}</t:Inclusive_End_Timestamp>".encode()
        )
        if end - begin > timedelta(hours=1) and b"1.1.1" not in request:
            self._write_blocks(begin)
        self.wfile.write(b"</t:Poll_Response>")
        self.close_connection = True

    def _write_blocks(self, begin: datetime) -> None:
        """Two blocks, with a package of half the size each."""
        told = f"<ind:Description>{'What it does. ' * 70}</ind:Description><ind:Observable>".encode()  # as OTX's have
        content = package(*(f"n{number}.example.com" for number in range(1000)))
        content = content.replace(b"<ind:Observable>", told)
        front, opening, rest = content.partition(b"<stix:Indicators>")
        indicators, closing, end = rest.partition(b"</stix:Indicators>")
        for number in (1, 2):
            binding = b'<t:Content_Binding binding_id="urn:stix.mitre.org:xml:1.2"/>'
            self.wfile.write(b"<t:Content_Block>" + binding + b"<t:Content>" + front + opening)
            for _ in range(self.megabytes * 500_000 // len(indicators) + 1):
                self.wfile.write(indicators)
            label = (begin + timedelta(seconds=number)).isoformat()
            self.wfile.write(
                closing + end + f"</t:Content><t:Timestamp_Label>{label}</t:Timestamp_Label></t:Content_Block>".encode()
            )


def polled(megabytes: int, environment: dict[str, str]) -> tuple[dict[str, Any], int]:
    """What a check of so large a feed tells, and the most memory that it took, in KB."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Sized", (_Endless,), {"megabytes": megabytes}))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    program = (
        "import sys, pulsegate.cli\ntry: pulsegate.cli.main()\n"
        "finally: print(*[one for one in open('/proc/self/status') if 'VmHWM' in one], file=sys.stderr)"
    )
    words = ["check", f"http://127.0.0.1:{server.server_port}/poll", "--collection", "c", "--age", "2d", "--segment"]
    done = subprocess.run(
        [sys.executable, "-c", program, *words, "2d", "--json"], env=environment, capture_output=True, text=True,
        timeout=220, check=False,
    )  # fmt: skip
    server.shutdown()
    server.server_close()
    return json.loads(done.stdout), int(done.stderr.split()[-2])


@pytest.mark.timeout(240)
def test_large_answer_takes_no_more_memory_than_a_small_one(environment: dict[str, str]) -> None:
    _, small = polled(1, environment)
    found, large = polled(300, environment)
    assert found["bytes"] > 290_000_000
    assert found["observables"]["domain"] > 200_000
    assert (found["blocks"], found["problems"]) == (2, [])
    assert large < small + 8_000, (small, large)
