"""A page of stored indicators, with where each stands; also of those only that are out by some kind of rule."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from pulsegate.curation.decide import IN as LET_IN
from pulsegate.curation.policy import Policy
from pulsegate.publication import surroundings
from pulsegate.publication.marking import recalled
from pulsegate.publication.plan import place_identity
from pulsegate.publication.verdicts import Verdicts
from pulsegate.store import around, candidates, collections, pulses
from pulsegate.store.around import Nearby
from pulsegate.store.browsing import Key, Row, Walk
from pulsegate.store.collections import StoredCollection
from pulsegate.store.database import Connection, now
from pulsegate.store.pulses import Candidate, StoredPulse

MOST = 8_000  # rows that are looked at for one page
MOST_JUDGED = 2_000  # where each has to be decided on
WINDOW = 4_000
WINDOW_JUDGED = 1_000

IN, OUT, WAITING = "in", "out", "waiting"
GROUPS: Mapping[str, Sequence[str]] = {
    "forced": ("forced-out",),
    "allow-list": ("allow-list",),
    "own": ("own",),
    "protection": ("protection",),
    "warning-list": ("warning-list",),
    "rules": ("include", "exclude", "author"),
    "withdrawn": ("withdrawn", "unknown"),
    "profile": ("profile",),
    "review": ("review",),
    "life": ("inactive", "expired", "ttl"),
}
"""Of each kind of rules that keep a value out, how their names begin."""


@dataclass(frozen=True, slots=True)
class State:
    """In one collection. ``rule`` and ``reason``: what the next publication decides by."""

    inside: bool
    rule: str
    reason: str
    since: datetime | None = None

    @property
    def is_waiting(self) -> bool:
        """Whether the next publication changes it."""
        return self.inside != (self.rule in ("in", "forced-in"))

    def is_of(self, wanted: str) -> bool:
        if wanted in (IN, OUT):
            return self.inside == (wanted == IN)
        if wanted == WAITING:
            return self.is_waiting
        return not self.inside and self.rule.replace(":", ".").partition(".")[0] in GROUPS.get(wanted, ())


@dataclass(frozen=True, slots=True)
class Shown:
    """A row of the page. ``state``: in the collection asked for; ``counts``: in how many, out of how many otherwise."""

    key: Key
    indicator: Candidate
    pulse: StoredPulse | None
    state: State | None = None
    counts: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """``last``: the key of the last row that was looked at; ``is_end``: there are no more behind it."""

    rows: Sequence[Shown]
    last: Key | None
    is_end: bool
    looked_at: int


def browse(
    connection: Connection,
    policy: Policy,
    walk: Walk,
    key: Key | None,
    *,
    feed: StoredCollection | None = None,
    wanted: str | None = None,
    backwards: bool = False,
    limit: int,
) -> Found:
    """Up to ``limit`` rows from that key on, in the walk's order; fewer where few of those looked at fit.

    ``wanted``: ``in``, ``out``, ``waiting`` or one of ``GROUPS``, in the collection ``feed``.
    """
    judge = None if feed is None else _Judge(connection, policy, feed)
    is_judged = judge is not None and wanted is not None
    size, most = (WINDOW_JUDGED, MOST_JUDGED) if is_judged else (WINDOW if walk.filters else limit, MOST)
    kept: list[Row] = []
    states: dict[int, State] = {}
    looked_at, last, is_end = 0, key, False
    while len(kept) < limit and looked_at < most and not is_end:
        window = walk.window(connection, last, backwards=backwards, size=size)
        last, is_end, looked_at = window.last or last, window.is_end, looked_at + size
        if judge is not None and wanted is not None:
            states |= judge.states([one.indicator for one in window.rows])
            kept += [one for one in window.rows if states[one.indicator.pk].is_of(wanted)]
        else:
            kept += window.rows
    if len(kept) >= limit:
        kept, is_end = kept[:limit], False
        last = kept[-1].key
    if judge is not None and wanted is None:
        states = judge.states([one.indicator for one in kept])
    return Found(_shown(connection, kept, states if judge is not None else None), last, is_end, looked_at)


def _shown(connection: Connection, rows: Sequence[Row], states: Mapping[int, State] | None) -> list[Shown]:
    carriers = {one.pk: one for one in pulses.some(connection, {one.indicator.pulse_pk for one in rows})}
    if states is not None:
        return [
            Shown(one.key, one.indicator, carriers.get(one.indicator.pulse_pk), states[one.indicator.pk])
            for one in rows
        ]
    near = [Nearby(one.indicator.type, one.indicator.value, one.indicator.identity) for one in rows]
    counts = surroundings.counts(connection, near, surroundings.by_rule(collections.every(connection)))
    return [
        Shown(one.key, one.indicator, carriers.get(one.indicator.pulse_pk), None, counts[one.indicator.identity])
        for one in rows
    ]


class _Judge:
    """Where indicators stand in a collection, and what is decided on them."""

    def __init__(self, connection: Connection, policy: Policy, feed: StoredCollection) -> None:
        self._connection = connection
        self._feed = feed
        self._verdicts = Verdicts(feed.collection, recalled(connection, policy), now(connection))
        self._known: set[int] = set()

    def states(self, found: Sequence[Candidate]) -> dict[int, State]:
        """By the indicators' keys."""
        self._learn({one.pulse_pk for one in found})
        keys = {one.pk: self._key(one) for one in found}
        places = around.places(self._connection, [self._feed.id], set(keys.values()))
        since = {one.identity: one.since for one in places}
        decided = {one.pk: self._verdicts.of(one) for one in found}
        stays = self._by_others(one for one in found if keys[one.pk] in since and not decided[one.pk].included)
        states = {}
        for one in found:
            decision = LET_IN if one.identity in stays else decided[one.pk]
            there = since.get(keys[one.pk])
            states[one.pk] = State(there is not None, decision.rule, decision.reason, there)
        return states

    def _by_others(self, found: Iterable[Candidate]) -> set[bytes]:
        """Of values that stand there and that this pulse would not let in: those that another one does."""
        if not self._feed.collection.deduplicate:
            return set()
        every = list(candidates.with_identities(self._connection, {one.identity for one in found}))
        self._learn({one.pulse_pk for one in every})
        return {one.identity for one in every if self._verdicts.of(one).included}

    def _learn(self, keys: Collection[int]) -> None:
        new = set(keys) - self._known
        self._verdicts.learn_all(pulses.some(self._connection, new))
        self._known |= new

    def _key(self, one: Candidate) -> bytes:
        return place_identity(one.pulse_pk, one.identity, once=self._feed.collection.deduplicate)
