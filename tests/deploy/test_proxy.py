"""The proxy of docker-compose.yml as it really runs: Debian's Caddy with our Caddyfile before our servers."""

from __future__ import annotations

import base64
import http.client
import json
import os
import shutil
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.dockerfile import ROOT
from functional.conftest import environment, pulsegate, serve
from ports import free_port
from support import end

__all__ = ["environment", "pulsegate", "serve"]
CADDY = shutil.which("caddy")
DRAIN = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]["server1"]["environment"][
    "PULSEGATE_DRAIN"
]
FILE = ROOT / "deploy" / "Caddyfile"
PASSWORD = "of-the-first-admin"
POLL = (
    '<t:Poll_Request xmlns:t="http://taxii.mitre.org/messages/taxii_xml_binding-1.1" message_id="1" '
    'collection_name="subscribed"><t:Poll_Parameters allow_asynch="false"><t:Response_Type>FULL</t:Response_Type>'
    "</t:Poll_Parameters></t:Poll_Request>"
)
pytestmark = pytest.mark.skipif(CADDY is None, reason="no caddy on this machine (Debian's package caddy)")


class Proxy:
    """A running Caddy."""

    def __init__(self, folder: Path, servers: str) -> None:
        self.port = free_port()
        self._given = os.environ | {
            "SITE_NAME": f"localhost:{self.port}", "SITE_SERVERS": servers, "SITE_ADMIN": f"localhost:{free_port()}",
            "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder), "HOME": str(folder),
        }  # fmt: skip
        self._root = folder / "caddy/pki/authorities/local/root.crt"

    @contextmanager
    def running(self, log: Path) -> Iterator[Proxy]:
        command = [str(CADDY), "run", "--adapter", "caddyfile", "--config", str(FILE)]
        with log.open("w") as stream:
            process = subprocess.Popen(command, env=self._given, stdout=stream, stderr=stream, text=True)
            try:
                self._wait(process, log)
                yield self
            finally:
                end(process)

    def _wait(self, process: subprocess.Popen[str], log: Path) -> None:
        deadline = time.monotonic() + 40
        while True:
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            try:
                if self.ask("GET", "/").status < 500:
                    return
            except OSError:
                pass
            time.sleep(0.2)

    def is_healthy(self) -> bool:
        """As the health check of the proxy's container asks it."""
        admin = self._given["SITE_ADMIN"].rpartition(":")[2]
        with closing(http.client.HTTPConnection("127.0.0.1", int(admin), timeout=10)) as connection:
            connection.request("GET", "/config/")
            return connection.getresponse().status == 200

    def open(self) -> http.client.HTTPSConnection:
        """A client at another address than the proxy's."""
        context = ssl.create_default_context(cafile=str(self._root))
        return http.client.HTTPSConnection(
            "localhost", self.port, timeout=30, context=context, source_address=("127.0.0.2", 0)
        )

    def ask(self, method: str, path: str, body: str | None = None, **headers: str) -> http.client.HTTPResponse:
        connection = self.open()
        with closing(connection):
            return self._asked(connection, method, path, body, headers)

    @staticmethod
    def _asked(connection: Any, method: str, path: str, body: str | None, headers: dict[str, str]) -> Any:
        connection.request(method, path, body, {key.replace("_", "-"): value for key, value in headers.items()})
        answer = connection.getresponse()
        answer.text = answer.read().decode()
        return answer

    def poll(self, **headers: str) -> http.client.HTTPResponse:
        basic = base64.b64encode(f"admin:{PASSWORD}".encode()).decode()
        taxii = {
            "Content_Type": "application/xml", "Accept": "application/xml", "Authorization": f"Basic {basic}",
            "X_TAXII_Content_Type": "urn:taxii.mitre.org:message:xml:1.1",
            "X_TAXII_Services": "urn:taxii.mitre.org:services:1.1",
            "X_TAXII_Protocol": "urn:taxii.mitre.org:protocol:https:1.0",
        }  # fmt: skip
        return self.ask("POST", "/taxii/poll", POLL, **taxii, **headers)


