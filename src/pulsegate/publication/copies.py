"""Blocks that were written a moment ago for one collection, for another one that wants the same of the same pulse."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pulsegate.publication.plan import place_identity
from pulsegate.publication.render import Content, Job, Rendered
from pulsegate.store import candidates, contents
from pulsegate.store.candidates import Mark
from pulsegate.store.contents import PulseBlock
from pulsegate.store.database import Database

LIMIT = 1_000_000  # indicators whose places are remembered, about 10 bytes each

_Key = tuple[int, str, bool]


@dataclass(frozen=True, slots=True)
class _Part:
    """A block that was made of a pulse: where and in which version it stands, of which state, and what is in it."""

    block_id: int
    revision: int
    mark: bytes  # packed
    keys: array[int]  # of the indicators


@dataclass(slots=True)
class _Parts:
    collection_id: int
    parts: list[_Part] = field(default_factory=list)

    def are(self, job: Job) -> bool:
        """Whether they hold exactly what the job is to hold."""
        return sorted(pk for part in self.parts for pk in part.keys) == sorted(job.keys)


class Copies:
    """Remembers where blocks stand, not their texts: the database copies those.

    A block is copied only while it and its pulse are what they were when it was written. One with a network of which
    something is left out is not copied: other collections leave out other addresses.
    """

    def __init__(self) -> None:
        self._known: dict[_Key, _Parts] = {}
        self._indicators = 0

    def __bool__(self) -> bool:
        return bool(self._known)

    def remember(self, collection_id: int, job: Job, block_id: int, revision: int, mark: Mark, placed: Content) -> None:
        """Something of ``job`` was published in the collection, as this version of this block."""
        if self._indicators >= LIMIT or job.omitted:
            return
        parts = self._known.setdefault(_key(job), _Parts(collection_id))
        if parts.collection_id == collection_id:
            parts.parts.append(_Part(block_id, revision, mark.packed, placed.keys))
            self._indicators += len(placed)

    def knows(self, job: Job) -> bool:
        parts = self._known.get(_key(job))
        return parts is not None and not job.omitted and parts.are(job)

    def read(self, database: Database, jobs: Sequence[Job]) -> list[list[Rendered] | None]:
        """The blocks of each job, to be copied; None where it has to be written anew."""
        known = [self._known[_key(job)].parts if self.knows(job) else [] for job in jobs]
        ids = [part.block_id for parts in known for part in parts]
        if not ids:
            return [None for _ in jobs]
        with database.read() as connection:
            there = contents.of_pulses(connection, ids)
            identities = candidates.identities_by_key(connection, {job.pulse_pk for job in jobs})
        return [_copies(job, parts, there, identities) for job, parts in zip(jobs, known, strict=True)]


def _copies(
    job: Job, parts: Sequence[_Part], there: Mapping[int, PulseBlock], identities: Mapping[int, bytes]
) -> list[Rendered] | None:
    copies = []
    for part in parts:
        found = there.get(part.block_id)
        if found is None or found.original.revision != part.revision or found.original.mark.packed != part.mark:
            return None
        if any(pk not in identities for pk in part.keys):  # stored anew meanwhile
            return None
        places = (place_identity(job.pulse_pk, identities[pk], once=job.deduplicate) for pk in part.keys)
        placed = Content(b"".join(places), part.keys)
        copies.append(Rendered(found.pulse_pk, found.modified, found.original, placed, found.original.mark))
    return copies or None


def _key(job: Job) -> _Key:
    return job.pulse_pk, job.profile.value, job.deduplicate
