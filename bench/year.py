"""A year of daily changes on SQLite, on a clock that is put forward, to see whether the database levels off."""

from __future__ import annotations

import json
import random
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import sqlalchemy as sa
import structlog

from pulsegate.curation.policy import Policy
from pulsegate.model.collection import Collection
from pulsegate.model.indicator import Indicator, IndicatorType, RawIndicator
from pulsegate.model.pulse import Pulse
from pulsegate.publication import publish, render
from pulsegate.publication.built_in import SUBSCRIBED
from pulsegate.stix import Block
from pulsegate.store import collections, migrate, pulses, retention, taken
from pulsegate.store.database import Database
from pulsegate.store.tables import content_blocks, indicators, superseded
from pulsegate.store.tables import pulses as pulses_table

BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
MONTH = 30  # days
KEPT = timedelta(days=90)  # withdrawn pulses and the record of pulls
TYPES = (IndicatorType.IPV4, IndicatorType.DOMAIN, IndicatorType.HOSTNAME, IndicatorType.URL, IndicatorType.SHA256)
SHARES = (35, 25, 15, 10, 15)  # in a hundred indicators
LIFE = {IndicatorType.IPV4: 30 * DAY, IndicatorType.DOMAIN: 30 * DAY}  # as OTX lets them expire
GATEWAY = Collection("gateway", ttl=dict.fromkeys(TYPES, 90 * DAY), refresh=25 * DAY)


@dataclass
class _Known:
    """A pulse as OTX has it."""

    pulse: Pulse
    indicators: list[Indicator]
    grows: int = 0  # days on which it still does


class _Year:
    """Days of changes, each published ``daily`` times."""

    def __init__(self, database: Database, new_pulses: int, daily: int) -> None:
        self.database = database
        self.new_pulses = new_pulses
        self.daily = daily
        self.random = random.Random("a year")
        self.moment = BEGINNING
        self.known: list[_Known] = []
        self.numbers = 0
        self.seconds = 0.0  # of the last publication

    def day(self) -> None:
        for part in range(self.daily):
            self.moment += DAY / self.daily
            changed = [*self.fresh(self.new_pulses, part), *self.grown(part), *self.touched(part)]
            with self.database.write() as connection:
                for one in changed:
                    taken.put(connection, one.pulse, one.indicators, taken.unmarked)
            if part == 0:
                self.withdraw()
            start = time.perf_counter()
            publish.publish_unlocked(self.database, Policy())
            self.seconds = time.perf_counter() - start
        retention.purge(self.database, KEPT, KEPT, KEPT)

    def share(self, number: int, part: int) -> range:
        return range(part, number, self.daily)

    def fresh(self, number: int, part: int) -> Iterator[_Known]:
        """New pulses; a tenth of them goes on growing for some days."""
        for _ in self.share(number, part):
            self.numbers += 1
            pulse = Pulse(f"{self.numbers:024x}", f"Pulse {self.numbers}", "", self.moment, self.moment)
            one = _Known(pulse, self.invent(self.random.randint(5, 60)))
            one.grows = self.random.randint(2, 8) if self.random.random() < 0.1 else 0
            self.known.append(one)
            yield one

    def grown(self, part: int) -> Iterator[_Known]:
        for one in self.known[-60 * self.new_pulses :]:
            if one.grows and part == 0:
                one.grows -= 1
                one.pulse = replace(one.pulse, modified=self.moment)
                one.indicators = _unique([*one.indicators, *self.invent(self.random.randint(1, 10))])
                yield one

    def touched(self, part: int) -> Iterator[_Known]:
        """Older pulses: as many as there are new ones get a new date and no more, a quarter of them new lives."""
        for place in self.share(self.new_pulses, part):
            one = self.random.choice(self.known[-200 * self.new_pulses :])
            one.pulse = replace(one.pulse, modified=self.moment)
            if place % 4 == 0:
                one.indicators = [self.revived(each) for each in one.indicators]
            yield one

    def withdraw(self) -> None:
        """A twentieth as many pulses as are new are deleted on OTX."""
        share = self.new_pulses / 20
        for _ in range(int(share) + (self.random.random() < share % 1)):
            one = self.known.pop(self.random.randrange(len(self.known)))
            with self.database.write() as connection:
                taken.withdraw(connection, [pulses.get(connection, one.pulse.id).pk])

    def invent(self, number: int) -> list[Indicator]:
        return _unique(self.one() for _ in range(number))

    def one(self) -> Indicator:
        """A tenth of the values is drawn from a few, and so stands in several pulses."""
        kind = self.random.choices(TYPES, SHARES)[0]
        number = self.random.randrange(20 * MONTH) if self.random.random() < 0.1 else self.random.getrandbits(60)
        value = _value(kind, number)
        expires = self.moment + LIFE[kind] if kind in LIFE else None
        return Indicator(kind, value, RawIndicator(kind.value, value, created=self.moment, expiration=expires))

    def revived(self, one: Indicator) -> Indicator:
        life = LIFE.get(one.type)
        return replace(one, raw=replace(one.raw, expiration=self.moment + life)) if life else one


