"""``/metrics``: the state of the installation for Prometheus.

It is read from the database, so each process tells the same; only the certificate is each server's own.

Format: OpenMetrics/Prometheus text exposition 0.0.4, written by prometheus_client.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from flask import Flask, Response, request
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Metric, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

from pulsegate.model.network import Networks
from pulsegate.store import (
    collections,
    counts,
    locks,
    poll_totals,
    polls,
    quarantine,
    relay,
    runs,
    sources,
    tasks,
    touched,
)
from pulsegate.store.database import Connection, Database, now
from pulsegate.taxii.edge import BY_STRANGER

LOOPBACK = Networks.of(["127.0.0.0/8", "::1"])
_SOURCE, _COLLECTION, _ACCOUNT = ("source",), ("collection",), ("account",)


@dataclass(frozen=True, slots=True)
class Certificate:
    """The server's own. ``is_refused``: other files have taken its place, and can't be used."""

    end: datetime | None
    is_refused: bool = False


def install(
    app: Flask, database: Database, allow: Networks, certificate: Callable[[], Certificate | None] = lambda: None
) -> None:
    """Serve ``/metrics`` to this machine and to those in ``allow``; for all others there is nothing at that address."""
    app.add_url_rule("/metrics", "metrics", partial(_answer, database, allow, certificate))


def _answer(database: Database, allow: Networks, certificate: Callable[[], Certificate | None]) -> Response:
    if not is_allowed(allow):
        return Response("Not found\n", 404, mimetype="text/plain")
    return Response(write(database, certificate()), content_type=CONTENT_TYPE_LATEST)


def is_allowed(allow: Networks) -> bool:
    """Whether the client of this request may know how the installation is doing.

    Behind a proxy on this machine that `proxies` does not name everybody seems to be this machine: nobody may then.
    """
    address = request.remote_addr or ""
    return BY_STRANGER not in request.environ and (address in LOOPBACK or address in allow)


def write(database: Database, certificate: Certificate | None = None) -> bytes:
    """All metrics as they are now."""
    registry = CollectorRegistry()
    registry.register(_State(database, certificate))
    return generate_latest(registry)


class _State(Collector):
    """Asks the database once for each scrape."""

    def __init__(self, database: Database, certificate: Certificate | None) -> None:
        self._database = database
        self._certificate = certificate

    def describe(self) -> Iterable[Metric]:
        return ()

    def collect(self) -> Iterator[Metric]:
        yield from _of_the_certificate(self._certificate)
        works = float(locks.is_held(self._database, locks.WORKER))
        yield GaugeMetricFamily("pulsegate_worker_running", "1: a worker is at work on the database", value=works)
        with self._database.read() as connection:
            yield from _of_sources(connection)
            yield from _of_collections(connection)
            yield from _of_accounts(connection)
            yield from _of_polls(connection)
            yield from _of_runs(connection)
            yield from _of_relay(connection)
            yield from _of_types(connection)
            yield from _of_work(connection)
            yield GaugeMetricFamily(
                "pulsegate_quarantined", "What could not be taken in", value=quarantine.count(connection)
            )


def _gauge(name: str, text: str, labels: Iterable[str], values: Iterable[tuple[Iterable[str], float]]) -> Metric:
    family = GaugeMetricFamily(f"pulsegate_{name}", text, labels=list(labels))
    for names, value in values:
        family.add_metric(list(names), value)
    return family


def _of_the_certificate(found: Certificate | None) -> Iterator[Metric]:
    """Of this server; others have others."""
    if found is None:
        return
    if found.end is not None:
        moment = found.end.timestamp()
        yield GaugeMetricFamily("pulsegate_certificate_expires_timestamp_seconds", "When it ends", value=moment)
    refused = float(found.is_refused)
    text = "1: the files of a new one can't be used, and the one before stays in use"
    yield GaugeMetricFamily("pulsegate_certificate_refused", text, value=refused)


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
    yield _gauge(
        "source_walk_expected", "Pulses that it has to take", _SOURCE, (((n,), w.count or 0) for n, w in walks)
    )
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


def _of_polls(connection: Connection) -> Iterator[Metric]:
    """By collection and outcome; the log's pen adds them up within a second or two."""
    found = poll_totals.every(connection)
    labels = ["collection", "outcome"]
    for name, text in (("blocks", "sent"), ("indicators", "sent"), ("bytes", "of answers")):
        family = CounterMetricFamily(f"pulsegate_poll_{name}", f"{name.capitalize()} {text}", labels=labels)
        for key, totals in found.items():
            family.add_metric(list(key), getattr(totals, name))
        yield family
    latency = HistogramMetricFamily("pulsegate_poll_seconds", "From the request to the last byte", labels=labels)
    for key, totals in found.items():
        buckets = [(str(bucket), float(totals.within(number))) for number, bucket in enumerate(poll_totals.BUCKETS)]
        latency.add_metric(list(key), [*buckets, ("+Inf", float(totals.polls))], totals.seconds)
    yield latency


def _of_runs(connection: Connection) -> Iterator[Metric]:
    last = {(one.source or "", one.outcome): one for one in runs.last_of_each_source(connection)}
    labels = ["source", "outcome"]
    began = ((key, one.started.timestamp()) for key, one in last.items())
    yield _gauge("run_started_timestamp_seconds", "When the last run of the source began", labels, began)
    ended = [(key, one.started, one.finished) for key, one in last.items() if one.finished is not None]
    took = ((key, (end - begin).total_seconds()) for key, begin, end in ended)
    yield _gauge("run_duration_seconds", "How long it took", labels, took)
    read = ((key, float(one.pulses)) for key, one in last.items())
    yield _gauge("run_pulses", "The pulses that it read", labels, read)


def _of_relay(connection: Connection) -> Iterator[Metric]:
    moment = now(connection)
    every = [(one, relay.last_head(connection, one)) for one in (relay.OWN, *relay.origins(connection))]
    there = [((origin,), head) for origin, head in every if head is not None]
    numbers = ((key, float(head.sequence)) for key, head in there)
    yield _gauge("relay_sequence", "Of the last bundle that was written (no origin) or taken", ["origin"], numbers)
    ages = ((key, (moment - relay.as_of(head)).total_seconds()) for key, head in there)
    yield _gauge("relay_age_seconds", "How old the state is that it brought", ["origin"], ages)


def _of_types(connection: Connection) -> Iterator[Metric]:
    """As the worker counted them last."""
    counted = counts.every(connection)
    types = [(name.removeprefix(counts.TYPES), one) for name, one in counted.items() if name.startswith(counts.TYPES)]
    numbers = (((name, kind), float(n)) for name, one in types for kind, n in one.numbers.items())
    yield _gauge("indicators", "What a collection holds, by type", ["collection", "type"], numbers)


def _of_work(connection: Connection) -> Iterator[Metric]:
    waiting = float(tasks.count_waiting(connection))
    yield GaugeMetricFamily("pulsegate_tasks_waiting", "What pages asked for, and nobody has begun", value=waiting)
    changed = float(touched.count(connection))
    yield GaugeMetricFamily("pulsegate_unpublished", "Pulses and values for the next publication", value=changed)
