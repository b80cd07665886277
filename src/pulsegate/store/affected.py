"""Which stored indicators an entry, or a decision on a value, may concern: found by keys, not by looking at all."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Iterable, Iterator, Sequence

import sqlalchemy as sa

from pulsegate.model.indicator import IndicatorType
from pulsegate.store import touched
from pulsegate.store.chunks import SIZE, chunks
from pulsegate.store.digests import digest, value_key
from pulsegate.store.tables import indicators
from pulsegate.values.neighbours import Range, below, carrying, holders, name_key, small_networks, within

EXACT, SUBTREE, NETWORK = "exact", "subtree", "network"
_FAMILIES = sorted({kind.family for kind in IndicatorType})


def by_entry(connection: sa.Connection, kind: str, text: str) -> set[bytes]:
    """The identities of indicators that an entry may cover: all that it does, and perhaps a few more."""
    found: set[bytes] = set()
    for clause in _clauses(kind, text):
        found.update(connection.scalars(sa.select(indicators.c.identity).where(clause)))
    return found


def by_entries(connection: sa.Connection, entries: Iterable[tuple[str, str]]) -> set[bytes]:
    """The same of many, as pairs of kind and text."""
    found: set[bytes] = set()
    exact: list[str] = []
    for kind, text in entries:
        if kind in (SUBTREE, NETWORK):
            found |= by_entry(connection, kind, text)
        else:
            exact.append(text)
    for chunk in chunks(exact, SIZE // len(_FAMILIES)):
        for clause in _exactly(chunk):
            found.update(connection.scalars(sa.select(indicators.c.identity).where(clause)))
    return found


def reach(connection: sa.Connection, kind: str, text: str, limit: int) -> int:
    """How many stored indicators an entry may cover; as soon as they are more than ``limit``, that and one."""
    number = 0
    for clause in _clauses(kind, text):
        some = sa.select(indicators.c.pk).where(clause).limit(limit + 1 - number).subquery()
        number += connection.scalar(sa.select(sa.func.count()).select_from(some)) or 0
        if number > limit:
            return limit + 1
    return number


def _clauses(kind: str, text: str) -> Iterator[sa.ColumnElement[bool]]:
    if kind == NETWORK:
        network = ipaddress.ip_network(text)
        for one in carrying(network):
            yield _in(within(one))
            yield sa.and_(indicators.c.type == IndicatorType.CIDR.value, indicators.c.host_key.in_(holders(one)))
    elif kind == SUBTREE:
        yield _in(below(text))
    else:
        yield from _exactly([text])


def _exactly(texts: Sequence[str]) -> Iterator[sa.ColumnElement[bool]]:
    yield indicators.c.identity.in_([digest(f"{family}:{text}") for text in texts for family in _FAMILIES])
    keys = [name_key(text) for text in texts]
    yield sa.and_(indicators.c.type == IndicatorType.EMAIL.value, indicators.c.host_key.in_(keys))


def _in(found: Range) -> sa.ColumnElement[bool]:
    first, end = found
    return sa.and_(indicators.c.host_key >= first, indicators.c.host_key < end)


def by_override(kind: str, value: str, identity: bytes) -> set[bytes]:
    """The identities of what a decision on the value concerns: itself, and small networks that hold an address."""
    return {identity, *(value_key(IndicatorType.CIDR, one) for one in small_networks(kind, value))}


def note(connection: sa.Connection, identities: Collection[bytes]) -> None:
    """Let publications look closer at these values, and soon."""
    values: Sequence[bytes] = sorted(identities)
    for chunk in chunks(values):
        connection.execute(sa.update(indicators).where(indicators.c.identity.in_(chunk)).values(noted=True))
    touched.touch_values(connection, values)
