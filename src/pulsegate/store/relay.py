"""What the relay remembers: states that were exported and taken, their pulses, bundles, and who signs for whom.

``OWN`` as an origin stands for this installation's own states.
"""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from datetime import datetime
from itertools import groupby
from typing import Any

import sqlalchemy as sa

from pulsegate.model.indicator import Indicator, RawIndicator
from pulsegate.model.pulse import OWN as OWN_PULSES
from pulsegate.model.pulse import Pulse
from pulsegate.store.chunks import chunks
from pulsegate.store.database import now
from pulsegate.store.digests import storable
from pulsegate.store.paged import paged
from pulsegate.store.pulses import stored
from pulsegate.store.sources import HAND
from pulsegate.store.sources import OWN as BY_HAND
from pulsegate.store.tables import indicators, pulses, relay_heads, relay_keys, relay_log, relay_pulses, source_pulses
from pulsegate.store.upsert import upsert
from pulsegate.values.normalise import normalise

OWN = ""
OUT, IN = "out", "in"
WRITTEN, TAKEN, KNOWN, REFUSED, WAITS = "written", "taken", "known", "refused", "waits"
FETCH = 2_000  # rows that are read at a time
TOGETHER = 100  # pulses whose indicators are read by one query
_IS_OWN = pulses.c.id.startswith(OWN_PULSES, autoescape=True)


# --- Heads -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class KeptHead:
    """A state that was exported or taken; ``head`` is its JSON, ``noted`` when that was."""

    sequence: int
    digest: bytes
    head: str
    noted: datetime


def as_of(kept: KeptHead) -> datetime:
    """When it was so at the sender."""
    return datetime.fromisoformat(json.loads(kept.head)["created"])


_HEAD = [relay_heads.c[one.name] for one in fields(KeptHead)]


def last_head(connection: sa.Connection, origin: str) -> KeptHead | None:
    query = sa.select(*_HEAD).where(relay_heads.c.origin == origin).order_by(relay_heads.c.sequence.desc()).limit(1)
    row = connection.execute(query).first()
    return KeptHead(*row) if row else None


def head(connection: sa.Connection, origin: str, sequence: int) -> KeptHead | None:
    query = sa.select(*_HEAD).where(relay_heads.c.origin == origin, relay_heads.c.sequence == sequence)
    row = connection.execute(query).first()
    return KeptHead(*row) if row else None


def chain(connection: sa.Connection, origin: str, first: int) -> dict[int, bytes]:
    """The digests of the heads from that sequence number on."""
    query = sa.select(relay_heads.c.sequence, relay_heads.c.digest)
    query = query.where(relay_heads.c.origin == origin, relay_heads.c.sequence >= first)
    return {row[0]: row[1] for row in connection.execute(query.order_by(relay_heads.c.sequence))}


def put_head(connection: sa.Connection, origin: str, sequence: int, digest: bytes, text: str) -> None:
    values = {"digest": digest, "head": text, "noted": now(connection)}
    upsert(connection, relay_heads, {"origin": origin, "sequence": sequence}, values)


def origins(connection: sa.Connection) -> list[str]:
    """Those of whom a bundle was taken."""
    query = sa.select(relay_heads.c.origin).where(relay_heads.c.origin != OWN).distinct()
    return list(connection.scalars(query.order_by(relay_heads.c.origin)))


def latest(connection: sa.Connection) -> dict[str, tuple[int, datetime]]:
    """How many states of each origin are known, and when the last one was noted: other ones when a bundle was taken."""
    query = sa.select(relay_heads.c.origin, sa.func.count(), sa.func.max(relay_heads.c.noted))
    found = connection.execute(query.where(relay_heads.c.origin != OWN).group_by(relay_heads.c.origin))
    return {origin: (count, noted) for origin, count, noted in found}


def forget(connection: sa.Connection, origin: str, *, pulses_too: bool = False) -> None:
    """Forget the chain of that origin, and its keys: its next full snapshot is a first one.

    ``pulses_too``: what it has brought, too; else that snapshot takes away what it does not bring any more.
    """
    if pulses_too:
        mine = relay_pulses.c.origin.in_([origin, own_of(origin)])
        connection.execute(sa.delete(relay_pulses).where(mine))
    connection.execute(sa.delete(relay_heads).where(relay_heads.c.origin == origin))
    connection.execute(sa.delete(relay_keys).where(relay_keys.c.origin == origin))


# --- Pulses of a state -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Part:
    """A pulse in a state. ``digest``: of its lines, None: it is gone; ``stored``: the version that it was made of."""

    digest: bytes | None
    sequence: int
    stored: datetime | None


