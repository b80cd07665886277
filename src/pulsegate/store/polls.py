"""The poll log: who polled what, when, and what was answered."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from pulsegate.store.digests import storable
from pulsegate.store.tables import polls

ANSWERED = "answered"  # the outcome of a poll whose answer was sent to its end
PURGED_AT_ONCE = 10_000  # rows; a client that catches up in small windows leaves hundreds of thousands


@dataclass(frozen=True, slots=True)
class PollRecord:
    """One poll request or fulfilment, refused ones included."""

    time: datetime  # when the request came
    account: str | None  # None: nobody was recognised
    address: str  # the client's
    agent: str  # its User-Agent
    collection: str  # as the request names it
    begin: datetime | None  # exclusive
    end: datetime | None  # inclusive, as answered
    part: int | None  # of a result in parts
    blocks: int
    indicators: int
    bytes: int  # of the answer's body
    seconds: float  # from the request to the last byte
    outcome: str  # answered, counted, cut, or the type of the Status_Message
    detail: str | None = None  # why, where there is something to say
    request: str | None = None  # the id of the HTTP request


_COLUMNS = [polls.c[one.name] for one in fields(PollRecord)]


def insert_many(connection: sa.Connection, records: Sequence[PollRecord]) -> None:
    """Add the records in one statement. Their texts must be storable (``store.digests``)."""
    if records:
        connection.execute(sa.insert(polls), [asdict(one) for one in records])


def latest(
    connection: sa.Connection,
    *,
    account: str | None = None,
    collection: str | None = None,
    since: datetime | None = None,
    outcome: str | None = None,
    limit: int = 50,
) -> list[PollRecord]:
    """At most ``limit`` polls, newest first; None filters nothing. An author's spaces may be written as ``+``."""
    query = sa.select(*_COLUMNS).order_by(polls.c.time.desc(), polls.c.pk.desc()).limit(limit)
    if account is not None:
        query = query.where(polls.c.account == account)
    if collection is not None:
        query = query.where(polls.c.collection.in_(spellings(collection)))
    if since is not None:
        query = query.where(polls.c.time >= since)
    if outcome is not None:
        query = query.where(polls.c.outcome == outcome)
    return _records(connection.execute(query))


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which polls; None: whatever. ``account`` empty: those of nobody that was recognised."""

    account: str | None = None
    collection: str | None = None
    outcome: str | None = None


@dataclass(frozen=True, slots=True)
class Kept:
    """A record and its key in the log: of two at one instant the later one has the greater."""

    pk: int
    poll: PollRecord


def page(
    connection: sa.Connection,
    wanted: Wanted,
    key: tuple[datetime, int] | None,
    *,
    backwards: bool = False,
    limit: int,
) -> list[Kept]:
    """Polls, newest first, from before that time and key on; ``backwards``: the oldest first, from after it on."""
    columns = (polls.c.time, polls.c.pk)
    query = sa.select(polls.c.pk, *_COLUMNS).limit(limit)
    query = query.order_by(*((one.asc() if backwards else one.desc()) for one in columns))
    if key is not None:
        place, at = sa.tuple_(*columns), sa.tuple_(sa.literal(key[0], polls.c.time.type), sa.literal(key[1]))
        query = query.where(place > at if backwards else place < at)
    if wanted.account is not None:
        query = query.where(
            polls.c.account == storable(wanted.account) if wanted.account else polls.c.account.is_(None)
        )
    if wanted.collection is not None:
        query = query.where(polls.c.collection.in_(spellings(storable(wanted.collection))))
    if wanted.outcome is not None:
        query = query.where(polls.c.outcome == storable(wanted.outcome))
    return [Kept(row[0], PollRecord(*row[1:])) for row in connection.execute(query)]


def recent(connection: sa.Connection, account: str, limit: int) -> list[PollRecord]:
    """The last polls of the account, newest first."""
    return [one.poll for one in page(connection, Wanted(account=account), None, limit=limit)]


def accounts(connection: sa.Connection) -> list[str]:
    """The names of all accounts that the log knows, in their order: by one look at the index for each."""
    found: list[str] = []
    query = sa.select(sa.func.min(polls.c.account)).where(polls.c.account > sa.bindparam("last"))
    last = ""
    while (name := connection.scalar(query, {"last": last})) is not None:
        found.append(name)
        last = name
    return found


def last_of_each_account(connection: sa.Connection) -> list[PollRecord]:
    """The newest poll of each account that ever polled, by its name; of two at one instant, the one stored last."""
    newest = (
        sa.select(polls.c.account, sa.func.max(polls.c.time).label("time"))
        .where(polls.c.account.is_not(None))
        .group_by(polls.c.account)
        .subquery()
    )
    same = sa.and_(polls.c.account == newest.c.account, polls.c.time == newest.c.time)
    query = sa.select(*_COLUMNS).join(newest, same).order_by(polls.c.account, polls.c.pk)
    return list({one.account: one for one in _records(connection.execute(query))}.values())


@dataclass(frozen=True, slots=True)
class Polled:
    """One poll, as far as it tells a rhythm. ``collection``: as the request names it."""

    pk: int
    collection: str
    time: datetime


def times(connection: sa.Connection, account: str, *, limit: int) -> list[Polled]:
    """When the account polled lately, newest first. By the index on account and time."""
    query = sa.select(polls.c.pk, polls.c.collection, polls.c.time).where(polls.c.account == account)
    return [Polled(*row) for row in connection.execute(query.order_by(polls.c.time.desc()).limit(limit))]


def by_keys(connection: sa.Connection, keys: Iterable[int]) -> dict[int, PollRecord]:
    """Those polls that are still there."""
    rows = connection.execute(sa.select(polls.c.pk, *_COLUMNS).where(polls.c.pk.in_(sorted(keys))))
    return {row[0]: PollRecord(*row[1:]) for row in rows}


@dataclass(frozen=True, slots=True)
class Stay:
    """How long a value was in a collection: its first label and its last one, and until when (None: still).

    It has another label than its first only where its block was published again since.
    """

    collection: str
    first: datetime
    last: datetime
    ended: datetime | None = None


@dataclass(frozen=True, slots=True)
class Fetch:
    """An account that was answered with a value, from one address: the first and the last time, and how many times."""

    account: str
    address: str
    first: datetime
    last: datetime
    times: int


def fetches(connection: sa.Connection, stays: Sequence[Stay]) -> dict[Stay, list[Fetch]]:
    """Who was answered with the value during each stay, as far as the log reaches; who came last comes first.

    Counted are polls answered to the end while it was there, whose window has one of its labels, or lies between
    them. Of a result in parts each part counts: the log doesn't tell in which one the value was.
    """
    found = {stay: [Fetch(*row) for row in connection.execute(_fetches(stay))] for stay in stays}
    return {stay: sorted(each, key=_last_first) for stay, each in found.items() if each}


def _fetches(stay: Stay) -> sa.Select[Any]:
    """All of it is in one index: there may be hundreds of thousands of polls."""
    times = (sa.func.min(polls.c.time), sa.func.max(polls.c.time), sa.func.count())
    return (
        sa.select(polls.c.account, polls.c.address, *times)
        .where(polls.c.outcome == ANSWERED, polls.c.account.is_not(None), _held(stay))
        .group_by(polls.c.account, polls.c.address)
    )


def spellings(name: str) -> set[str]:
    """As requests name the collection: an author's spaces may be written as ``+``."""
    return {name, name.replace(" ", "+")}


