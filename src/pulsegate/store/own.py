"""An administrator's own pulses: those that the source ``own`` has by hand, and what is in them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from pulsegate.model.indicator import Indicator
from pulsegate.model.pulse import Pulse
from pulsegate.model.tlp import TLP
from pulsegate.store import quarantine, sources, taken, touched
from pulsegate.store.chunks import chunks
from pulsegate.store.digests import digest
from pulsegate.store.paged import paged
from pulsegate.store.pulses import to_indicator
from pulsegate.store.sources import HAND, OWN
from pulsegate.store.tables import indicators, pulses, source_pulses
from pulsegate.store.taken import Growing, Taken

_STREAMED = 2_000  # rows fetched at once


@dataclass(frozen=True, slots=True)
class OwnPulse:
    """An own pulse by its key and what names it: author, name and level together."""

    pk: int
    id: str
    name: str
    author: str
    tlp: TLP


@dataclass(frozen=True, slots=True)
class Standing:
    """An indicator that an own pulse has."""

    pk: int
    pulse_pk: int
    indicator: Indicator


@dataclass(frozen=True, slots=True)
class Listed:
    """An own indicator for people. ``expires``: None where it has no end."""

    pulse: OwnPulse
    type: str
    value: str
    title: str
    description: str
    created: datetime | None
    expires: datetime | None
    protection: str | None


_PULSE = (pulses.c.pk, pulses.c.id, pulses.c.name, pulses.c.author, pulses.c.tlp)
_IS_OWN = (
    sa.exists()
    .where(source_pulses.c.pulse_pk == pulses.c.pk, source_pulses.c.source == OWN, source_pulses.c.via == HAND)
    .correlate(pulses)
)


def every(connection: sa.Connection, name: str | None = None, author: str | None = None) -> list[OwnPulse]:
    """The own pulses; those of the name (or of that id), and of the author, if given."""
    query = sa.select(*_PULSE).where(_IS_OWN).order_by(pulses.c.pk)
    if name is not None:
        query = query.where(sa.or_(pulses.c.name == name, pulses.c.id == name))
    if author is not None:
        query = query.where(pulses.c.author == author)
    return [_pulse(row) for row in connection.execute(query)]


def _pulse(row: Any) -> OwnPulse:
    return OwnPulse(row.pk, row.id, row.name, row.author, TLP(row.tlp))


def ensure(connection: sa.Connection, pulse: Pulse) -> int:
    """The key of the pulse, which is the source's from now on, made if need be; one that was withdrawn is back."""
    known = connection.execute(sa.select(pulses.c.pk, pulses.c.active).where(pulses.c.id == pulse.id)).first()
    if known is None:
        pk = taken.put_many(connection, [Taken(pulse, ())], taken.unmarked)[0].pk
    else:
        pk = known.pk
        if not known.active:  # what is left in it was somebody's whose bundle brought it, and is gone
            taken.finish(connection, Growing(pk))
        # What it holds from now on is not what the fingerprint is of, should a bundle bring the pulse again.
        values = {"modified": pulse.modified, "active": True, "withdrawn": None, "fingerprint": b""}
        connection.execute(sa.update(pulses).where(pulses.c.pk == pk).values(values))
        touched.touch_pulses(connection, [pk])
    sources.claim(connection, OWN, HAND, [pk])
    return pk


def standing(
    connection: sa.Connection, pulse_keys: Collection[int], identities: Collection[str]
) -> Mapping[str, list[Standing]]:
    """By identity (``model.Indicator.identity``), who of these pulses has it."""
    names = {digest(one): one for one in identities}
    found: dict[str, list[Standing]] = defaultdict(list)
    for chunk in chunks(list(names)):
        query = sa.select(indicators).where(indicators.c.identity.in_(chunk)).order_by(indicators.c.pk)
        for row in connection.execute(query):
            if row.pulse_pk in pulse_keys:
                found[names[row.identity]].append(Standing(row.pk, row.pulse_pk, to_indicator(row).indicator))
    return found


