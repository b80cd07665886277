"""The list of pulses as people look through it: filtered, in an order, paged by key; and counts of many at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa

from pulsegate.model.collection import Collection
from pulsegate.model.decisions import ReviewStatus
from pulsegate.model.tlp import TLP
from pulsegate.store.chunks import chunks
from pulsegate.store.digests import digest
from pulsegate.store.feeding import has_word, may_feed
from pulsegate.store.pulses import StoredPulse, stored
from pulsegate.store.tables import blocks, data_collections, indicators, pulses, reviews, source_pulses, trusted_authors

AT_ONCE = 20_000  # keys that are written into one statement


class Order(StrEnum):
    """``MODIFIED`` and ``CREATED`` begin with the newest."""

    MODIFIED = "modified"
    CREATED = "created"
    NAME = "name"
    AUTHOR = "author"

    @property
    def is_falling(self) -> bool:
        return self in (Order.MODIFIED, Order.CREATED)


@dataclass(frozen=True, slots=True)
class Waits:
    """That a pulse waits, as of a moment.

    Either nothing was decided on it and it may feed one of ``reviewed``, or something was added to it after its
    approval and it may feed one of ``strict``.
    """

    moment: datetime
    reviewed: Sequence[Collection]
    strict: Sequence[Collection]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which pulses; None: whatever.

    ``text``: each of its words is in the name, the id or the author. ``collection``: the key of one in which it stands.
    ``since``: modified then or later.
    """

    text: str | None = None
    author: str | None = None
    tag: str | None = None
    tlp: TLP | None = None
    active: bool | None = None
    review: ReviewStatus | Waits | None = None
    collection: int | None = None
    since: datetime | None = None
    source: str | None = None

    @property
    def is_everything(self) -> bool:
        return self == Wanted()


Key = tuple[Any, int]
"""Where a page begins: what the list is in the order of, and the pulse's key."""


def key_of(order: Order, one: StoredPulse) -> Key:
    return getattr(one.pulse, order.value), one.pk


def page(
    connection: sa.Connection, wanted: Wanted, order: Order, key: Key | None, *, backwards: bool = False, limit: int
) -> list[StoredPulse]:
    """Up to ``limit`` pulses from behind that key on, in the order; ``backwards``: from before it on, to the front."""
    column = pulses.c[order.value]
    falls = order.is_falling is not backwards
    query = sa.select(pulses.c.pk).where(*_conditions(connection, wanted))
    if key is not None:
        here, there = sa.tuple_(column, pulses.c.pk), sa.tuple_(*map(sa.literal, key, (column.type, pulses.c.pk.type)))
        query = query.where(here < there if falls else here > there)
    by = [column.desc(), pulses.c.pk.desc()] if falls else [column, pulses.c.pk]
    keys = list(connection.scalars(query.order_by(*by).limit(limit)))  # keys alone, as details make long rows to sort
    found = {one.pk: one for one in in_turn(connection, keys)}
    return [found[pk] for pk in keys if pk in found]


def in_turn(connection: sa.Connection, keys: Sequence[int]) -> Iterator[StoredPulse]:
    """Those of the pulses that are there, some at a time."""
    for chunk in chunks(keys):
        yield from (stored(row) for row in connection.execute(sa.select(pulses).where(pulses.c.pk.in_(chunk))))


def count(connection: sa.Connection, wanted: Wanted) -> int:
    query = sa.select(sa.func.count()).select_from(pulses).where(*_conditions(connection, wanted))
    return int(connection.scalar(query) or 0)


def keys(connection: sa.Connection, wanted: Wanted) -> list[int]:
    """The keys of all that fit, rising."""
    query = sa.select(pulses.c.pk).where(*_conditions(connection, wanted)).order_by(pulses.c.pk)
    return list(connection.scalars(query))


def by_author(connection: sa.Connection, author: str) -> list[int]:
    """The keys of the pulses of an author, by the very name, rising."""
    return list(connection.scalars(sa.select(pulses.c.pk).where(pulses.c.author == author).order_by(pulses.c.pk)))


