"""Where a walk over the subscription goes on: pure decisions from what a page said.

The list is sorted by ``modified``, newest first, and changes while it is walked. What is modified moves to its front:
that pushes the rest on, and some rows come twice; it is itself newer than the watermark that this walk will leave, so
the next one brings it. What is unsubscribed or deleted lets the rest move up: then ``count`` falls, and the walk goes
back by as many rows. Where a page names no next one and the count says that more follow, the count is believed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from pulsegate.store.sources import Walk
from pulsegate.sync.asking import is_unsaid

MOST_RETREATS = 20  # a count that falls and rises is not followed for ever: what was missed is found by its id then


@dataclass(frozen=True, slots=True)
class Seen:
    """What a page was: its first row's place, rows asked for and received, OTX's count, whether more follow.

    ``missing``: OTX knows no such page (404).
    """

    start: int
    asked: int
    received: int
    count: int | None
    has_next: bool
    missing: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """The walk after a page. ``fault``: why its end can't be the list's end; the walk begins anew with the next run."""

    walk: Walk
    done: bool = False
    fault: str | None = None


def step(walk: Walk, seen: Seen) -> Step:
    """What follows from a page."""
    if walk.unsaid and not seen.received:
        return _end_of_given(walk)
    if seen.missing:
        return _after_404(walk, seen)
    if not seen.received:
        return _after_nothing(walk, seen)
    end = seen.start + seen.received
    has_fallen = _has_fallen(walk, seen)
    if has_fallen and walk.retreats < MOST_RETREATS:
        return Step(_retreat(walk, seen))
    is_uncounted = has_fallen or (seen.count is None and (seen.has_next or seen.start > 0))
    count = walk.count if seen.count is None else seen.count
    unsaid = not seen.has_next and is_unsaid(seen.start, seen.asked, seen.received, seen.count)
    there = replace(walk, offset=end, count=count, uncounted=walk.uncounted or is_uncounted, unsaid=unsaid)
    if seen.has_next or unsaid:
        return Step(there)
    return _end_of_given(there) if seen.count is not None and end < seen.count else Step(there, done=True)


def _end_of_given(walk: Walk) -> Step:
    """The list ends where its last page said so, before its count: some may have been missed, so once more."""
    ended = replace(walk, unsaid=False)
    if walk.again:
        return Step(ended, done=True)
    return Step(replace(ended, offset=0, count=None, again=True, uncounted=False))


def _after_404(walk: Walk, seen: Seen) -> Step:
    """The list has become shorter than where the walk stood; the page before tells by how much.

    Where nothing told how long the list is, this does: it ends here at the latest. Where the page before says once more
    that the list goes on, OTX counts rows that it doesn't give.
    """
    if walk.count is not None and walk.count <= seen.start:
        return Step(replace(walk, offset=seen.start), done=True)
    if walk.gone is not None and walk.gone <= seen.start:
        return Step(_anew(walk), fault="its pages end where they say that more follow")
    count = seen.start if walk.count is None else walk.count
    return Step(replace(walk, offset=max(0, seen.start - seen.asked), count=count, gone=seen.start))


def _after_nothing(walk: Walk, seen: Seen) -> Step:
    """An empty page is the end only where the list can't have more."""
    if not seen.start and (seen.count == 0 or not seen.has_next):
        return Step(replace(walk, offset=0, count=0), done=True)
    if seen.count and _has_fallen(walk, seen) and walk.retreats < MOST_RETREATS:
        return Step(_retreat(walk, seen))
    if seen.count is not None and 0 < seen.count <= seen.start:
        return Step(replace(walk, offset=seen.start, count=seen.count), done=True)
    return Step(_anew(walk), fault="an empty page in the middle; the pull is not complete")


def _anew(walk: Walk) -> Walk:
    return replace(walk, offset=0, count=None, retreats=0, gone=None, uncounted=False)


def _has_fallen(walk: Walk, seen: Seen) -> bool:
    """Whether the list has lost rows since the page before: what moved up was not seen."""
    return walk.count is not None and seen.count is not None and seen.count < walk.count and seen.start > 0


def _retreat(walk: Walk, seen: Seen) -> Walk:
    """Back by as many rows as the list has lost."""
    back = (walk.count or 0) - (seen.count or 0)
    place = max(0, seen.start - back)
    return replace(walk, offset=place, count=seen.count, retreats=walk.retreats + 1, gone=None)