def take_away(connection: sa.Connection, gone: Sequence[Standing]) -> int:
    """Remove these; a pulse that has nothing left is withdrawn, and so is what was refused of it.

    Gives how many pulses are.
    """
    by_pulse: dict[int, list[int]] = defaultdict(list)
    for one in gone:
        by_pulse[one.pulse_pk].append(one.pk)
    for pulse_pk, keys in by_pulse.items():
        taken.shrink(connection, Growing(pulse_pk), keys)
    empty = [pk for pk in by_pulse if not taken.has_indicators(connection, pk)]
    for chunk in chunks(empty):
        query = sa.select(pulses.c.id).where(pulses.c.pk.in_(chunk))
        quarantine.replace_many(connection, {one: [] for one in connection.scalars(query)})
    return sources.release(connection, OWN, HAND, empty)


def newest(connection: sa.Connection, pulse_pk: int) -> int:
    """The greatest key of the pulse's indicators: what is added later has a greater one. 0: it has none."""
    query = sa.select(sa.func.max(indicators.c.pk)).where(indicators.c.pulse_pk == pulse_pk)
    return connection.scalar(query) or 0


def of_pulse(
    connection: sa.Connection,
    pulse_pk: int,
    keys: Sequence[int] | None = None,
    limit: int = _STREAMED,
    upto: int | None = None,
) -> list[Standing]:
    """Indicators of a pulse: those of these keys, or some of all (up to the key ``upto``)."""
    mine = sa.select(indicators).where(indicators.c.pulse_pk == pulse_pk).limit(limit)
    if upto is not None:
        mine = mine.where(indicators.c.pk <= upto)
    if keys is None:
        return [_standing(row) for row in connection.execute(mine)]
    rows = (row for chunk in chunks(keys) for row in connection.execute(mine.where(indicators.c.pk.in_(chunk))))
    return [_standing(row) for row in rows]


def _standing(row: Any) -> Standing:
    return Standing(row.pk, row.pulse_pk, to_indicator(row).indicator)


def page(
    connection: sa.Connection, pulse_pk: int, key: int | None, *, backwards: bool = False, limit: int
) -> list[Standing]:
    """Indicators of a pulse, the newest first, from below that key on; ``backwards``: the oldest first, from above."""
    mine = sa.select(indicators).where(indicators.c.pulse_pk == pulse_pk)
    query = paged(mine, indicators.c.pk, key, backwards=backwards, limit=limit)
    return [_standing(row) for row in connection.execute(query)]


def counts(connection: sa.Connection, pulse_keys: Collection[int], most: int) -> dict[int, int]:
    """How many indicators each of the pulses has; of one with more than ``most``, one more than that."""
    found = {}
    for pk in pulse_keys:
        some = sa.select(indicators.c.pulse_pk).where(indicators.c.pulse_pk == pk).limit(most + 1).subquery()
        found[pk] = connection.scalar(sa.select(sa.func.count()).select_from(some)) or 0
    return found


def listed(connection: sa.Connection, name: str | None = None) -> Iterator[Listed]:
    """All own indicators (of the pulses of that name or id), streamed, the longest there first."""
    columns = ("type", "value", "title", "description", "created", "expiration", "protection")
    query = (
        sa.select(*_PULSE, *(indicators.c[one].label(f"i_{one}") for one in columns))
        .join(indicators, indicators.c.pulse_pk == pulses.c.pk)
        .where(_IS_OWN)
        .order_by(indicators.c.pk)
    )
    if name is not None:
        query = query.where(sa.or_(pulses.c.name == name, pulses.c.id == name))
    for row in connection.execute(query, execution_options={"yield_per": _STREAMED}):
        said: tuple[Any, ...] = tuple(getattr(row, f"i_{one}") for one in columns)
        yield Listed(_pulse(row), *said)
