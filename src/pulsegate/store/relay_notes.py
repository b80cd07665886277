"""What the worker says of the relay's folders, for the pages: what troubles it, which files wait, what comes next."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import islice

import sqlalchemy as sa

from pulsegate.store import state
from pulsegate.store.database import Database, now
from pulsegate.store.digests import storable

MOST = 100  # files that wait, and are told


@dataclass(frozen=True, slots=True)
class Note:
    """``trouble``: why nothing can be written or read, since then; ``waiting``: files, with what each waits for.

    ``due``: when the next bundle is written.
    """

    trouble: str | None = None
    since: datetime | None = None
    waiting: Mapping[str, str] = field(default_factory=dict)
    due: datetime | None = None


def get(connection: sa.Connection, direction: str) -> Note:
    """Of the outbox (``relay.OUT``) or the inbox (``relay.IN``)."""
    text = state.get(connection, _key(direction))
    if text is None:
        return Note()
    found = json.loads(text)
    times = {name: datetime.fromisoformat(found[name]) if found[name] else None for name in ("since", "due")}
    return Note(found["trouble"], times["since"], found["waiting"], times["due"])


def trouble(database: Database, direction: str, text: str | None, waiting: Mapping[str, str] | None = None) -> None:
    """What is wrong there, None: nothing is, and what waits. The same trouble goes on since it began."""
    with database.read() as connection:
        before = get(connection, direction)
    text = None if text is None else storable(text)
    waiting = {storable(file): storable(reason) for file, reason in islice((waiting or {}).items(), MOST)}
    if (before.trouble, before.waiting) == (text, waiting):
        return
    with database.write() as connection:
        since = before.since if text == before.trouble else now(connection)
        kept = get(connection, direction)
        _put(connection, direction, replace(kept, trouble=text, since=since if text else None, waiting=waiting))


def due(database: Database, direction: str, moment: datetime) -> None:
    """When the worker writes next."""
    with database.write() as connection:
        _put(connection, direction, replace(get(connection, direction), due=moment))


def _put(connection: sa.Connection, direction: str, note: Note) -> None:
    times = {name: one.isoformat() if one else None for name, one in (("since", note.since), ("due", note.due))}
    kept = {"trouble": note.trouble, "waiting": dict(note.waiting), **times}
    state.put(connection, _key(direction), json.dumps(kept))


def _key(direction: str) -> str:
    return f"relay.note.{direction}"
