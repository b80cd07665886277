"""Writing the blocks of a publication: everything that takes time, before any transaction."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from pulsegate.errors import ConversionError, PublicationConflictError
from pulsegate.model.collection import EXPAND, Collection, Profile
from pulsegate.model.indicator import Indicator
from pulsegate.model.omission import Omission, left_out
from pulsegate.publication.plan import place_identity
from pulsegate.stix import Block, Failure, blocks, networks
from pulsegate.stix.blocks import MAX_INDICATORS
from pulsegate.store import blocks as stored_blocks
from pulsegate.store import candidates, omissions, pulses
from pulsegate.store.blocks import Placement, StoredBlock
from pulsegate.store.candidates import Mark
from pulsegate.store.contents import Original
from pulsegate.store.database import Database
from pulsegate.store.digests import SIZE
from pulsegate.store.pulses import StoredIndicator, StoredPulse
from pulsegate.store.withdrawals import Left

AT_ONCE = 4 * MAX_INDICATORS  # indicators that are read at a time: whole blocks
REWRITE_BYTES = 4_000_000  # a block that only lost indicators stays one block, however long its pulse's text has grown


@dataclass(frozen=True, slots=True)
class Job:
    """Indicators of one pulse that are to be written, by their keys, and how. ``omitted``: what they lack."""

    pulse_pk: int
    keys: Sequence[int]
    profile: Profile
    deduplicate: bool
    omitted: Mapping[int, Omission] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Content:
    """What is in a block, packed: the identities of the placements, and the keys of the indicators."""

    identities: bytes
    keys: array[int]

    def __len__(self) -> int:
        return len(self.keys)

    def __iter__(self) -> Iterator[tuple[bytes, int]]:
        found = self.identities
        return ((found[place * SIZE : place * SIZE + SIZE], pk) for place, pk in enumerate(self.keys))


@dataclass(frozen=True, slots=True)
class Rendered:
    """A new block: its pulse, when that was modified, its text or a published block with the same, and what is in it.

    ``mark``: the pulse's, from before it was read.
    """

    pulse_pk: int
    modified: datetime
    content: bytes | Original
    placed: Content
    mark: Mark
    omitted: Sequence[Omission] = ()


@dataclass(frozen=True, slots=True)
class Refused:
    """An indicator that can't be written, by its pulse's key and its own, with the reason for people."""

    pulse_pk: int
    pk: int
    reason: str


@dataclass(frozen=True, slots=True)
class Rewritten:
    """A published block without what leaves it; ``content`` is None when nothing is left.

    ``excess``: the keys of indicators that leave though they were not to; those have to be looked at again.
    ``omitted``: what the networks that stay are without. ``parts``: of what stands there, by its identity, the
    addresses that leave it; ``lacking``: those that it was without.
    """

    block: StoredBlock
    content: bytes | None
    gone: list[bytes]
    excess: list[int]
    omitted: Sequence[Omission] = ()
    parts: Sequence[Left] = ()
    lacking: Mapping[bytes, Omission] = field(default_factory=dict)


class Renderer:
    """Renders for one collection. ``failed`` is told of each indicator that can't be written, by its key."""

    def __init__(self, database: Database, collection: Collection, failed: Callable[[int, str], None]) -> None:
        self._database = database
        self._collection = collection
        self._failed = failed

    def job(self, pulse_pk: int, keys: Sequence[int], omitted: Mapping[int, Omission]) -> Job:
        """``omitted``: of any indicators, by their keys, what is left out of them."""
        mine = {pk: omitted[pk] for pk in keys if pk in omitted} if omitted else {}
        return Job(pulse_pk, keys, self._collection.profile, self._collection.deduplicate, mine)

    def new(self, job: Job) -> Iterator[Rendered]:
        """The blocks of the job."""
        return self.good(write(self._database, [job]))

    def good(self, written: Iterable[Rendered | Refused]) -> Iterator[Rendered]:
        """The blocks; what could not be written is told."""
        for one in written:
            if isinstance(one, Refused):
                self._failed(one.pk, one.reason)
            else:
                yield one

    def without(
        self, block_id: int, leaving: set[bytes], shrinking: Mapping[bytes, Omission] | None = None
    ) -> Rewritten | None:
        """The block without what leaves it; None when nothing of that is in it any more.

        ``shrinking``: networks of which addresses leave, by the network's identity, with all that are left out then.
        What the new rendering has no room for, since its pulse's texts have grown, leaves too; the next publication
        finds it unplaced and gives it a block.
        """
        with self._database.read() as connection:
            block = stored_blocks.get(connection, block_id)
            placed = stored_blocks.in_block(connection, block_id)
            there = {one.indicator_pk: one.identity for one in placed}
            rest = [pk for pk, identity in there.items() if identity not in leaving]
            written = omissions.read(connection, [block_id]).get(block_id, {})
            omitted = _joined(written, shrinking or {})
            found = list(_reduced(candidates.by_keys(connection, rest), omitted))
            pulse = pulses.by_pk(connection, block.pulse_pk) if block and block.pulse_pk is not None else None
        if block is None or not (leaving & set(there.values()) or shrinking):
            return None
        if len(found) < len(
            rest
        ):  # stored meanwhile; the value may stand in another pulse, which only a new plan tells
            raise PublicationConflictError("its pulse has lost what was to stay in the block")
        content, kept = None, set[bytes]()
        if pulse is not None and found:
            content, kept = self._first(pulse, found, there)
        gone = set(there.values()) - kept
        excess = [pk for pk, identity in there.items() if identity in gone - leaving]
        keys = {self._place(block, value): value for value in omitted}
        places = [one for one in placed if one.identity in keys]
        stay = [omitted[keys[one.identity]] for one in places if one.identity in kept]
        parts = [left for one in places for left in _parts_leaving(one, keys[one.identity], written, shrinking or {})]
        lacking = {one.identity: omitted[keys[one.identity]] for one in places}
        return Rewritten(block, content, sorted(gone), excess, stay, parts, lacking)

    def _place(self, block: StoredBlock, value: bytes) -> bytes:
        """What the value is placed under in a block of its pulse."""
        return place_identity(block.pulse_pk or 0, value, once=self._collection.deduplicate)

    def _first(
        self, pulse: StoredPulse, found: list[StoredIndicator], there: dict[int, bytes]
    ) -> tuple[bytes | None, set[bytes]]:
        by_identity = {one.indicator.identity: one.pk for one in found}
        members = [one.indicator for one in found]
        content, kept = None, set[bytes]()
        size = max(len(found), MAX_INDICATORS)  # a network counts as its addresses
        for block in _blocks(pulse, members, self._collection.profile, max_indicators=size, max_bytes=REWRITE_BYTES):
            # What can't be rendered any more leaves like what has no room: the next publication tries it as a new one.
            if isinstance(block, Block) and content is None:
                content, kept = block.content, {there[by_identity[one.identity]] for one in block.indicators}
        return content, kept


