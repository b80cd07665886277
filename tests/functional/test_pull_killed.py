"""A pull that is killed at any point resumes: it loses nothing and repeats nothing.

``PULL_KILLS=200`` kills so often; the short form a few times.
"""

from __future__ import annotations

import os
import random
import threading
from datetime import UTC, datetime

import pytest

from functional.otx_world import HUGE, filled, world_of
from functional.pull_process import PullProcess, kill
from pulsegate.store import quarantine
from store.databases import each_kind as database_kind
from sync.pulls import served

__all__ = ["database_kind"]

KILLS = int(os.environ.get("PULL_KILLS", "12"))
LAST_PLACE = 12  # of the request at which it is killed: most runs have as many


@pytest.mark.timeout(120 + 5 * KILLS)
def test_kill_at_random_points_of_pulls(new_database, tmp_path):
    dice = random.Random(1)
    with world_of(new_database(tmp_path / "world.db"), moment=datetime.now(UTC)) as world:
        filled(world)
        process = PullProcess(world.store.url, tmp_path, world.otx.url, page_size=3)
        killed = number = 0
        while killed < KILLS:
            change(world, dice, number)
            killed += at_a_request(world, process, dice) if number % 3 else in_publication(world, process, dice)
            judge(world)
            number += 1
        assert number < 2 * KILLS, "most were killed too late"
        process.run("--accept-removals")
        judge(world)
        world.judge_end()
        assert (served_there(world), quarantined(world)) == in_peace(
            new_database(tmp_path / "peace.db"), tmp_path, world
        )


def change(world, dice, number):
    """Something new for each run: a huge pulse, a small one, one that leaves."""
    world.put(5 * dice.randint(1, 4), {f"h{number}-{n}.example" for n in range(dice.randint(HUGE, 5 * HUGE))})
    world.put(20 + number % 7, {f"s{number}.example", "shared.example"}, dirt=number % 5)
    if number % 4 == 3:
        world.change(dice.choice(["delete", "unsubscribe", "subscribe"]), dice.randint(1, 14))


def at_a_request(world, process, dice):
    """Killed as it asks for the so-many-th time, or a moment later: while it stores what came."""
    reached = threading.Event()
    world.plans = {world.asked + dice.randint(1, LAST_PLACE): [reached.set]}
    running = process.start("--accept-removals")
    while not reached.wait(0.01) and running.poll() is None:
        pass
    threading.Event().wait(dice.choice([0, 0, 0.01, 0.05]))
    world.plans = {}
    return kill(running)


def in_publication(world, process, dice):
    """Killed some time after it asked for the last time."""
    quiet = dice.uniform(0.01, 0.15)
    running = process.start("--accept-removals")
    before, asked = world.asked, -1
    while running.poll() is None:
        if world.asked > before and asked == world.asked:
            break
        asked = world.asked
        threading.Event().wait(quiet)
    return kill(running)


def judge(world):
    """What stands in the feed stands there once, is stored, and what OTX has all the time is not lost."""
    _, pairs = world.stored()
    feed = served(world.store)
    assert len(feed) == len(set(feed)), "twice"
    published = {pair for pair in pairs if pair[1] in set(feed)}
    assert {pair for pair in world.due if pair[1] not in feed} == set(), "lost"
    world.due = published & world.held()


def served_there(world):
    return sorted(served(world.store))


def quarantined(world):
    with world.store.read() as connection:
        found = [(one.kind, one.pulse_id, one.value, one.reason) for one in quarantine.every(connection)]
    assert len(found) == len(set(found)), "twice"
    ids = world.stored()[0]
    return sorted(one for one in found if one[1] in ids)


def in_peace(url, folder, world):
    """The same for a pull of the same OTX that nobody killed, into the database at that URL."""
    PullProcess(url, folder, world.otx.url, page_size=3).run()
    with world.reading(url):
        return served_there(world), quarantined(world)
