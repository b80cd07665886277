"""What changed since the last publication: noted with each change, taken away when every collection reflects it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from pulsegate.store import bulk
from pulsegate.store.chunks import chunks
from pulsegate.store.tables import collection_rules, indicators, reflections, touched


@dataclass(frozen=True, slots=True)
class Touched:
    """``pulses``: those of which anything may be different, by their keys. ``values``: identities, in whatever pulse.

    ``gone``: indicators that a pulse has lost, as pairs of the pulse's key and the identity. ``rows``: where all of it
    is noted.
    """

    rows: Sequence[int]
    pulses: frozenset[int]
    values: frozenset[bytes]
    gone: frozenset[tuple[int, bytes]]


def touch_pulses(connection: sa.Connection, keys: Iterable[int]) -> None:
    """Something of these pulses, or of their indicators, is different."""
    bulk.insert(connection, touched, ("pulse_pk",), [(key,) for key in keys])


def touch_values(connection: sa.Connection, identities: Iterable[bytes]) -> None:
    """These values have to be decided on anew, in every pulse."""
    bulk.insert(connection, touched, ("identity",), [(identity,) for identity in identities])


def touch_indicators(connection: sa.Connection, keys: Sequence[int]) -> None:
    """The values of the indicators with these keys have to be decided on anew."""
    for chunk in chunks(keys):
        values = sa.select(indicators.c.identity).where(indicators.c.pk.in_(chunk))
        connection.execute(sa.insert(touched).from_select(["identity"], values))


def touch_gone(connection: sa.Connection, lost: Iterable[tuple[int, bytes]]) -> None:
    """These pulses have lost these indicators."""
    bulk.insert(connection, touched, ("pulse_pk", "identity"), list(lost))


def leave_author(connection: sa.Connection, author: str) -> None:
    """A pulse is no longer by this author: the author's collection has to be looked at as a whole."""
    mine = sa.select(collection_rules.c.collection_id).where(collection_rules.c.author == author)
    connection.execute(sa.delete(reflections).where(reflections.c.collection_id.in_(mine)))


def read(connection: sa.Connection) -> Touched:
    rows, keys, values, gone = [], set(), set(), set()
    for row in connection.execute(sa.select(touched), execution_options={"yield_per": 2000}):
        rows.append(row.pk)
        if row.identity is None:
            keys.add(row.pulse_pk)
        elif row.pulse_pk is None:
            values.add(row.identity)
        else:
            gone.add((row.pulse_pk, row.identity))
    return Touched(rows, frozenset(keys), frozenset(values), frozenset(gone))


def gone(connection: sa.Connection) -> Iterator[tuple[int, bytes]]:
    """What pulses have lost, streamed: the pulse's key and the identity."""
    lost = sa.and_(touched.c.pulse_pk.is_not(None), touched.c.identity.is_not(None))
    query = sa.select(touched.c.pulse_pk, touched.c.identity).where(lost)
    for row in connection.execute(query, execution_options={"yield_per": 2000}):
        yield row.pulse_pk, row.identity


def forget(connection: sa.Connection, rows: Sequence[int]) -> None:
    """Every collection reflects these rows. One by one: PostgreSQL may commit a lower key after a higher one."""
    for chunk in chunks(rows):
        connection.execute(sa.delete(touched).where(touched.c.pk.in_(chunk)))


def count(connection: sa.Connection) -> int:
    """How many notes wait for a publication."""
    return int(connection.scalar(sa.select(sa.func.count()).select_from(touched)) or 0)
