"""Seconds and memory of a piece of work."""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def timed() -> Iterator[Callable[[], float]]:
    """Gives a function that tells the seconds since the beginning (after the end: of the whole)."""
    start = time.perf_counter()
    end: list[float] = []
    yield lambda: (end[0] if end else time.perf_counter()) - start
    end.append(time.perf_counter())


def in_child(work: Callable[[], None]) -> float:
    """Run ``work`` in a process of its own and give its peak of resident memory in MB."""
    pid = os.fork()
    if pid == 0:
        try:
            work()
        finally:
            os._exit(0)
    _, _, usage = os.wait4(pid, 0)
    return usage.ru_maxrss / 1024


def peak() -> float:
    """The peak of resident memory of this process so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
