"""What people decide: values that are allowed, values forced in or out, pulses that were looked at."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

LONGEST_REASON = 2_000  # characters


@dataclass(frozen=True, slots=True)
class Allowed:
    """An entry of the allow list: what it covers is not served. ``kind``: exact, subtree or network.

    ``text`` is in normal form; ``account``: who added it; ``expires``: until when it holds (None: for good).
    """

    kind: str
    text: str
    reason: str
    account: str
    since: datetime
    expires: datetime | None = None


@dataclass(frozen=True, slots=True)
class Override:
    """A value that is forced in or out, in one collection or (``collection`` is empty) in all.

    ``against_own``: in even where own networks or protections speak against it.
    """

    collection: str
    identity: bytes
    type: str
    value: str
    inside: bool
    against_own: bool
    reason: str
    account: str
    since: datetime
    expires: datetime | None = None


class ReviewStatus(StrEnum):
    APPROVED = "approved"
    REJECTED = "rejected"  # in no collection
    HELD = "held"  # waits where pulses are reviewed, whoever wrote it


@dataclass(frozen=True, slots=True)
class Review:
    """What somebody decided on a pulse. ``upto``: the last key of its indicators that had been looked at."""

    pulse_id: str
    status: ReviewStatus
    upto: int
    reason: str
    account: str
    since: datetime


@dataclass(frozen=True, slots=True)
class Trusted:
    """An author whose pulses need no look."""

    author: str
    reason: str
    account: str
    since: datetime
