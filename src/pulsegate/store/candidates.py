"""Walks over all indicators, for publications: rows as slim as can be, and indicators to be written, read in one go."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa

from pulsegate.model.indicator import Indicator, IndicatorType, RawIndicator
from pulsegate.store.chunks import chunks
from pulsegate.store.pulses import Candidate, StoredIndicator, StoredPulse, stored
from pulsegate.store.tables import indicators, pulses

CHUNK = 2_000  # rows fetched at once

Slim = tuple[bytes, int, int, str, bool]
"""Identity, key, pulse key, type; whether it has to be looked at by itself."""


COLUMNS = tuple(indicators.c[name] for name in Candidate.__dataclass_fields__)


@dataclass(frozen=True, slots=True)
class Lives:
    """Which indicators may live at ``now``, and of those the odd ones, on which more decides than pulse and type.

    Odd are those with a protection or on a warning list, those noted for a closer look, those that could not be written
    in some profile, those of the types ``by_value``, and those that OTX gives no end and that were not created
    after the moment that ``after`` has for their type. What is noted may live in any case: it may be forced in.
    All of them are odd, where it is decided ``by_role``.
    """

    now: datetime
    by_value: Collection[str]
    after: Mapping[str, datetime]
    by_role: bool = False

    @property
    def alive(self) -> sa.ColumnElement[bool]:
        unexpired = sa.or_(indicators.c.expiration.is_(None), indicators.c.expiration > self.now)
        return sa.or_(indicators.c.noted, sa.and_(indicators.c.active, unexpired))

    @property
    def odd(self) -> sa.ColumnElement[bool]:
        if self.by_role:
            return sa.true()
        old = [
            sa.and_(
                indicators.c.type == kind,
                indicators.c.expiration.is_(None),
                sa.or_(indicators.c.created.is_(None), indicators.c.created <= moment),
            )
            for kind, moment in self.after.items()
        ]
        special = [indicators.c[name].is_not(None) for name in ("protection", "failure", "lists")]
        return sa.or_(indicators.c.noted, *special, indicators.c.type.in_(sorted(self.by_value)), *old)


def walk(connection: sa.Connection, lives: Lives, *, of: Sequence[int] | None, by_identity: bool) -> Iterator[Slim]:
    """Every indicator (of these pulses, if given) that may live, streamed by its identity or by its key."""
    columns = [indicators.c.identity, indicators.c.pk, indicators.c.pulse_pk, indicators.c.type]
    odd = sa.case((lives.odd, 1), else_=0)
    query = sa.select(*columns, odd).where(lives.alive)
    # An index gives the order too, at the price of a row looked up anywhere for each entry: sorting is faster by far.
    by = sa.func.coalesce(indicators.c.identity, indicators.c.identity) if by_identity else indicators.c.pk
    return _stream(connection, _of(query, of).order_by(by))


def odd(connection: sa.Connection, lives: Lives, *, of: Sequence[int] | None) -> Iterator[Candidate]:
    """The odd ones of those (of these pulses, if given) that may live, in no order."""
    content = sa.case((indicators.c.type.in_(sorted(lives.by_value)), indicators.c.content), else_="")
    columns = [content if column.name == "content" else column for column in COLUMNS]
    query = sa.select(*columns).where(lives.alive, lives.odd)
    return (Candidate(*row) for row in _stream(connection, _of(query, of)))


def with_identities(
    connection: sa.Connection, identities: Collection[bytes], *, of: Sequence[int] | None = None
) -> Iterator[Candidate]:
    """Every indicator with one of these identities (of these pulses, if given), whatever speaks against it."""
    for chunk in chunks(sorted(identities)):
        query = sa.select(*COLUMNS).where(indicators.c.identity.in_(chunk))
        yield from (Candidate(*row) for row in connection.execute(_of(query, of)))


def count_with_identities(connection: sa.Connection, identities: Collection[bytes]) -> int:
    """How many indicators, in whatever pulse, have one of these identities."""
    query = sa.select(sa.func.count()).select_from(indicators)
    pieces = (query.where(indicators.c.identity.in_(chunk)) for chunk in chunks(sorted(identities)))
    return sum(int(connection.scalar(one) or 0) for one in pieces)


def identities_of(connection: sa.Connection, pulse_pks: Collection[int]) -> set[bytes]:
    """The identities of all indicators of these pulses."""
    found: set[bytes] = set()
    for chunk in chunks(sorted(pulse_pks)):
        found.update(connection.scalars(sa.select(indicators.c.identity).where(indicators.c.pulse_pk.in_(chunk))))
    return found


def identities_by_key(connection: sa.Connection, pulse_pks: Collection[int]) -> dict[int, bytes]:
    """The identity of each indicator of these pulses, by its key."""
    found: dict[int, bytes] = {}
    for chunk in chunks(sorted(pulse_pks)):
        query = sa.select(indicators.c.pk, indicators.c.identity).where(indicators.c.pulse_pk.in_(chunk))
        found.update((pk, identity) for pk, identity in connection.execute(query))
    return found


def _of(query: sa.Select[Any], keys: Sequence[int] | None) -> sa.Select[Any]:
    """By their keys, not by a join: a PostgreSQL that has not been analysed yet would loop over both tables."""
    if keys is None:
        return query
    given = sa.bindparam("pulses", list(keys), expanding=True, literal_execute=True, type_=sa.Integer)
    return query.where(indicators.c.pulse_pk.in_(given))


def _stream(connection: sa.Connection, query: sa.Select[Any]) -> Iterator[Any]:
    return iter(connection.execute(query, execution_options={"yield_per": CHUNK}))


_WHOLE = ("pk", "pulse_pk", "type", "value", "protection", "failure")
_RAW = ("raw_type", "raw_value", "otx_id", "created", "expiration", "active", "role", "title", "description", "content")
_BY_KEYS = (
    sa.select(*(indicators.c[name] for name in (*_WHOLE, *_RAW)), indicators.c.identity)
    # Literal, as hundreds of bound keys cost the client more than it takes to fetch the rows.
    .where(indicators.c.pk.in_(sa.bindparam("keys", expanding=True, literal_execute=True)))
    .order_by(indicators.c.pk)
)
_TYPES = {kind.value: kind for kind in IndicatorType}


def by_keys(connection: sa.Connection, keys: Iterable[int]) -> Iterator[tuple[bytes, StoredIndicator]]:
    """The indicators with these keys that are still there, in the order of their keys, each with its identity."""
    for chunk in chunks(sorted(keys)):
        for row in connection.execute(_BY_KEYS, {"keys": chunk}):
            pk, pulse_pk, kind, value, protection, failure, *raw, identity = row
            indicator = Indicator(_TYPES[kind], value, RawIndicator(*raw))
            yield identity, StoredIndicator(pk, pulse_pk, indicator, protection, failure)


class Mark(NamedTuple):
    """The state of a pulse: it changes with every change of the pulse or its indicators.

    A fingerprint comes again when a pulse changes to and fro, a moment does not.
    """

    fingerprint: bytes
    stored: datetime

    @property
    def packed(self) -> bytes:
        """In one piece, for thousands that are kept."""
        return self.fingerprint + self.stored.isoformat().encode()


def marked(connection: sa.Connection, keys: Iterable[int]) -> dict[int, tuple[StoredPulse, Mark]]:
    """Those of the pulses that are still there, by their keys, each with its mark."""
    found = {}
    for chunk in chunks(sorted(keys)):
        for row in connection.execute(_PULSES, {"keys": chunk}):
            found[row.pk] = stored(row), Mark(row.fingerprint, row.stored)
    return found


_PULSES = sa.select(pulses).where(pulses.c.pk.in_(sa.bindparam("keys", expanding=True, literal_execute=True)))
