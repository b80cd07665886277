"""Server processes of ours around an application that misbehaves; a program: ``wire.py PORT FOLDER [CERTIFICATE KEY CA]``.

The times that slow clients are waited for are shorter here: 1 s of silence, 2 s for a request, 2 s for an answer.
"""

from __future__ import annotations

import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter

from pulsegate.cli import connections, logs, patience
from pulsegate.cli.tls import Renewal
from pulsegate.model.network import Networks
from pulsegate.settings import TLSSettings
from pulsegate.taxii.edge import CLIENT_SUBJECT, Edge

MEGABYTE = b"x" * 1_000_000


class Endless:
    """An answer without an end, that is no generator: nobody but the server closes it."""

    def __init__(self, log: Callable[[str], None]) -> None:
        self._log = log

    def __iter__(self) -> Iterator[bytes]:
        while True:
            yield MEGABYTE

    def close(self) -> None:
        self._log(f"closed by {threading.current_thread().name.partition('_')[0]}")


def broken() -> Iterator[bytes]:
    yield b"the first half"
    raise OSError("a file of the application's could not be read")


class Application(BaseApplication):
    proxies = Networks()
    max_body = 2_000_000

    def __init__(self, listener: socket.socket, folder: Path, tls: list[str]) -> None:
        self._listener = listener
        self._tls = dict(zip(("certificate", "key", "client_ca"), tls, strict=False))
        self._log = folder / "log"
        self._log.touch()
        super().__init__()

    def load_config(self) -> None:
        for key, value in {
            "bind": f"fd://{self._listener.fileno()}", "workers": 1, "threads": 4, "keepalive": 5,
            "worker_class": connections.Worker, "loglevel": "warning", "control_socket_disable": True,
            "forwarded_allow_ips": "",
        }.items():  # fmt: skip
            self.cfg.set(key, value)
        if self._tls:
            renewal = Renewal(TLSSettings.model_validate(self._tls))
            self.cfg.set("certfile", self._tls["certificate"])
            self.cfg.set("ssl_context", lambda _config, _default: renewal.current())

    def log(self, text: str) -> None:
        with self._log.open("a") as file:
            file.write(text + "\n")

    def load(self) -> Any:
        return Edge(max_body=self.max_body).around(self.answer)

    def answer(self, environment: dict[str, Any], start_response: Any) -> Any:
        path = environment["PATH_INFO"]
        if path == "/endless":
            start_response("200 OK", [])
            return Endless(self.log)
        if path == "/broken":
            start_response("200 OK", [])
            return broken()
        if path == "/short":
            start_response("200 OK", [("Content-Length", "100")])
            return [b"only this"]
        if path in ("/sleep", "/admin/sleep"):
            time.sleep(1.0)
        if path == "/subject":
            subject = environment.get(CLIENT_SUBJECT, "none").encode()
            start_response("200 OK", [("Content-Length", str(len(subject)))])
            return [subject]
        if path == "/headers":
            text = " ".join(sorted(key for key in environment if key.startswith("HTTP_"))).encode()
            start_response("200 OK", [("Content-Length", str(len(text)))])
            return [text]
        body = environment["wsgi.input"].read() if path == "/echo" else b"ok"
        start_response("200 OK", [("Content-Length", str(len(body)))])
        return [body]


if __name__ == "__main__":
    logs.configure(20)
    patience.SILENCE = 1.0
    made = patience.PatientSocket.__init__

    def impatient(self: patience.PatientSocket, inner: socket.socket) -> None:
        made(self, inner)
        self.receiving, self.sending = patience.Patience(2.0, 125_000), patience.Patience(2.0, 8_000)

    patience.PatientSocket.__init__ = impatient  # type: ignore[method-assign]
    listening = socket.create_server(("127.0.0.1", int(sys.argv[1])))
    Arbiter(Application(listening, Path(sys.argv[2]), sys.argv[3:])).run()
