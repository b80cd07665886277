"""What somebody sent in with a form, kept until it counts: the worker that reads it may run on another host."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from pulsegate.store.database import now
from pulsegate.store.digests import storable
from pulsegate.store.tables import drafts


@dataclass(frozen=True, slots=True)
class Draft:
    """``token``: random, by which it is found; ``name``: the file's."""

    token: str
    account: str
    created: datetime
    name: str
    content: bytes


def put(connection: sa.Connection, account: str, name: str, content: bytes) -> str:
    """Keep it; gives its token."""
    token = secrets.token_urlsafe(32)
    row = {"token": token, "account": account, "created": now(connection), "name": storable(name), "content": content}
    connection.execute(sa.insert(drafts).values(row))
    return token


def get(connection: sa.Connection, token: str) -> Draft | None:
    row = connection.execute(sa.select(drafts).where(drafts.c.token == storable(token))).first()
    return Draft(*row) if row else None


def is_there(connection: sa.Connection, token: str) -> bool:
    """Whether it is kept still, without reading it."""
    return connection.scalar(sa.select(drafts.c.token).where(drafts.c.token == storable(token))) is not None


def remove(connection: sa.Connection, token: str) -> None:
    connection.execute(sa.delete(drafts).where(drafts.c.token == storable(token)))


def purge(connection: sa.Connection, before: datetime) -> int:
    return connection.execute(sa.delete(drafts).where(drafts.c.created < before)).rowcount
