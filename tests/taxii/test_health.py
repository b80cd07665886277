"""``/healthz`` and ``/readyz``: whether polls can be served, and how fresh the feed is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa

import support
from pulsegate.model.network import Networks
from pulsegate.store import alarms, migrate
from pulsegate.store.database import Database
from pulsegate.taxii import app as taxii_app
from pulsegate.taxii.app import Service


@pytest.fixture
def app(database: Database) -> Iterator[Any]:
    made = taxii_app.create(Service(database.url, metrics_allow=Networks.of(["192.0.2.0/24"])))
    yield made
    support.close(made)


def ask(app: Any, path: str = "/readyz", address: str = "127.0.0.1") -> tuple[int, list[str]]:
    answer = app.test_client().get(path, environ_overrides={"REMOTE_ADDR": address})
    return answer.status_code, answer.get_data(as_text=True).splitlines()


def test_ready(app: Any) -> None:
    good = ["ready", "database: ok: answers", f"schema: ok: {migrate.HEAD}", "feed: ok: no alarm is raised"]
    assert ask(app) == (200, good)
    assert ask(app, address="192.0.2.7") == (200, good)
    assert ask(app, "/healthz") == (200, ["ok"])


def test_details_are_not_for_everybody(app: Any) -> None:
    assert ask(app, address="198.51.100.1") == (200, ["ready"])


def test_stale_feed_is_told_and_takes_no_server_away(app: Any, database: Database) -> None:
    with database.write() as connection:
        alarms.raise_(connection, "otx", "stale", "The source otx was not pulled for 7h.")
    code, told = ask(app)
    assert (code, told[0], told[-1]) == (200, "ready", "feed: failed: The source otx was not pulled for 7h.")
    assert ask(app, "/readyz?fresh")[0] == 503
    with database.write() as connection:
        alarms.clear(connection, "otx")
    assert ask(app, "/readyz?fresh")[0] == 200


def test_later_schema_takes_no_server_away(app: Any, database: Database) -> None:
    """Another host was upgraded and has migrated; this one serves until its turn comes."""
    with database.write() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    try:
        code, told = ask(app)
    finally:
        with database.write() as connection:
            connection.execute(sa.text("UPDATE alembic_version SET version_num = :head"), {"head": migrate.HEAD})
    assert (code, told[0]) == (200, "ready")
    assert told[2] == f"schema: ok: 9999, and this version is of {migrate.HEAD}"


def test_earlier_schema_is_not_ready(app: Any, database: Database) -> None:
    with database.write() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '0001'"))
    code, told = ask(app)
    assert code == 503
    assert told[0] == "not ready"
    assert told[2] == f"schema: failed: 0001, and this version needs {migrate.HEAD}"
    assert ask(app, "/healthz")[0] == 200


def test_newer_schema_only_adds_to_this_one(app: Any, database: Database) -> None:
    """Another host has migrated; this server goes on until it is restarted."""
    with database.write() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    assert ask(app)[0] == 200


def test_database_that_is_away_is_not_ready(app: Any, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    from pulsegate.errors import StoreError
    from pulsegate.taxii import health

    def away(_database: Database) -> tuple[str, str]:
        raise StoreError("connection refused", resource="database pulsegate")

    monkeypatch.setattr(health.migrate, "current", away)
    code, told = ask(app)
    assert code == 503
    assert told[1] == "database: failed: connection refused"


def test_each_answer_has_an_id_that_a_trusted_proxy_may_give(database: Database) -> None:
    from pulsegate.taxii.edge import Edge

    made = taxii_app.create(Service(database.url, edge=Edge(proxies=Networks.of(["192.0.2.1"]))))
    try:
        client = made.test_client()

        def told(address: str, given: str) -> str:
            answer = client.get("/healthz", headers={"X-Request-Id": given}, environ_overrides={"REMOTE_ADDR": address})
            return answer.headers["X-Request-Id"]

        assert told("192.0.2.1", "from-proxy-1") == "from-proxy-1"
        made_up = told("198.51.100.1", "from-proxy-1")
        assert made_up != "from-proxy-1"
        assert len(made_up) == 16
        assert told("192.0.2.1", "bad id\x1b[31m") != "bad id\x1b[31m"
    finally:
        support.close(made)


def test_server_that_is_about_to_stop_is_not_ready_and_goes_on(database: Database) -> None:
    made = taxii_app.create(Service(database.url, stopping=lambda: True))
    try:
        code, told = ask(made)
        assert (code, told[0], told[-1]) == (503, "not ready", "server: failed: it is about to stop")
        assert ask(made, "/healthz")[0] == 200
    finally:
        support.close(made)
