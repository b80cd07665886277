"""The processes of a soak of several hosts: servers and workers as an administrator runs them, nginx in front."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

import requests

from ports import free_port
from support import BIN

ROOT = Path(__file__).parents[2]
GUIDE = ROOT / "docs" / "operation.md"
READY = 60.0  # seconds that a start may take on a busy machine
NGINX = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


class Process:
    """One host's process with its children, which die together when the host does."""

    def __init__(self, name: str, words: list[str], environment: Mapping[str, str], folder: Path) -> None:
        self.name, self._words, self._environment, self._folder = name, words, environment, folder
        self.log = folder / f"{name}.log"

    def start(self) -> None:
        with self.log.open("a") as stream:
            self.process = subprocess.Popen(
                self._words, env=self._environment, cwd=self._folder, stdout=stream, stderr=stream, start_new_session=True
            )  # fmt: skip

    def kill(self) -> None:
        """As when the host loses its power."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def end(self) -> int:
        """As told by an administrator; how it ended."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(timeout=60)
        finally:
            self.kill()

    def children(self) -> list[int]:
        pid = self.process.pid
        return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


class Server(Process):
    def __init__(self, name: str, environment: Mapping[str, str], folder: Path, program: str | None = None) -> None:
        self.port = free_port()
        words = [program or str(BIN / "pulsegate"), "serve", "--no-worker", "--workers", "1", "--port", str(self.port)]
        super().__init__(name, words, environment, folder)

    def is_ready(self) -> bool:
        try:
            return requests.get(f"http://127.0.0.1:{self.port}/readyz", timeout=5).ok
        except requests.RequestException:
            return False


class Worker(Process):
    def __init__(self, name: str, environment: Mapping[str, str], folder: Path) -> None:
        super().__init__(name, [str(BIN / "pulsegate"), "worker"], environment, folder)

    def stands_by(self) -> bool:
        return self._last("worker.stands_by") > self._last("pull.finished")

    def works(self) -> bool:
        return self._last("pull.finished") > self._last("worker.stands_by")

    def start(self) -> None:
        self._begin = self.log.stat().st_size if self.log.exists() else 0
        super().start()

    def _last(self, event: str) -> int:
        return self.log.read_text()[self._begin :].rfind(event)


class Nginx(Process):
    """With the configuration that docs/operation.md shows, for these servers."""

    def __init__(self, ports: list[int], folder: Path) -> None:
        self.port = free_port()
        config = folder / "nginx.conf"
        config.write_text(configuration(self.port, ports, folder))
        assert NGINX is not None
        super().__init__("nginx", [NGINX, "-p", str(folder), "-e", str(folder / "nginx-error.log"), "-c", str(config)],
                         os.environ, folder)  # fmt: skip

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"


def configuration(port: int, servers: list[int], folder: Path) -> str:
    """The lines of docs/operation.md for several hosts, with other addresses."""
    found = re.search(r"```nginx\n(upstream pulsegate \{.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    assert found, "docs/operation.md shows no upstream"
    upstream, locations = found[1].split("\n\n", 1)
    ports = iter(servers)
    upstream = re.sub(r"server \S+:9000", lambda _: f"server 127.0.0.1:{next(ports)}", upstream)
    listen, inner = re.sub(r"listen .*|ssl_\w+ .*|server_name .*", "", locations).strip().split("{", 1)
    assert listen.strip() == "server"
    user = "user root;" if os.getuid() == 0 else ""
    temporary = "".join(f"{one}_temp_path {folder};\n" for one in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    return (
        f"daemon off; {user} pid {folder}/nginx.pid; worker_processes 1;\nevents {{}}\nhttp {{\naccess_log off;\n"
        f"{temporary}{upstream}\nserver {{\nlisten 127.0.0.1:{port};\n{inner}\n}}\n"
    )


def wait(condition: object, seconds: float, what: str) -> float:
    """Seconds until it held."""
    began = time.monotonic()
    while not condition():  # type: ignore[operator]
        if time.monotonic() - began > seconds:
            raise SystemExit(f"{what}: not within {seconds:.0f} s")
        time.sleep(0.05)
    return time.monotonic() - began
