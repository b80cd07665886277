"""What somebody asked the worker to do: a queue, of which the worker does one thing of a lane at a time."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from pulsegate.store.database import inserted_key, now
from pulsegate.store.digests import storable
from pulsegate.store.tables import tasks

OK, FAILED = "ok", "failed"
DIED = "the worker that did it ended before it was done"


@dataclass(frozen=True, slots=True)
class Task:
    """``progress`` and ``result`` are what its kind says. ``started`` None: it waits. ``outcome`` None: not done."""

    pk: int
    kind: str
    arguments: Mapping[str, Any]
    account: str
    created: datetime
    started: datetime | None = None
    heartbeat: datetime | None = None
    finished: datetime | None = None
    progress: Mapping[str, Any] | None = None
    outcome: str | None = None
    result: Mapping[str, Any] | None = None
    error: str | None = None

    @property
    def is_done(self) -> bool:
        return self.finished is not None


@dataclass(frozen=True, slots=True)
class Lane:
    """Tasks that wait for one another: those of these kinds, or (``others``) all but them."""

    kinds: frozenset[str]
    others: bool = False


def start(connection: sa.Connection, kind: str, arguments: Mapping[str, Any], account: str) -> int:
    """Ask for a task; gives its key. One that waits and would do the same is that one."""
    text = json.dumps(dict(arguments), sort_keys=True)
    same = sa.and_(tasks.c.kind == kind, tasks.c.arguments == text, _WAITS)
    waiting = connection.scalar(sa.select(tasks.c.pk).where(same).limit(1))
    if waiting is not None:
        return int(waiting)
    values = {"kind": kind, "arguments": text, "account": account, "created": now(connection)}
    return inserted_key(connection.execute(sa.insert(tasks).values(values)))


def get(connection: sa.Connection, pk: int) -> Task | None:
    row = connection.execute(sa.select(tasks).where(tasks.c.pk == pk)).first()
    return _task(row) if row else None


def latest(connection: sa.Connection, *, kind: str | None = None, limit: int = 20) -> list[Task]:
    """The newest first."""
    query = sa.select(tasks).order_by(tasks.c.pk.desc()).limit(limit)
    if kind is not None:
        query = query.where(tasks.c.kind == kind)
    return [_task(row) for row in connection.execute(query)]


def unfinished(connection: sa.Connection) -> list[Task]:
    """Those that wait or are being done, in the order in which they were asked for."""
    query = sa.select(tasks).where(tasks.c.finished.is_(None)).order_by(tasks.c.pk)
    return [_task(row) for row in connection.execute(query)]


def waits(connection: sa.Connection, lane: Lane | None = None) -> bool:
    """Whether some task (of the lane) waits."""
    return connection.scalar(sa.select(tasks.c.pk).where(*_waiting(lane)).limit(1)) is not None


def count_waiting(connection: sa.Connection) -> int:
    return int(connection.scalar(sa.select(sa.func.count()).select_from(tasks).where(*_waiting(None))) or 0)


def take(connection: sa.Connection, lane: Lane | None = None) -> Task | None:
    """The task (of the lane) that waits longest; it is being done from now on."""
    row = connection.execute(sa.select(tasks).where(*_waiting(lane)).order_by(tasks.c.pk).limit(1)).first()
    if row is None:
        return None
    moment = now(connection)
    connection.execute(sa.update(tasks).where(tasks.c.pk == row.pk).values(started=moment, heartbeat=moment))
    return get(connection, row.pk)


def beat(connection: sa.Connection, pk: int, progress: Mapping[str, Any] | None) -> None:
    """The worker is alive, and so far with it."""
    values = {"heartbeat": now(connection), "progress": _dump(progress)}
    connection.execute(sa.update(tasks).where(tasks.c.pk == pk).values(values))


def finish(
    connection: sa.Connection, pk: int, *, result: Mapping[str, Any] | None = None, error: str | None = None
) -> None:
    """It is done; with an error: it failed."""
    values = {"finished": now(connection), "outcome": FAILED if error else OK, "result": _dump(result)}
    values["error"] = storable(error) if error else None
    connection.execute(sa.update(tasks).where(tasks.c.pk == pk).values(values))


def bury(connection: sa.Connection) -> int:
    """Mark what is being done as failed; for the worker that begins: only a dead one can have begun it."""
    begun = sa.and_(tasks.c.finished.is_(None), tasks.c.started.is_not(None))
    values = {"finished": now(connection), "outcome": FAILED, "error": DIED}
    return connection.execute(sa.update(tasks).where(begun).values(values)).rowcount


def purge(connection: sa.Connection, before: datetime) -> int:
    return connection.execute(sa.delete(tasks).where(tasks.c.finished < before)).rowcount


def _waiting(lane: Lane | None) -> list[sa.ColumnElement[bool]]:
    if lane is None:
        return [_WAITS]
    among = tasks.c.kind.in_(sorted(lane.kinds))
    return [_WAITS, ~among if lane.others else among]


_WAITS = sa.and_(tasks.c.finished.is_(None), tasks.c.started.is_(None))


def _dump(value: Mapping[str, Any] | None) -> str | None:
    return None if value is None else storable(json.dumps(dict(value), ensure_ascii=False, sort_keys=True))


def _load(text: str | None) -> Any:
    return None if text is None else json.loads(text)


def _task(row: Any) -> Task:
    values = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's public name
    return Task(**values | {key: _load(values[key]) for key in ("arguments", "progress", "result")})
