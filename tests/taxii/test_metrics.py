"""``/metrics``: what Prometheus reads, and who may."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

import support
from pulsegate.model.network import Networks
from pulsegate.publication.built_in import SUBSCRIBED
from pulsegate.store import collections, sources
from pulsegate.store.database import Database, now
from pulsegate.store.sources import Walk
from pulsegate.taxii import app as taxii_app
from pulsegate.taxii.app import Service
from pulsegate.taxii.edge import Edge


@pytest.fixture
def app(database: Database) -> Iterator[Any]:
    with database.write() as connection:
        collections.ensure_services(connection)
        collections.put(connection, SUBSCRIBED)
    made = taxii_app.create(Service(database.url, metrics_allow=Networks.of(["192.0.2.0/24"])))
    yield made
    support.close(made)


def ask(app: Any, address: str = "127.0.0.1") -> Any:
    return app.test_client().get("/metrics", environ_overrides={"REMOTE_ADDR": address})


def read(app: Any) -> dict[tuple[str, ...], float]:
    """Values by name and labels; what Prometheus's own tool has to say of them, where it is there, is nothing."""
    text = ask(app).get_data(as_text=True)
    if (promtool := shutil.which("promtool")) is not None:
        done = subprocess.run([promtool, "check", "metrics"], input=text, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout + done.stderr) == (0, "")
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_sources_and_their_alarms(app: Any, database: Database) -> None:
    with database.write() as connection:
        moment = now(connection)
        for name in ("otx", "partner"):
            sources.ensure(connection, name, "shape")
        walk = Walk(moment, moment, offset=40, count=100)
        sources.update(connection, "otx", completed=moment - timedelta(hours=2), failing=moment, walk=walk)
        sources.update(connection, "otx", held=3, alarms="held stale")
    found = read(app)
    assert 7200 <= found.pop(("pulsegate_source_age_seconds", "otx")) < 7300
    assert 0 <= found.pop(("pulsegate_source_age_seconds", "partner")) < 100
    assert {key: value for key, value in found.items() if "collection" not in key[0]} == {
        ("pulsegate_source_failing", "otx"): 1.0,
        ("pulsegate_source_failing", "partner"): 0.0,
        ("pulsegate_source_removals_held", "otx"): 3.0,
        ("pulsegate_source_removals_held", "partner"): 0.0,
        ("pulsegate_source_walk_taken", "otx"): 40.0,
        ("pulsegate_source_walk_expected", "otx"): 100.0,
        ("pulsegate_alarm", "held", "otx"): 1.0,
        ("pulsegate_alarm", "stale", "otx"): 1.0,
        ("pulsegate_quarantined",): 0.0,
        ("pulsegate_tasks_waiting",): 0.0,
        ("pulsegate_unpublished",): 0.0,
        ("pulsegate_worker_running",): 0.0,
    }


def test_collections_and_accounts(app: Any, database: Database) -> None:
    found = read(app)
    assert found["pulsegate_collection_indicators", "subscribed"] == 0.0
    assert found["pulsegate_collection_opened", "subscribed"] == 0.0
    moment = datetime(2026, 1, 2, tzinfo=UTC)
    with database.write() as connection:
        from pulsegate.store import polls
        from pulsegate.store.polls import PollRecord

        one = PollRecord(moment, "gateway", "192.0.2.1", "", "subscribed", None, None, None, 1, 2, 3, 0.1, "answered")
        polls.insert_many(connection, [one])
    assert read(app)["pulsegate_account_last_poll_timestamp_seconds", "gateway"] == moment.timestamp()


@pytest.mark.parametrize(
    ("address", "status"), [("127.0.0.1", 200), ("::1", 200), ("192.0.2.7", 200), ("198.51.100.1", 404), ("", 404)]
)
def test_only_those_who_may_read_it(app: Any, address: str, status: int) -> None:
    assert ask(app, address).status_code == status


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "X-Forwarded-Proto", "X-Forwarded-Host"])
def test_proxy_that_nobody_named_makes_nobody_this_machine(database: Database, header: str) -> None:
    """Behind a proxy on this machine all clients have its address; if `proxies` names it, they have their own."""

    def told(proxies: Networks, given: str) -> tuple[int, int]:
        made = taxii_app.create(Service(database.url, edge=Edge(proxies=proxies)))
        try:
            client = made.test_client()
            how: Any = {"headers": {header: given}, "environ_overrides": {"REMOTE_ADDR": "127.0.0.1"}}
            return client.get("/metrics", **how).status_code, len(client.get("/readyz", **how).text.splitlines())
        finally:
            support.close(made)

    assert told(Networks(), "for=198.51.100.1" if header == "Forwarded" else "198.51.100.1") == (404, 1)
    assert told(Networks(), "") == (200, 4)
    if header == "X-Forwarded-For":
        assert told(Networks.of(["127.0.0.1"]), "198.51.100.1") == (404, 1)


