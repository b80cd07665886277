"""Servers for the benchmark of polls, each in processes of its own: ours, a stock OpenTAXII, nginx with a file."""

from __future__ import annotations

import http.client
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gunicorn.app.base import BaseApplication

from pulsegate.cli.connections import Worker as ServerProcess
from pulsegate.model.network import Networks


class Server:
    """A running server: where it listens, and the most memory that its serving process has held."""

    def __init__(self, port: int, process: subprocess.Popen[bytes]) -> None:
        self.port = port
        self._process = process

    @property
    def peak(self) -> float:
        """MB, of the child that serves."""
        pid = self._process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        status = Path(f"/proc/{children[0]}/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) / 1000


@contextmanager
def gunicorn(which: str, url: str) -> Iterator[Server]:
    """``ours`` or ``stock`` on the database at ``url``, in one process with 8 threads."""
    port = free_port()
    command = [sys.executable, "-W", "ignore", "-m", "bench.servers", which, url, str(port)]
    with _running(port, command) as server:
        yield server


@contextmanager
def nginx(folder: Path) -> Iterator[Server]:
    """The files of ``folder``; ``shutil.which("nginx")`` must find it."""
    port = free_port()
    (folder / "nginx.conf").write_text(
        f"worker_processes 1; daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log; events {{}}\n"
        f"http {{ access_log off; sendfile on; client_body_temp_path {folder}; proxy_temp_path {folder};"
        f" fastcgi_temp_path {folder}; uwsgi_temp_path {folder}; scgi_temp_path {folder};"
        f" server {{ listen 127.0.0.1:{port}; root {folder}; error_page 405 =200 $uri; }} }}\n"
    )
    program = shutil.which("nginx") or "nginx"
    with _running(port, [program, "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", "stderr"]) as server:
        yield server


@contextmanager
def _running(port: int, command: list[str]) -> Iterator[Server]:
    process = subprocess.Popen(command)
    try:
        _wait(port)
        yield Server(port, process)
    finally:
        process.terminate()
        process.wait()


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def _wait(port: int) -> None:
    """Until it answers: a master that listens may not have a child yet."""
    for _ in range(300):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", "/")
            connection.getresponse().read()
        except OSError:
            time.sleep(0.1)
        else:
            return
        finally:
            connection.close()
    raise TimeoutError("the server did not come up")


def stock(url: str) -> Any:
    """OpenTAXII as it comes, on our database."""
    from opentaxii.middleware import create_app  # noqa: PLC0415 - only in its process
    from opentaxii.server import TAXIIServer  # noqa: PLC0415

    parameters = {"db_connection": url, "create_tables": False}
    auth = {"class": "opentaxii.auth.sqldb.SQLDatabaseAPI", "parameters": parameters | {"secret": "any"}}
    taxii1 = {
        "persistence_api": {"class": "opentaxii.persistence.sqldb.SQLDatabaseAPI", "parameters": parameters},
        "hooks": None, "xml_parser_supports_huge_tree": True, "count_blocks_in_poll_responses": False,
        "unauthorized_status": "UNAUTHORIZED", "save_raw_inbox_messages": False,
    }  # fmt: skip
    return create_app(TAXIIServer({"domain": "x", "support_basic_auth": True, "auth_api": auth, "taxii1": taxii1}))


class _Application(BaseApplication):  # type: ignore[misc]  # gunicorn is not typed
    proxies = Networks()
    max_body = 10_000_000

    def __init__(self, which: str, url: str, port: int) -> None:
        self._which, self._url, self._port = which, url, port
        super().__init__()

    def load_config(self) -> None:
        values = {"bind": f"127.0.0.1:{self._port}", "workers": 1, "threads": 8}
        values["worker_class"] = ServerProcess if self._which == "ours" else "gthread"
        for key, value in (values | {"loglevel": "error", "timeout": 600, "control_socket_disable": True}).items():
            self.cfg.set(key, value)

    def load(self) -> Any:
        import logging  # noqa: PLC0415

        import structlog  # noqa: PLC0415

        from pulsegate.taxii import app  # noqa: PLC0415

        structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
        return app.create(app.Service(self._url)) if self._which == "ours" else stock(self._url)


if __name__ == "__main__":
    _Application(sys.argv[1], sys.argv[2], int(sys.argv[3])).run()
