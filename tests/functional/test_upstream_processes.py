"""Upstreams in the program: commands, the worker, HTTPS with a CA of one's own, a stock OpenTAXII, and kill -9."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
import yaml

import support
from functional.hostile_upstream import TAXII, Hostile, named, response
from functional.test_edge import PASSWORD as ADMIN
from functional.test_edge import READY, authority, https, tls
from functional.test_stock_opentaxii import SERVE, configuration
from functional.upstream_world import DAY, PASSWORD, USER, Gate, other_gate
from packages import package
from pulsegate.errors import UpstreamError
from pulsegate.store import accounts
from pulsegate.store.database import Database
from pulsegate.store.tables import metadata
from store.databases import each_kind as database_kind
from store.databases import url_of
from support import BIN

__all__ = ["authority", "database_kind"]


def configure(folder, environment, url, **more):
    given = {"name": "partner", "url": url, "collection": "partners", "backoff": "10ms"} | more
    given |= {} if "username" in more else {"username": USER, "password": PASSWORD}
    path = folder / "ours.yml"
    path.write_text(yaml.safe_dump({"pulsegate": {"upstreams": [given]}}))
    environment["PULSEGATE_CONFIG"] = str(path)
    return path


def test_pull_over_https_with_a_private_ca(authority, pulsegate, serve, environment, installation, tmp_path):
    theirs = environment | installation(tmp_path / "theirs", migrated=False)
    (tmp_path / "theirs.yml").write_text("pulsegate: {collections: [{name: partners, kind: inbox}]}")
    theirs["PULSEGATE_CONFIG"] = str(tmp_path / "theirs.yml")
    file = tmp_path / "package.xml"
    file.write_bytes(package("a.example", "b.example", title="日本語"))
    (tmp_path / "password").write_text(f"{ADMIN}\n")
    with serve(**theirs, **tls(authority.issue("server", "/CN=127.0.0.1"))) as server:
        server.wait_for(READY)
        push = [
            BIN / "taxii-push",
            "--path",
            f"{https(server)}/taxii/inbox",
            "--username",
            "admin",
            "--password",
            ADMIN,
        ]
        assert "successfully pushed" in "".join(done([*push, "-f", str(file)], REQUESTS_CA_BUNDLE=str(authority.ca)))
        account = {"username": "admin", "password_file": str(tmp_path / "password")}
        configure(tmp_path, environment, f"{https(server)}/taxii/discovery", **account)
        refused = pulsegate("pull", "--source", "partner")
        assert (refused.returncode, "certificate isn't trusted, so nothing was sent" in refused.stderr) == (1, True)
        configure(tmp_path, environment, f"{https(server)}/taxii/discovery", **account, ca_file=str(authority.ca))
        pulled = pulsegate("pull", "--source", "partner")
        assert pulled.returncode == 0, pulled.stderr
        assert "1 packages with 2 indicators read; 1 packages are new" in pulled.stderr + pulled.stdout
        assert "taxii_partner: 2 added, 0 removed" in pulled.stderr + pulled.stdout
    told = json.loads(pulsegate("status", "--json").stdout)
    (shown,) = (one for one in told["sources"] if one["name"] == "partner")
    assert (shown["active"], shown["pulses"], shown["alarms"], shown["error"]) == (True, 1, [], None)
    assert told["last_pull"]["outcome"] == "ok"
    with serve("--no-worker") as server:
        server.wait_for(READY)
        who = ["--username", "gateway", "--password", server.password("gateway")]
        poll = [BIN / "taxii-poll", "--path", f"{server.address}/taxii/poll", "--collection", "taxii_partner", *who]
        assert [value for _, value in support.read_values(done(poll)[0].strip().encode())] == ["a.example", "b.example"]
    stored = everything(environment)
    assert ("a.example" in stored, ADMIN in stored) == (True, False)


def everything(environment):
    """All that is stored, as text."""
    database = Database(url_of(environment))
    with database.read() as connection:
        rows = [tuple(row) for table in metadata.sorted_tables for row in connection.execute(sa.select(table))]
    database.close()
    return repr(rows)


def done(command, **extra):
    ended = subprocess.run(command, env=os.environ | extra, capture_output=True, text=True, timeout=60, check=False)
    return ended.stdout, ended.stderr


def test_worker_pulls_and_tells_what_fails(pulsegate, serve, environment, new_database, tmp_path):
    with other_gate(new_database(tmp_path / "upstream.db")) as there:
        there.push("a.example")
        with there.served() as address:
            configure(
                tmp_path, environment, f"{address}/taxii/poll", interval="1s", jitter="0s", retry="1s", backfill="1d"
            )
            with serve() as server:
                server.wait_for(READY)
                server.wait_for("pull.finished")
                there.push("b.example")
                until(lambda: names(environment) == ["a.example", "b.example"])
        with serve() as server:
            server.wait_for("pull.failed")
    (shown,) = (one for one in json.loads(pulsegate("source", "list", "--json").stdout) if one["name"] == "partner")
    assert "can't be reached" in shown["error"]
    assert names(environment) == ["a.example", "b.example"]


def names(environment):
    database = Database(url_of(environment))
    try:
        gate = Gate.__new__(Gate)
        gate.database = database
        return gate.held("taxii_partner")
    finally:
        database.close()


def until(holds, seconds=40):
    deadline = datetime.now(UTC) + timedelta(seconds=seconds)
    while not holds():
        assert datetime.now(UTC) < deadline
        threading.Event().wait(0.2)


def test_stock_opentaxii_is_an_upstream(new_database, tmp_path):
    with (
        other_gate(new_database(tmp_path / "here.db")) as here,
        other_gate(new_database(tmp_path / "stock.db")) as stock,
    ):
        with stock.database.write() as connection:
            accounts.add(connection, "admin", "secret-of-admin", is_admin=True)
        stock.push("a.example", "b.example")
        process = subprocess.Popen(
            [sys.executable, "-c", SERVE], env=configuration(stock.database, tmp_path), stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        try:
            port = next(line.split()[1] for line in process.stdout if line.startswith("PORT"))
            drain = threading.Thread(target=process.stdout.read, daemon=True)  # it writes more than a pipe takes
            drain.start()
            follow_stock(here, stock, f"http://127.0.0.1:{port}")
        finally:
            process.kill()
            process.wait()
            drain.join()
            process.stdout.close()
            process.stdin.close()


def follow_stock(here, stock, address):
    who = {"username": "admin", "password": "secret-of-admin"}
    with pytest.raises(UpstreamError, match="names a poll service at another address"):  # its domain has no port
        here.pull(address, path="/taxii/discovery", client=who, backfill=DAY)
    here.pull(address, client=who, backfill=DAY)
    assert here.held() == ["a.example", "b.example"]
    stock.push("c.example")
    outcome = here.pull(address, client=who, backfill=DAY)
    assert (outcome.intake.new, outcome.intake.removed) == (1, 0)
    stock.withdraw("a.example")
    here.pull(address, client=who, compare=True, backfill=DAY, max_removal=0.5)
    assert here.held() == ["b.example", "c.example"]


KILLS = int(os.environ.get("PULL_KILLS", "8"))


@pytest.mark.timeout(120 + 8 * KILLS)
def test_pull_that_is_killed_goes_on_and_repeats_nothing(environment, tmp_path):
    """Windows of a day, some packages in each; killed at a request, in the middle of an answer, or while it stores."""
    dice, born = random.Random(3), datetime.now(UTC)
    labels = {f"n{number}.example": born - timedelta(hours=5 * number + 2) for number in range(40)}

    def answer(begin, end):
        mine = [name for name, label in labels.items() if (not begin or begin < label) and (not end or label <= end)]
        body = response(b"".join(named(name, label=labels[name].isoformat()) for name in mine), end=end or "now")

        def pieces():
            yield body[: len(body) // 2]
            threading.Event().wait(0.01)
            yield body[len(body) // 2 :]

        return "200 OK", [TAXII], pieces()

    server = Hostile(answer)
    with server.served() as address:
        configure(tmp_path, environment, f"{address}/taxii/poll", backfill="12d")
        killed = 0
        for _ in range(KILLS):
            asked = len(server.asked)
            process = subprocess.Popen([BIN / "pulsegate", "pull", "--source", "partner"], env=environment, cwd=tmp_path,
                                       stdout=subprocess.PIPE, stderr=subprocess.PIPE)  # fmt: skip
            goal = asked + dice.randint(1, 4)
            while len(server.asked) < goal and process.poll() is None:
                threading.Event().wait(0.005)
            threading.Event().wait(dice.choice([0, 0, 0.01, 0.03]))
            killed += process.poll() is None
            process.kill()
            process.communicate()
        assert killed >= KILLS // 2
        ended = subprocess.run([BIN / "pulsegate", "pull", "--source", "partner"], env=environment, cwd=tmp_path,
                               capture_output=True, text=True, timeout=60, check=False)  # fmt: skip
        assert ended.returncode == 0, ended.stderr
    assert names(environment) == sorted(labels)
    windows = [begin for begin, _ in server.asked if begin]
    assert windows == sorted(windows)  # a window that was done is never asked for again
