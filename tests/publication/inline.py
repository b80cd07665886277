"""The ways that large publications take, for a few indicators and within this process."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any

import pytest

from pulsegate.publication import backfill, publish, writers
from pulsegate.publication.render import write
from pulsegate.store.database import Database


class Inline(Executor):
    """Does at once, here, what a process would do ahead."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def submit(self, function: Callable[..., Any], /, *args: Any, **_: Any) -> Future[Any]:
        assert function is writers.work
        future: Future[Any] = Future()
        (jobs,) = args
        future.set_result(list(write(self._database, jobs)))
        return future


def small_steps(patch: pytest.MonkeyPatch) -> None:
    """Every publication is a large one, in transactions of a few blocks and indicators."""
    for name, value in {"GROUP": 5, "PLACED": 3, "STAGED": 2, "RELEASED": 2, "RELABELLED": 1}.items():
        patch.setattr(backfill, name, value)
    for name, value in {"AHEAD": 1, "PROCESSES": 1, "BUNDLE_PULSES": 2, "BUNDLE_COPIES": 2}.items():
        patch.setattr(writers, name, value)
    patch.setattr(publish, "LARGE", -1)
    patch.setattr(publish, "CLEARED", 2)


def within(patch: pytest.MonkeyPatch) -> None:
    """The same, and no process is started."""
    small_steps(patch)
    patch.setattr(writers, "start", Inline)
