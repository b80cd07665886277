"""Server processes and bad clients, over real sockets: what is cut, what goes on, and how a broken answer ends."""

from __future__ import annotations

import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from pki import Authority, Pair
from ports import free_port

WIRE = Path(__file__).with_name("wire.py")
OTHER = "127.0.0.2"  # another client's address


class Wire:
    """The process, and what it wrote since this was made."""

    def __init__(self, port: int, folder: Path) -> None:
        self.port = port
        self._log, self._output = folder / "log", folder / "output"
        self._before = len(self._log.read_text()), len(self._output.read_text())

    def connect(self, source: str = "127.0.0.1") -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=10, source_address=(source, 0))

    def ask(self, request: bytes, source: str = "127.0.0.1") -> bytes:
        """Everything that comes back until the server closes."""
        with self.connect(source) as client:
            client.sendall(request)
            return read_all(client)

    def get(self, path: str = "/", source: str = "127.0.0.1", version: str = "1.1") -> bytes:
        return self.ask(f"GET {path} HTTP/{version}\r\nHost: h\r\nConnection: close\r\n\r\n".encode(), source)

    @property
    def log(self) -> str:
        return self._log.read_text()[self._before[0] :]

    @property
    def output(self) -> str:
        return self._output.read_text()[self._before[1] :]

    def wait_for(self, text: Callable[[], str], wanted: str, seconds: float = 10.0) -> None:
        deadline = time.monotonic() + seconds
        while wanted not in text():
            assert time.monotonic() < deadline, text()
            time.sleep(0.05)


def drip(client: socket.socket) -> None:
    for _ in range(80):
        client.sendall(b"x")
        time.sleep(0.1)


def read_all(client: socket.socket) -> bytes:
    found = b""
    while octets := client.recv(65536):
        found += octets
    return found


@contextmanager
def running(folder: Path, *words: object) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    """The program of wire.py; gives its port and its process."""
    port = free_port()
    (folder / "log").touch()
    with (folder / "output").open("w") as output:
        process = subprocess.Popen(
            [sys.executable, WIRE, str(port), str(folder), *map(str, words)], stdout=output, stderr=output
        )
        try:
            made = Wire(port, folder)
            deadline = time.monotonic() + 30
            while True:
                try:
                    made.connect().close()
                    break
                except ConnectionRefusedError:
                    assert process.poll() is None, made.output
                    assert time.monotonic() < deadline
                    time.sleep(0.05)
            yield port, process
        finally:
            process.terminate()
            process.wait(timeout=20)


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, Path]]:
    folder = tmp_path_factory.mktemp("wire")
    with running(folder) as (port, _):
        yield port, folder


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("pki") / "ca")


@pytest.fixture(scope="module")
def secure_process(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, Path]]:
    folder, pair = tmp_path_factory.mktemp("secure"), authority.issue("server", "/CN=localhost")
    with running(folder, pair.certificate, pair.key, authority.ca) as (port, _):
        yield port, folder


@pytest.fixture
def secure(secure_process: tuple[int, Path]) -> Wire:
    """The same, over TLS."""
    return Wire(*secure_process)


@pytest.fixture
def wire(process: tuple[int, Path]) -> Wire:
    return Wire(*process)


def test_answer_is_whole_and_says_that_the_connection_ends(wire: Wire) -> None:
    head, _, body = wire.get().partition(b"\r\n\r\n")
    assert body == b"ok"
    assert b"Connection: close" in head


def test_requests_one_after_the_other_and_ahead_share_a_connection(wire: Wire) -> None:
    one = b"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\n"
    chunked = b"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    with wire.connect() as client:
        client.sendall(one + b"abc")
        found = b""
        while not found.endswith(b"abc"):
            found += client.recv(65536)
        client.sendall(one + b"def" + one + b"ghi" + chunked + b"2\r\njk\r\n1;x=y\r\nl\r\n0\r\n\r\n")
        rest = read_all(client)
    assert [part[-3:] for part in rest.split(b"HTTP/1.1 200 OK")[1:]] == [b"def", b"ghi", b"jkl"]