def present(found: Mapping[str, Part]) -> dict[str, bytes]:
    """The digests of those that are in the last state."""
    return {one: part.digest for one, part in found.items() if part.digest is not None}


def parts(connection: sa.Connection, origin: str) -> dict[str, Part]:
    """Each pulse of the origin's last state, and those that were in an earlier one."""
    columns = (relay_pulses.c.pulse_id, relay_pulses.c.digest, relay_pulses.c.sequence, relay_pulses.c.stored)
    query = sa.select(*columns).where(relay_pulses.c.origin == origin)
    return {row[0]: Part(*row[1:]) for row in connection.execute(query)}


def forget_gone(connection: sa.Connection, origin: str) -> None:
    """Forget which pulses were in an earlier state only."""
    gone = sa.and_(relay_pulses.c.origin == origin, relay_pulses.c.digest.is_(None))
    connection.execute(sa.delete(relay_pulses).where(gone))


def put_parts(connection: sa.Connection, origin: str, found: Mapping[str, Part]) -> None:
    """Note these pulses, in place of what was known of them."""
    for chunk in chunks(sorted(found)):
        old = sa.and_(relay_pulses.c.origin == origin, relay_pulses.c.pulse_id.in_(chunk))
        connection.execute(sa.delete(relay_pulses).where(old))
        rows = [
            {"origin": origin, "pulse_id": one, "digest": part.digest, "sequence": part.sequence, "stored": part.stored}
            for one, part in ((one, found[one]) for one in chunk)
        ]
        connection.execute(sa.insert(relay_pulses), rows)


def own_of(origin: str) -> str:
    """What stands for the origin's own pulses, in place of the origin; no origin has a colon."""
    return f"{origin}:own"


# --- What is exported ------------------------------------------------------------------------------------------------


def versions(connection: sa.Connection) -> dict[str, tuple[int, datetime]]:
    """Key and version of each active pulse but own ones, by its id. The version changes with its indicators, too."""
    query = sa.select(pulses.c.id, pulses.c.pk, pulses.c.stored).where(pulses.c.active, ~_IS_OWN)
    return {row[0]: (row[1], row[2]) for row in connection.execute(query)}


def own_pulses(connection: sa.Connection) -> dict[str, int]:
    """The keys of the own pulses that were made here, by their ids."""
    query = sa.select(pulses.c.id, pulses.c.pk).join(source_pulses, source_pulses.c.pulse_pk == pulses.c.pk)
    query = query.where(pulses.c.active, source_pulses.c.source == BY_HAND, source_pulses.c.via == HAND)
    return {row[0]: row[1] for row in connection.execute(query)}


def own_of_others(connection: sa.Connection, name: str) -> set[str]:
    """The ids of own pulses that were made here, or that another source than this one has brought."""
    query = sa.select(pulses.c.id).join(source_pulses, source_pulses.c.pulse_pk == pulses.c.pk)
    return set(connection.scalars(query.where(_IS_OWN, source_pulses.c.source != name)))


def count_indicators(connection: sa.Connection) -> int:
    """How many indicators the pulses have that ``versions`` tells of."""
    query = sa.select(sa.func.count()).select_from(indicators.join(pulses, indicators.c.pulse_pk == pulses.c.pk))
    return int(connection.scalar(query.where(pulses.c.active, ~_IS_OWN)) or 0)


def contents(connection: sa.Connection, keys: Sequence[int]) -> Generator[tuple[Pulse, int, Iterator[RawIndicator]]]:
    """Pulses with the number of their indicators, and those by their identity; each is read before the next comes.

    Who does not read to the end closes it.
    """
    for chunk in chunks(keys, TOGETHER):
        rows = {row.pk: row for row in connection.execute(sa.select(pulses).where(pulses.c.pk.in_(chunk)))}
        counted = sa.select(indicators.c.pulse_pk, sa.func.count()).group_by(indicators.c.pulse_pk)
        counts = {row[0]: row[1] for row in connection.execute(counted.where(indicators.c.pulse_pk.in_(chunk)))}
        for some in _of_few(chunk, counts):
            with _indicators(connection, some) as found:
                for pk in some:
                    yield stored(rows[pk]).pulse, counts.get(pk, 0), found.get(pk, iter(()))


def _of_few(keys: Sequence[int], counts: Mapping[int, int]) -> Iterator[list[int]]:
    """The keys, as many in a row as have few enough indicators to be read at once; a large pulse alone."""
    some: list[int] = []
    for pk in keys:
        if some and sum(counts.get(one, 0) for one in (*some, pk)) > FETCH:
            yield some
            some = []
        some.append(pk)
    yield some


