"""Deciding on every indicator for five collections with the shipped warning lists, and again after one change."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator, Sequence
from datetime import timedelta
from functools import partial
from itertools import islice
from typing import Any

import structlog

from bench.pulses import invent
from bench.timing import in_child, timed
from pulsegate.curation.list_choice import ListChoice
from pulsegate.curation.own import Own
from pulsegate.curation.policy import Policy
from pulsegate.intake.taking import Claim, Intake, take
from pulsegate.model.collection import Collection, Profile, Rule
from pulsegate.model.decisions import Allowed
from pulsegate.model.indicator import IndicatorType
from pulsegate.model.tlp import TLP
from pulsegate.publication import marking, planning
from pulsegate.publication.built_in import SUBSCRIBED
from pulsegate.publication.marking import Marker
from pulsegate.publication.publish import publish_all
from pulsegate.store import collections, decisions, migrate, state
from pulsegate.store.database import Database, now

OF_A_PULSE = 50  # indicators
PAGE = 100  # pulses
LIFE = timedelta(days=3650)
COLLECTIONS = (
    SUBSCRIBED,
    Collection("mail", profile=Profile.ESA, include=Rule(tlp=frozenset({TLP.WHITE}), max_age=LIFE)),
    Collection("names", include=Rule(types=frozenset({IndicatorType.DOMAIN, IndicatorType.HOSTNAME}))),
    Collection("no lists", warning_lists=frozenset(), exclude=Rule(tags=frozenset({"family7"}))),
    Collection("short", profile=Profile.ESA, ttl={IndicatorType.IPV4: LIFE, IndicatorType.DOMAIN: LIFE}),
)


def run(size: int) -> None:
    """On SQLite; memory is that of the process with all that it starts."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        url = f"sqlite:///{folder}/feed.db"
        for name, work in (("taken in", _take), ("decided", _decide), ("published and changed", _change)):
            print(f"{name}: peak memory {in_child(partial(work, url, size)):,.0f} MB", flush=True)


def _policy() -> Policy:
    return Policy(own=Own(["own.test", "192.0.2.0/24"]), lists=ListChoice.default())


def _take(url: str, size: int) -> None:
    database = Database(url)
    migrate.upgrade(database)
    with database.write() as connection:
        collections.ensure_services(connection)
        for one in COLLECTIONS:
            collections.put(connection, one)
    policy = _policy()
    marking.refresh(database, policy)
    marker, intake = Marker(database, policy), Intake()
    for page in _pages(size):
        take(database, page, intake, Claim("files", "file"), marker)


def _pages(size: int) -> Iterator[Sequence[dict[str, Any]]]:
    walk = iter(invent(max(1, size // OF_A_PULSE), OF_A_PULSE))
    while page := list(islice(walk, PAGE)):
        yield page


def _decide(url: str, size: int) -> None:
    database, policy = Database(url), _policy()
    with database.write() as connection:
        state.put(connection, marking.MARKED_BY, "something else")
    with timed() as seconds:
        marking.refresh(database, policy)
    print(f"all {size:,} marked anew by the lists: {seconds():.1f} s", flush=True)
    whole = 0.0
    with database.read() as connection:
        every = collections.every(connection)
    for stored in every:
        with timed() as seconds:
            plan = planning.make(database, stored, policy, None).plan
        whole += seconds()
        wanted = sum(map(len, plan.entering.values()))
        print(
            f"  {stored.collection.name}: {wanted:,} of {size:,} are wanted, decided in {seconds():.1f} s", flush=True
        )
    print(f"decisions for {len(every)} collections: {whole:.1f} s", flush=True)


def _change(url: str, size: int) -> None:  # noqa: ARG001 - of the same shape
    database, policy = Database(url), _policy()
    with timed() as seconds:
        publish_all(database, policy)
    print(f"first publication: {seconds():.1f} s", flush=True)
    with timed() as seconds:
        publish_all(database, policy)
    print(f"publication of nothing new: {seconds():.2f} s", flush=True)
    value = next(iter(invent(1, 3)))["indicators"][2]["indicator"]  # the first one stands in every pulse
    with timed() as seconds:
        with database.write() as connection:
            decisions.allow(connection, [Allowed("exact", value, "a test", "bench", now(connection))])
        done = publish_all(database, policy)
    print(
        f"one entry on the allow list, published: {seconds():.2f} s, {sum(one.removed for one in done)} left",
        flush=True,
    )
