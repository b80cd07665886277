"""A world for pulls to survive in: a local OTX that changes while it is asked, a store, a clock, and who judges them.

What OTX has is known here apart from the product, as plain sets: (pulse, domain) of every readable pulse.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from pulsegate.curation.policy import Policy
from pulsegate.errors import OTXError
from pulsegate.intake import running
from pulsegate.otx.client import OTXClient
from pulsegate.otx.dates import write_date
from pulsegate.otx.simulation.answer import Answer, Request
from pulsegate.otx.simulator import Simulator
from pulsegate.publication.built_in import SUBSCRIBED
from pulsegate.store import collections, pulses, sources
from pulsegate.store.database import Database
from pulsegate.sync import comparison, completion, pull, walk
from pulsegate.sync.wanted import Pace, Wanted
from sync.pulls import served

KEY = "0123456789abcdef-secret"
DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)
BACKFILL = 365 * DAY
AUTHORS = ("amber", "basil")
HUGE = 5  # indicators in a page at most
MAX_BODY = 50_000  # bytes
LONGEST = 300.0  # seconds that a pull may wait at once
DIRT: list[Any] = [None, "text", {"type": "domain"}, {"type": "domain", "indicator": "not a domain"}, {"type": "x"}]
# Lists come in many pages, also where there is little in them.
SMALL = ((comparison, "IDS", 7), (comparison, "EVENTS", 5), (completion, "PAGE", 4), (pull, "MOST_SINGLE", 3))

Pair = tuple[str, str]


def pulse_id(number: int) -> str:
    return f"{number:024x}"


class Hooked(Simulator):
    """Tells of each request before it answers; one after the other."""

    hook: Callable[[Request], None] = staticmethod(lambda _: None)
    answers = 0  # good ones

    def __init__(self, *words: Any, **options: Any) -> None:
        super().__init__(*words, **options)
        self._turn = threading.Lock()

    def _respond(self, request: Request, key: str) -> Answer:
        with self._turn:
            self.hook(request)
            answer = super()._respond(request, key)
            self.answers += answer.status == 200
            return answer


@dataclass
class World:
    """``moment`` is everybody's time: requests and waits move it on. ``due``: what must stay in the feed as long as
    OTX has it, because it was there after the last run."""

    store: Database
    moment: datetime = field(default_factory=lambda: datetime.now(UTC) - 100 * DAY)
    step: timedelta = timedelta(seconds=2)
    page_size: int = 3
    patience: float = 0.15  # seconds
    naps: list[float] = field(default_factory=list)
    known: dict[str, set[str] | None] = field(default_factory=dict)  # None: can't be read
    due: set[Pair] = field(default_factory=set)
    plans: dict[int, list[Callable[[], None]]] = field(default_factory=dict)  # by the number of the request

    def __post_init__(self) -> None:
        self.began = self.moment
        self.otx = Hooked(clock=self.clock, max_indicators=HUGE)
        self.otx.hook = self.on_request
        self.asked = 0
        self.answers = 0  # good ones, in the last run

    # --- Time --------------------------------------------------------------------------------------------------------

    def clock(self) -> datetime:
        self.moment += timedelta(microseconds=1)
        return self.moment

    def sleep(self, seconds: float) -> None:
        assert 0 <= seconds <= LONGEST
        self.naps.append(seconds)
        self.moment += timedelta(seconds=seconds)

    def on_request(self, _request: Request) -> None:
        self.asked += 1
        self.moment += self.step
        for plan in self.plans.pop(self.asked, []):
            plan()

    # --- What OTX has ------------------------------------------------------------------------------------------------

    def put(self, number: int, values: set[str] | None, *, age: timedelta = timedelta(), dirt: int = 0) -> None:
        """Put in a pulse, new or again, modified ``age`` ago; ``dirt``: so many rows that are no indicators."""
        rows = [{"id": n, "type": "domain", "indicator": value} for n, value in enumerate(sorted(values or ()))]
        self.known[pulse_id(number)] = values
        self.otx.put({
            "id": pulse_id(number), "name": f"Pulse {number}", "author_name": AUTHORS[number % 2],
            "created": "2015-01-01T00:00:00", "modified": write_date(self.clock() - age),
            "indicators": {"no": "list"} if values is None else [*DIRT[:dirt], *rows],
        })  # fmt: skip
        self._note()

    def change(self, what: str, number: int) -> None:
        """Change the subscription, as ``what`` says; what isn't there is left alone."""
        try:
            if what == "modify":
                self.otx._feed.touch(pulse_id(number))
            elif what.endswith("_user"):
                getattr(self.otx, what)(AUTHORS[number % 2])
            else:
                getattr(self.otx, what)(pulse_id(number))
        except KeyError:
            return
        self._note()

    def listed(self) -> dict[str, datetime]:
        """The subscription: when each pulse was modified."""
        return {one.id: one.modified for one in self.otx._anybody.subscription.listing()}

    def held(self) -> set[Pair]:
        return {(one, value) for one in self.listed() for value in self.known[one] or ()}

    def _note(self) -> None:
        self.due &= self.held()

    # --- What the store has ------------------------------------------------------------------------------------------

    def stored(self) -> tuple[set[str], set[Pair]]:
        """The active pulses, and their active indicators."""
        with self.store.read() as connection:
            found = [one for one in pulses.every(connection) if one.active]
            pairs = {
                (one.pulse.id, each.indicator.value)
                for one in found
                for each in pulses.indicators_of(connection, one.pk)
                if each.indicator.raw.active
            }
        return {one.pulse.id for one in found}, pairs

    def source(self) -> sources.Source:
        with self.store.read() as connection:
            found = sources.get(connection, "otx")
        assert found is not None
        return found

    @contextmanager
    def reading(self, url: str) -> Iterator[None]:
        """The store is another one for a while."""
        ours, self.store = self.store, Database(url)
        yield
        self.store.close()
        self.store = ours

    # --- Pulls -------------------------------------------------------------------------------------------------------

    def run(self, *, pause: timedelta = 15 * MINUTE, wanted: Wanted | None = None, **options: Any) -> OTXError | None:
        """One pull, and what must hold after any: nothing is lost that OTX still has. Gives why it failed."""
        self.moment += pause
        self.naps.clear()
        before = self.otx.answers
        client = OTXClient(self.otx.url, KEY, timeout=(2.0, self.patience), patience=self.patience, max_body=MAX_BODY)
        pace = Pace(page_size=self.page_size, sleep=self.sleep, jitter=lambda seconds: seconds)
        failure = None
        try:
            with client:
                pull.pull(self.store, client, Policy(), wanted or Wanted(backfill=BACKFILL), pace, wait=0, **options)
        except OTXError as error:
            failure = error
        self.answers = self.otx.answers - before
        self.judge()
        return failure

    def judge(self) -> None:
        _, pairs = self.stored()
        feed = served(self.store)
        assert len(feed) == len(set(feed)), "twice"
        assert set(feed) == {value for _, value in pairs}
        assert self.due <= pairs, f"lost: {self.due - pairs}"
        self.due = pairs & self.held()

    def settle(self, runs: int = 3) -> None:
        """OTX behaves again, and nothing changes any more."""
        self.otx.behave()
        self.plans.clear()
        patience, self.patience = self.patience, 5.0
        for _ in range(runs):
            failure = self.run(accept_removals=True)
            assert failure is None, failure
        self.patience = patience

    def judge_end(self) -> None:
        """The store holds what OTX's subscription holds, as far back as is wanted.

        What has become older than that since it was stored, as months may pass, stays as long as it is subscribed to.
        """
        listed = {one for one, modified in self.listed().items() if modified > self.moment - BACKFILL}
        once = {one for one, modified in self.listed().items() if modified > self.began - BACKFILL}
        readable = {one for one in listed if self.known[one] is not None}
        ids, pairs = self.stored()
        assert readable <= ids <= once, (sorted(readable - ids), sorted(ids - once))
        expected = {(one, value) for one, value in self.held() if one in readable}
        found = {(one, value) for one, value in pairs if one in readable}
        assert found == expected, (sorted(expected - found), sorted(found - expected))
        assert self.source().walk is None


def filled(world: World, numbers: int = 14) -> None:
    """Pulses of all ages; every fifth is huge."""
    for number in range(1, numbers + 1):
        count = 3 * HUGE + 1 if number % 5 == 0 else 1 + number % 3
        age = 500 * DAY if number % 7 == 0 else number * 20 * DAY
        world.put(
            number, {"shared.example", *(f"{number}-{n}.example" for n in range(count))}, age=age, dirt=number % 4
        )


@contextmanager
def world_of(url: str, **options: Any) -> Iterator[World]:
    """A world with the store at that URL, which has no row, and its OTX running."""
    store = Database(url)
    if store.is_sqlite:  # no power fails here
        sa.event.listen(store.engine, "connect", lambda made, _: made.execute("PRAGMA synchronous=OFF"))
    with store.write() as connection:
        collections.ensure_services(connection)
        collections.put(connection, SUBSCRIBED)
    world = World(store, **options)
    with pytest.MonkeyPatch.context() as patch, world.otx:
        for module in (running, pull, walk, comparison, sources):
            patch.setattr(module, "now", lambda _: world.clock())
        for module, name, size in SMALL:
            patch.setattr(module, name, size)
        yield world
    store.close()
