"""Blocks that were written a moment ago for one collection, for another one that wants the same of the same pulse."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from pulsegate.publication.render import Content, Job, Rendered
from pulsegate.store import blocks
from pulsegate.store.database import Database

LIMIT = 1_000_000  # indicators whose places are remembered, about 25 bytes each

_Key = tuple[int, str, bool]


@dataclass(frozen=True, slots=True)
class _Part:
    """A block that was made of a pulse: where and in which version it stands, and what is in it."""

    block_id: int
    revision: int
    mark: bytes
    placed: Content


@dataclass(slots=True)
class _Parts:
    collection_id: int
    parts: list[_Part] = field(default_factory=list)

    def are(self, job: Job) -> bool:
        """Whether they hold exactly what the job is to hold."""
        return sorted(pk for part in self.parts for pk in part.placed.keys) == sorted(job.keys)


class Copies:
    """Remembers where blocks stand, not their texts: those are read from there.

    A block is copied only while it and its pulse are what they were when it was written.
    """

    def __init__(self) -> None:
        self._known: dict[_Key, _Parts] = {}
        self._indicators = 0

    def __bool__(self) -> bool:
        return bool(self._known)

    def remember(
        self, collection_id: int, job: Job, block_id: int, revision: int, mark: bytes, placed: Content
    ) -> None:
        """Something of ``job`` was published in the collection, as this version of this block."""
        if self._indicators >= LIMIT:
            return
        parts = self._known.setdefault(_key(job), _Parts(collection_id))
        if parts.collection_id == collection_id:
            parts.parts.append(_Part(block_id, revision, mark, placed))
            self._indicators += len(placed)

    def knows(self, job: Job) -> bool:
        parts = self._known.get(_key(job))
        return parts is not None and parts.are(job)

    def read(self, database: Database, jobs: Sequence[Job]) -> list[list[Rendered] | None]:
        """The blocks of each job; None where it has to be written anew."""
        known = [self._known[_key(job)].parts if self.knows(job) else [] for job in jobs]
        ids = [part.block_id for parts in known for part in parts]
        with database.read() as connection:
            texts = {text.block_id: text for text in blocks.texts(connection, ids)}
        return [self._copies(parts, texts) for parts in known]

    def _copies(self, parts: Sequence[_Part], texts: dict[int, blocks.PulseText]) -> list[Rendered] | None:
        copies = []
        for part in parts:
            text = texts.get(part.block_id)
            if text is None or (text.revision, text.mark) != (part.revision, part.mark):
                return None
            copies.append(Rendered(text.pulse_pk, text.modified, text.content, part.placed, part.mark))
        return copies or None


def _key(job: Job) -> _Key:
    return job.pulse_pk, job.profile.value, job.deduplicate
