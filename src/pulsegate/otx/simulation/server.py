"""The HTTP below the local OTX: HTTP/1.1 with keep-alive on the loopback address, one thread a connection."""

from __future__ import annotations

import contextlib
import gzip
import socket
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast
from urllib.parse import parse_qsl, urlsplit

from pulsegate.otx.simulation.answer import Answer, Request, refusal
from pulsegate.otx.simulation.api import ROOT

HOST = "127.0.0.1"
KEY_HEADER = "x-otx-api-key"
IDLE = 60  # seconds that a connection may be silent
_WORTH_PACKING = 500  # bytes
_SPACES = b" " * 65_536
_TICK = 0.05  # seconds between two drops of a body that drips, if a drop has more than a byte


class Server(ThreadingHTTPServer):
    """Listens at once; ``respond`` gets each request with its key and gives the answer. Stop it with ``close``.

    ``clock`` is what the answers' ``Date`` is told from.
    """

    daemon_threads = False  # so that closing waits for them and leaves no socket behind

    def __init__(self, port: int, respond: Callable[[Request, str], Answer], clock: Callable[[], datetime]) -> None:
        super().__init__((HOST, port), Handler)
        self.respond = respond
        self.clock = clock
        self.stopping = threading.Event()
        self._connections: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self.serve_forever, args=(0.02,), name="otx-simulator")
        self._thread.start()

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._connections.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is nothing to report."""

    def close(self) -> None:
        """Stop listening, end every connection and wait for its thread."""
        self.stopping.set()
        self.shutdown()
        with self._lock:
            for connection in self._connections:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
        self.server_close()
        self._thread.join()


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    server_version = "OTXSimulator"
    sys_version = ""
    timeout = IDLE
    wbufsize = -1  # head and body leave together
    disable_nagle_algorithm = True

    @property
    def _otx(self) -> Server:
        return cast("Server", self.server)

    def do_GET(self) -> None:
        request, key = self._request()
        answer = self._otx.respond(request, key) if request.path else refusal(404, "Not found.")
        if answer.silence:
            self._otx.stopping.wait(answer.silence)
            self.close_connection = True
            return
        self._send(self._packed(answer))

    def date_time_string(self, timestamp: float | None = None) -> str:
        """The time in ``Date``: the simulator's."""
        return super().date_time_string(self._otx.clock().timestamp() if timestamp is None else timestamp)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base's name
        """Silent: tests read ``Simulator.requests``."""

    def _request(self) -> tuple[Request, str]:
        """What is asked, and the key beside it. The path is empty outside of the API."""
        parts = urlsplit(self.path)
        path = parts.path.removeprefix(ROOT) if parts.path.startswith(f"{ROOT}/") else ""
        headers = {name.lower(): value for name, value in self.headers.items()}
        key = headers.pop(KEY_HEADER, "")
        base = f"http://{headers.get('host', HOST)}"
        return Request(path, dict(parse_qsl(parts.query)), headers, bool(key), base), key

    def _packed(self, answer: Answer) -> Answer:
        accepted = "gzip" in self.headers.get("Accept-Encoding", "")
        if answer.encoded or not accepted or len(answer.body) < _WORTH_PACKING:
            return answer
        body = gzip.compress(answer.body, compresslevel=1)
        headers = (*answer.headers, ("Content-Encoding", "gzip"), ("Vary", "Accept-Encoding"))
        return replace(answer, body=body, headers=headers, encoded=True)

    def _send(self, answer: Answer) -> None:
        self.send_response(answer.status, HTTPStatus(answer.status).phrase)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(answer.body) + answer.padding))
        for name, value in answer.headers:
            self.send_header(name, value)
        self.end_headers()
        if answer.cut:
            self.close_connection = True
        self._write(answer.body[: len(answer.body) // 2] if answer.cut else answer.body, answer.rate)
        for start in range(0, answer.padding, len(_SPACES)):
            self.wfile.write(_SPACES[: answer.padding - start])

    def _write(self, body: bytes, rate: float) -> None:
        """Send ``body``, ``rate`` bytes a second (0: at once), until the server stops."""
        step = max(int(rate * _TICK), 1) if rate else max(len(body), 1)
        for start in range(0, len(body), step):
            if start and self._otx.stopping.wait(step / rate):
                self.close_connection = True
                return
            self.wfile.write(body[start : start + step])
            if rate:
                self.wfile.flush()
