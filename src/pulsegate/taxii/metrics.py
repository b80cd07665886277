"""``/metrics``: the state of the installation for Prometheus; read from the database, so each process tells the same.

Format: OpenMetrics/Prometheus text exposition 0.0.4, written by prometheus_client.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial

from flask import Flask, Response, request
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Metric, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from pulsegate.model.network import Networks
from pulsegate.store import collections, polls, quarantine, sources
from pulsegate.store.database import Connection, Database, now

LOOPBACK = Networks.of(["127.0.0.0/8", "::1"])
_SOURCE, _COLLECTION, _ACCOUNT = ("source",), ("collection",), ("account",)


def install(app: Flask, database: Database, allow: Networks) -> None:
    """Serve ``/metrics`` to this machine and to those in ``allow``; for all others there is nothing at that address."""
    app.add_url_rule("/metrics", "metrics", partial(_answer, database, allow))


def _answer(database: Database, allow: Networks) -> Response:
    address = request.remote_addr or ""
    if address not in LOOPBACK and address not in allow:
        return Response("Not found\n", 404, mimetype="text/plain")
    return Response(write(database), content_type=CONTENT_TYPE_LATEST)


def write(database: Database) -> bytes:
    """All metrics as they are now."""
    registry = CollectorRegistry()
    registry.register(_State(database))
    return generate_latest(registry)


class _State(Collector):
    """Asks the database once for each scrape."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def describe(self) -> Iterable[Metric]:
        return ()

    def collect(self) -> Iterator[Metric]:
        with self._database.read() as connection:
            yield from _of_sources(connection)
            yield from _of_collections(connection)
            yield from _of_accounts(connection)
            yield GaugeMetricFamily(
                "pulsegate_quarantined", "What could not be taken in", value=quarantine.count(connection)
            )


def _gauge(name: str, text: str, labels: Iterable[str], values: Iterable[tuple[Iterable[str], float]]) -> Metric:
    family = GaugeMetricFamily(f"pulsegate_{name}", text, labels=list(labels))
    for names, value in values:
        family.add_metric(list(names), value)
    return family


def _of_sources(connection: Connection) -> Iterator[Metric]:
    moment, every, counts = now(connection), sources.every(connection), sources.counts(connection)
    ages = [((one.name,), (moment - (one.completed or one.since)).total_seconds()) for one in every]
    yield _gauge("source_age_seconds", "Since it was last pulled completely, or first known", _SOURCE, ages)
    failing = [((one.name,), float(one.failing is not None)) for one in every]
    yield _gauge("source_failing", "1: its last pull failed", _SOURCE, failing)
    yield _gauge("source_pulses", "The pulses it has", _SOURCE, (((key,), float(n)) for key, n in counts.items()))
    held = [((one.name,), float(one.held)) for one in every]
    yield _gauge("source_removals_held", "Pulses whose removal waits for a confirmation", _SOURCE, held)
    walks = [(one.name, one.walk) for one in every if one.walk is not None]
    yield _gauge("source_walk_taken", "Pulses that a walk has taken", _SOURCE, (((n,), w.offset) for n, w in walks))
    yield _gauge("source_walk_total", "Pulses that it has to take", _SOURCE, (((n,), w.count or 0) for n, w in walks))
    raised = [((one.name, kind), 1.0) for one in every for kind in one.alarms.split()]
    yield _gauge("alarm", "1: raised, and not yet cleared", ("source", "alarm"), raised)


def _of_collections(connection: Connection) -> Iterator[Metric]:
    sizes = collections.sizes(connection)
    yield _gauge(
        "collection_indicators", "What it holds", _COLLECTION, (((n,), s.indicators) for n, s in sizes.items())
    )
    yield _gauge("collection_blocks", "Its content blocks", _COLLECTION, (((n,), s.blocks) for n, s in sizes.items()))
    opened = (((name,), float(size.opened)) for name, size in sizes.items())
    yield _gauge("collection_opened", "1: it can be polled; 0: its first backfill goes on", _COLLECTION, opened)


def _of_accounts(connection: Connection) -> Iterator[Metric]:
    last = polls.last_of_each_account(connection)
    moments = (((one.account or "",), one.time.timestamp()) for one in last)
    yield _gauge("account_last_poll_timestamp_seconds", "When it polled last", _ACCOUNT, moments)
