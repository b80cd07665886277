"""Sources of pulses: how far each has been walked, how it fares, and which pulses it has.

A pulse is active as long as some source claims it: through the subscription of its key, by its id, by a search, from
a file, or by hand.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from pulsegate.store import alarms, state
from pulsegate.store.chunks import chunks
from pulsegate.store.database import now
from pulsegate.store.digests import digest, storable
from pulsegate.store.paged import paged
from pulsegate.store.quarantine import BLOCK
from pulsegate.store.quarantine import PULSE as PULSE_ENTRY
from pulsegate.store.tables import held_back, passed_over, pulses, quarantine, source_pulses, sources
from pulsegate.store.taken import withdraw

SUBSCRIPTION, PULSE, FILE, HAND = "subscription", "pulse", "file", "hand"
FILES = "files"  # the source that stands for all files
RELAYED = "relay:"  # what the name of a source begins with that stands for a sender's bundles
OWN = "own"  # the source that stands for what an administrator adds by hand


@dataclass(frozen=True, slots=True)
class Walk:
    """A walk over the subscription, newest first, that is under way.

    ``offset``: so many pulses from the newest on were taken; ``count``: how many there were in all when OTX was last
    asked; ``newest``: when the newest of them was modified, as it began. ``retreats``: how often it went back, because
    the list had become shorter; ``gone``: where OTX knew no page, since then. ``full``: over the whole backfill;
    ``again``: for the second time, because the first brought fewer pulses than there are; ``doubtful``: it may have
    missed some, so a whole one comes after it;
    ``uncounted``: not every page told how many there are, so what moved may have been missed; ``unsaid``: the last page
    named no next one, though by its count more follow.
    """

    started: datetime
    since: datetime
    full: bool = False
    again: bool = False
    offset: int = 0
    count: int | None = None
    newest: datetime | None = None
    retreats: int = 0
    gone: int | None = None
    doubtful: bool = False
    uncounted: bool = False
    unsaid: bool = False


@dataclass(frozen=True, slots=True)
class Source:
    """The row of a source."""

    name: str
    since: datetime
    shape: str
    watermark: datetime | None = None
    walk: Walk | None = None
    page_size: int | None = None
    completed: datetime | None = None
    compared: datetime | None = None
    events: datetime | None = None
    failing: datetime | None = None
    error: str | None = None
    next_try: datetime | None = None
    held: int = 0
    alarms: str = ""


def ensure(connection: sa.Connection, name: str, shape: str) -> Source:
    """The source, made if need be. Where it asks for something else than before, it has to be walked as a whole."""
    found = get(connection, name)
    if found is None:
        connection.execute(sa.insert(sources).values(name=name, since=now(connection), shape=shape))
    elif found.shape != shape:
        update(connection, name, shape=shape, watermark=None, walk=None, compared=None)
        connection.execute(sa.delete(passed_over).where(passed_over.c.source == name))
    else:
        return found
    made = get(connection, name)
    assert made is not None
    return made


def get(connection: sa.Connection, name: str) -> Source | None:
    row = connection.execute(sa.select(sources).where(sources.c.name == name)).first()
    return _source(row) if row else None


def every(connection: sa.Connection) -> list[Source]:
    return [_source(row) for row in connection.execute(sa.select(sources).order_by(sources.c.name))]


def update(connection: sa.Connection, name: str, **values: Any) -> None:
    """Set columns of the source; ``walk`` is a Walk or None."""
    if isinstance(walk := values.get("walk"), Walk):
        values["walk"] = json.dumps(asdict(walk), default=datetime.isoformat)
    connection.execute(sa.update(sources).where(sources.c.name == name).values(values))


def forget(connection: sa.Connection, name: str) -> int:
    """Remove the source with all its claims, and what of it can't be read; gives how many pulses are withdrawn."""
    withdrawn = release(connection, name, None)
    kinds = (PULSE_ENTRY, BLOCK)
    connection.execute(sa.delete(quarantine).where(quarantine.c.source == name, quarantine.c.kind.in_(kinds)))
    hold_packages(connection, name, ())
    connection.execute(sa.delete(passed_over).where(passed_over.c.source == name))
    connection.execute(sa.delete(held_back).where(_held_of(name)))
    state.remove(connection, _owner(name))
    alarms.clear(connection, name)
    connection.execute(sa.delete(sources).where(sources.c.name == name))
    return withdrawn


