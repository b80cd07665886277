"""After any sequence of changes, crashes and deletions the collection holds exactly what is wanted, each value once."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import timedelta

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from publication.feeds import MAIL, NOW, Clock, Feed, a_name, a_pulse
from publication.inline import within
from pulsegate.model.collection import Collection
from pulsegate.publication import publish, render
from pulsegate.stix import Block
from pulsegate.store import blocks, collections, ledger
from pulsegate.store.tables import content_blocks, data_collections, indicators, placements, pulses

HOUR = timedelta(hours=1)
COPY = Collection("other")  # holds the same as the one that is looked at
PULSES = (1, 2, 3)
EFFECTS = (
    "clear_staged",
    "stage_all",
    "publish",
    "release",
    "foresee",
    "rewrite",
    "delete",
    "unplace",
    "adopt",
    "key_anew",
)


class Crash(BaseException):
    """The process ends here."""


@dataclass(frozen=True)
class Step:
    """What comes before a publication."""

    pulses: dict[int, frozenset[tuple[str, int]]]  # values and the hours until each expires, by pulse
    gone: frozenset[int]  # pulses that are no longer subscribed to
    hours: int
    deduplicate: bool
    dies_at: int | None  # at which of its effects on the store the first try of the publication ends
    lost: int | None  # which of the served blocks somebody else deletes
    answered: bool  # whether a client polled before


VALUES = st.tuples(st.sampled_from([f"{letter}.example" for letter in "abcde"]), st.sampled_from([3, 1000]))
SETS = st.frozensets(VALUES, max_size=5).map(lambda found: frozenset(dict(found).items()))
STEPS = st.builds(
    Step,
    pulses=st.dictionaries(st.sampled_from(PULSES), SETS, max_size=3),
    gone=st.frozensets(st.sampled_from(PULSES), max_size=1),
    hours=st.sampled_from([0, 1, 2, 3, 4, 20, 30]),  # a label of a day may move
    deduplicate=st.sampled_from([True, True, False]),
    dies_at=st.none() | st.integers(1, 12),
    lost=st.none() | st.integers(0, 5),
    answered=st.booleans(),
)


def small_blocks(pulse, members, _profile, *, max_indicators=3, **_bounds):
    """A quick stand-in for rendering: JSON, three indicators a block."""
    batch = []
    for one in members:
        batch.append(one)
        if len(batch) == max_indicators:
            yield a_block(pulse, batch)
            batch = []
    if batch:
        yield a_block(pulse, batch)


def a_block(pulse, members) -> Block:
    return Block(json.dumps([pulse.id, [one.value for one in members]]).encode(), tuple(members))


class World:
    """The pulses as they should be, beside the feed."""

    def __init__(self, feed: Feed, clock: Clock, patch: pytest.MonkeyPatch, copied: bool) -> None:
        self.copied = copied
        self.feed, self.clock, self.patch = feed, clock, patch
        self.pulses: dict[int, dict[str, int]] = {}
        self.gone: frozenset[int] = frozenset()
        self.begin = NOW - 10_000 * HOUR
        clock.moment = NOW
        feed.wipe()

    def take(self, step: Step) -> None:
        self.clock.moment += step.hours * HOUR
        self.feed.collection(MAIL, deduplicate=step.deduplicate)
        if self.copied:
            self.feed.collection(COPY, deduplicate=step.deduplicate)
        for number, found in step.pulses.items():
            self.pulses[number] = dict(found)
            rows = [a_name(value, expiration=NOW + hours * HOUR) for value, hours in sorted(found)]
            self.feed.put(a_pulse(number, NOW - (number % 2) * HOUR), rows)
        self.gone = (self.gone - step.pulses.keys()) | step.gone
        for number in step.gone:
            self.feed.withdraw(a_pulse(number))
        if step.answered:
            self.begin = ledger.answer(self.feed.database, "mail", None, HOUR).end

    def lose(self, which: int) -> None:
        there = self.served()
        if which < len(there):
            with self.feed.database.write() as connection:
                connection.execute(sa.delete(content_blocks).where(content_blocks.c.id == there[which].id))
                stored = collections.get(connection, "mail")
                assert stored is not None
                blocks._change_volume(connection, stored.id, -1)

    def publish(self, dies_at: int | None) -> None:
        """What is there and stays wanted is there at every moment, the one at which the publisher dies among them."""
        staying = self.values() & {value for _, value in self.wanted(once=True)}
        if dies_at is not None:
            with self.patch.context() as patch:
                self._die_at(patch, dies_at)
                try:
                    self.feed.publish()
                except Crash:
                    assert self.values() >= staying
                else:
                    return
        self.feed.publish()

    def values(self) -> set[str]:
        return {value for block in self.served() for value in json.loads(block.content)[1]}

    def _die_at(self, patch: pytest.MonkeyPatch, count: int) -> None:
        left = count

        def counted(effect):
            def run(*args, **kwargs):
                nonlocal left
                left -= 1
                if left == 0:
                    raise Crash
                return effect(*args, **kwargs)

            return run

        for name in EFFECTS:
            patch.setattr(publish.stored_blocks, name, counted(getattr(blocks, name)))

    def served(self):
        return self.feed.served()

    def wanted(self, *, once: bool) -> list[tuple[int, str]]:
        """Pairs of pulse and value; without the pulse (0) where each value comes once."""
        pairs = {
            (0 if once else number, value)
            for number, found in self.pulses.items()
            if number not in self.gone
            for value, hours in found.items()
            if NOW + hours * HOUR > self.clock.moment
        }
        return sorted(pairs)

    def check_copy(self, *, once: bool) -> None:
        """Its values. A young one may still stand in the block of a pulse that it has left."""
        found = [value for one in self.feed.served("other") for value in json.loads(one.content)[1]]
        assert sorted(found) == sorted(value for _, value in self.wanted(once=once))

    def check(self, *, once: bool) -> None:
        found = [(one.id, value) for one in self.served() for value in json.loads(one.content)[1]]
        with self.feed.database.read() as connection:
            rows = connection.execute(
                sa.select(placements.c.content_block_id, indicators.c.value, pulses.c.id)
                .join(indicators, indicators.c.pk == placements.c.indicator_pk)
                .join(pulses, pulses.c.pk == indicators.c.pulse_pk)
                .join(data_collections, data_collections.c.id == placements.c.collection_id)
                .where(data_collections.c.name == "mail")
            ).all()
        assert sorted((row[0], row[1]) for row in rows) == sorted(found)
        assert sorted((0 if once else int(row[2], 16), row[1]) for row in rows) == self.wanted(once=once)
        assert all(json.loads(one.content)[1] for one in self.served())
        self.feed.check()


BUDGET = settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@given(st.lists(STEPS, min_size=1, max_size=5))
@BUDGET
def test_any_sequence_of_changes_ends_with_what_is_wanted_each_once(feed, clock, monkeypatch, steps):
    check_sequence(feed, clock, monkeypatch, steps)


@given(st.lists(STEPS, min_size=1, max_size=5))
@settings(BUDGET, max_examples=20)
def test_any_sequence_of_large_publications_ends_with_the_same(feed, clock, monkeypatch, steps):
    within(monkeypatch)
    check_sequence(feed, clock, monkeypatch, steps, copied=True)


def check_sequence(feed, clock, monkeypatch, steps, copied=False):
    monkeypatch.setattr(render, "blocks", small_blocks)
    monkeypatch.setattr(publish, "BATCH_BLOCKS", 2)
    world = World(feed, clock, monkeypatch, copied)
    for step in steps:
        world.take(step)
        if step.lost is not None:
            world.lose(step.lost)
        before = {one.id: one.label for one in world.served()}
        frontier = feed.ledger().frontier
        world.publish(step.dies_at)
        world.check(once=step.deduplicate)
        if copied:
            world.check_copy(once=step.deduplicate)
        for one in world.served():
            old = before.get(one.id)
            assert one.label == old or one.label > frontier
        assert feed.publish()["mail"] == publish.Publication("mail")
