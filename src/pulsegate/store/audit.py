"""Who changed what, when, from what to what."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from pulsegate.store.database import now
from pulsegate.store.digests import storable
from pulsegate.store.paged import paged
from pulsegate.store.tables import audit


@dataclass(frozen=True, slots=True)
class Change:
    """``account``: an account's name, or ``NAME (host)`` for a user of the host's command line."""

    time: datetime
    account: str
    action: str  # such as allow.add
    subject: str
    before: Any
    after: Any
    pk: int = field(default=0, compare=False)  # later changes have greater ones


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which changes; None: whatever. ``action``: of this kind, or of its group (``allow``). ``subject``: part of it."""

    account: str | None = None
    action: str | None = None
    subject: str | None = None


def record(
    connection: sa.Connection, account: str, action: str, subject: str, *, before: Any = None, after: Any = None
) -> None:
    """Note a change in the transaction that makes it."""
    values = {"time": now(connection), "account": account, "action": action, "subject": storable(subject)}
    connection.execute(sa.insert(audit).values(**values, before=_dump(before), after=_dump(after)))


def record_many(connection: sa.Connection, account: str, action: str, changes: Sequence[tuple[str, Any, Any]]) -> None:
    """Note changes of one kind: of each the subject, the state before, and the one after."""
    moment = now(connection)
    rows = [
        {
            "time": moment,
            "account": account,
            "action": action,
            "subject": storable(subject),
            "before": _dump(before),
            "after": _dump(after),
        }
        for subject, before, after in changes
    ]
    if rows:
        connection.execute(sa.insert(audit), rows)


def every(
    connection: sa.Connection, *, limit: int, action: str | None = None, subject: str | None = None
) -> list[Change]:
    """The last changes, the newest first. ``action``: of this kind, or of its group (``allow``)."""
    query = sa.select(audit).order_by(audit.c.pk.desc()).limit(limit)
    if action is not None:
        query = query.where(_of_kind(action))
    if subject is not None:
        query = query.where(audit.c.subject == storable(subject))
    return [_change(row) for row in connection.execute(query)]


def page(
    connection: sa.Connection, wanted: Wanted, key: int | None, *, backwards: bool = False, limit: int
) -> list[Change]:
    """Changes, newest first, from below that key on; ``backwards``: the oldest first, from above it on."""
    query = paged(sa.select(audit), audit.c.pk, key, backwards=backwards, limit=limit)
    if wanted.account is not None:
        query = query.where(audit.c.account == storable(wanted.account))
    if wanted.action is not None:
        query = query.where(_of_kind(storable(wanted.action)))
    if wanted.subject is not None:
        query = query.where(audit.c.subject.icontains(storable(wanted.subject), autoescape=True))
    return [_change(row) for row in connection.execute(query)]


def _of_kind(action: str) -> sa.ColumnElement[bool]:
    return sa.or_(audit.c.action == action, audit.c.action.startswith(f"{action}.", autoescape=True))


def _change(row: Any) -> Change:
    return Change(row.time, row.account, row.action, row.subject, _load(row.before), _load(row.after), row.pk)


def purge(connection: sa.Connection, before: datetime) -> int:
    """Forget what was changed before; gives the number of records."""
    return connection.execute(sa.delete(audit).where(audit.c.time < before)).rowcount


def _dump(value: Any) -> str | None:
    return None if value is None else storable(json.dumps(value, ensure_ascii=False, default=_written, sort_keys=True))


def _written(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return sorted(value) if isinstance(value, (set, frozenset)) else str(value)


def _load(text: str | None) -> Any:
    return None if text is None else json.loads(text)
