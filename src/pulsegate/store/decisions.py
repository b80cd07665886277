"""What people decided, and noting it: with its record, and so that the next publication looks at what it concerns.

Each change takes the lock under which pulses are taken in, and raises ``revision``: who takes indicators in looks there
whether what it marks them by still holds.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any, Generic, TypeVar

import sqlalchemy as sa

from pulsegate.model.decisions import Allowed, Override, Review, ReviewStatus, Trusted
from pulsegate.store import affected, audit, state, touched
from pulsegate.store.chunks import chunks
from pulsegate.store.database import now
from pulsegate.store.digests import storable
from pulsegate.store.locks import INTAKE, within
from pulsegate.store.paged import paged
from pulsegate.store.tables import allowed, indicators, overrides, pulses, reviews, trusted_authors

_REVISION = "decisions.revision"
Decision = TypeVar("Decision", Allowed, Override)


@dataclass(frozen=True, slots=True)
class Decisions:
    """All that hold at a moment."""

    allowed: tuple[Allowed, ...] = ()
    overrides: tuple[Override, ...] = ()
    reviews: tuple[Review, ...] = ()
    trusted: tuple[Trusted, ...] = ()


def read(connection: sa.Connection, moment: datetime | None = None) -> Decisions:
    """Those that hold at the moment; None: those that are over as well."""
    return Decisions(
        tuple(Allowed(*row) for row in connection.execute(_holding(allowed, Allowed, moment))),
        tuple(Override(*row) for row in connection.execute(_holding(overrides, Override, moment))),
        tuple(_review(row) for row in connection.execute(sa.select(reviews))),
        tuple(Trusted(*row) for row in connection.execute(sa.select(trusted_authors))),
    )


def _columns(row: Any, kind: Any) -> dict[str, Any]:
    return {name: getattr(row, name) for name in kind.__dataclass_fields__}


def _holding(table: sa.Table, kind: Any, moment: datetime | None) -> sa.Select[Any]:
    """With the columns in the order of the fields: a list may have many thousands, and each publication reads it."""
    query = sa.select(*(table.c[name] for name in kind.__dataclass_fields__)).order_by(table.c.pk)
    return query if moment is None else query.where(sa.or_(table.c.expires.is_(None), table.c.expires > moment))


def _review(row: Any) -> Review:
    return Review(**{**_columns(row, Review), "status": ReviewStatus(row.status)})


def revision(connection: sa.Connection) -> int:
    """Rises with every change of what indicators are marked by."""
    return int(state.get(connection, _REVISION) or 0)


def _begin(connection: sa.Connection) -> None:
    within(connection, INTAKE)
    state.put(connection, _REVISION, str(revision(connection) + 1))


def over(connection: sa.Connection, after: datetime, until: datetime) -> set[bytes]:
    """The identities of values that are concerned by what ended between the two."""
    found: set[bytes] = set()
    for row in connection.execute(sa.select(allowed).where(allowed.c.expires.between(after, until))):
        found |= affected.by_entry(connection, row.kind, row.text)
    mine = sa.select(overrides.c.type, overrides.c.value, overrides.c.identity)
    for row in connection.execute(mine.where(overrides.c.expires.between(after, until))):
        found |= affected.by_override(*row)
    return found


@dataclass(frozen=True, slots=True)
class Decided(Generic[Decision]):
    """A decision with the key of its row: later ones have greater keys."""

    pk: int
    decision: Decision


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which decisions: ``text`` is a part of the value, or of the reason; ``account`` made it; None: whatever."""

    text: str | None = None
    account: str | None = None


def page_of_allowed(
    connection: sa.Connection, wanted: Wanted, key: int | None, *, backwards: bool, limit: int
) -> list[Decided[Allowed]]:
    """Entries of the allow list, newest first, from below that key on; ``backwards``: the oldest first, above it."""
    rows = connection.execute(_page(allowed, allowed.c.text, wanted, key, backwards=backwards, limit=limit))
    return [Decided(row.pk, Allowed(**_columns(row, Allowed))) for row in rows]


