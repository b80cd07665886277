"""``pulsegate serve --demo`` as a process, with accounts to log in with, and the addresses of every page."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from ports import free_port
from pulsegate.cli.setup import DEMO
from pulsegate.store import drafts, migrate, relay, state, tasks
from pulsegate.store.database import Database
from relays import Outside
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
    "/admin/relay/",
    "/admin/relay/log",
    "/admin/relay/take",
    "/admin/relay/trials/1",
    "/admin/relay/senders/outside/forget",
    "/admin/nothing",
]


@dataclass
class Demo:
    """A running server."""

    address: str
    environment: dict[str, str]
    folder: Path
    senders: dict[str, Outside]
    words: tuple[str, ...]  # that each command begins with
    url: str  # of its database

    def run(self, *words: str, stdin: str = "") -> str:
        """A command on the demo's data."""
        return subprocess.run(
            [BIN / "pulsegate", *self.words, *words], input=stdin, env=self.environment, cwd=self.folder,
            capture_output=True, text=True, timeout=60, check=True,
        ).stdout  # fmt: skip

    def page(self, browser: Any, name: str | None = None, **options: Any) -> Any:
        """A page of a browser without cookies, logged in as ``name``."""
        context = browser.new_context(base_url=self.address, **options)
        context.set_default_timeout(30_000)
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
def demo(folder: Path, url: str | None = None) -> Iterator[Demo]:
    """Serve until the demo's first pull is published. ``url``: a database without a row, in place of its SQLite file."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("PULSEGATE_", "OTX_", "OPENTAXII_"))}
    senders = {name: _sender(folder, name) for name in ("outside", "inland")}
    (folder / "opentaxii.yml").write_text(_settings(folder, senders))
    environment = kept | {"PULSEGATE_DATA_DIR": str(folder), "PULSEGATE_ADMIN_PASSWORD": WORDS["admin"]}
    words: tuple[str, ...] = ("--demo",)
    if url is not None:
        words, environment["PULSEGATE_DATABASE"] = (), url
        _mark(url)
    port = free_port()
    with (folder / "serve.log").open("w") as stream:
        process = subprocess.Popen(
            [BIN / "pulsegate", *words, "serve", "--port", str(port), "--workers", "1"],
            env=environment, cwd=folder, stdout=stream, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        own = f"sqlite:///{folder / 'demo' / 'pulsegate.db'}"
        running = Demo(f"http://127.0.0.1:{port}", environment, folder, senders, words, url or own)
        try:
            _wait(process, folder / "serve.log", "Stop with Ctrl-C")
            for name, role in (("carl", "curator"), ("vera", "viewer")):
                running.run("account", "add", name, "--role", role, "--password-stdin", stdin=WORDS[name] + "\n")
            with urlopen(f"{running.address}/admin/login", timeout=20) as answer:
                assert answer.status == 200
            _carry(running)
            yield running
        finally:
            end(process)
            for one in senders.values():
                one.database.close()


def _sender(folder: Path, name: str) -> Outside:
    place = folder / name
    place.mkdir()
    base = Database(f"sqlite:///{place / 'sender.db'}")
    migrate.upgrade(base)
    base.close()
    return Outside(base.url, place, name)


def _mark(url: str) -> None:
    """As the demo's, which ``--demo`` does with a file of its own only."""
    base = Database(url)
    with base.write() as connection:
        state.put(connection, DEMO, "yes")
    base.close()


def _settings(folder: Path, senders: dict[str, Outside]) -> str:
    """Of an installation that takes from the senders, and is one itself; YAML is JSON, too."""
    trust = [{"name": name, "key": str(one.public), "until": "2099-01-31"} for name, one in senders.items()]
    relayed = {"trust": trust, "origin": "demo", "key": str(senders["outside"].key)}
    return json.dumps({"pulsegate": {"relay": relayed | {"outbox": str(folder / "out"), "inbox": str(folder / "in")}}})


def _carry(running: Demo) -> None:
    """Something for the pages of the relay: a bundle that was written, one that was taken, one to be looked at."""
    sender = running.senders["outside"]
    running.run("relay", "export", "--out", str(running.folder / "demo-0000000001-full.pgb"))
    sender.bundle()  # of no pulse, so that the other pages have none of it
    running.run("relay", "import", str(sender.folder / "bundle.pgb"))
    sender.put(1, "relayed-one.example", "relayed-two.example", name="Seen by the other network")
    database = Database(running.url)
    with database.write() as connection:
        reason = (
            "leaves a gap: it builds on number 7 of outside, and here is number 1. Bring number 2 to 7 first, or on the "
            "sender make a delta with 'relay export --since 1', or a full snapshot with --full"
        )
        relay.log(connection, relay.Entry(relay.IN, "outside-0000000008-delta.pgb", relay.REFUSED, reason=reason))
        token = drafts.put(connection, "admin", "outside-0000000002-delta.pgb", sender.bundle())
        arguments = {"draft": token, "file": "outside-0000000002-delta.pgb", "restart": False}
        assert tasks.start(connection, "try_bundle", arguments, "admin") == 1  # the address above names it
    deadline = time.monotonic() + 30
    while True:
        with database.read() as connection:
            if tasks.get(connection, 1).is_done:
                break
        assert time.monotonic() < deadline
        time.sleep(0.2)
    database.close()


def _wait(process: Any, log: Path, text: str, seconds: float = 90.0) -> None:
    deadline = time.monotonic() + seconds
    while text not in log.read_text():
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.2)
