"""One answer to a poll: what is kept of it, so that an answer of any size takes the same memory."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice

from pulsegate.checking.usage import Tally
from pulsegate.checking.windows import Window

MOST_DIGESTS = 200_000  # blocks that are remembered, to be known again


def read_label(text: str) -> datetime | None:
    """The moment, in UTC; None: it is no date with a time and a zone."""
    try:
        found = datetime.fromisoformat(text.strip())
        return None if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


@dataclass(slots=True)
class Counted:
    """How often something was seen, with the first example."""

    count: int = 0
    example: str = ""

    def add(self, example: str) -> None:
        self.example = self.example if self.count else example
        self.count += 1

    def extend(self, other: Counted) -> None:
        self.example = self.example if self.count else other.example
        self.count += other.count


@dataclass(slots=True)
class Labels:
    """The labels of the blocks, in their order."""

    count: int = 0
    missing: int = 0
    first: datetime | None = None
    last: datetime | None = None
    lowest: datetime | None = None
    highest: datetime | None = None
    unreadable: Counted = field(default_factory=Counted)
    unordered: Counted = field(default_factory=Counted)
    outside: Counted = field(default_factory=Counted)

    def add(self, text: str, window: Window) -> None:
        self.count += 1
        if not text:
            self.missing += 1
            return
        label = read_label(text)
        if label is None:
            self.unreadable.add(text[:60])
            return
        if self.last is not None and label < self.last:
            self.unordered.add(f"{label.isoformat()} after {self.last.isoformat()}")
        if not window.holds(label):
            self.outside.add(label.isoformat())
        self.first, self.last = self.first or label, label
        self.lowest = label if self.lowest is None else min(self.lowest, label)
        self.highest = label if self.highest is None else max(self.highest, label)

    def extend(self, other: Labels) -> None:
        """Those of the next part."""
        if self.last and other.first and other.first < self.last:
            self.unordered.add(f"{other.first.isoformat()} after {self.last.isoformat()}")
        self.count, self.missing = self.count + other.count, self.missing + other.missing
        self.first, self.last = self.first or other.first, other.last or self.last
        self.lowest = min((one for one in (self.lowest, other.lowest) if one), default=None)
        self.highest = max((one for one in (self.highest, other.highest) if one), default=None)
        self.unreadable.extend(other.unreadable)
        self.unordered.extend(other.unordered)
        self.outside.extend(other.outside)


@dataclass(slots=True)
class Digests:
    """What the blocks hold, as numbers: equal ones are the same block. ``whole``: of all of them, in their order."""

    blocks: set[int] = field(default_factory=set)
    whole: int = 0

    def add(self, block: bytes) -> None:
        if len(self.blocks) < MOST_DIGESTS:
            self.blocks.add(int.from_bytes(block))
        self._mix(block)

    def extend(self, other: Digests) -> None:
        self.blocks.update(islice(other.blocks, max(0, MOST_DIGESTS - len(self.blocks))))
        self._mix(other.whole.to_bytes(8))

    def _mix(self, number: bytes) -> None:
        both = self.whole.to_bytes(8) + number
        self.whole = int.from_bytes(hashlib.blake2b(both, digest_size=8).digest())


@dataclass(slots=True)
class Answer:
    """What an answer to a poll says. ``root`` is the message's name, ``order`` what stands where the schema has it not.

    ``contents``: what is wrong with the blocks' contents, by the codes of findings.CATALOGUE.
    """

    window: Window
    root: str = ""
    attributes: dict[str, str] = field(default_factory=dict)
    status: str = ""
    message: str = ""
    wait: float | None = None  # seconds until it may be asked again, where it says so
    begin: str | None = None
    end: str | None = None
    record_count: int | None = None
    order: Counted = field(default_factory=Counted)
    labels: Labels = field(default_factory=Labels)
    contents: dict[str, Counted] = field(default_factory=dict)
    tally: Tally = field(default_factory=Tally)
    digests: Digests = field(default_factory=Digests)
    bytes: int = 0
    parts: int = 1
    versions: set[str] = field(default_factory=set)

    @property
    def is_poll_response(self) -> bool:
        return self.root == "Poll_Response"

    @property
    def more(self) -> bool:
        return self.attributes.get("more", "").strip() in ("true", "1")

    @property
    def result_id(self) -> str | None:
        return self.attributes.get("result_id")

    @property
    def blocks(self) -> int:
        return self.labels.count

    @property
    def answered_end(self) -> datetime | None:
        return None if self.end is None else read_label(self.end)

    @property
    def reached(self) -> datetime | None:
        """Where the next poll begins: the end that was answered, where that may be; else the one that was asked for."""
        end, asked = self.answered_end, self.window.end
        is_sound = end is not None and self.window.begin <= end and (asked is None or end <= asked)
        return end if is_sound else asked

    def fault(self, code: str, example: str) -> None:
        self.contents.setdefault(code, Counted()).add(example)

    def extend(self, part: Answer) -> None:
        """Take the next part of the same result."""
        self.parts += 1
        self.bytes += part.bytes
        self.order.extend(part.order)
        self.labels.extend(part.labels)
        self.tally.merge(part.tally)
        self.digests.extend(part.digests)
        self.versions |= part.versions
        for code, seen in part.contents.items():
            self.contents.setdefault(code, Counted()).extend(seen)
