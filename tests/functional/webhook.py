"""A webhook on 127.0.0.1 that takes what Apprise posts to ``json://`` addresses, or refuses it."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self


class Webhook:
    """``taken``: (path, kind, title, text) of each message. ``status``: by path, what is answered in place of 200."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, str, str, str]] = []
        self.asked: list[str] = []
        self.status: dict[str, int] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def place(self) -> str:
        """Host and port."""
        return f"127.0.0.1:{self._server.server_port}"

    def address(self, path: str = "/", user: str = "") -> str:
        """As Apprise writes it."""
        return f"json://{user}{self.place}{path}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def _handler(hook: Webhook) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            sent: dict[str, Any] = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            status = hook.status.get(self.path, 200)
            hook.asked.append(self.path)
            if status == 200:
                hook.taken.append((self.path, sent["type"], sent["title"], sent["message"]))
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    return Handler
