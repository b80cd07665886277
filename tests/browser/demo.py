"""``pulsegate serve --demo`` as a process, with accounts to log in with, and the addresses of every page."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from functional.conftest import free_port
from support import BIN, end

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
WORDS = {"admin": "admin-password-1", "carl": "carl-password-1", "vera": "vera-password-1"}

# Each page that is looked at by axe, at both widths and in both colours, and photographed by `make screenshots`.
# Add yours here; {…} is filled in by `Demo.path`.
ADDRESSES = [
    "/admin/login",
    "/admin/me",
    "/admin/me/password",
    "/admin/accounts/",
    "/admin/accounts/add",
    "/admin/accounts/1",
    "/admin/accounts/2",
    "/admin/accounts/2/remove",
    "/admin/audit/",
    "/admin/own/",
    "/admin/own/add",
    "/admin/own/report",
    "/admin/own/import",
    "/admin/collections/",
    "/admin/collections/1",
    "/admin/collections/add",
    "/admin/appliances/",
    "/admin/appliances/?collection=subscribed&account=admin",
    "/admin/appliances/polls",
    "/admin/",
    "/admin/sources/",
    "/admin/sources/otx/",
    "/admin/sources/otx/held",
    "/admin/quarantine/",
    "/admin/quarantine/1",
    "/admin/quarantine/retry",
    "/admin/quarantine/unwritten",
    "/admin/pulses/",
    "/admin/pulses/?review=waiting",
    "/admin/pulses/0db0a9d4654a2caaabafaf3e",
    "/admin/pulses/0db0a9d4654a2caaabafaf3e/stix/subscribed",
    "/admin/pulses/decide?what=reject&all=yes",
    "/admin/pulses/authors",
    "/admin/pulses/authors/trust?author=AlienVault",
    "/admin/indicators/",
    "/admin/indicators/?collection=subscribed&state=out",
    "/admin/indicators/explain?value=198.51.100.7",
    "/admin/indicators/explain?value=example.com",
    "/admin/indicators/explain?value=nothing.example.info",
    "/admin/lists/",
    "/admin/lists/of/rfc6761",
    "/admin/lists/check?value=example.com",
    "/admin/lists/own",
    "/admin/lists/allow/",
    "/admin/lists/allow/add?entry=.example.com&value=example.com",
    "/admin/lists/allow/file/import",
    "/admin/lists/forced/",
    "/admin/lists/forced/force?value=192.0.2.1&way=out",
    "/admin/nothing",
]


@dataclass
class Demo:
    """A running server."""

    address: str
    environment: dict[str, str]
    folder: Path

    def run(self, *words: str, stdin: str = "") -> str:
        """A command on the demo's data."""
        return subprocess.run(
            [BIN / "pulsegate", "--demo", *words], input=stdin, env=self.environment, cwd=self.folder,
            capture_output=True, text=True, timeout=60, check=True,
        ).stdout  # fmt: skip

    def page(self, browser: Any, name: str | None = None, **options: Any) -> Any:
        """A page of a browser without cookies, logged in as ``name``."""
        context = browser.new_context(base_url=self.address, **options)
        context.set_default_timeout(10_000)
        page = context.new_page()
        if name is not None:
            log_in(page, name)
        return page


def log_in(page: Any, name: str, word: str | None = None) -> None:
    page.goto("/admin/login")
    page.fill("#name", name)
    page.fill("#password", word or WORDS[name])
    page.click("form:has(#password) button")
    page.wait_for_load_state()


@contextmanager
def demo(folder: Path) -> Iterator[Demo]:
    """Serve until the demo's first pull is published."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("PULSEGATE_", "OTX_", "OPENTAXII_"))}
    environment = kept | {"PULSEGATE_DATA_DIR": str(folder), "PULSEGATE_ADMIN_PASSWORD": WORDS["admin"]}
    port = free_port()
    with (folder / "serve.log").open("w") as stream:
        process = subprocess.Popen(
            [BIN / "pulsegate", "serve", "--demo", "--port", str(port), "--workers", "1"],
            env=environment, cwd=folder, stdout=stream, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        running = Demo(f"http://127.0.0.1:{port}", environment, folder)
        try:
            _wait(process, folder / "serve.log", "Stop with Ctrl-C")
            for name, role in (("carl", "curator"), ("vera", "viewer")):
                running.run("account", "add", name, "--role", role, "--password-stdin", stdin=WORDS[name] + "\n")
            with urlopen(f"{running.address}/admin/login", timeout=20) as answer:
                assert answer.status == 200
            yield running
        finally:
            end(process)


def _wait(process: Any, log: Path, text: str, seconds: float = 90.0) -> None:
    deadline = time.monotonic() + seconds
    while text not in log.read_text():
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.2)
