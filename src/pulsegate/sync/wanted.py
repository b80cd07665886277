"""What a source is asked for, and how patiently."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

from pulsegate.model.pulse import Pulse


@dataclass(frozen=True, slots=True)
class Wanted:
    """What one source gives.

    ``subscription``: the pulses that the key's owner subscribes to, only those by ``authors`` if any are named, as far
    back as ``backfill``. ``pulses`` (ids) and ``searches`` (words) are followed besides. ``compare``: so often the
    subscription is compared with what is stored; ``max_removal``: the share of it that may leave at once unasked.
    """

    name: str = "otx"
    url: str = ""
    subscription: bool = True
    authors: frozenset[str] = frozenset()
    pulses: tuple[str, ...] = ()
    searches: tuple[str, ...] = ()
    backfill: timedelta = timedelta(days=365)
    compare: timedelta = timedelta(hours=1)
    max_removal: float = 0.2

    @property
    def shape(self) -> str:
        """Where this changes, pulses that were left aside may be wanted: the whole subscription has to be walked."""
        authors = sorted(self.authors)
        return json.dumps([self.url, self.subscription, authors, self.backfill.total_seconds()], ensure_ascii=False)

    def is_by(self, author: str) -> bool:
        """Whether this author's pulses are wanted."""
        return not self.authors or author.casefold() in {one.casefold() for one in self.authors}

    def has_author(self, pulse: Pulse) -> bool:
        return self.is_by(pulse.author)


def _shaken(seconds: float) -> float:
    """Between half of it and all: so that many clients don't come back at the same moment."""
    return seconds * random.uniform(0.5, 1.0)  # noqa: S311 - nothing is secret here


@dataclass(frozen=True, slots=True)
class Pace:
    """How a source is asked: pulses in a page, and the first wait after an error.

    ``open_after``: a first backfill that takes longer is published as far as it has come.
    """

    page_size: int = 20
    backoff: timedelta = timedelta(seconds=1)
    open_after: timedelta = timedelta(minutes=10)
    sleep: Callable[[float], None] = field(default=time.sleep)
    jitter: Callable[[float], float] = field(default=_shaken)
