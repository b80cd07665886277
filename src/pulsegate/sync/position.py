"""Where a walk over the subscription goes on: pure decisions from what a page said.

The list is sorted by ``modified``, newest first, and changes while it is walked. What is modified moves to its front:
that pushes the rest on, and some rows come twice; it is itself newer than the watermark that this walk will leave, so
the next one brings it. What is unsubscribed or deleted lets the rest move up: then ``count`` falls, and the walk goes
back by as many rows.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from pulsegate.store.sources import Walk

MOST_RETREATS = 1000  # a count that falls and rises at random is not believed for ever


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
    if seen.missing:
        return _after_404(walk, seen)
    if not seen.received:
        return _after_nothing(walk, seen)
    end = seen.start + seen.received
    retreat = _retreat(walk, seen)
    if retreat is not None:
        return Step(retreat)
    is_uncounted = seen.count is None and (seen.has_next or seen.start > 0)
    count = walk.count if seen.count is None else seen.count
    there = replace(walk, offset=end, count=count, uncounted=walk.uncounted or is_uncounted)
    if seen.has_next:
        return Step(there)
    if seen.count is not None and end < seen.count and not walk.again:
        return Step(replace(there, offset=0, count=None, again=True, uncounted=False))
    return Step(there, done=True)


def _after_404(walk: Walk, seen: Seen) -> Step:
    """The list has become shorter than where the walk stood; the page before tells by how much.

    Where nothing told how long the list is, this does: it ends here at the latest.
    """
    if walk.count is not None and walk.count <= seen.start:
        return Step(replace(walk, offset=seen.start), done=True)
    if walk.retreats >= MOST_RETREATS:
        return Step(_anew(walk), fault="its pages end where they say that more follow")
    count = seen.start if walk.count is None else walk.count
    return Step(replace(walk, offset=max(0, seen.start - seen.asked), count=count, retreats=walk.retreats + 1))


def _after_nothing(walk: Walk, seen: Seen) -> Step:
    """An empty page is the end only where the list can't have more."""
    if not seen.start and (seen.count == 0 or not seen.has_next):
        return Step(replace(walk, offset=0, count=0), done=True)
    retreat = _retreat(walk, seen) if seen.count else None
    if retreat is not None:
        return Step(retreat)
    if seen.count is not None and 0 < seen.count <= seen.start:
        return Step(replace(walk, offset=seen.start, count=seen.count), done=True)
    return Step(_anew(walk), fault="an empty page in the middle; the pull is not complete")


def _anew(walk: Walk) -> Walk:
    return replace(walk, offset=0, count=None, retreats=0, uncounted=False)


def _retreat(walk: Walk, seen: Seen) -> Walk | None:
    """Back by as many rows as the list has lost since the page before; None: it has lost none."""
    if walk.count is None or seen.count is None or seen.count >= walk.count or not seen.start:
        return None
    if walk.retreats >= MOST_RETREATS:
        return None
    back = walk.count - seen.count
    return replace(walk, offset=max(0, seen.start - back), count=seen.count, retreats=walk.retreats + 1)
