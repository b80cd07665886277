"""A pull survives OTX: whatever it does wrong, nothing is lost that it still has, and in the end all is as it has it.

``make pull-fuzz SECONDS=600`` goes on for that long with other troubles each time; the short form is the same each time.
"""

from __future__ import annotations

import os
import time
from datetime import timedelta
from functools import partial

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from functional.otx_world import HUGE, MINUTE, filled, world_of
from pulsegate.otx.simulator import Misbehaviour

SECONDS = float(os.environ.get("PULL_SECONDS", "0"))  # 0: the short form
EXAMPLES = 15  # of the short form
# Waits in a run that gets no answer: of five tries each, for events, ids, the walk and one pulse's indicators.
MOST_WAITS = 16
MEASURES = {
    Misbehaviour.SILENCE: {"seconds": 0.1},
    Misbehaviour.DRIP: {"rate": 100.0},
    Misbehaviour.HUGE_BODY: {"size": 60_000},
    Misbehaviour.GZIP_BOMB: {"size": 60_000},
    Misbehaviour.TOO_SLOW: {"most": 2},
    Misbehaviour.RATE_LIMIT: {"retry_after": "86400"},
}


@pytest.fixture
def world(new_database, tmp_path):
    with world_of(new_database(tmp_path / "world.db")) as made:
        yield made


def changes(world):
    """One of each kind."""
    world.put(1, {"1-0.example", "changed.example"})
    world.put(5, {f"5-{n}.example" for n in range(2, 4 * HUGE)})
    world.put(20, {f"20-{n}.example" for n in range(2 * HUGE)})
    world.put(21, {"21.example"})
    world.change("delete", 2)
    world.change("unsubscribe", 3)


@pytest.mark.parametrize("kind", Misbehaviour, ids=lambda kind: kind.name.lower())
def test_misbehaviour_that_lasts_takes_nothing_away_and_is_made_up_for(world, kind):
    """From the first pull on, and again when everything has been pulled. Among them otx_misp#37's 502, 504, empty page."""
    filled(world)
    world.patience = 0.06 if kind in (Misbehaviour.SILENCE, Misbehaviour.DRIP) else world.patience
    for _ in range(2):
        world.otx.misbehave(kind, **MEASURES.get(kind, {}))
        for _ in range(2):
            world.run()
            assert len(world.naps) <= MOST_WAITS
        world.settle(2)
        world.judge_end()
        changes(world)


@pytest.mark.parametrize("kind", [Misbehaviour.EMPTY_PAGE, Misbehaviour.NO_COUNT, Misbehaviour.GATEWAY_TIMEOUT])
@pytest.mark.parametrize("page", [1, 2])
def test_indicators_that_can_not_be_had_take_none_away(world, kind, page):
    filled(world, 6)
    world.settle(1)
    world.otx.misbehave(kind, path=f"/pulses/{5:024x}/indicators", page=page)
    changes(world)
    world.run()
    world.settle(2)
    world.judge_end()


# --- Everything at once ----------------------------------------------------------------------------------------------

NUMBERS = st.integers(1, 18)
HUGE_NUMBERS = st.sampled_from([5, 10, 15])
VALUES = st.sets(st.integers(0, 3 * HUGE), max_size=3 * HUGE)
CHANGES = {
    "put": st.tuples(st.just("put"), NUMBERS, VALUES, st.integers(0, 5)),
    "grow": st.tuples(
        st.just("put"), HUGE_NUMBERS, VALUES.map(lambda some: some | set(range(2, 2 * HUGE))), st.just(0)
    ),
    "spoil": st.tuples(st.just("put"), NUMBERS, st.none(), st.just(0)),
    **{
        what: st.tuples(st.just(what), NUMBERS)
        for what in ("delete", "subscribe", "unsubscribe", "subscribe_user", "unsubscribe_user", "modify")
    },
}
PATHS = (None, "/pulses/subscribed", "/pulses/subscribed", "/pulses/subscribed_pulse_ids", "/pulses/events", "huge")


@st.composite
def lives(draw):
    """Runs of one subscription, and what befalls each: a few sorts of troubles and of changes, often mixed."""
    kinds = draw(st.lists(st.sampled_from(list(Misbehaviour)), min_size=1, max_size=3, unique=True))
    sorts = draw(st.lists(st.sampled_from(list(CHANGES)), min_size=1, max_size=4, unique=True))
    change = st.one_of([CHANGES[sort] for sort in sorts])
    trouble = st.tuples(
        st.sampled_from(kinds), st.sampled_from(PATHS), st.none() | st.integers(1, 4), st.none() | st.integers(1, 8)
    )
    phase = st.fixed_dictionaries({
        "pause": st.sampled_from([1, 15, 100, 500]),
        "step": st.sampled_from([1, 30, 1200]),
        "before": st.lists(change, min_size=1, max_size=4),
        "during": st.lists(st.tuples(st.integers(1, 16), change), min_size=2, max_size=8),
        "troubles": st.lists(trouble, max_size=3),
    })  # fmt: skip
    return draw(st.integers(6, 14)), draw(st.lists(phase, min_size=2, max_size=5))


def make(world, change):
    what, number, *rest = change
    if what != "put":
        world.change(what, number)
        return
    values, dirt = rest
    world.put(
        number, None if values is None else {"shared.example", *(f"{number}-{n}.example" for n in values)}, dirt=dirt
    )


def live(world, phase):
    """One run, with what befalls it."""
    world.step = timedelta(seconds=phase["step"])
    for change in phase["before"]:
        make(world, change)
    for place, change in phase["during"]:
        world.plans.setdefault(world.asked + place, []).append(partial(make, world, change))
    world.otx.behave()
    for kind, path, page, times in phase["troubles"]:
        place = f"/pulses/{5:024x}/indicators" if path == "huge" else path
        world.otx.misbehave(kind, path=place, page=page, times=times, **MEASURES.get(kind, {}))
    if any(kind is Misbehaviour.SHORT_IDS for kind, *_ in phase["troubles"]):
        world.due.clear()  # a short list that says it is whole is believed where it is only a little shorter
    world.run(pause=phase["pause"] * MINUTE)
    assert len(world.naps) <= MOST_WAITS + 4 * world.answers


def survive(url, number, phases):
    with world_of(url) as world:
        filled(world, number)
        for phase in phases:
            live(world, phase)
        world.step = timedelta(seconds=1)
        world.settle()
        world.judge_end()


@pytest.mark.timeout(SECONDS + 300)
def test_pull_survives_everything_at_once(new_database, tmp_path):
    def example(life):
        survive(new_database(tmp_path / "world.db"), *life)

    def go(number, examples):
        asked = settings(
            max_examples=examples, deadline=None, database=None, suppress_health_check=list(HealthCheck),
            phases=[Phase.generate, Phase.shrink], print_blob=False,
        )  # fmt: skip
        seed(number)(asked(given(lives())(example)))()

    started, number = time.monotonic(), 0
    go(number, EXAMPLES)
    while time.monotonic() - started < SECONDS:
        number += 1
        go(number + int(time.time()), EXAMPLES)
