"""How much memory a pull needs, as a process of its own."""

from __future__ import annotations

import pytest

from functional.pull_process import PullProcess
from pulsegate.otx.dates import write_date
from pulsegate.otx.simulator import Misbehaviour, Simulator, now

MB = 1024 * 1024
SUBSCRIBED = "/pulses/subscribed"


def pulse(number, indicators):
    rows = [{"id": n, "type": "domain", "indicator": f"{number}-{n}.example"} for n in range(indicators)]
    moment = write_date(now())
    return {"id": f"{number:024x}", "name": "x", "created": moment, "modified": moment, "indicators": rows}


@pytest.fixture
def peak(new_database, tmp_path):
    """The most memory of a pull into an empty store."""

    def measure(simulator, name):
        return PullProcess(new_database(tmp_path / f"{name}.db"), tmp_path, simulator.url).memory()

    return measure


def test_pulse_of_50_000_indicators_needs_no_more_memory_than_one_of_500(peak):
    used = {}
    for indicators in (500, 50_000):
        with Simulator([pulse(1, indicators)], max_indicators=500) as simulator:
            used[indicators] = peak(simulator, indicators)
    assert used[50_000] < 1.3 * used[500]  # SQLite's cache and those of values are full by then: some 25 MB


@pytest.mark.parametrize("kind", [Misbehaviour.HUGE_BODY, Misbehaviour.GZIP_BOMB])
def test_answer_of_200_megabytes_needs_no_more_memory_than_a_good_one(peak, kind):
    with Simulator([pulse(number, 50) for number in range(1, 6)]) as simulator:
        calm = peak(simulator, "calm")
        simulator.misbehave(kind, path=SUBSCRIBED, times=3, size=200 * MB)
        struck = peak(simulator, "struck")
        assert [one.path for one in simulator.requests].count(SUBSCRIBED) > 3
    assert struck < calm + 32 * MB
