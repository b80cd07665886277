"""Which published blocks are due to be published again, for consumers that age out what they have not seen lately."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from pulsegate.store.blocks import StoredBlock

SPREAD = 0.2  # of the interval: blocks come due over its last fifth, not all at once


def due(blocks: Iterable[StoredBlock], interval: timedelta, since: datetime, now: datetime) -> Iterator[StoredBlock]:
    """The blocks whose time has come.

    A block is due between 80 % and 100 % of ``interval`` after its label, at a point of its own; one that is overdue
    when the refresh begins (``since``: the collection was opened, or its rules changed), within a fifth of the interval
    from then on.
    """
    for block in blocks:
        share = _share(block.id)
        regular = block.label + interval * (1 - SPREAD + SPREAD * share)
        if max(regular, since + interval * SPREAD * share) <= now:
            yield block


def _share(block_id: int) -> float:
    """A number in [0, 1) of the block's own, the same in every process."""
    digest = hashlib.blake2b(str(block_id).encode(), digest_size=4).digest()
    return int.from_bytes(digest, "big") / 2**32
