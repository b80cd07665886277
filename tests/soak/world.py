"""What all processes of a soak share: the collections, the clients, where things lie, and journals that survive kill -9."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pulsegate.curation.policy import Policy
from pulsegate.model.collection import Collection

CAP = timedelta(minutes=10)
DAY = timedelta(days=1)
NEVER = timedelta(days=30)  # older than any label
POLICY = Policy(results_kept=timedelta(seconds=4))  # short, so that purges meet readings
LONGEST = 4_000_000  # bytes of a line in a journal
SLACK = 1.0  # seconds in which PostgreSQL may still commit what a killed process had sent


@dataclass(frozen=True)
class Client:
    """Polls (last end, now] again and again, or everything.

    ``asks``: none (no end), clock (its own, which is ``offset`` seconds off), far (2099). With ``clock`` it goes on from
    the end that it asked for, else from the one it was answered.
    """

    kind: str
    asks: str = "none"
    offset: float = 0.0
    whole: bool = False
    pause: tuple[float, float] = (0.0, 0.1)  # seconds between polls
    chunk_pause: float = 0.01  # seconds at most between the chunks of a reading
    sleepy: bool = False  # now and then stops reading for longer than results are kept

    @property
    def conclusive(self) -> bool:
        """Each of its polls reaches up to the frontier, wherever labels have moved to."""
        return self.asks != "clock"


@dataclass(frozen=True)
class World:
    """One soak: the database, the folder of its journals, how long it feeds, and the fault that is planted."""

    url: str
    folder: Path
    seconds: float
    seed: int
    fault: str = ""

    @property
    def lag(self) -> timedelta:
        """The age at which labels may move where they move at all, instead of a day."""
        return timedelta(seconds=min(10.0, self.seconds / 5))

    @property
    def skew(self) -> float:
        """The error of the worst clocks in seconds: five minutes, less in a run that would not see them end."""
        return min(300.0, self.seconds / 4)

    @property
    def collections(self) -> dict[str, tuple[Collection, timedelta]]:
        """Each with the age at which its labels may move."""
        every = (
            (Collection("once"), NEVER),
            (Collection("each", deduplicate=False), NEVER),
            (Collection("moves"), self.lag),
            (Collection("fresh", refresh=self.lag * 3), self.lag),
        )
        return {collection.name: (collection, lag) for collection, lag in every}

    def clients(self, kind: str) -> dict[str, Client]:
        """The clients that one process plays, by collection."""
        small, slow = self.lag.total_seconds() / 8, {"pause": (0.2, 1.0), "chunk_pause": 0.08, "sleepy": True}
        return {
            "answered": dict.fromkeys(self.collections, Client("answered")),
            "clock": {
                "once": Client("clock", "clock", -self.skew),
                "each": Client("clock", "clock", self.skew),
                "moves": Client("clock", "clock", -small),
                "fresh": Client("clock", "clock", small),
            },
            "slow": {
                "once": Client("slow", "far", **slow),
                "each": Client("slow", "clock", -2.0, **slow),
                "moves": Client("slow", **slow),
                "fresh": Client("slow", "clock", -small, **slow),
            },
            "whole": dict.fromkeys(self.collections, Client("whole", whole=True, chunk_pause=0.02)),
        }[kind]

    @property
    def stopped(self) -> bool:
        return (self.folder / "stop").exists()

    def journal(self, name: str) -> Journal:
        return Journal(self.folder / f"{name}.jsonl")


KINDS = ("answered", "clock", "slow", "whole")


class Journal:
    """Lines of JSON. A line is there as a whole or not at all: one that its writer was killed in is cut off."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def open(self) -> None:
        self._handle = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND)
        size = os.fstat(self._handle).st_size
        tail = os.pread(self._handle, LONGEST, max(0, size - LONGEST))
        os.ftruncate(self._handle, size - len(tail.rpartition(b"\n")[2]))

    def write(self, **entry: Any) -> None:
        os.write(self._handle, json.dumps(entry).encode() + b"\n")

    def read(self) -> Iterator[dict[str, Any]]:
        if self.path.exists():
            with self.path.open("rb") as lines:
                yield from (json.loads(line) for line in lines if line.endswith(b"\n"))


def utc_now() -> datetime:
    return datetime.now(UTC)


def end_with(parent: int, seconds: float) -> None:
    """End this process when ``parent`` is gone, or after so many seconds, whatever it waits for then."""
    deadline = time.monotonic() + seconds

    def watch() -> None:
        while os.getppid() == parent and time.monotonic() < deadline:
            time.sleep(0.2)
        os._exit(3)

    threading.Thread(target=watch, daemon=True).start()
