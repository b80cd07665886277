"""``pulsegate serve`` at its edge: HTTPS, client certificates, proxies, and clients that ask for too much."""

from __future__ import annotations

import base64
import json
import os
import re
import socket
import ssl
import subprocess
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import requests

import support
from pki import Authority, Pair
from support import BIN

PASSWORD = "a-password-of-the-tests"
READY = "To look at a feed:"
PULSE = {
    "id": "0123456789abcdef01234567",
    "name": "One pulse",
    "author_name": "AlienVault",
    "created": "2026-01-01T00:00:00",
    "modified": "2026-01-02T00:00:00",
    "indicators": [{"type": "domain", "indicator": "bad.example.org", "created": "2026-01-01T00:00:00"}],
}
HEAD = "POST /taxii/poll HTTP/1.1\r\nHost: h\r\nContent-Type: application/xml\r\n"


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "pki")


@pytest.fixture
def filled(pulsegate: Any, tmp_path: Path) -> None:
    (tmp_path / "pulse.json").write_text(json.dumps(PULSE))
    assert pulsegate("pull", "--from", "pulse.json").returncode == 0


def tls(pair: Pair, **more: Any) -> dict[str, str]:
    given = {"certificate": pair.certificate, "key": pair.key} | more
    return {f"PULSEGATE_TLS__{key.upper()}": str(value) for key, value in given.items()} | preset()


def preset() -> dict[str, str]:
    return {"PULSEGATE_ADMIN_PASSWORD": PASSWORD}


def https(server: Any) -> str:
    return str(server.address).replace("http://", "https://")


def cabby(program: str, address: str, path: str, *words: object) -> subprocess.CompletedProcess[str]:
    command = [BIN / program, "--path", f"{address}{path}", "--username", "admin", "--password", PASSWORD]
    # Requests takes these variables for more than what cabby was told.
    environment = {key: value for key, value in os.environ.items() if not key.endswith("_CA_BUNDLE")}
    return subprocess.run(
        [*command, *map(str, words)], env=environment, capture_output=True, text=True, timeout=60, check=False
    )


def quick_poll(address: str, seconds: float = 3.0, **more: Any) -> None:
    began = time.monotonic()
    blocks = support.poll(address, "subscribed", "admin", PASSWORD, **more)
    assert [support.read_values(one.content) for one in blocks] == [[("name", "bad.example.org")]]
    assert time.monotonic() - began < seconds


@pytest.mark.usefixtures("filled")
def test_cabby_polls_over_https_and_every_address_is_https(serve: Any, authority: Authority) -> None:
    pair = authority.issue("server", "/CN=localhost")
    with serve("--no-worker", **tls(pair)) as server:
        output = server.wait_for(READY)
        assert f"Pulsegate serves TAXII 1.1 at {https(server)}" in output
        assert "Use HTTPS:                  Yes" in output
        assert "WARNING" not in output
        at = https(server)
        polled = cabby("taxii-poll", at, "/taxii/poll", "--collection", "subscribed", "--ca-cert", authority.ca)
        assert polled.stdout, polled.stderr
        assert support.read_values(polled.stdout.encode()) == [("name", "bad.example.org")]
        found = cabby("taxii-discovery", at, "/taxii/discovery", "--ca-cert", authority.ca)
        assert f"Service Address: {at}/taxii/poll" in found.stdout
        assert "urn:taxii.mitre.org:protocol:https:1.0" in found.stdout
        assert "protocol:http:1.0" not in found.stdout
        distrusted = cabby("taxii-poll", at, "/taxii/poll", "--collection", "subscribed")
        assert "CERTIFICATE_VERIFY_FAILED" in distrusted.stderr
        plain = requests.get(f"{server.address}/healthz", timeout=10)
        assert (plain.status_code, "https://" in plain.text) == (400, True)
        old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
        old.set_ciphers("ALL:@SECLEVEL=0")
        old.maximum_version = ssl.TLSVersion.TLSv1_2
        port = int(at.rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port)) as raw, old.wrap_socket(raw) as client:
            assert client.version() == "TLSv1.2"


@pytest.mark.parametrize(("kept", "refused"), [("optional", False), ("required", True)])
@pytest.mark.usefixtures("filled")
def test_client_certificate(serve: Any, authority: Authority, kept: str, *, refused: bool) -> None:
    pair, client = authority.issue("server", "/CN=localhost"), authority.issue("client", "/O=Example/CN=esa")
    stranger = Authority(authority.ca.parent / "stranger").issue("client", "/O=Example/CN=esa")
    given = tls(pair, client_ca=authority.ca, client_certificates=kept)
    with serve("--no-worker", **given) as server:
        server.wait_for(READY)
        at = https(server)
        with_certificate = requests.get(
            f"{at}/healthz", verify=authority.ca, cert=(client.certificate, client.key), timeout=10
        )
        assert with_certificate.text == "ok\n"
        with pytest.raises((requests.exceptions.SSLError, requests.exceptions.ConnectionError)):
            requests.get(f"{at}/healthz", verify=authority.ca, cert=(stranger.certificate, stranger.key), timeout=10)
        if refused:
            with pytest.raises((requests.exceptions.SSLError, requests.exceptions.ConnectionError)):
                requests.get(f"{at}/healthz", verify=authority.ca, timeout=10)
        else:
            assert requests.get(f"{at}/healthz", verify=authority.ca, timeout=10).text == "ok\n"