@contextmanager
def _indicators(connection: sa.Connection, keys: Sequence[int]) -> Iterator[dict[int, Iterator[RawIndicator]]]:
    """Those of several pulses, all read; those of one as they are asked for."""
    query = sa.select(*_RAW).where(indicators.c.pulse_pk.in_(keys))
    query = query.order_by(indicators.c.pulse_pk, indicators.c.identity)
    with connection.execute(query.execution_options(yield_per=FETCH)) as found:
        if len(keys) == 1:
            yield {keys[0]: map(_raw, found)}
        else:
            yield {pk: map(_raw, list(rows)) for pk, rows in groupby(found, lambda row: row[0])}


def _raw(row: Any) -> RawIndicator:
    """The indicator as it was sent; or its normal form, where what was sent could not be stored as it was.

    ``digests.storable`` has written an escape then, of which a receiver would make another value.
    """
    raw, kind, value = RawIndicator(*row[3:]), row[1], row[2]
    if "\\" not in raw.value and "\\" not in raw.type:
        return raw
    found = normalise(raw)
    if isinstance(found, Indicator) and (found.type, found.value) == (kind, value):
        return raw
    return replace(raw, type=kind, value=value)


_RAW = (
    indicators.c.pulse_pk,
    indicators.c.type,
    indicators.c.value,
    *(indicators.c[{"type": "raw_type", "value": "raw_value"}.get(one.name, one.name)] for one in fields(RawIndicator)),
)


# --- The log, and keys -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Entry:
    """A bundle that was written, taken, known already, or refused."""

    direction: str
    file: str
    outcome: str
    origin: str | None = None
    sequence: int | None = None
    kind: str | None = None
    reason: str | None = None
    pulses: int = 0
    removals: int = 0
    bytes: int = 0


@dataclass(frozen=True, slots=True)
class Logged:
    """An entry of the log with its key and time."""

    pk: int
    time: datetime
    entry: Entry


_ENTRY = [relay_log.c[one.name] for one in fields(Entry)]


def log(connection: sa.Connection, entry: Entry) -> None:
    """A name or a reason that no database takes is written as ``storable`` does."""
    found = ((one.name, getattr(entry, one.name)) for one in fields(Entry))
    values = {name: storable(value) if isinstance(value, str) else value for name, value in found}
    connection.execute(sa.insert(relay_log).values(time=now(connection), **values))


def logged(
    connection: sa.Connection,
    direction: str | None,
    key: int | None,
    *,
    outcome: str | None = None,
    backwards: bool = False,
    limit: int,
) -> list[Logged]:
    """Entries, newest first, from below that key on; ``backwards``: the oldest first, from above it on."""
    query = sa.select(relay_log.c.pk, relay_log.c.time, *_ENTRY)
    if direction is not None:
        query = query.where(relay_log.c.direction == direction)
    if outcome is not None:
        query = query.where(relay_log.c.outcome == outcome)
    rows = connection.execute(paged(query, relay_log.c.pk, key, backwards=backwards, limit=limit))
    return [Logged(row[0], row[1], Entry(*row[2:])) for row in rows]


def last_logged(connection: sa.Connection, direction: str, outcome: str) -> Logged | None:
    """The last entry with this outcome."""
    return next(iter(logged(connection, direction, None, outcome=outcome, limit=1)), None)


def purge(connection: sa.Connection, before: datetime) -> int:
    """Forget what the log says from before then."""
    return connection.execute(sa.delete(relay_log).where(relay_log.c.time < before)).rowcount


def origin_of_key(connection: sa.Connection, fingerprint: str) -> str | None:
    """Whom the key has signed for so far."""
    return connection.scalar(sa.select(relay_keys.c.origin).where(relay_keys.c.fingerprint == fingerprint))


def put_key(connection: sa.Connection, fingerprint: str, origin: str, name: str) -> None:
    values = {"origin": origin, "name": name, "seen": now(connection)}
    upsert(connection, relay_keys, {"fingerprint": fingerprint}, values)


@dataclass(frozen=True, slots=True)
class SignedKey:
    """A key that has signed for a sender: what the settings called it then, and when it did so last."""

    fingerprint: str
    origin: str
    name: str
    seen: datetime


def signed_keys(connection: sa.Connection) -> list[SignedKey]:
    """The one that has signed last comes last."""
    query = sa.select(*(relay_keys.c[one.name] for one in fields(SignedKey))).order_by(relay_keys.c.seen)
    return [SignedKey(*row) for row in connection.execute(query)]


def is_used(connection: sa.Connection) -> bool:
    """Whether any bundle was written, taken or refused."""
    found = (sa.select(sa.literal(1)).select_from(one).limit(1) for one in (relay_log, relay_heads))
    return any(connection.scalar(query) is not None for query in found)