def a_poll(collection: str, outcome: str, seconds: float) -> Any:
    from pulsegate.store.polls import PollRecord

    return PollRecord(
        datetime(2026, 1, 2, tzinfo=UTC), "gateway", "192.0.2.1", "", collection, None, None, None, 2, 30, 400, seconds,
        outcome,
    )  # fmt: skip


def test_polls_are_counted_by_collection_and_outcome_for_ever(app: Any, database: Database) -> None:
    from pulsegate.store import poll_totals, polls

    seen = [
        a_poll("subscribed", "answered", 0.004),
        a_poll("subscribed", "answered", 3.0),
        a_poll("x" * 300, "NOT_FOUND", 9e9),
    ]
    for _ in range(2):
        with database.write() as connection:
            polls.insert_many(connection, seen)
            poll_totals.add(connection, seen)
    with database.write() as connection:
        assert polls.purge(connection, datetime(2027, 1, 1, tzinfo=UTC)) == 6
    found = read(app)
    key = ("subscribed", "answered")
    assert found["pulsegate_poll_blocks_total", *key] == 8.0
    assert found["pulsegate_poll_bytes_total", *key] == 1600.0
    assert found["pulsegate_poll_seconds_count", *key] == 4.0
    assert found["pulsegate_poll_seconds_sum", *key] == pytest.approx(6.008)
    within = {
        name[2]: value for name, value in found.items()
        if name[0] == "pulsegate_poll_seconds_bucket" and (name[1], name[3]) == key
    }  # fmt: skip
    assert within == {"0.005": 2, "0.02": 2, "0.1": 2, "0.5": 2, "2.0": 2, "10.0": 4, "+Inf": 4}
    assert found["pulsegate_poll_seconds_count", "", "NOT_FOUND"] == 2.0  # anybody may ask for any name
    assert not [name for name in found if "x" * 300 in name]


def test_last_runs_work_that_waits_and_the_relay(app: Any, database: Database) -> None:
    from pulsegate.store import relay, runs, tasks, touched

    with database.write() as connection:
        first = runs.begin(connection, "otx")
        runs.finish(connection, first, "failed", "why")
        second = runs.begin(connection, "otx")
        runs.advance(connection, second, 12, 100)
        runs.finish(connection, second, "ok")
        tasks.start(connection, "publish", {}, "admin")
        touched.touch_values(connection, [b"1" * 16, b"2" * 16])
        created = (datetime.now(UTC) - timedelta(days=3)).isoformat()
        relay.put_head(connection, "outside", 7, b"d", f'{{"created": "{created}"}}')  # taken today, three days old
    found = read(app)
    assert found["pulsegate_run_pulses", "ok", "otx"] == 12.0
    assert 0 <= found["pulsegate_run_duration_seconds", "ok", "otx"] < 60
    assert ("pulsegate_run_pulses", "failed", "otx") not in found
    assert found["pulsegate_tasks_waiting",] == 1.0
    assert found["pulsegate_unpublished",] == 2.0
    assert found["pulsegate_relay_sequence", "outside"] == 7.0
    assert found["pulsegate_relay_age_seconds", "outside"] == pytest.approx(3 * 86400, abs=600)


def test_worker_that_is_at_work(app: Any, database: Database) -> None:
    from pulsegate.store import locks

    with locks.hold(database, locks.WORKER):
        assert read(app)["pulsegate_worker_running",] == 1.0
    assert read(app)["pulsegate_worker_running",] == 0.0


def test_certificate_is_each_servers_own(database: Database) -> None:
    from pulsegate.taxii.metrics import Certificate

    moment = datetime(2027, 1, 2, tzinfo=UTC)
    found = [Certificate(moment), Certificate(None, is_refused=True), None]
    for certificate in found:
        made = taxii_app.create(Service(database.url, certificate=lambda one=certificate: one))
        told = {key: value for key, value in read(made).items() if "certificate" in key[0]}
        support.close(made)
        assert (
            told
            == {
                Certificate(moment): {
                    ("pulsegate_certificate_expires_timestamp_seconds",): moment.timestamp(),
                    ("pulsegate_certificate_refused",): 0.0,
                },
                Certificate(None, is_refused=True): {("pulsegate_certificate_refused",): 1.0},
                None: {},
            }[certificate]
        )
