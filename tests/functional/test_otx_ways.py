"""The ways to OTX: TLS with and without a file of certificates, and through a proxy."""

from __future__ import annotations

import base64
import contextlib
import socket
import ssl
import threading

import pytest

from functional.otx_servers import KEY, failure, head, kind_and_text, raw_server
from pki import Authority
from pulsegate.errors import OTXError, OTXUnavailableError
from pulsegate.otx.client import OTXClient
from pulsegate.otx.failures import CA_HINT
from pulsegate.otx.simulator import Simulator

BODY = b'{"username": "someone"}'
UNTRUSTED = OTXError, f"/api/v1/users/me: OTX's certificate isn't trusted, so nothing was sent. {CA_HINT}"
PROXY = "/api/v1/users/me: the proxy can't be reached or refuses. Check otx.proxy"


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("pki") / "ca")


class Server:
    """Listens for one connection, which ``_serve`` answers."""

    def __init__(self):
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._thread.join()
        self._server.close()


class TLS(Server):
    """A server with a certificate; ``heard`` is what it was sent after the handshake, ``failed`` why that failed."""

    def __init__(self, pair):
        super().__init__()
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(pair.certificate, pair.key)
        self.url = f"https://127.0.0.1:{self.port}"
        self.heard, self.failed = b"", None

    def _serve(self):
        connection, _ = self._server.accept()
        with connection:
            try:
                with self._context.wrap_socket(connection, server_side=True) as wrapped:
                    self.heard = wrapped.recv(65_536)
                    if self.heard:
                        wrapped.sendall(head(len(BODY)) + BODY)
            except OSError as error:
                self.failed = error


def pipe(source, target):
    with contextlib.suppress(OSError):
        while data := source.recv(65_536):
            target.sendall(data)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)


class Proxy(Server):
    """An HTTP proxy for one connection, to ``behind`` whatever host is asked for; ``heard`` is the request's head."""

    def __init__(self, behind):
        super().__init__()
        self._behind = behind
        self.address = f"127.0.0.1:{self.port}"
        self.heard = ""

    def _serve(self):
        client, _ = self._server.accept()
        with client, socket.create_connection(("127.0.0.1", self._behind)) as server:
            asked = client.recv(65_536)
            self.heard = asked.decode()
            if asked.startswith(b"CONNECT "):
                client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            else:
                server.sendall(asked)
            back = threading.Thread(target=pipe, args=(server, client))
            back.start()
            pipe(client, server)
            back.join()


def test_certificate_of_an_authority_in_the_ca_file(authority):
    with (
        TLS(authority.issue("good", "/CN=localhost")) as server,
        OTXClient(server.url, KEY, ca_file=authority.ca) as client,
    ):
        assert client.owner() == "someone"
    assert f"X-OTX-API-KEY: {KEY}".encode() in server.heard


def test_certificate_of_an_unknown_authority(authority):
    with TLS(authority.issue("good", "/CN=localhost")) as server, OTXClient(server.url, KEY) as client:
        assert kind_and_text(failure(client.owner)) == UNTRUSTED
    assert (server.heard, "UNKNOWN_CA" in str(server.failed)) == (b"", True)


def test_certificate_of_another_authority_than_that_in_the_ca_file(authority, tmp_path):
    other = Authority(tmp_path / "other")
    with (
        TLS(authority.issue("good", "/CN=localhost")) as server,
        OTXClient(server.url, KEY, ca_file=other.ca) as client,
    ):
        assert kind_and_text(failure(client.owner)) == UNTRUSTED
    assert server.heard == b""


@pytest.mark.parametrize("ask", [OTXClient.owner, OTXClient.subscribed_head], ids=["whole", "streamed"])
def test_certificate_that_has_expired(authority, ask):
    with (
        TLS(authority.issue("old", "/CN=localhost", days="-1")) as server,
        OTXClient(server.url, KEY, ca_file=authority.ca) as client,
    ):
        error = failure(lambda: ask(client))
    assert (type(error), error.message, server.heard) == (
        OTXError, "OTX's certificate isn't trusted, so nothing was sent", b""
    )  # fmt: skip


def test_certificate_for_another_name(authority):
    with (
        TLS(authority.issue("good", "/CN=localhost")) as server,
        Proxy(server.port) as proxy,
        OTXClient("https://otx.example", KEY, ca_file=authority.ca, proxy=f"http://{proxy.address}") as client,
    ):
        assert kind_and_text(failure(client.owner))[0] is OTXError
    assert server.heard == b""


def test_ca_file_that_is_not_there(tmp_path):
    path = tmp_path / "absent.pem"
    assert kind_and_text(failure(lambda: OTXClient("https://127.0.0.1:9", KEY, ca_file=path))) == (
        OTXError, f"otx.ca_file: {path} is no file. Name a PEM file of certificates to trust"
    )  # fmt: skip


@pytest.mark.parametrize("content", ["", "no certificate\n"])
def test_ca_file_without_certificates(authority, tmp_path, content):
    path = tmp_path / "empty.pem"
    path.write_text(content)
    error = failure(lambda: OTXClient("https://127.0.0.1:9", KEY, ca_file=path))
    assert kind_and_text(error) == (
        OTXError, f"otx.ca_file: {path} holds no certificates that can be read. Name a PEM file of certificates to trust"
    )  # fmt: skip


def test_proxy_is_asked_for_plain_http_with_its_password():
    with (
        Simulator(owner="me") as otx,
        Proxy(int(otx.url.rpartition(":")[2])) as proxy,
        OTXClient("http://otx.example", KEY, proxy=f"http://user:secret@{proxy.address}") as client,
    ):
        assert client.owner() == "me"
        otx.stop()
    lines = proxy.heard.split("\r\n")
    assert lines[0] == "GET http://otx.example/api/v1/users/me HTTP/1.1"
    assert f"Proxy-Authorization: Basic {base64.b64encode(b'user:secret').decode()}" in lines


def test_proxy_only_passes_tls_on_and_does_not_see_the_key(authority):
    with TLS(authority.issue("good", "/CN=localhost")) as server, Proxy(server.port) as proxy:
        url = f"https://localhost:{server.port}"
        with OTXClient(url, KEY, ca_file=authority.ca, proxy=f"http://{proxy.address}") as client:
            assert client.owner() == "someone"
    assert proxy.heard.startswith(f"CONNECT localhost:{server.port} HTTP/1.")
    assert (KEY in proxy.heard, KEY.encode() in server.heard) == (False, True)


def test_proxy_that_does_not_listen():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with OTXClient("http://127.0.0.1:9", KEY, proxy=f"http://user:{KEY}@127.0.0.1:{port}") as client:
        assert kind_and_text(failure(client.owner)) == (OTXUnavailableError, PROXY)


def test_proxy_that_refuses_to_connect():
    with (
        raw_server(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n") as address,
        OTXClient("https://127.0.0.1:9", KEY, proxy=f"http://{address}") as client,
    ):
        assert kind_and_text(failure(client.owner)) == (OTXUnavailableError, PROXY)


def test_https_where_nothing_is_said():
    with raw_server(b"", pause=0.6) as address, OTXClient(f"https://{address}", KEY, timeout=(0.2, 0.2)) as client:
        error = failure(client.owner)
    assert (type(error), error.message.startswith("OTX didn't answer; given up after ")) == (OTXUnavailableError, True)