def test_request_in_small_pieces_is_answered(wire: Wire) -> None:
    request = b"POST /echo HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello"
    with wire.connect() as client:
        for octet in request:
            client.sendall(bytes([octet]))
            time.sleep(0.002)
        assert read_all(client).endswith(b"\r\n\r\nhello")


def test_body_longer_than_what_is_received_ahead_is_read_to_its_end(wire: Wire) -> None:
    body = bytes(range(256)) * 4000
    head = f"POST /echo HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    assert wire.ask(head + body).partition(b"\r\n\r\n")[2] == body


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_answer_that_breaks_off_ends_with_a_reset_not_like_a_whole_one(wire: Wire, version: str) -> None:
    with pytest.raises(ConnectionResetError):
        wire.get("/broken", version=version)
    wire.wait_for(lambda: wire.output, "answer.broken_off")


def test_answer_shorter_than_told_ends_with_a_reset(wire: Wire) -> None:
    with pytest.raises(ConnectionResetError):
        wire.ask(b"GET /short HTTP/1.1\r\nHost: h\r\n\r\n")


def test_client_that_hangs_up_ends_its_answer_which_is_closed(wire: Wire) -> None:
    with wire.connect() as client:
        client.sendall(b"GET /endless HTTP/1.1\r\nHost: h\r\n\r\n")
        client.recv(65536)
    wire.wait_for(lambda: wire.log, "closed by ThreadPoolExecutor-0")
    wire.wait_for(lambda: wire.output, "connection.lost")


def test_client_that_reads_nothing_is_cut_and_its_answer_closed(wire: Wire) -> None:
    with wire.connect() as client:
        client.sendall(b"GET /endless HTTP/1.1\r\nHost: h\r\n\r\n")
        wire.wait_for(lambda: wire.log, "closed by ThreadPoolExecutor-0")
        wire.wait_for(lambda: wire.output, "connection.cut")
        with pytest.raises(ConnectionResetError):
            read_all(client)


def test_client_that_sips_its_answer_is_cut(wire: Wire) -> None:
    with wire.connect() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.sendall(b"GET /endless HTTP/1.1\r\nHost: h\r\n\r\n")
        deadline = time.monotonic() + 20
        while "closed" not in wire.log:
            client.recv(200)
            time.sleep(0.1)
            assert time.monotonic() < deadline
    wire.wait_for(lambda: wire.output, "connection.cut")


def test_half_requests_hold_no_thread_and_are_cut(wire: Wire) -> None:
    with ExitStack() as stack:
        halves = [stack.enter_context(wire.connect()) for _ in range(40)]
        for number, client in enumerate(halves):
            head = b"POST /echo HTTP/1.1\r\nHost: h\r\n"
            client.sendall(head + (b"Content-Length: 1000\r\n\r\nx" if number % 2 else b"X-Drip: "))
        began = time.monotonic()
        assert wire.get().endswith(b"ok")  # of the same address
        assert time.monotonic() - began < 0.5
        for client in halves:
            assert read_all(client).startswith(b"HTTP/1.1 408 ")
        assert 1.5 < time.monotonic() - began < 6.0


def test_dripping_does_not_gain_time(wire: Wire) -> None:
    began = time.monotonic()
    with wire.connect() as client:
        client.sendall(b"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\n")
        with pytest.raises((ConnectionResetError, BrokenPipeError)):
            drip(client)
    assert time.monotonic() - began < 6.0


def test_one_address_has_half_of_the_threads_and_the_rest_waits_for_its_turn(wire: Wire) -> None:
    with ThreadPoolExecutor(8) as pool:
        began = time.monotonic()
        many = [pool.submit(wire.get, "/sleep") for _ in range(6)]
        time.sleep(0.3)
        assert wire.get(source=OTHER).endswith(b"ok")
        assert time.monotonic() - began < 0.8
        assert all(one.result().endswith(b"ok") for one in many)
        assert 2.9 < time.monotonic() - began < 5.0  # 6 of 1 s, 2 of the 4 threads