def is_exact(connection: sa.Connection, wanted: Wanted) -> bool:
    """Whether the conditions are all that is wanted; else whoever asks has to look at what is found."""
    if not isinstance(wanted.review, Waits):
        return True
    found = (may_feed(connection, one, wanted.review.moment) for one in wanted.review.reviewed)
    return all(exact for _, exact in found)


def _conditions(connection: sa.Connection, wanted: Wanted) -> Iterator[sa.ColumnElement[bool]]:
    for word in (wanted.text or "").split():
        found = (column.icontains(word, autoescape=True) for column in (pulses.c.name, pulses.c.id, pulses.c.author))
        yield sa.or_(*found)
    yield from _of_row(connection, wanted)
    if wanted.collection is not None:
        mine = sa.select(blocks.c.pulse_pk).where(blocks.c.collection_id == wanted.collection)
        yield pulses.c.pk.in_(mine.where(blocks.c.revision.is_not(None), blocks.c.pulse_pk.is_not(None)))
    if wanted.source is not None:
        yield pulses.c.pk.in_(sa.select(source_pulses.c.pulse_pk).where(source_pulses.c.source == wanted.source))
    if isinstance(wanted.review, Waits):
        yield _waits(connection, wanted.review)
    elif wanted.review is not None:
        yield pulses.c.id.in_(sa.select(reviews.c.pulse_id).where(reviews.c.status == wanted.review.value))


def _of_row(connection: sa.Connection, wanted: Wanted) -> Iterator[sa.ColumnElement[bool]]:
    """What the pulse's own row says."""
    if wanted.author is not None:
        yield sa.func.lower(pulses.c.author) == sa.func.lower(wanted.author)
    if wanted.tag is not None:
        yield has_word(connection, "tags", wanted.tag)
    if wanted.tlp is not None:
        yield pulses.c.tlp == wanted.tlp.value
    if wanted.active is not None:
        yield pulses.c.active.is_(wanted.active)
    if wanted.since is not None:
        yield pulses.c.modified >= wanted.since


def _waits(connection: sa.Connection, waits: Waits) -> sa.ColumnElement[bool]:
    reviewed = sa.or_(sa.false(), *(may_feed(connection, one, waits.moment)[0] for one in waits.reviewed))
    undecided = pulses.c.id.not_in(sa.select(reviews.c.pulse_id))
    found = sa.and_(undecided, reviewed)
    if waits.strict:
        strict = sa.or_(*(may_feed(connection, one, waits.moment)[0] for one in waits.strict))
        found = sa.or_(found, sa.and_(_has_grown(), strict))
    return sa.and_(pulses.c.author.not_in(sa.select(trusted_authors.c.author)), found)


def _has_grown() -> sa.ColumnElement[bool]:
    """Whether the pulse was approved, and got more indicators after that."""
    later = sa.and_(indicators.c.pulse_pk == pulses.c.pk, indicators.c.pk > reviews.c.upto)
    mine = sa.and_(reviews.c.pulse_id == pulses.c.id, reviews.c.status == ReviewStatus.APPROVED.value)
    return sa.exists().where(mine, sa.exists().where(later).correlate(pulses, reviews)).correlate(pulses)


# --- What there is of some pulses -------------------------------------------------------------------------------------


def sizes(connection: sa.Connection, keys: Sequence[int]) -> dict[int, int]:
    """How many indicators each of these pulses has; those with none are not there."""
    found: dict[int, int] = {}
    for some in _in_pieces(keys):
        query = sa.select(indicators.c.pulse_pk, sa.func.count()).where(_among(indicators.c.pulse_pk, some))
        found |= {row[0]: row[1] for row in connection.execute(query.group_by(indicators.c.pulse_pk))}
    return found


def standing(connection: sa.Connection, keys: Sequence[int]) -> dict[int, dict[str, int]]:
    """By the pulses' keys: the collections in which they stand, by name, and with how many indicators."""
    query = sa.select(blocks.c.pulse_pk, data_collections.c.name, sa.func.sum(blocks.c.indicators))
    query = query.join(data_collections, data_collections.c.id == blocks.c.collection_id)
    query = query.where(blocks.c.revision.is_not(None)).group_by(blocks.c.pulse_pk, data_collections.c.name)
    found: dict[int, dict[str, int]] = {}
    for some in _in_pieces(keys):
        rows = connection.execute(query.where(_among(blocks.c.pulse_pk, some)).order_by(data_collections.c.name))
        for pk, name, number in rows:
            found.setdefault(pk, {})[name] = number
    return found


