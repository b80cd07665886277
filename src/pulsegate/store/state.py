"""Single values that outlive a process: the watermark of the pull, the owner of the key, signing secrets."""

from __future__ import annotations

import secrets

import sqlalchemy as sa

from pulsegate.store.tables import state
from pulsegate.store.upsert import upsert

RESULT_SECRET = "secret.results"  # noqa: S105 - the key of what signs the ids of results in parts


def get(connection: sa.Connection, key: str) -> str | None:
    return connection.scalar(sa.select(state.c.value).where(state.c.key == key))


def put(connection: sa.Connection, key: str, value: str) -> None:
    upsert(connection, state, {"key": key}, {"value": value})


def remove(connection: sa.Connection, key: str) -> None:
    connection.execute(sa.delete(state).where(state.c.key == key))


def secret(connection: sa.Connection, key: str) -> str:
    """The secret kept under ``key``, made on first use; the same for every process and host on this database."""
    found = get(connection, key)
    if found is not None:
        return found
    made = secrets.token_hex(32)
    try:
        with connection.begin_nested():
            connection.execute(sa.insert(state).values(key=key, value=made))
    except sa.exc.IntegrityError:  # another process was faster; its secret is the one
        return str(get(connection, key))
    return made
