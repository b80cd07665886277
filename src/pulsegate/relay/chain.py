"""Whether a bundle continues what was taken before: pure decisions.

A delta brings each pulse that changed since ``since`` as a whole, and names each that went. So it can be put upon any
state from ``since`` on, and which of the repeats and the overlaps arrives first doesn't matter.
"""

from __future__ import annotations

from dataclasses import dataclass

from pulsegate.errors import RelayChainError, RelayForkError, RelayGapError
from pulsegate.relay.manifest import Head, Manifest

RESTART = "take it with 'pulsegate relay import --restart FILE'"


@dataclass(frozen=True, slots=True)
class Known:
    """What the receiver has of an origin: its last head, None: nothing yet; and the digest of each head, by number."""

    last: Head | None
    digests: dict[int, str]


def continues(manifest: Manifest, known: Known, *, restart: bool = False) -> bool:
    """Whether there is anything to do; false: what it leads to was taken already.

    ``restart``: a full snapshot is taken whatever was taken before. RelayChainError: it doesn't fit, and what to do.
    """
    head, last = manifest.head, known.last
    if restart:
        _only_full(manifest)
        return last is None or last.digest != head.digest
    if last is None:
        if manifest.kind == "delta":
            raise RelayGapError(
                f"is a delta of {head.origin}, of which nothing was taken yet",
                hint="Begin with a full snapshot: 'pulsegate relay export --full' on the sender",
            )
        return True
    if head.sequence <= last.sequence:
        return _known(manifest, known, last)
    if manifest.since is not None:
        _builds_on(manifest, manifest.since, last)
    elif head.sequence == last.sequence + 1 and head.previous != last.digest:
        raise _fork(manifest, last)
    return True


def _only_full(manifest: Manifest) -> None:
    if manifest.kind != "full":
        hint = "Make one with 'pulsegate relay export --full' on the sender"
        raise RelayChainError("is a delta; only a full snapshot begins anew", hint=hint)


def _known(manifest: Manifest, known: Known, last: Head) -> bool:
    head = manifest.head
    taken = known.digests.get(head.sequence)
    if taken == head.digest:
        return False
    if taken is not None:
        raise _fork(manifest, last)
    raise RelayForkError(
        f"is older than what was taken already: number {head.sequence} of {head.origin}, after number {last.sequence}",
        hint=f"Leave it out. If the sender was set back to an earlier state, make a full snapshot there, and {RESTART}",
    )


def _builds_on(manifest: Manifest, since: int, last: Head) -> None:
    head = manifest.head
    if since > last.sequence:
        missing = since if since == last.sequence + 1 else f"{last.sequence + 1} to {since}"
        raise RelayGapError(
            f"leaves a gap: it builds on number {since} of {head.origin}, and here is number {last.sequence}",
            hint=f"Bring number {missing} first, or on the sender make a delta with 'relay export --since "
            f"{last.sequence}', or a full snapshot with --full",
        )
    if manifest.chain[str(last.sequence)] != last.digest:
        raise _fork(manifest, last)


def _fork(manifest: Manifest, last: Head) -> RelayForkError:
    head = manifest.head
    return RelayForkError(
        f"doesn't continue what was taken: {head.origin} has another number {min(head.sequence, last.sequence)} now",
        hint=f"Two installations sign as {head.origin}, or it was set back to an earlier state. If that is meant, make "
        f"a full snapshot on the sender, and {RESTART}",
    )