Kind = tuple[ReviewStatus | None, bool]
"""What was decided on pulses, and whether their author is trusted: those of one kind are reviewed alike."""


def kinds(connection: sa.Connection, keys: Sequence[int]) -> dict[int, Kind]:
    """Of each of the pulses that is there, by its key."""
    query = _with_kind(sa.select(pulses.c.pk, *_KIND).select_from(pulses))
    found: dict[int, Kind] = {}
    for some in _in_pieces(keys):
        rows = connection.execute(query.where(_among(pulses.c.pk, some)))
        found |= {pk: (_STATUSES.get(status), author is not None) for pk, status, author in rows}
    return found


@dataclass(frozen=True, slots=True)
class State:
    """Of some pulses: how many of them are decided on how, and a ``digest``.

    That is another one when one of the pulses changes, or goes, or what is decided on it.
    """

    digest: str
    decided: Mapping[ReviewStatus, int]


def state(connection: sa.Connection, keys: Sequence[int]) -> State:
    number = (sa.func.count(), sa.func.sum(pulses.c.pk), sa.func.max(pulses.c.stored), sa.func.max(reviews.c.since))
    query = _with_kind(sa.select(*_KIND, *number).select_from(pulses)).group_by(*_KIND).order_by(*_KIND)
    rows = [row for some in _in_pieces(keys) for row in connection.execute(query.where(_among(pulses.c.pk, some)))]
    decided: Counter[ReviewStatus] = Counter()
    for status, _author, many, *_rest in rows:
        if status is not None:
            decided[ReviewStatus(status)] += many
    return State(digest(*(str(row) for row in rows)).hex(), decided)


_KIND = (reviews.c.status, trusted_authors.c.author)
_STATUSES = {one.value: one for one in ReviewStatus}


def _with_kind(query: sa.Select[Any]) -> sa.Select[Any]:
    joined = query.outerjoin(reviews, reviews.c.pulse_id == pulses.c.id)
    return joined.outerjoin(trusted_authors, trusted_authors.c.author == pulses.c.author)


def feeding(connection: sa.Connection, keys: Sequence[int], collection: Collection, moment: datetime) -> set[int]:
    """Those of the pulses that may feed the collection, review apart; also some on which it is left open."""
    condition, _ = may_feed(connection, collection, moment)
    found: set[int] = set()
    for some in _in_pieces(keys):
        found.update(connection.scalars(sa.select(pulses.c.pk).where(_among(pulses.c.pk, some), condition)))
    return found


def standing_by_kind(connection: sa.Connection, keys: Sequence[int]) -> dict[int, dict[Kind, int]]:
    """By the keys of collections: how many indicators stand there by those of the pulses that are of one kind."""
    number = sa.func.sum(blocks.c.indicators)
    query = sa.select(blocks.c.collection_id, number, reviews.c.status, trusted_authors.c.author.is_not(None))
    query = _with_kind(query.select_from(blocks).join(pulses, pulses.c.pk == blocks.c.pulse_pk))
    query = query.where(blocks.c.revision.is_not(None))
    query = query.group_by(blocks.c.collection_id, reviews.c.status, trusted_authors.c.author.is_not(None))
    found: dict[int, dict[Kind, int]] = {}
    for some in _in_pieces(keys):
        for key, indicators_, status, is_trusted in connection.execute(query.where(_among(blocks.c.pulse_pk, some))):
            there = found.setdefault(key, {})
            kind = (_STATUSES.get(status), bool(is_trusted))
            there[kind] = there.get(kind, 0) + indicators_
    return found


def _in_pieces(keys: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(keys), AT_ONCE):
        yield keys[start : start + AT_ONCE]


def _among(column: sa.ColumnElement[int], keys: Sequence[int]) -> sa.ColumnElement[bool]:
    """Literal, as thousands of bound keys cost the client more than it takes to find the rows."""
    return column.in_(sa.bindparam(None, list(keys), expanding=True, literal_execute=True, type_=sa.Integer))
