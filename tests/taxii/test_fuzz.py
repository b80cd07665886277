"""Whatever is sent, the application answers: no 5xx, no exception, no answer that is not valid, no growing memory.

``make fuzz SECONDS=600`` goes on for that long with new messages each time; the short form is the same every time.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from pulsegate.store.database import Database
from pulsegate.store.tables import inbox_messages, result_sets, subscriptions
from taxii import filled, fuzz
from taxii.fuzz import Request

SECONDS = float(os.environ.get("FUZZ_SECONDS", "0"))  # 0: the short form
EXAMPLES = 600  # of each kind in one round; the short form is one round
GROWTH = 8 * 2**20  # bytes of memory that an allocator may need more for the same once again
PAGE = os.sysconf("SC_PAGE_SIZE")


@pytest.fixture(scope="module")
def judge(
    tmp_path_factory: pytest.TempPathFactory, lasting_database: Callable[..., str]
) -> Iterator[Callable[[Request], int]]:
    """Sends a request and judges the answer; at times forgets what the requests have left in the database."""
    folder = tmp_path_factory.mktemp("fuzz")
    base = Database(lasting_database(folder / "test.db"))
    sent: Counter[int] = Counter()
    with filled.application(base, folder) as app:

        def send(request: Request) -> int:
            code = fuzz.judge(app, request)
            sent[code] += 1
            if sent.total() % 500 == 0:
                _forget(base)
            return code

        yield send
    base.close()


def _forget(database: Database) -> None:
    with database.write() as connection:
        for table in (subscriptions, result_sets, inbox_messages):
            connection.execute(sa.delete(table))


def memory() -> int:
    """Of this process, in bytes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE


def rounds(strategy: st.SearchStrategy[Request], judge: Callable[[Request], int]) -> Counter[int]:
    """Send requests for half of the time that there is; how often each status came."""
    codes: Counter[int] = Counter()

    @settings(
        max_examples=EXAMPLES, deadline=None, database=None, derandomize=not SECONDS, print_blob=True,
        suppress_health_check=list(HealthCheck), phases=[Phase.generate, Phase.shrink],
    )  # fmt: skip
    @given(strategy)
    def one(request: Request) -> None:
        codes[judge(request)] += 1

    end = time.monotonic() + SECONDS / 2
    one()
    while time.monotonic() < end:
        seed(time.monotonic_ns())(one)()
    return codes


@pytest.mark.timeout(int(SECONDS) + 300)
def test_bent_messages_are_answered(judge: Callable[[Request], int]) -> None:
    codes = rounds(fuzz.messages(), judge)
    assert codes[200] > codes.total() / 2, codes


@pytest.mark.timeout(int(SECONDS) + 300)
def test_bent_requests_are_answered(judge: Callable[[Request], int]) -> None:
    codes = rounds(fuzz.requests(), judge)
    assert {200, 401, 404, 405} <= codes.keys()


def test_memory_is_level_however_often_the_same_is_sent(judge: Callable[[Request], int]) -> None:
    """Hypothesis needs much memory itself, so this sends a list of its own."""
    valid = [Request(body, filled.headers(version)) for version, body in fuzz.MESSAGES]
    one = valid[5]
    bent = [
        replace(one, body=one.body[:-5]),
        replace(one, body=b"<x>" + b"<y/>" * 5000 + b"</x>"),
        replace(one, body=b"<x>" * 300 + b"</x>" * 300),
        replace(one, body=one.body.replace(b'"subscribed"', b'"' + b"a" * 70_000 + b'"')),
        replace(one, path="/taxii/" + "x" * 9000),
        replace(one, method="GET"),
        *(replace(one, headers={**one.headers, name: "a" * 70_000}) for name in fuzz.HEADER_NAMES),
        *(replace(one, headers={**one.headers, "Authorization": text}) for text in ("Basic YTpi", "Bearer x", "x y")),
    ]
    for request in [*valid, *bent] * 2:
        judge(request)
    before = memory()
    for request in [*valid, *bent] * 4:
        judge(request)
    assert memory() - before < GROWTH