@pytest.mark.usefixtures("filled")
def test_client_certificate_is_the_account_that_it_was_given_to(
    serve: Any, pulsegate: Any, authority: Authority
) -> None:
    """Without a password, from the next request after the command on."""
    pair, client = authority.issue("server", "/CN=localhost"), authority.issue("client", "/O=Müller, AG/CN=esa 1")
    given = tls(pair, client_ca=authority.ca)
    with serve("--no-worker", **given) as server:
        server.wait_for(READY)
        ask = [BIN / "taxii-poll", "--path", f"{https(server)}/taxii/poll", "--collection", "subscribed"]
        words = ["--ca-cert", authority.ca, "--cert", client.certificate, "--key", client.key]
        environment = {key: value for key, value in os.environ.items() if not key.endswith("_CA_BUNDLE")}

        def poll() -> subprocess.CompletedProcess[str]:
            command = [*map(str, ask), *map(str, words)]
            return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)

        assert "401" in poll().stderr
        mapped = pulsegate("account", "certificate", "gateway", "--file", str(client.certificate), **given)
        assert mapped.returncode == 0, mapped.stderr
        polled = poll()
        assert support.read_values(polled.stdout.encode()) == [("name", "bad.example.org")], polled.stderr
        accounts = json.loads(pulsegate("account", "list", "--json", **given).stdout)
        (found,) = [one for one in accounts if one["name"] == "gateway"]
        assert found["certificates"] == ["CN=esa 1,O=Müller\\, AG"]
        pulsegate("account", "certificate", "gateway", "--file", str(client.certificate), "--remove", **given)
        assert "401" in poll().stderr


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"PULSEGATE_TLS__CERTIFICATE": "server.pem"}, "certificate is set without key; HTTPS needs both"),
        (
            {"PULSEGATE_TLS__CERTIFICATE": "none.pem", "PULSEGATE_TLS__KEY": "none.key"},
            "none.pem: tls.certificate can't be read: No such file or directory",
        ),
    ],
)
def test_serve_with_wrong_files_says_so_and_ends(pulsegate: Any, given: dict[str, str], said: str) -> None:
    for words in (("serve", "--port", "0"), ("config", "check")):
        done = pulsegate(*words, **given)
        assert done.returncode == 2
        assert said in done.stderr
        assert "Traceback" not in done.stderr


def test_plain_http_beyond_loopback_is_warned_of_on_the_screen_and_in_the_log(serve: Any) -> None:
    with serve("--no-worker", "--host", "0.0.0.0") as server:
        output = server.wait_for(READY)
        assert "*** WARNING: this is plain HTTP; passwords and the feed travel in the clear." in output
        assert "tls.off" in output


def test_expired_certificate_is_warned_of(serve: Any, authority: Authority) -> None:
    with serve("--no-worker", **tls(authority.issue("old", "/CN=localhost", days="-1"))) as server:
        output = server.wait_for(READY)
        assert "it has expired. ***" in output
        assert "tls.certificate_useless" in output


@pytest.mark.parametrize(("proxies", "scheme"), [("127.0.0.1", "https"), ("192.0.2.1", "http")])
def test_forwarded_headers_are_believed_of_proxies_only(serve: Any, pulsegate: Any, proxies: str, scheme: str) -> None:
    given = preset() | {"PULSEGATE_PROXIES": proxies, "PULSEGATE_DOMAIN": "gate.example"}
    with serve("--no-worker", **given) as server:
        server.wait_for(READY)
        found = cabby("taxii-discovery", server.address, "/taxii/discovery", "--header", "X-Forwarded-Proto:https")
        assert f"Service Address: {scheme}://gate.example/taxii/poll" in found.stdout, found.stderr
    form = json.loads(pulsegate("esa", "--json", **given).stdout)
    assert (form["Hostname"], form["Use HTTPS"], form["Port"]) == ("gate.example", "Yes", 443)


@pytest.mark.usefixtures("filled")
def test_slow_clients_of_one_address_keep_nobody_waiting(serve: Any) -> None:
    with serve("--no-worker", **preset()) as server, ExitStack() as stack:
        server.wait_for(READY)
        port = int(server.address.rpartition(":")[2])
        half, dripping = "POST /taxii/poll HTTP/1.1\r\nHost: h\r\nX-", HEAD + "Content-Length: 5000\r\n\r\n<"
        slow = [stack.enter_context(socket.create_connection(("127.0.0.1", port))) for _ in range(40)]
        for number, client in enumerate(slow):
            client.sendall((half if number % 2 else dripping).encode())
        for _ in range(3):
            quick_poll(server.address)
            for client in slow:
                client.sendall(b"x")
        slow[0].settimeout(50)
        assert slow[0].recv(100).startswith(b"HTTP/1.1 408 ")
        server.wait_for("connection.cut")
        quick_poll(server.address)


