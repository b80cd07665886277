"""An administrator's own indicators: added by hand or from files, in batches, and taken away.

They are cleaned and checked as OTX's are. A pulse has one TLP level, so what comes with another one goes into a pulse
of the same name and author beside it.
"""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import islice

from pulsegate.curation.policy import Policy
from pulsegate.intake.taking import clean, rejected
from pulsegate.model.indicator import Indicator, Rejection, identity_of
from pulsegate.model.pulse import OWN as PREFIX
from pulsegate.model.pulse import Pulse
from pulsegate.model.tlp import TLP
from pulsegate.publication.marking import Marker
from pulsegate.reports import Entry, Proposed, Refusal
from pulsegate.reports.fields import OPENNESS, strictest
from pulsegate.reports.reading import refusal
from pulsegate.store import locks, own, quarantine, taken
from pulsegate.store.database import Connection, Database, now
from pulsegate.store.locks import INTAKE, hold, within
from pulsegate.store.own import OwnPulse, Standing
from pulsegate.store.quarantine import Quarantined
from pulsegate.store.sources import OWN
from pulsegate.store.taken import Growing
from pulsegate.values.normalise import readings

BATCH = 1_000  # entries in one transaction
LISTED = 10_000  # entries of each kind that a result lists; it counts all
LOCK_WAIT = 60.0  # seconds that one addition waits for another
AUTHOR = "own"
NAME = "Own indicators"


@dataclass(frozen=True, slots=True)
class Into:
    """Where entries go. ``tlp``: of those that tell none; None: as the pulse of the name has it, else green."""

    name: str = NAME
    author: str = AUTHOR
    tlp: TLP | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """What became of one value. ``what``: ``new``, ``changed`` or ``there``, where it was there as it is."""

    type: str
    value: str
    what: str
    tlp: TLP
    where: str
    protection: str | None


@dataclass(slots=True)
class Added:
    """What an addition did, or would do; ``lines`` and ``refusals`` hold the first ``LISTED``."""

    new: int = 0
    changed: int = 0
    there: int = 0
    rejected: int = 0
    protected: int = 0  # of those that are accepted
    lines: list[Line] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)

    @property
    def accepted(self) -> int:
        return self.new + self.changed + self.there

    @property
    def in_order(self) -> list[Refusal]:
        """The refusals in the order of the file: they are found in several steps."""
        return sorted(self.refusals, key=lambda one: [int(number) for number in re.findall(r"[0-9]+", one.where)])

    def accept(self, line: Line) -> None:
        self.new += line.what == "new"
        self.changed += line.what == "changed"
        self.there += line.what == "there"
        self.protected += line.protection is not None
        if len(self.lines) < LISTED:
            self.lines.append(line)

    def refuse(self, one: Refusal) -> None:
        self.rejected += 1
        if len(self.refusals) < LISTED:
            self.refusals.append(one)


def pulse_id(author: str, name: str, tlp: TLP) -> str:
    """The id of the own pulse: the same author, name and level are the same pulse."""
    text = f"{author}\n{name}\n{tlp.value}"
    return PREFIX + hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:20]


def into(database: Database, name: str, author: str, tlp: TLP | None) -> Into:
    """Where entries go: the pulse of that name and author; or the own pulse of that id, whichever its author."""
    with database.read() as connection:
        known = next((one for one in own.every(connection, name) if one.id == name), None)
    return Into(name, author, tlp) if known is None else Into(known.name, known.author, tlp or known.tlp)


def add(database: Database, policy: Policy, entries: Iterable[Entry], into: Into, *, dry_run: bool = False) -> Added:
    """Store what can be taken, in batches, and tell of each entry what became of it; ``dry_run``: only tell.

    What is there stays. A value that is there gets what the entry tells more or else of it, and with another level
    moves to the pulse of that one; one that has expired begins anew. BusyError: another addition has not ended.
    """
    added = Added()
    with nullcontext() if dry_run else hold(database, locks.pull(OWN), wait=LOCK_WAIT):
        addition = _Addition(database, Marker(database, policy), into, added, dry_run=dry_run)
        for batch in _batches(entries):
            addition.take(batch)
        addition.finish()
    return added


def _batches(entries: Iterable[Entry]) -> Iterator[list[Entry]]:
    walk = iter(entries)
    while batch := list(islice(walk, BATCH)):
        yield batch