def page_of_overrides(
    connection: sa.Connection, wanted: Wanted, key: int | None, *, backwards: bool, limit: int
) -> list[Decided[Override]]:
    """The same of values that are forced in or out."""
    rows = connection.execute(_page(overrides, overrides.c.value, wanted, key, backwards=backwards, limit=limit))
    return [Decided(row.pk, Override(**_columns(row, Override))) for row in rows]


def _page(
    table: sa.Table, value: sa.ColumnElement[str], wanted: Wanted, key: int | None, *, backwards: bool, limit: int
) -> sa.Select[Any]:
    query = paged(sa.select(table), table.c.pk, key, backwards=backwards, limit=limit)
    if wanted.account is not None:
        query = query.where(table.c.account == storable(wanted.account))
    if wanted.text is not None:
        text = storable(wanted.text)
        query = query.where(
            sa.or_(value.icontains(text, autoescape=True), table.c.reason.icontains(text, autoescape=True))
        )
    return query


def find_allowed(connection: sa.Connection, kind: str, text: str) -> Allowed | None:
    """The entry, where it is on the list."""
    there = sa.select(allowed).where(allowed.c.kind == storable(kind), allowed.c.text == storable(text))
    row = connection.execute(there).first()
    return Allowed(**_columns(row, Allowed)) if row else None


def find_override(connection: sa.Connection, collection: str, identity: bytes) -> Override | None:
    """What was decided on the value for the collection (empty: for all)."""
    mine = sa.and_(overrides.c.collection == storable(collection), overrides.c.identity == identity)
    row = connection.execute(sa.select(overrides).where(mine)).first()
    return Override(**_columns(row, Override)) if row else None


# --- The allow list ---------------------------------------------------------------------------------------------------


def allow(connection: sa.Connection, entries: Sequence[Allowed], account: str | None = None) -> int:
    """Add entries; one that is there already gets the new reason and end. Gives how many values they may concern.

    ``account``: who does it, where that is another one than the entries name.
    """
    _begin(connection)
    given = list({(one.kind, one.text): one for one in entries}.values())
    for chunk in chunks(given):
        before = _take_allowed(connection, chunk)
        connection.execute(sa.insert(allowed), [asdict(one) for one in chunk])
        by_account: dict[str, list[tuple[str, Any, Any]]] = defaultdict(list)
        for one in chunk:
            change = one.text, before.get((one.kind, one.text)), asdict(one)
            by_account[account or one.account].append(change)
        for who, changes in by_account.items():
            audit.record_many(connection, who, "allow.add", changes)
    concerned = affected.by_entries(connection, [(one.kind, one.text) for one in given])
    affected.note(connection, concerned)
    return len(concerned)


def disallow(connection: sa.Connection, kind: str, text: str, account: str) -> bool:
    """Take an entry away; gives whether it was there."""
    before = find_allowed(connection, kind, text)
    if before is None:
        return False
    disallow_all(connection, [before], account)
    return True


def disallow_all(connection: sa.Connection, entries: Sequence[Allowed], account: str) -> None:
    """Take these entries away, which are there."""
    _begin(connection)
    for chunk in chunks(entries):
        gone = _take_allowed(connection, chunk)
        changes = [(text, before, None) for (_, text), before in gone.items()]
        audit.record_many(connection, account, "allow.remove", changes)
    affected.note(connection, affected.by_entries(connection, [(one.kind, one.text) for one in entries]))


def _take_allowed(connection: sa.Connection, entries: Sequence[Allowed]) -> dict[tuple[str, str], dict[str, Any]]:
    """Delete what is there of the same kind and text; gives it, as a record tells it."""
    keys = {(one.kind, one.text) for one in entries}
    rows = connection.execute(sa.select(allowed).where(allowed.c.text.in_([one.text for one in entries])))
    there = {row.pk: row for row in rows if (row.kind, row.text) in keys}
    connection.execute(sa.delete(allowed).where(allowed.c.pk.in_(list(there))))
    return {(row.kind, row.text): _columns(row, Allowed) for row in there.values()}


# --- Values forced in or out ------------------------------------------------------------------------------------------


