"""Writing the blocks of a publication: everything that takes time, before any transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from pulsegate.errors import ConversionError, PublicationConflictError
from pulsegate.model.collection import Collection
from pulsegate.publication.plan import pulse_identity
from pulsegate.stix import Block, Failure, blocks
from pulsegate.stix.blocks import MAX_INDICATORS
from pulsegate.store import blocks as stored_blocks
from pulsegate.store import pulses
from pulsegate.store.blocks import StoredBlock
from pulsegate.store.database import Database
from pulsegate.store.digests import digest
from pulsegate.store.pulses import StoredIndicator, StoredPulse

AT_ONCE = 4 * MAX_INDICATORS  # indicators that are read at a time: whole blocks
REWRITE_BYTES = 4_000_000  # a block that only lost indicators stays one block, however long its pulse's text has grown


@dataclass(frozen=True, slots=True)
class Rendered:
    """A new block: its pulse, its text, and (identity of the placement, key of the indicator) of all that is in it."""

    pulse: StoredPulse
    content: bytes
    placed: list[tuple[bytes, int]]


@dataclass(frozen=True, slots=True)
class Rewritten:
    """A published block without what leaves it; ``content`` is None when nothing is left."""

    block: StoredBlock
    content: bytes | None
    gone: list[bytes]


class Renderer:
    """Renders for one collection. ``failed`` is told of each indicator that can't be written, by its key."""

    def __init__(self, database: Database, collection: Collection, failed: Callable[[int, str], None]) -> None:
        self._database = database
        self._collection = collection
        self._failed = failed

    def new(self, pulse_pk: int, keys: Sequence[int]) -> Iterator[Rendered]:
        """The blocks of these indicators of one pulse, however many: a few blocks' worth is held at a time."""
        ordered = sorted(keys)
        for start in range(0, len(ordered), AT_ONCE):
            yield from self._new(pulse_pk, ordered[start : start + AT_ONCE])

    def _new(self, pulse_pk: int, keys: Sequence[int]) -> Iterator[Rendered]:
        with self._database.read() as connection:
            pulse = pulses.by_pk(connection, pulse_pk)
            found = pulses.indicators_by_pk(connection, keys)
        if pulse is None:
            return
        by_identity = {one.indicator.identity: one.pk for one in found}
        for block in self._blocks(pulse, found):
            if isinstance(block, Failure):
                self._failed(by_identity[block.indicator.identity], block.reason)
            else:
                yield Rendered(pulse, block.content, self._placements(pulse_pk, block, by_identity))

    def without(self, block_id: int, leaving: set[bytes]) -> Rewritten | None:
        """The block without what leaves it; None when nothing of that is in it any more.

        What the new rendering has no room for, since its pulse's texts have grown, leaves too; the next publication
        finds it unplaced and gives it a block.
        """
        with self._database.read() as connection:
            block = stored_blocks.get(connection, block_id)
            there = {one.indicator_pk: one.identity for one in stored_blocks.in_block(connection, block_id)}
            rest = [pk for pk, identity in there.items() if identity not in leaving]
            found = pulses.indicators_by_pk(connection, rest)
            pulse = pulses.by_pk(connection, block.pulse_pk) if block and block.pulse_pk is not None else None
        if block is None or not leaving & set(there.values()):
            return None
        if len(found) < len(
            rest
        ):  # stored meanwhile; the value may stand in another pulse, which only a new plan tells
            raise PublicationConflictError("its pulse has lost what was to stay in the block")
        content, kept = None, set[bytes]()
        if pulse is not None and found:
            content, kept = self._first(pulse, found, there)
        return Rewritten(block, content, sorted(set(there.values()) - kept))

    def _first(
        self, pulse: StoredPulse, found: list[StoredIndicator], there: dict[int, bytes]
    ) -> tuple[bytes | None, set[bytes]]:
        by_identity = {one.indicator.identity: one.pk for one in found}
        content, kept = None, set[bytes]()
        for block in self._blocks(pulse, found, max_indicators=len(found), max_bytes=REWRITE_BYTES):
            # What can't be rendered any more leaves like what has no room: the next publication tries it as a new one.
            if isinstance(block, Block) and content is None:
                content, kept = block.content, {there[by_identity[one.identity]] for one in block.indicators}
        return content, kept

    def _blocks(self, pulse: StoredPulse, found: list[StoredIndicator], **bounds: int) -> Iterator[Block | Failure]:
        """The blocks of these indicators; a pulse that can't be written at all is a failure of each of them."""
        members = [one.indicator for one in found]
        try:
            yield from blocks(pulse.pulse, members, self._collection.profile, **bounds)
        except ConversionError as error:
            yield from (Failure(member, str(error)) for member in members)

    def _placements(self, pulse_pk: int, block: Block, by_identity: dict[str, int]) -> list[tuple[bytes, int]]:
        placed = []
        for indicator in block.indicators:
            identity = digest(indicator.identity)
            if not self._collection.deduplicate:
                identity = pulse_identity(pulse_pk, identity)
            placed.append((identity, by_identity[indicator.identity]))
        return placed