def test_requests_for_pages_keep_no_other_waiting_not_even_of_their_address(wire: Wire) -> None:
    with ThreadPoolExecutor(12) as pool:
        began = time.monotonic()
        many = [pool.submit(wire.get, "/admin/sleep", source) for source in (OTHER, "127.0.0.3", "127.0.0.1") * 4]
        time.sleep(0.3)
        assert wire.get().endswith(b"ok")
        assert wire.get(source=OTHER).endswith(b"ok")
        assert time.monotonic() - began < 0.8
        assert all(one.result().endswith(b"ok") for one in many)
        assert 2.9 < time.monotonic() - began < 6.0  # 12 of 1 s, 4 threads for pages


def test_readers_that_stall_leave_threads_to_others(wire: Wire) -> None:
    with ExitStack() as stack:
        for _ in range(40):
            stack.enter_context(wire.connect()).sendall(b"GET /endless HTTP/1.1\r\nHost: h\r\n\r\n")
        time.sleep(0.3)
        began = time.monotonic()
        assert wire.get(source=OTHER).endswith(b"ok")
        assert time.monotonic() - began < 1.0


def test_clients_that_do_not_close_keep_nobody_waiting(wire: Wire) -> None:
    with ExitStack() as stack:
        for _ in range(10):
            stack.enter_context(wire.connect()).sendall(b"GET / HTTP/1.0\r\n\r\n")
        time.sleep(0.2)
        began = time.monotonic()
        assert wire.get(source=OTHER).endswith(b"ok")
        assert time.monotonic() - began < 1.0


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"nonsense\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\nabc", b"400"),
        (b"GET / HTTP/1.1\r\nHost: h\r\nX: " + b"x" * 9000 + b"\r\n\r\n", b"431"),
        (b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\nHost: h\r\n\r\n", b"414"),
        (b"GET / HTTP/1.1\r\nHost: h\r\n" + b"X: x\r\n" * 200 + b"\r\n", b"431"),
    ],
)
def test_malformed_request_is_refused_at_once(wire: Wire, request_: bytes, status: bytes) -> None:
    assert wire.ask(request_).split()[1] == status
    assert wire.get().endswith(b"ok")


SMUGGLED = b"GET /subject HTTP/1.1\r\nHost: h\r\n\r\n"


@pytest.mark.parametrize(
    "head",
    [
        b"Content-Length: 3\r\nTransfer-Encoding: chunked",
        b"Transfer-Encoding: chunked\r\nContent-Length: 3",
        b"Content-Length: 3\r\nContent-Length: 5",
        b"Content-Length: 3, 5",
        b"Content-Length: +3",
        b"Content-Length: -3",
        b"Content-Length: 0x3",
        b"Content-Length : 3",
        b"Transfer-Encoding: xchunked",
        b"Transfer-Encoding: chunked, identity",
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
        b"Transfer-Encoding : chunked",
        b"Transfer-Encoding:\x0bchunked",
        b"X: a\r\n Transfer-Encoding: chunked",
        b"X: a\nTransfer-Encoding: chunked",
        b"X: a\x00b",
        b"X: a\rTransfer-Encoding: chunked",
    ],
)
def test_request_that_a_proxy_may_read_otherwise_is_refused_and_ends_the_connection(wire: Wire, head: bytes) -> None:
    """So no request hides in another one's body (RFC 9112, section 11.2)."""
    answer = wire.ask(b"POST /echo HTTP/1.1\r\nHost: h\r\n" + head + b"\r\n\r\n0\r\n\r\n" + SMUGGLED)
    assert answer.count(b"HTTP/1.1 ") == 1
    assert answer.split()[1] in (b"400", b"501")