def force(connection: sa.Connection, override: Override) -> None:
    """Force a value in or out, in place of what was decided on it for the same collection before."""
    before = _take_override(connection, override.collection, override.identity)
    _begin(connection)
    connection.execute(sa.insert(overrides).values(asdict(override)))
    action = "indicator.force-in" if override.inside else "indicator.force-out"
    audit.record(connection, override.account, action, override.value, before=before, after=_told(override))
    affected.note(connection, affected.by_override(override.type, override.value, override.identity))


def unforce(connection: sa.Connection, collection: str, identity: bytes, account: str) -> Override | None:
    """Let the rules decide on the value again; gives what had been decided."""
    there = sa.select(overrides).where(overrides.c.collection == collection, overrides.c.identity == identity)
    row = connection.execute(there).first()
    if row is None:
        return None
    before = _take_override(connection, collection, identity)
    _begin(connection)
    audit.record(connection, account, "indicator.unforce", row.value, before=before)
    affected.note(connection, affected.by_override(row.type, row.value, identity))
    return Override(**_columns(row, Override))


def _take_override(connection: sa.Connection, collection: str, identity: bytes) -> dict[str, Any] | None:
    mine = sa.and_(overrides.c.collection == collection, overrides.c.identity == identity)
    row = connection.execute(sa.select(overrides).where(mine)).first()
    if row is None:
        return None
    connection.execute(sa.delete(overrides).where(mine))
    return _told(Override(**_columns(row, Override)))


def _told(override: Override) -> dict[str, Any]:
    return {key: value for key, value in asdict(override).items() if key != "identity"}


# --- Review -----------------------------------------------------------------------------------------------------------


def review(
    connection: sa.Connection, keys: Iterable[int], status: ReviewStatus | None, *, reason: str, account: str
) -> int:
    """Decide on pulses by their keys, as they are now; None: take back what was decided. Gives their number."""
    _begin(connection)
    number, moment = 0, now(connection)
    for chunk in chunks(sorted(keys)):
        rows = connection.execute(_looked_at(chunk)).all()
        ids = [row.id for row in rows]
        connection.execute(sa.delete(reviews).where(reviews.c.pulse_id.in_(ids)))
        if status is not None and rows:
            made = [asdict(Review(row.id, status, row.upto or 0, reason, account, moment)) for row in rows]
            connection.execute(sa.insert(reviews), made)
        audit.record_many(connection, account, "pulse.review", [(row.id, row.before, status) for row in rows])
        touched.touch_pulses(connection, chunk)
        number += len(rows)
    return number


def put_reviews(connection: sa.Connection, found: Sequence[Review], account: str) -> None:
    """Store what was decided elsewhere, on pulses that are here or not yet; ``upto`` is made here: all there is now."""
    _begin(connection)
    for chunk in chunks(found):
        ids = [one.pulse_id for one in chunk]
        here = {row.id: row for row in connection.execute(_standing(ids))}
        before = reviewed(connection, ids)
        connection.execute(sa.delete(reviews).where(reviews.c.pulse_id.in_(ids)))
        made = [replace(one, upto=here[one.pulse_id].upto if one.pulse_id in here else 0) for one in chunk]
        connection.execute(sa.insert(reviews), [asdict(one) for one in made])
        was = {pulse_id: one.status for pulse_id, one in before.items()}
        changes = [(one.pulse_id, was.get(one.pulse_id), one.status) for one in chunk]
        audit.record_many(connection, account, "pulse.review", changes)
        touched.touch_pulses(connection, [row.pk for row in here.values()])


def drop_reviews(connection: sa.Connection, found: Sequence[Review], account: str) -> None:
    """Take back what was decided on these pulses, which may be gone."""
    _begin(connection)
    for chunk in chunks(found):
        ids = [one.pulse_id for one in chunk]
        connection.execute(sa.delete(reviews).where(reviews.c.pulse_id.in_(ids)))
        audit.record_many(connection, account, "pulse.review", [(one.pulse_id, one.status, None) for one in chunk])
        touched.touch_pulses(connection, [row.pk for row in connection.execute(_standing(ids))])


