"""Own indicators as the pages handle them: drafts that are looked at before they count, removal by keys, records."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from pulsegate.curation.policy import Policy
from pulsegate.model.indicator import Indicator, RawIndicator
from pulsegate.model.tlp import TLP
from pulsegate.publication.marking import Marker, with_decisions
from pulsegate.publication.plan import pulse_identity
from pulsegate.reports import Entry, Proposed
from pulsegate.reports.prose import Candidate
from pulsegate.store import around, audit, collections, locks, own
from pulsegate.store.database import Connection, Database
from pulsegate.store.digests import digest
from pulsegate.store.locks import INTAKE, hold, within
from pulsegate.store.sources import OWN
from pulsegate.sync.own import LOCK_WAIT, Added, Into, Removed

NOTED = 20  # values in a record
BATCH = 5_000  # removed in one transaction


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a form says of every entry that doesn't say it itself."""

    title: str = ""
    description: str = ""
    expires: datetime | None = None

    def fill(self, found: Iterable[Entry]) -> Iterator[Entry]:
        for one in found:
            if not isinstance(one, Proposed):
                yield one
                continue
            raw = one.indicator
            filled = replace(
                raw,
                title=raw.title or self.title,
                description=raw.description or self.description,
                expiration=raw.expiration or self.expires,
            )
            yield replace(one, indicator=filled)


@dataclass(frozen=True, slots=True)
class Weighed:
    """A candidate of a report, and what speaks against taking it: pairs of a code and a text that says more."""

    candidate: Candidate
    against: tuple[tuple[str, str], ...]

    @property
    def is_ticked(self) -> bool:
        return self.candidate.is_meant and not self.against


def weigh(database: Database, policy: Policy, found: Sequence[Candidate]) -> list[Weighed]:
    """What is known of each candidate: protections, own networks, warning lists, the allow list, where it is served."""
    values = [Indicator(one.type, one.value, RawIndicator(one.type.value, one.value)) for one in found]
    marker = Marker(database, policy)
    marker.prepare(values)
    with database.read() as connection:
        decided = with_decisions(connection, policy)
        served = standing(connection, [one.identity for one in values])
        carriers = {one.pk for one in own.every(connection)}
        there = own.standing(connection, carriers, [one.identity for one in values])
    return [
        Weighed(one, tuple(_against(decided, marker, value, served.get(value.identity, []), value.identity in there)))
        for one, value in zip(found, values, strict=True)
    ]


def _against(
    policy: Policy, marker: Marker, value: Indicator, served: Sequence[str], is_own: bool
) -> Iterator[tuple[str, str]]:
    if (entry := policy.own.covering(value.type, value.value)) is not None:
        yield "own", entry
    if (allowed := policy.allow.covering(value.type, value.value)) is not None:
        yield "allowed", allowed.text
    marks = marker(value)
    if policy.protection(marks.protection) is not None:
        yield "protected", marks.protection or ""
    if marks.lists:
        yield "listed", marks.lists.replace(" ", ", ")
    if is_own:
        yield "there", ""
    if served:
        yield "served", ", ".join(served)


def standing(connection: Connection, identities: Sequence[str], pulse_pk: int | None = None) -> Mapping[str, list[str]]:
    """In which collections each value stands, by its identity (``model``); of the pulse too, without deduplication."""
    keys = {digest(one): one for one in identities}
    found: dict[str, list[str]] = {}
    for stored in collections.every(connection):
        mine = keys
        if not stored.collection.deduplicate:
            mine = {} if pulse_pk is None else {pulse_identity(pulse_pk, key): one for key, one in keys.items()}
        for place in around.places(connection, [stored.id], mine):
            found.setdefault(mine[place.identity], []).append(stored.collection.name)
    return found


def picked(values: Iterable[tuple[str, str]]) -> bytes:
    """Types and values as a draft that is read as a table."""
    out = io.StringIO()
    csv.writer(out).writerows([("type", "value"), *values])
    return out.getvalue().encode()


def note_added(connection: Connection, account: str, into: Into, added: Added) -> None:
    """The record of an addition that changed something."""
    changed = [one.value for one in added.lines if one.what != "there"]
    told = {"author": into.author, "new": added.new, "changed": added.changed, "values": changed[:NOTED]}
    audit.record(connection, account, "indicator.add", into.name, after=told)


def note_removed(connection: Connection, account: str, removed: Removed) -> None:
    """The records of a removal, for each pulse by itself."""
    gone: dict[str, list[str]] = {}
    for _, value, of in removed.gone:
        gone.setdefault(of.name, []).append(value)
    for name, values in gone.items():
        told = {"removed": len(values), "values": values[:NOTED]}
        audit.record(connection, account, "indicator.remove", name, before=told)


def remove_keys(
    database: Database, account: str, pulse_pk: int, keys: Sequence[int] | None, upto: int | None = None
) -> int:
    """Take the indicators of these keys (None: all) out of an own pulse, with a record; how many are gone.

    ``upto``: what has a greater key came later, and stays. A pulse that has nothing left is withdrawn. BusyError: an
    addition has not ended.
    """
    total = 0
    with hold(database, locks.pull(OWN), wait=LOCK_WAIT):
        while True:
            gone = _remove_batch(database, account, pulse_pk, keys, upto)
            total += gone
            if not gone or keys is not None:
                return total


def _remove_batch(database: Database, account: str, pulse_pk: int, keys: Sequence[int] | None, upto: int | None) -> int:
    with database.write() as connection:
        within(connection, INTAKE)
        pulse = next((one for one in own.every(connection) if one.pk == pulse_pk), None)
        if pulse is None:
            return 0
        found = own.of_pulse(connection, pulse_pk, keys, BATCH, upto)
        if found:
            own.take_away(connection, found)
            gone = [(one.indicator.type.value, one.indicator.value, pulse) for one in found]
            note_removed(connection, account, Removed(gone))
    return len(found)


def level(text: str) -> TLP | None:
    """The TLP level of a form; empty: as the entries or the pulse have it."""
    return TLP(text) if text else None
