"""The real pulses, all the way: simulator, pull, publication, poll with cabby."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import support
from pulsegate.cli.setup import Installation, make_first_accounts, prepare
from pulsegate.curation.policy import Policy
from pulsegate.curation.protections import protection
from pulsegate.model.indicator import Indicator
from pulsegate.otx.client import OTXClient
from pulsegate.otx.documents import documents
from pulsegate.otx.parse import ReadPulse, read_pulse
from pulsegate.otx.simulator import Simulator
from pulsegate.publication.explain import explain
from pulsegate.settings import Settings
from pulsegate.stix.schema import check
from pulsegate.store import accounts
from pulsegate.store.database import Database
from pulsegate.sync.pull import pull
from pulsegate.sync.wanted import Pace, Wanted
from pulsegate.values.normalise import normalise

KEY = "key-of-this-test"
PASSWORD = "password-of-this-test"
KINDS = {
    "IPv4": "address", "IPv6": "address", "CIDR": "address", "email": "address", "domain": "name", "hostname": "name",
    "URL": "uri", "URI": "uri", "FileHash-MD5": "hash", "FileHash-SHA1": "hash", "FileHash-SHA256": "hash",
    "FileHash-IMPHASH": "hash", "FileHash-PEHASH": "hash",
}  # fmt: skip


@dataclass
class Feed:
    """What was pulled, and what the three collections gave when they were polled."""

    database: Database
    read: list[ReadPulse]
    polled: list[bytes]  # `subscribed`
    each: list[bytes]  # the same without deduplication
    labels: list[datetime]


@pytest.fixture(scope="module")
def feed(tmp_path_factory: pytest.TempPathFactory, lasting_database: Callable[..., str]) -> Iterator[Feed]:
    folder = Path(__file__).parents[3] / "shared" / "corpus"
    if not folder.is_dir():
        pytest.skip("no real pulses beside this checkout")
    files = sorted(folder.glob("*.json"))
    database = Database(lasting_database(tmp_path_factory.mktemp("corpus") / "feed.db"))
    settings = Settings.model_validate({"collections": [{"name": "each", "deduplicate": False}]})
    where = Installation(settings, database, Policy(), demo=False)
    prepare(where)
    make_first_accounts(where)
    with database.write() as connection:
        accounts.set_password(connection, "gateway", PASSWORD)
    with Simulator(files, api_key=KEY, owner="nobody") as simulator, OTXClient(simulator.url, KEY) as client:
        pull(database, client, Policy(), Wanted(backfill=timedelta(days=36500)), Pace(page_size=7))
    with support.serving(support.application(database.url)) as address:
        blocks = support.poll(address, "subscribed", "gateway", PASSWORD)
        each = support.poll(address, "each", "gateway", PASSWORD)
        assert support.poll(address, "user_nobody", "gateway", PASSWORD) == []
    read = {one.pulse.id: one for file in files for one in map(read_pulse, documents(file))}
    yield Feed(
        database, list(read.values()), [one.content for one in blocks], [one.content for one in each],
        [one.timestamp for one in blocks],
    )  # fmt: skip
    database.close()


def served(one: Indicator) -> bool:
    """Whether it belongs into a feed that filters nothing: active, unexpired, unprotected, and STIX can say it."""
    now = datetime.now(UTC)
    alive = one.raw.active and (one.raw.expiration is None or one.raw.expiration > now)
    return alive and protection(one.type, one.value) is None and (one.type != "YARA" or bool(one.raw.content.strip()))


def as_read(one: Indicator) -> tuple[str, str]:
    kind = KINDS.get(one.type, "title")
    return (kind, one.value if kind != "title" else f"{one.type} - {one.value}")


def wanted(read: list[ReadPulse]) -> dict[str, set[tuple[str, str]]]:
    found = defaultdict(set)
    for pulse in read:
        for raw in pulse.indicators:
            one = normalise(raw)
            if isinstance(one, Indicator) and served(one):
                found[pulse.pulse.id].add(as_read(one))
    return found


@pytest.mark.corpus
def test_poll_of_subscribed_gives_each_wanted_value_once(feed: Feed) -> None:
    polled = Counter(value for package in feed.polled for value in support.read_values(package))
    expected = set().union(*wanted(feed.read).values())
    assert {value: count for value, count in polled.items() if count != 1} == {}
    assert set(polled) == expected
    assert len(expected) > 8_000


@pytest.mark.corpus
def test_poll_without_deduplication_gives_each_pulse_its_own(feed: Feed) -> None:
    polled: dict[str, Counter[tuple[str, str]]] = defaultdict(Counter)
    for package in feed.each:
        polled[support.pulse_id(package)].update(support.read_values(package))
    expected = {pulse: dict.fromkeys(values, 1) for pulse, values in wanted(feed.read).items() if values}
    assert {pulse: dict(values) for pulse, values in polled.items()} == expected


@pytest.mark.corpus
def test_every_block_is_bounded_and_valid(feed: Feed) -> None:
    for package in feed.polled + feed.each:
        check(package)
        assert len(package) <= 1_000_000
        assert len(support.read_values(package)) <= 500


@pytest.mark.corpus
def test_labels_spread_like_the_pulses(feed: Feed) -> None:
    assert feed.labels == sorted(set(feed.labels))
    years = Counter(label.year for label in feed.labels)
    assert {2015, 2017, 2018, 2021} <= set(years)
    assert max(feed.labels) <= max(one.pulse.modified for one in feed.read) + timedelta(seconds=1)


@pytest.mark.corpus
def test_every_value_left_out_has_its_reason(feed: Feed) -> None:
    policy = Policy()
    left_out = {}
    for pulse in feed.read:
        for raw in (*pulse.indicators, *(one.raw for one in pulse.unreadable)):
            one = normalise(raw)
            if not isinstance(one, Indicator) or not served(one):
                left_out[raw.type, raw.value] = explain(feed.database, policy, raw.value)
    assert len(left_out) > 3
    for (kind, value), found in left_out.items():
        assert found is not None, (kind, value)
        standing = {one.collection: one for one in found.standings}["subscribed"]
        assert standing.reason, (kind, value)
        assert standing.included or standing.rule not in ("in", "pending"), (kind, value)
