"""What processes hold while they work: memory and files, looked at again and again, and whether that grows."""

from __future__ import annotations

import statistics
import threading
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

import psutil

EVERY = 5.0  # seconds between two looks
MARGIN = {"MB": 16.0, "files": 16.0}  # growth that is none
RATIO = 1.1


@dataclass
class Samples:
    """Of the process and of all that it starts, by pid: MB of resident memory, and open files."""

    root: int
    stop: threading.Event = field(default_factory=threading.Event)
    looks: int = 0
    names: dict[int, str] = field(default_factory=dict)
    found: dict[str, dict[int, list[float]]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(list)))

    def run(self) -> None:
        while not self.stop.wait(EVERY):
            self.look()

    def look(self) -> None:
        self.looks += 1
        try:
            root = psutil.Process(self.root)
            every = [root, *root.children(recursive=True)]
        except psutil.NoSuchProcess:
            return
        for one in every:
            try:
                memory, files = one.memory_info().rss / 1e6, float(one.num_fds())
                self.names.setdefault(one.pid, _name(one))
            except psutil.NoSuchProcess:
                continue
            self.found["MB"][one.pid].append(memory)
            self.found["files"][one.pid].append(files)

    def growth(self) -> list[tuple[str, str, float, float, float]]:
        """Of each process that was there most of the time: its name, of what, and how much in the second fifth of its
        looks, in the last one, and at most."""
        rows = []
        for unit, each in self.found.items():
            for pid, values in each.items():
                if len(values) < max(10, 0.8 * self.looks):
                    continue
                fifth = len(values) // 5
                early, late = statistics.median(values[fifth : 2 * fifth]), statistics.median(values[-fifth:])
                rows.append((f"{self.names[pid]} ({pid})", unit, early, late, max(values)))
        return rows


def grows(unit: str, early: float, late: float) -> bool:
    return late > max(early * RATIO, early + MARGIN[unit])


def _name(process: Any) -> str:
    words = process.cmdline()
    return " ".join(word.rpartition("/")[2] for word in words[:3])[:60] or process.name()