def _last_first(one: Fetch) -> tuple[float, str, str]:
    return -one.last.timestamp(), one.account, one.address


def _held(stay: Stay) -> sa.ColumnElement[bool]:
    """Whether the answer to a poll held the value."""
    return sa.and_(
        polls.c.collection.in_(spellings(stay.collection)),
        polls.c.time >= stay.first,
        sa.true() if stay.ended is None else polls.c.time < stay.ended,
        sa.or_(polls.c.end.is_(None), polls.c.end >= stay.first),
        sa.or_(polls.c.begin.is_(None), polls.c.begin < stay.last),
    )


def oldest(connection: sa.Connection) -> datetime | None:
    """The time of the oldest record; None: there is none."""
    found: datetime | None = connection.scalar(sa.select(sa.func.min(polls.c.time)))
    return found


def purge(connection: sa.Connection, before: datetime) -> int:
    """Delete some of the polls before that time, oldest first; how many. Call again until it is 0."""
    oldest = sa.select(polls.c.pk).where(polls.c.time < before).order_by(polls.c.time).limit(PURGED_AT_ONCE)
    return connection.execute(sa.delete(polls).where(polls.c.pk.in_(oldest.scalar_subquery()))).rowcount


def _records(rows: Iterable[Any]) -> list[PollRecord]:
    return [PollRecord(*row) for row in rows]