def catch_up(connection: sa.Connection, ids: Iterable[str], account: str) -> set[str]:
    """What the account decided on these pulses counts for all that they have now; gives those that are here."""
    _begin(connection)
    found: set[str] = set()
    for chunk in chunks(sorted(ids)):
        here = connection.execute(_standing(chunk)).all()
        for row in here:
            mine = sa.and_(reviews.c.pulse_id == row.id, reviews.c.account == account)
            connection.execute(sa.update(reviews).where(mine).values(upto=row.upto))
        touched.touch_pulses(connection, [row.pk for row in here])
        found.update(row.id for row in here)
    return found


# The last key of an indicator of the pulse.
_UPTO = sa.select(sa.func.max(indicators.c.pk)).where(indicators.c.pulse_pk == pulses.c.pk).scalar_subquery()


def _standing(ids: Sequence[str]) -> sa.Select[Any]:
    """Id, key and the last key of an indicator of each of these pulses that is here."""
    return sa.select(pulses.c.id, pulses.c.pk, sa.func.coalesce(_UPTO, 0).label("upto")).where(pulses.c.id.in_(ids))


def _looked_at(keys: Sequence[int]) -> sa.Select[Any]:
    query = sa.select(pulses.c.id, _UPTO.label("upto"), reviews.c.status.label("before"))
    query = query.outerjoin(reviews, reviews.c.pulse_id == pulses.c.id)
    return query.where(pulses.c.pk.in_(keys)).order_by(pulses.c.pk)


def reviewed(connection: sa.Connection, ids: Sequence[str] | None = None) -> dict[str, Review]:
    """What was decided on these pulses (None: on any), by their ids."""
    if ids is None:
        return {row.pulse_id: _review(row) for row in connection.execute(sa.select(reviews))}
    found: dict[str, Review] = {}
    for chunk in chunks(ids):
        rows = connection.execute(sa.select(reviews).where(reviews.c.pulse_id.in_(chunk)))
        found |= {row.pulse_id: _review(row) for row in rows}
    return found


def trusted(connection: sa.Connection) -> dict[str, Trusted]:
    """The authors whose pulses need no look, by name, in that order."""
    rows = connection.execute(sa.select(trusted_authors).order_by(trusted_authors.c.author))
    return {row.author: Trusted(*row) for row in rows}


def added_later(connection: sa.Connection, keys: Sequence[int] | None = None) -> dict[int, int]:
    """By the keys of approved pulses (among these, if given), how many of their indicators came after that.

    Those with none are not there.
    """
    query = (
        sa.select(pulses.c.pk, sa.func.count())
        .join(reviews, reviews.c.pulse_id == pulses.c.id)
        .join(indicators, indicators.c.pulse_pk == pulses.c.pk)
        .where(reviews.c.status == ReviewStatus.APPROVED.value, indicators.c.pk > reviews.c.upto)
        .group_by(pulses.c.pk)
    )
    if keys is not None:
        query = query.where(pulses.c.pk.in_(keys))
    return {row[0]: row[1] for row in connection.execute(query)}


def trust(connection: sa.Connection, author: Trusted) -> None:
    """Let all pulses of an author pass without a look."""
    _begin(connection)
    connection.execute(sa.delete(trusted_authors).where(trusted_authors.c.author == author.author))
    connection.execute(sa.insert(trusted_authors).values(asdict(author)))
    audit.record(connection, author.account, "author.trust", author.author, after=asdict(author))
    _touch_author(connection, author.author)


def distrust(connection: sa.Connection, author: str, account: str) -> bool:
    """Let the author's pulses wait again; gives whether they did not."""
    mine = trusted_authors.c.author == author
    if connection.execute(sa.delete(trusted_authors).where(mine)).rowcount == 0:
        return False
    _begin(connection)
    audit.record(connection, account, "author.distrust", author)
    _touch_author(connection, author)
    return True


def _touch_author(connection: sa.Connection, author: str) -> None:
    touched.touch_pulses(connection, list(connection.scalars(sa.select(pulses.c.pk).where(pulses.c.author == author))))