def test_configuration_is_valid_and_formatted() -> None:
    for tls in ("internal", "soc@example.com"):
        command = [str(CADDY), "adapt", "--adapter", "caddyfile", "--config", str(FILE)]
        given = os.environ | {"SITE_NAME": "taxii.example.com", "SITE_TLS": tls}
        done = subprocess.run(command, env=given, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert "warn" not in done.stderr, done.stderr
    assert subprocess.run([str(CADDY), "fmt", str(FILE)], capture_output=True, check=True).stdout == FILE.read_bytes()


def test_polls_through_the_proxy_have_their_clients_address_and_outlast_a_server(
    serve, pulsegate, tmp_path: Path
) -> None:
    given = {
        "PULSEGATE_PROXIES": "127.0.0.1", "PULSEGATE_ADMIN_PASSWORD": PASSWORD, "PULSEGATE_OTX__ENABLED": "false",
        "PULSEGATE_DOMAIN": "https://localhost", "PULSEGATE_DRAIN": DRAIN,
    }  # fmt: skip
    with serve("--no-worker", **given) as first:
        first.wait_for("Stop with Ctrl-C")
        with serve("--no-worker", **given) as second:
            second.wait_for("Stop with Ctrl-C")
            servers = " ".join(one.address.removeprefix("http://") for one in (first, second))
            with Proxy(tmp_path / "caddy", servers).running(tmp_path / "caddy.log") as proxy:
                liar = {
                    "Forwarded": "for=192.0.2.66;host=evil.example",
                    "X_Forwarded_For": "192.0.2.66",
                    "X_Request_Id": "mine",
                }
                assert proxy.is_healthy()
                answer = proxy.poll(**liar)
                assert (answer.status, "Poll_Response" in answer.text) == (200, True), answer.text
                assert answer.headers["X-Request-Id"] != "mine"
                for path in ("/metrics", "/metrics/", "/%6detrics", "//metrics", "/readyz", "/healthz"):
                    answer = proxy.ask("GET", path, **liar)
                    assert (answer.status, "pulsegate_" in answer.text) == (404, False), path
                assert proxy.ask("GET", "/admin/").status in (200, 303)
                before = threading.Event()
                with ThreadPoolExecutor(2) as pool:
                    running = [pool.submit(poll_until, proxy, before) for _ in range(2)]
                    time.sleep(1)
                    end(second.process)
                    time.sleep(2)
                    before.set()
                    codes = [code for one in running for code in one.result()]
                assert len(codes) > 20, "no poll is lost with a server that ends"
    polls = json.loads(pulsegate("polls", "--json", "--limit", "100000", **given).stdout)
    assert {one["address"] for one in polls} == {"127.0.0.2"}
    assert len(polls) == 1 + len(codes)


def poll_until(proxy: Proxy, over: threading.Event) -> list[int]:
    codes = []
    while not over.is_set():
        answer = proxy.poll()
        codes.append(answer.status)
        assert answer.status == 200, answer.text
    return codes


def test_answer_is_sent_on_as_it_comes(tmp_path: Path) -> None:
    go_on = threading.Event()

    class Slow(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "8")
            self.end_headers()
            self.wfile.write(b"half")
            assert self.path in {"/readyz", "/"} or go_on.wait(30)
            self.wfile.write(b"more")

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Slow) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        proxy = Proxy(tmp_path / "caddy", f"127.0.0.1:{server.server_port}")
        with proxy.running(tmp_path / "log"), closing(proxy.open()) as connection:
            connection.request("GET", "/taxii/poll")
            answer = connection.getresponse()
            assert answer.read(4) == b"half"  # of eight, while the server waits
            go_on.set()
            assert answer.read() == b"more"
        server.shutdown()
