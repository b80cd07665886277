"""A source of pulses as pages show it: one word for how it stands, how far a pull is, and when the next one comes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from pulsegate.store import runs
from pulsegate.store.runs import RUNNING, Run
from pulsegate.store.sources import FILES, OWN, RELAYED, Source, Walk
from pulsegate.sync import standing
from pulsegate.sync.standing import State, seconds_left
from pulsegate.web.site import site
from pulsegate.web.words import LazyString, later

HAND = (FILES, OWN)  # nothing is pulled from these

WORDS: dict[str, tuple[LazyString, str]] = {
    "unknown": (later("not in the settings"), "out"),
    "hand": (later("added here"), "plain"),
    "relayed": (later("by bundles"), "plain"),
    "off": (later("off, or without a key"), "out"),
    "pulling": (later("pulling"), "waiting"),
    "failing": (later("failing"), "failed"),
    "stale": (later("not up to date"), "failed"),
    "held": (later("removals wait"), "waiting"),
    "new": (later("not pulled yet"), "waiting"),
    "broken off": (later("not complete yet"), "waiting"),
    "well": (later("up to date"), "in"),
}


@dataclass(frozen=True, slots=True)
class Shown:
    """``word``: a key of ``WORDS``. ``run``: the last one. ``next``: when it is pulled from again, as far as known."""

    state: State
    word: str
    run: Run | None
    next: datetime | None

    @property
    def badge(self) -> tuple[LazyString, str]:
        """Its text and its colour."""
        return WORDS[self.word]

    @property
    def is_running(self) -> bool:
        return self.word == "pulling"

    @property
    def _walk(self) -> Walk | None:
        return self.state.row.walk if self.state.row else None

    @property
    def taken(self) -> int | None:
        """How many pulses of a walk that is under way were taken, over all of its runs."""
        return self._walk.offset if self._walk else None

    @property
    def total(self) -> int | None:
        """How many there are in all, where OTX has told."""
        return self._walk.count if self._walk else None

    @property
    def minutes_left(self) -> int | None:
        left = seconds_left(self._walk, self.state.moment) if self._walk else None
        return None if left is None else max(1, round(left / 60))


def every() -> list[Shown]:
    """Each source of the settings or of the store, in their order."""
    return [_shown(one) for one in _states()]


def named(name: str) -> Shown | None:
    return next((_shown(one) for one in _states() if one.name == name), None)


def _states() -> list[State]:
    with site().database.read() as connection:
        return standing.states(connection, site().feeds)


def _shown(state: State) -> Shown:
    run = runs.last(site().database, state.name)
    return Shown(state, _word(state, run), run, _next(state, run))


def _word(state: State, run: Run | None) -> str:
    if run is not None and run.outcome == RUNNING:
        return "pulling"
    if state.name.startswith(RELAYED):
        return "relayed"
    if not state.is_active:
        return "hand" if state.name in HAND else "off" if state.is_known else "unknown"
    return _fares(state.row, is_stale="stale" in state.alarms) if state.row else "new"


def _fares(row: Source, *, is_stale: bool) -> str:
    """What weighs most comes first."""
    facts = {
        "failing": row.failing is not None,
        "stale": is_stale,
        "held": row.held > 0,
        "broken off": row.walk is not None,
        "new": row.completed is None,
    }
    return next((word for word, holds in facts.items() if holds), "well")


def _next(state: State, run: Run | None) -> datetime | None:
    """None: at once, or by cron, or never."""
    row = state.row
    if row is None or not state.is_active or state.feed is None:
        return None
    if row.failing is not None:
        return row.next_try
    if run is None or state.feed.settings.cron is not None:
        return None
    return run.started + state.feed.settings.interval