class _Addition:
    """One addition, batch after batch."""

    def __init__(self, database: Database, marker: Marker, into: Into, added: Added, *, dry_run: bool) -> None:
        self._database = database
        self._marker = marker
        self._into = into
        self._added = added
        self._dry_run = dry_run
        self._refused: dict[TLP, list[Rejection]] = defaultdict(list)

    def take(self, batch: Sequence[Entry]) -> None:
        for one in batch:
            if isinstance(one, Refusal):
                self._added.refuse(one)
        told = self._cleaned([one for one in batch if isinstance(one, Proposed)])
        self._marker.prepare(one for one, _ in told)
        if self._dry_run:
            with self._database.read() as connection:
                self._take(connection, told)
        else:
            with self._database.write() as connection:
                within(connection, INTAKE)
                self._marker.verify(connection)
                self._take(connection, told)

    def _cleaned(self, proposed: Sequence[Proposed]) -> list[tuple[Indicator, Proposed]]:
        """Each value once; of two with different levels the one that is more closed, so that none becomes wider."""
        seen: set[str] = set()
        told = []
        for level in (*reversed(OPENNESS), None):
            entries = {id(one.indicator): one for one in proposed if one.tlp is level}
            found, rejections = clean(one.indicator for one in entries.values())
            for rejection in rejections:
                self._reject(rejection, entries[id(rejection.raw)])
            told += [(one, entries[id(one.raw)]) for one in found if one.identity not in seen]
            seen |= {one.identity for one in found}
        return told

    def _reject(self, one: Rejection, entry: Proposed) -> None:
        self._added.refuse(refusal(entry.where, one.raw.value, one.reason))
        level = entry.tlp or self._into.tlp or TLP.GREEN
        if sum(map(len, self._refused.values())) < LISTED:
            self._refused[level].append(one)

    def _take(self, connection: Connection, told: Sequence[tuple[Indicator, Proposed]]) -> None:
        siblings = own.every(connection, self._into.name, self._into.author)
        levels = {one.pk: one.tlp for one in siblings}
        there = own.standing(connection, levels, [one.identity for one, _ in told])
        moment = now(connection)
        writing: dict[TLP, list[Indicator]] = defaultdict(list)
        moving: list[Standing] = []
        for one, entry in told:
            old = there.get(one.identity, [])
            level = self._level(entry, old, levels)
            placed = next((each for each in old if levels[each.pulse_pk] is level), None)
            elsewhere = [each for each in old if each is not placed]
            wanted = merged(one, placed or next(iter(elsewhere), None), moment)
            if placed is None or wanted.raw != placed.indicator.raw:
                writing[level].append(wanted)
                what = "changed" if old else "new"
            else:
                what = "changed" if elsewhere else "there"
            moving += elsewhere
            self._added.accept(Line(one.type.value, one.value, what, level, entry.where, self._marker(one).protection))
        if not self._dry_run:
            self._write(connection, writing, moving, moment)

    def _level(self, entry: Proposed, old: Sequence[Standing], levels: dict[int, TLP]) -> TLP:
        """As told; else that under which it is there; else that of the pulse, the most closed one of several."""
        if entry.tlp or self._into.tlp:
            return entry.tlp or self._into.tlp or TLP.GREEN
        known = strictest(levels[one.pulse_pk] for one in old) or strictest(levels.values())
        return known or TLP.GREEN

    def _write(
        self,
        connection: Connection,
        writing: dict[TLP, list[Indicator]],
        moving: Sequence[Standing],
        moment: datetime,
    ) -> None:
        for level, found in writing.items():
            into = self._into
            pulse = Pulse(
                pulse_id(into.author, into.name, level), into.name, into.author, moment, moment, tlp=level, public=False
            )
            growing = Growing(own.ensure(connection, pulse))
            taken.grow(connection, growing, found, self._marker)
        own.take_away(connection, moving)

    def finish(self) -> None:
        """What was no value of its declared type is kept with its pulse, if that is there."""
        if self._dry_run or not self._refused:
            return
        with self._database.write() as connection:
            there = {one.id for one in own.every(connection, self._into.name, self._into.author)}
            entries: dict[str, list[Quarantined]] = {}
            for level, found in self._refused.items():
                pulse = pulse_id(self._into.author, self._into.name, level)
                if pulse in there:
                    entries[pulse] = [rejected(OWN, pulse, one) for one in found]
            quarantine.replace_many(connection, entries)


def merged(one: Indicator, old: Standing | None, moment: datetime) -> Indicator:
    """What is there with what the new entry tells more or else of it; one that has expired begins anew."""
    raw = one.raw
    known = None if old is None else old.indicator.raw
    if known is None or (known.expiration is not None and known.expiration <= moment):
        return replace(one, raw=replace(raw, created=raw.created or moment))
    return replace(
        one,
        raw=replace(
            known,
            active=True,
            expiration=raw.expiration or known.expiration,
            role=raw.role or known.role,
            title=raw.title or known.title,
            description=raw.description or known.description,
            content=raw.content or known.content,
        ),
    )


@dataclass(slots=True)
class Removed:
    """What a removal did: the values that are gone with the pulses that had them, and the texts that none has."""

    gone: list[tuple[str, str, OwnPulse]] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    withdrawn: int = 0  # pulses that have nothing left


def remove(database: Database, texts: Iterable[str], name: str | None = None) -> Removed:
    """Take values away, defanged or not, whichever their type, from the own pulses of that name or id, or from all.

    A pulse that has nothing left is withdrawn. BusyError: an addition has not ended.
    """
    removed = Removed()
    with hold(database, locks.pull(OWN), wait=LOCK_WAIT), database.write() as connection:
        within(connection, INTAKE)
        carriers = {one.pk: one for one in own.every(connection, name)}
        gone: dict[int, Standing] = {}
        for text in texts:
            identities = [identity_of(*one) for one in readings(text)]
            found = [one for each in own.standing(connection, carriers, identities).values() for one in each]
            gone |= {one.pk: one for one in found}
            if not found:
                removed.unknown.append(text)
        removed.withdrawn = own.take_away(connection, list(gone.values()))
    for one in gone.values():
        removed.gone.append((one.indicator.type.value, one.indicator.value, carriers[one.pulse_pk]))
    return removed