def set_owner(connection: sa.Connection, name: str, owner: str) -> None:
    """Remember whose key the source has."""
    state.put(connection, _owner(name), storable(owner))


def owner(connection: sa.Connection, name: str) -> str | None:
    """Whose key the source had when OTX was last asked; None: it never told."""
    return state.get(connection, _owner(name))


def _owner(name: str) -> str:
    return f"source.owner.{name}"


def _source(row: Any) -> Source:
    return Source(**{**row._mapping, "walk": _walk(row.walk)})  # noqa: SLF001 - the public name of a row's mapping


def _walk(text: str | None) -> Walk | None:
    if text is None:
        return None
    found: dict[str, Any] = json.loads(text)
    for key in ("started", "since", "newest"):
        if found[key] is not None:
            found[key] = datetime.fromisoformat(found[key])
    known = {one.name for one in fields(Walk)}
    return Walk(**{key: value for key, value in found.items() if key in known})  # a newer release may have noted more


# --- Which pulses it has ---------------------------------------------------------------------------------------------


def claim(connection: sa.Connection, name: str, via: str, keys: Iterable[int]) -> None:
    """Note that the source has these pulses."""
    for chunk in chunks(sorted(set(keys))):
        mine = sa.and_(source_pulses.c.source == name, source_pulses.c.via == via, source_pulses.c.pulse_pk.in_(chunk))
        there = set(connection.scalars(sa.select(source_pulses.c.pulse_pk).where(mine)))
        new = [{"source": name, "via": via, "pulse_pk": key} for key in chunk if key not in there]
        if new:
            connection.execute(sa.insert(source_pulses), new)


def claimed(connection: sa.Connection, name: str, via: str) -> dict[str, int]:
    """The pulses that the source has this way: keys by OTX's ids."""
    query = (
        sa.select(pulses.c.id, pulses.c.pk)
        .join(source_pulses, source_pulses.c.pulse_pk == pulses.c.pk)
        .where(source_pulses.c.source == name, source_pulses.c.via == via)
    )
    return {row[0]: row[1] for row in connection.execute(query)}


def ways(connection: sa.Connection, name: str) -> set[str]:
    """How the source has come by its pulses."""
    return set(connection.scalars(sa.select(source_pulses.c.via).where(source_pulses.c.source == name).distinct()))


def strangers(connection: sa.Connection, name: str, via: str, belongs: Callable[[str], bool]) -> list[int]:
    """The keys of pulses that the source has this way and whose author does not belong there."""
    query = (
        sa.select(pulses.c.pk, pulses.c.author)
        .join(source_pulses, source_pulses.c.pulse_pk == pulses.c.pk)
        .where(source_pulses.c.source == name, source_pulses.c.via == via)
    )
    return [row.pk for row in connection.execute(query) if not belongs(row.author)]


def incomplete(connection: sa.Connection, name: str) -> dict[str, int]:
    """The pulses of the source that lack some of their indicators: keys by OTX's ids."""
    query = (
        sa.select(pulses.c.id, pulses.c.pk)
        .join(source_pulses, source_pulses.c.pulse_pk == pulses.c.pk)
        .where(source_pulses.c.source == name, ~pulses.c.complete)
    )
    return {row[0]: row[1] for row in connection.execute(query)}


def counts(connection: sa.Connection) -> dict[str, int]:
    """How many pulses each source has."""
    number = sa.func.count(sa.distinct(source_pulses.c.pulse_pk))
    query = sa.select(source_pulses.c.source, number).group_by(source_pulses.c.source)
    return {row[0]: row[1] for row in connection.execute(query)}


def release(connection: sa.Connection, name: str, via: str | None, keys: Sequence[int] | None = None) -> int:
    """Note that the source no longer has these pulses (None: any) this way (None: in any).

    What nobody claims any more is withdrawn; gives how many that are.
    """
    mine = source_pulses.c.source == name
    if via is not None:
        mine = sa.and_(mine, source_pulses.c.via == via)
    if keys is None:
        keys = list(connection.scalars(sa.select(source_pulses.c.pulse_pk).where(mine).distinct()))
    for chunk in chunks(keys):
        connection.execute(sa.delete(source_pulses).where(mine, source_pulses.c.pulse_pk.in_(chunk)))
    return withdraw(connection, keys)