def _unique(found: Iterable[Indicator]) -> list[Indicator]:
    return list({one.identity: one for one in found}.values())


def _value(kind: IndicatorType, number: int) -> str:
    match kind:
        case IndicatorType.IPV4:
            return ".".join(str(number >> shift & 255) for shift in (24, 16, 8, 0))
        case IndicatorType.URL:
            return f"http://{number:x}.example.net/{number:x}"
        case IndicatorType.SHA256:
            return f"{number:064x}"
    return f"{kind.value[0]}{number:x}.example.org"


def run(size: int) -> None:
    """``size`` indicators come in the year (240,000 are about 20 pulses a day), half of them where it is four times."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    for daily, indicators_a_year in ((1, size), (4, size // 2)):
        new_pulses = max(1, round(indicators_a_year / 365 / 33))
        print(f"{new_pulses} new pulses a day, published {daily} times a day")
        with tempfile.TemporaryDirectory(dir="/tmp") as folder:
            _run(Path(folder) / "year.db", new_pulses, daily)


def _run(file: Path, new_pulses: int, daily: int) -> None:
    database = Database(f"sqlite:///{file}")
    migrate.upgrade(database)
    year = _Year(database, new_pulses, daily)
    with ExitStack() as patches:
        patches.enter_context(patch("pulsegate.store.database.datetime", _Clock(year)))
        patches.enter_context(patch.object(render, "blocks", _quick_blocks))
        with database.write() as connection:
            collections.ensure_services(connection)
            collections.put(connection, SUBSCRIBED)
            collections.put(connection, GATEWAY)
        for day in range(1, 366):
            year.day()
            if day % MONTH == 0:
                print(f"day {day:3}: {_figures(database, file, year)}", flush=True)
    database.close()


class _Clock:
    """Stands in for ``datetime`` where the database's clock is read."""

    def __init__(self, year: _Year) -> None:
        self._year = year

    def now(self, _zone: object) -> datetime:
        return self._year.moment


def _figures(database: Database, file: Path, year: _Year) -> str:
    with database.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        counted = {
            table.name: connection.scalar(sa.select(sa.func.count()).select_from(table))
            for table in (content_blocks, superseded, pulses_table, indicators)
        }
        free = connection.exec_driver_sql("PRAGMA freelist_count").scalar()
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
        held = collections.sizes(connection)
    counted |= {f"placements in {name}": size.indicators for name, size in held.items()}
    counts = ", ".join(f"{name} {number:,}" for name, number in counted.items())
    size = f"{file.stat().st_size / 1e6:.1f} MB ({free / pages:.0%} free)"
    return f"{size}, {counts}; publication {year.seconds:.2f} s"


def _quick_blocks(
    pulse: Pulse, members: Any, _profile: Any, *, max_indicators: int = 500, **_bounds: int
) -> Iterator[Block]:
    """Rendering in no time; of about a third of a package's size."""
    found = list(members)
    for start in range(0, len(found), max_indicators):
        part = tuple(found[start : start + max_indicators])
        rows = [(one.value, "x" * 600) for one in part]
        yield Block(json.dumps([pulse.id, *rows]).encode(), part)