def test_header_that_looks_like_a_proxys_is_dropped(wire: Wire) -> None:
    """CGI can't tell ``X_Forwarded_For`` from ``X-Forwarded-For``; a proxy overwrites the latter only."""
    fields = b"X_Forwarded_For: 1.2.3.4\r\nX_SSL_Client_S_DN: CN=esa1\r\nX-Good: yes\r\n"
    answer = wire.ask(b"GET /headers HTTP/1.1\r\nHost: h\r\nConnection: close\r\n" + fields + b"\r\n")
    assert answer.partition(b"\r\n\r\n")[2].split() == [b"HTTP_CONNECTION", b"HTTP_HOST", b"HTTP_X_GOOD"]


# --- The end ---------------------------------------------------------------------------------------------------------

GET = b"GET %s HTTP/1.1\r\nHost: h\r\n\r\n"


def test_process_that_is_told_to_end_refuses_others_and_loses_no_request(tmp_path: Path) -> None:
    with running(tmp_path) as (port, process), ExitStack() as stack:
        wire = Wire(port, tmp_path)
        kept, busy = (stack.enter_context(wire.connect()) for _ in range(2))
        kept.sendall(GET % b"/")
        assert b"Connection: keep-alive" in read_ok(kept)
        busy.sendall(GET % b"/sleep")
        time.sleep(0.3)  # it has begun
        fresh = stack.enter_context(wire.connect())
        process.terminate()
        until_refused(wire)
        assert process.poll() is None
        kept.sendall(GET % b"/")
        fresh.sendall(GET % b"/")
        for client in (kept, fresh):
            answer = read_all(client)
            assert answer.endswith(b"\r\n\r\nok")
            assert b"Connection: close" in answer
        assert b"Connection: keep-alive" in read_ok(busy)  # it had begun before, so another request may come
        busy.sendall(GET % b"/")
        assert b"Connection: close" in read_ok(busy)
        assert process.wait(10) == 0


def test_who_has_connected_before_the_end_is_answered(tmp_path: Path) -> None:
    """Connections that nobody has taken in yet, as the process was busy, or stopped."""
    with running(tmp_path) as (port, process), ExitStack() as stack:
        wire = Wire(port, tmp_path)
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        for child in children:
            os.kill(int(child), signal.SIGSTOP)
        clients = [stack.enter_context(wire.connect()) for _ in range(20)]
        for client in clients:
            client.sendall(GET % b"/")
        process.terminate()
        time.sleep(0.3)
        for child in children:
            os.kill(int(child), signal.SIGCONT)
        assert [read_all(client)[-2:] for client in clients] == [b"ok"] * 20
        assert process.wait(30) == 0


def test_process_ends_without_its_master_as_if_it_had_been_told_to(tmp_path: Path) -> None:
    with running(tmp_path) as (port, process):
        wire = Wire(port, tmp_path)
        with wire.connect() as client:
            client.sendall(GET % b"/")
            read_ok(client)
            process.kill()
            until_refused(wire)
            client.sendall(GET % b"/")
            assert read_all(client).endswith(b"\r\n\r\nok")


def read_ok(client: socket.socket) -> bytes:
    """One answer whose body is ``ok``."""
    found = b""
    while not found.endswith(b"\r\n\r\nok"):
        octets = client.recv(65536)
        assert octets, found
        found += octets
    return found


def until_refused(wire: Wire) -> None:
    deadline = time.monotonic() + 5.0
    while True:
        try:
            wire.connect().close()
        except ConnectionRefusedError:
            return
        assert time.monotonic() < deadline
        time.sleep(0.02)


def trusting(authority: Authority, pair: Pair | None = None) -> ssl.SSLContext:
    made = ssl.create_default_context(cafile=authority.ca)
    if pair is not None:
        made.load_cert_chain(pair.certificate, pair.key)
    return made


