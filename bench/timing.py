"""Seconds and memory of a piece of work."""

from __future__ import annotations

import os
import resource
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def timed() -> Iterator[Callable[[], float]]:
    """Gives a function that tells the seconds since the beginning (after the end: of the whole)."""
    start = time.perf_counter()
    end: list[float] = []
    yield lambda: (end[0] if end else time.perf_counter()) - start
    end.append(time.perf_counter())


def in_child(work: Callable[[], None]) -> float:
    """Run ``work`` in a process of its own; gives the peak in MB of the memory of it and its children together.

    Looked at a few times a second; what processes share is counted once (PSS, of Linux).
    """
    pid = os.fork()
    if pid == 0:
        try:
            work()
        except BaseException:  # noqa: BLE001 - it must not go on as the process that waits
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    most = 0.0
    while (ended := os.waitpid(pid, os.WNOHANG)) == (0, 0):
        most = max(most, sum(map(_memory, _tree(pid))))
        time.sleep(0.3)
    if ended[1]:
        raise SystemExit("the benchmark failed")
    return most


def _tree(pid: int) -> Iterator[int]:
    yield pid
    for tasks in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):
            for child in tasks.read_text().split():
                yield from _tree(int(child))


def _memory(pid: int) -> float:
    """Its part of the memory, in MB."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) / 1024
    return 0.0


def peak() -> float:
    """The peak of resident memory of this process so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