def write(database: Database, jobs: Iterable[Job]) -> Iterator[Rendered | Refused]:
    """The blocks of the jobs, one by one in their order, and what can't be written; nothing of a pulse that is gone.

    However many indicators a pulse has, a few blocks' worth of them is held at a time.
    """
    for some in _readings(jobs):
        yield from _write(database, some)


def _readings(jobs: Iterable[Job]) -> Iterator[list[Job]]:
    """What is read in one go: many small jobs, or ``AT_ONCE`` indicators of a large one."""
    some: list[Job] = []
    size = 0
    for part in (part for job in jobs for part in _parts(job)):
        if some and size + len(part.keys) > AT_ONCE:
            yield some
            some, size = [], 0
        some.append(part)
        size += len(part.keys)
    if some:
        yield some


def _parts(job: Job) -> Iterator[Job]:
    keys = sorted(job.keys)
    return (replace(job, keys=keys[start : start + AT_ONCE]) for start in range(0, len(keys), AT_ONCE))


def _write(database: Database, jobs: Sequence[Job]) -> Iterator[Rendered | Refused]:
    with database.read() as connection:
        # The marks first: one that is newer than what was read of the indicators would vouch for a text without them.
        found = candidates.marked(connection, {job.pulse_pk for job in jobs})
        members = {one.pk: (identity, one) for identity, one in candidates.by_keys(connection, _all_keys(jobs))}
    for job in jobs:
        if job.pulse_pk in found:
            yield from _written(job, *found[job.pulse_pk], [members[pk] for pk in job.keys if pk in members])


def _all_keys(jobs: Iterable[Job]) -> Iterator[int]:
    return (pk for job in jobs for pk in job.keys)


def _written(
    job: Job, pulse: StoredPulse, mark: Mark, members: Sequence[tuple[bytes, StoredIndicator]]
) -> Iterator[Rendered | Refused]:
    known = {
        one.indicator.identity: (place_identity(job.pulse_pk, identity, once=job.deduplicate), one.pk)
        for identity, one in members
    }
    for block in _blocks(pulse, [_as_written(one, job.omitted.get(one.pk)) for _, one in members], job.profile):
        if isinstance(block, Failure):
            yield Refused(pulse.pk, known[block.indicator.identity][1], block.reason)
        else:
            identities, keys = zip(*(known[one.identity] for one in block.indicators), strict=True)
            placed = Content(b"".join(identities), array("q", keys))
            omitted = [job.omitted[pk] for pk in keys if pk in job.omitted] if job.omitted else ()
            yield Rendered(pulse.pk, pulse.pulse.modified, block.content, placed, mark, omitted)


def _as_written(one: StoredIndicator, omission: Omission | None) -> Indicator:
    return one.indicator if omission is None else networks.without(one.indicator, omission.addresses)


def _reduced(
    found: Iterable[tuple[bytes, StoredIndicator]], omitted: Mapping[bytes, Omission]
) -> Iterator[StoredIndicator]:
    for identity, one in found:
        yield replace(one, indicator=_as_written(one, omitted.get(identity)))


def _joined(written: Mapping[bytes, Omission], shrinking: Mapping[bytes, Omission]) -> dict[bytes, Omission]:
    """What is left out of either: what comes back does so in another block, under a new label."""
    found = dict(written)
    for value, one in shrinking.items():
        found[value] = Omission(one.network, left_out(written.get(value)) | one.addresses)
    return found


def _parts_leaving(
    place: Placement, value: bytes, written: Mapping[bytes, Omission], shrinking: Mapping[bytes, Omission]
) -> Iterator[Left]:
    """The addresses that leave a network which stands there, each with the labels that it had."""
    if value in shrinking:
        for address in sorted(shrinking[value].addresses - left_out(written.get(value))):
            for label in dict.fromkeys((place.since, place.label)):
                yield omissions.part_key(shrinking[value].network, address), label


def _blocks(
    pulse: StoredPulse, members: Sequence[Indicator], profile: Profile, **bounds: int
) -> Iterator[Block | Failure]:
    """The blocks of these indicators; a pulse that can't be written at all is a failure of each of them.

    How large a network the collection wants to have expanded was decided on when it was planned.
    """
    try:
        yield from blocks(pulse.pulse, members, profile, expand=EXPAND, **bounds)
    except ConversionError as error:
        yield from (Failure(member, str(error)) for member in members)