@contextmanager
def shaken(secure: Wire, context: ssl.SSLContext) -> Iterator[ssl.SSLSocket]:
    with (
        secure.connect() as raw,
        context.wrap_socket(raw, server_hostname="localhost", suppress_ragged_eofs=False) as client,
    ):
        yield client


def ask_securely(secure: Wire, context: ssl.SSLContext, path: str) -> bytes:
    with shaken(secure, context) as client:
        client.sendall(f"GET {path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n".encode())
        return read_all(client).partition(b"\r\n\r\n")[2]


def test_subject_of_the_clients_certificate_is_delivered(secure: Wire, authority: Authority) -> None:
    pair = authority.issue("client", "/C=DE/O=M\u00fcller, AG/CN=esa 1")
    assert ask_securely(secure, trusting(authority, pair), "/subject").decode() == "CN=esa 1,O=Müller\\, AG,C=DE"
    assert ask_securely(secure, trusting(authority), "/subject") == b"none"


def test_resumed_session_has_the_same_subject(secure: Wire, authority: Authority) -> None:
    context = trusting(authority, authority.issue("resuming", "/CN=again"))
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with shaken(secure, context) as client:
        session = client.session
    with (
        secure.connect() as raw,
        context.wrap_socket(raw, server_hostname="localhost", session=session) as client,
    ):
        client.sendall(b"GET /subject HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        assert read_all(client).endswith(b"\r\n\r\nCN=again")
        assert client.session_reused


def test_requests_share_a_tls_connection(secure: Wire, authority: Authority) -> None:
    one = b"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\n"
    head = b"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n"
    last = b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
    with shaken(secure, trusting(authority)) as client:
        client.sendall(one + b"abc")
        found = b""
        while not found.endswith(b"abc"):
            found += client.recv(65536)
        time.sleep(0.1)  # it waits as a kept connection
        # The last request is in the record of TLS (16 KiB) in which the one before ends, more than 8 KiB from its start.
        size = 60 * 16384 + 12_000 - len(one + b"def" + head % 1_000_000 + last) + 1
        client.sendall(one + b"def" + head % size + b"x" * size + last)
        found = read_all(client)
    assert b"\r\n\r\ndefHTTP/1.1 200 OK" in found
    assert b"\r\n\r\n" + b"x" * size + b"HTTP/1.1 200 OK" in found
    assert found.endswith(b"\r\n\r\nok")


def test_answer_that_breaks_off_is_no_clean_end_of_tls(secure: Wire, authority: Authority) -> None:
    with pytest.raises((ConnectionResetError, ssl.SSLError)):
        ask_securely(secure, trusting(authority), "/broken")


def test_half_handshakes_hold_no_thread_and_are_closed(secure: Wire, authority: Authority) -> None:
    with ExitStack() as stack:
        halves = [stack.enter_context(secure.connect()) for _ in range(40)]
        for number, client in enumerate(halves):
            client.sendall(b"\x16\x03\x01\x02\x00\x01" if number % 2 else b"\x16")
        began = time.monotonic()
        assert ask_securely(secure, trusting(authority), "/") == b"ok"
        assert time.monotonic() - began < 1.0
        for client in halves:
            assert read_all(client) == b""
        assert time.monotonic() - began < 6.0


def test_reader_of_tls_that_stalls_is_cut(secure: Wire, authority: Authority) -> None:
    with shaken(secure, trusting(authority)) as client:
        client.sendall(b"GET /endless HTTP/1.1\r\nHost: h\r\n\r\n")
        secure.wait_for(lambda: secure.log, "closed by ThreadPoolExecutor-0")


def test_large_answer_over_tls_is_not_cut(secure: Wire, authority: Authority) -> None:
    with shaken(secure, trusting(authority)) as client:
        client.sendall(b"GET /endless HTTP/1.1\r\nHost: h\r\n\r\n")
        deadline, read = time.monotonic() + 3.0, 0
        while time.monotonic() < deadline:
            read += len(client.recv(65536))
    assert read > 10_000_000