@pytest.mark.usefixtures("filled")
def test_body_too_long_is_refused(serve: Any) -> None:
    with serve("--no-worker", **preset(), PULSEGATE_TAXII__MAX_BODY="1000000") as server:
        server.wait_for(READY)
        port = int(server.address.rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
            client.sendall((HEAD + "Content-Length: 200000000\r\n\r\n").encode())
            answer = b"".join(iter(lambda: client.recv(65536), b""))
        assert answer.startswith(b"HTTP/1.1 413 ")
        assert b"Connection: close" in answer
        assert b"The message is longer than 1,000,000 octets" in answer
        sent = 0

        def chunks() -> Any:
            nonlocal sent
            for _ in range(200):
                sent += 1_000_000
                yield b" " * 1_000_000

        headers = {
            "Content-Type": "application/xml",
            "X-TAXII-Content-Type": "urn:taxii.mitre.org:message:xml:1.1",
            "X-TAXII-Services": "urn:taxii.mitre.org:services:1.1",
        }

        def ask() -> requests.Response:
            at, basic = f"{server.address}/taxii/poll", ("admin", PASSWORD)
            return requests.post(at, data=chunks(), headers=headers, auth=basic, timeout=20)

        try:
            assert ask().status_code == 413
        except requests.exceptions.ConnectionError:  # it was still sending when the connection was closed
            assert sent < 200_000_000
        server.wait_for("edge.body_refused")
        memory = max(resident(child) for child in children(server.process.pid))
        assert memory < 400_000
        quick_poll(server.address)


def children(pid: int) -> list[int]:
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def resident(pid: int) -> int:
    """The most memory that the process ever had, in kB."""
    line = next(one for one in Path(f"/proc/{pid}/status").read_text().splitlines() if one.startswith("VmHWM"))
    return int(line.split()[1])


def test_certificate_is_renewed_while_a_poll_goes_on(
    serve: Any, pulsegate: Any, authority: Authority, tmp_path: Path
) -> None:
    """The poll that goes on gets its whole answer by the old one, a new connection the new one; broken files change nothing."""
    names = [{"type": "domain", "indicator": f"bad{number}.example.org"} for number in range(15_000)]
    (tmp_path / "large.json").write_text(json.dumps(PULSE | {"indicators": names}))
    assert pulsegate("pull", "--from", "large.json").returncode == 0
    pair = authority.issue("server", "/CN=localhost")

    def connect(port: int) -> tuple[ssl.SSLSocket, bytes]:
        context = ssl.create_default_context(cafile=str(authority.ca))
        made = context.wrap_socket(socket.create_connection(("127.0.0.1", port), 60), server_hostname="localhost")
        return made, made.getpeercert(binary_form=True)

    with serve("--no-worker", **tls(pair)) as server:
        server.wait_for(READY)
        port = int(server.address.rpartition(":")[2])
        client, old = connect(port)
        with client:
            client.sendall(poll_request())
            begun = client.recv(10_000)
            assert begun.startswith(b"HTTP/1.1 200 ")
            length = int(re.search(rb"Content-Length: (\d+)", begun)[1])
            assert length > 10_000_000  # more than waits on the way
            authority.issue("server", "/CN=localhost")
            other, new = connect(port)
            other.close()
            assert new != old
            pair.key.write_text("half a file")
            other, kept = connect(port)
            other.close()
            assert kept == new
            body = begun.partition(b"\r\n\r\n")[2]
            pieces = [body]
            while sum(map(len, pieces)) < length and (piece := client.recv(1_000_000)):
                pieces.append(piece)
        whole = b"".join(pieces)
        assert len(whole) == length
        assert whole.rstrip().endswith(b"Poll_Response>")
        server.wait_for("tls.certificate_refused")
        assert (
            requests.get(f"{https(server)}/metrics", verify=str(authority.ca), timeout=10).text.count(
                "pulsegate_certificate_refused 1.0"
            )
            == 1
        )


def poll_request() -> bytes:
    basic = base64.b64encode(f"admin:{PASSWORD}".encode()).decode()
    body = (
        '<t:Poll_Request xmlns:t="http://taxii.mitre.org/messages/taxii_xml_binding-1.1" message_id="1" '
        'collection_name="subscribed"><t:Poll_Parameters allow_asynch="false"><t:Response_Type>FULL</t:Response_Type>'
        "</t:Poll_Parameters></t:Poll_Request>"
    )
    head = (
        f"{HEAD}Authorization: Basic {basic}\r\nAccept: application/xml\r\nContent-Length: {len(body)}\r\n"
        "X-TAXII-Content-Type: urn:taxii.mitre.org:message:xml:1.1\r\nX-TAXII-Services: urn:taxii.mitre.org:services:1.1\r\n"
        "X-TAXII-Protocol: urn:taxii.mitre.org:protocol:https:1.0\r\n\r\n"
    )
    return (head + body).encode()