def pass_over(connection: sa.Connection, name: str, ids: Collection[str]) -> None:
    """Remember which subscribed pulses a whole walk does not bring, in place of those known until now."""
    connection.execute(sa.delete(passed_over).where(passed_over.c.source == name))
    if ids:
        connection.execute(sa.insert(passed_over), [{"source": name, "pulse_id": one} for one in sorted(ids)])


def keep_passed_over(connection: sa.Connection, name: str, ids: Collection[str]) -> set[str]:
    """Forget those passed over that are not among ``ids``; gives the others."""
    there = known_as_passed_over(connection, name)
    for chunk in chunks(sorted(there.difference(ids))):
        mine = sa.and_(passed_over.c.source == name, passed_over.c.pulse_id.in_(chunk))
        connection.execute(sa.delete(passed_over).where(mine))
    return there.intersection(ids)


def add_passed_over(connection: sa.Connection, name: str, pulse_id: str) -> None:
    connection.execute(sa.insert(passed_over).values(source=name, pulse_id=pulse_id))


def known_as_passed_over(connection: sa.Connection, name: str) -> set[str]:
    return set(connection.scalars(sa.select(passed_over.c.pulse_id).where(passed_over.c.source == name)))


# --- Which of them wait for a confirmation to leave -------------------------------------------------------------------


def hold_back(connection: sa.Connection, name: str, via: str, keys: Iterable[int]) -> None:
    """Remember which pulses that the source has this way are not taken away yet, in place of those known until now."""
    held_as = _held_as(name, via)
    connection.execute(sa.delete(held_back).where(held_back.c.source == held_as))
    rows = [{"source": held_as, "pulse_pk": key} for key in sorted(keys)]
    if rows:
        connection.execute(sa.insert(held_back), rows)
    update(connection, name, held=len(held(connection, name)))


def held(connection: sa.Connection, name: str) -> set[int]:
    """The keys of the pulses, or of an upstream's packages, that are held back."""
    packages = json.loads(state.get(connection, _held(name)) or "[]")
    return {*packages, *connection.scalars(sa.select(held_back.c.pulse_pk).where(_held_of(name)))}


def hold_packages(connection: sa.Connection, name: str, keys: Collection[int]) -> None:
    """Remember which content blocks of an upstream are not taken away yet, in place of those known until now."""
    if keys:
        state.put(connection, _held(name), json.dumps(sorted(keys)))
    else:
        state.remove(connection, _held(name))


def _held(name: str) -> str:
    return f"source.held.{name}"


def _held_as(name: str, via: str) -> str:
    """What stands in the place of the source: no source has a colon in its name."""
    return name if via == SUBSCRIPTION else f"{name}:{via}"


def _held_of(name: str) -> sa.ColumnElement[bool]:
    return held_back.c.source.in_([_held_as(name, via) for via in (SUBSCRIPTION, PULSE)])


def stamp(keys: Iterable[int]) -> str:
    """A short text that stands for these pulses: who confirms their removal says which ones were looked at."""
    return digest(*map(str, sorted(keys))).hex()


@dataclass(frozen=True, slots=True)
class HeldBack:
    """A pulse whose removal waits."""

    pk: int
    id: str
    name: str
    author: str
    modified: datetime


def held_page(
    connection: sa.Connection, name: str, key: int | None, *, backwards: bool = False, limit: int
) -> list[HeldBack]:
    """Those held back, in the order of their keys, after that one; ``backwards``: before it, the last first."""
    columns = (pulses.c.pk, pulses.c.id, pulses.c.name, pulses.c.author, pulses.c.modified)
    query = sa.select(*columns).where(pulses.c.pk.in_(sa.select(held_back.c.pulse_pk).where(_held_of(name))))
    query = paged(query, pulses.c.pk, key, backwards=backwards, limit=limit, falls=False)
    return [HeldBack(*row) for row in connection.execute(query)]
