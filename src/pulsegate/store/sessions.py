"""Who is logged in to the administration pages: one row for each browser, found by the digest of a random id."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from pulsegate.store import accounts
from pulsegate.store.accounts import Account, Stored
from pulsegate.store.database import now
from pulsegate.store.digests import storable
from pulsegate.store.tables import web_sessions

SEEN_EVERY = timedelta(minutes=1)  # so that not each request writes


@dataclass(frozen=True, slots=True)
class Limits:
    """``idle``: a session ends after so long without a request. ``longest``: and after so long in any case."""

    idle: timedelta = timedelta(minutes=30)
    longest: timedelta = timedelta(hours=12)


@dataclass(frozen=True, slots=True)
class Session:
    """A session as it is shown to its account."""

    digest: bytes
    account: Account
    created: datetime
    seen: datetime
    address: str
    browser: str


def begin(connection: sa.Connection, stored: Stored, address: str, browser: str) -> str:
    """Log the account in; gives the id for the browser's cookie: 43 characters, kept nowhere but there."""
    identifier = secrets.token_urlsafe(32)
    moment = now(connection)
    values = {"digest": _digest(identifier), "account_id": stored.account.id, "stamp": _stamp(stored)}
    values |= {"created": moment, "seen": moment}
    values |= {"address": storable(address)[:100], "browser": storable(browser)[:300]}
    connection.execute(sa.insert(web_sessions).values(values))
    return identifier


def find(connection: sa.Connection, identifier: str, limits: Limits) -> Session | None:
    """The session of that id, while it lasts, its account is not disabled and has the password it had."""
    row = connection.execute(sa.select(web_sessions).where(web_sessions.c.digest == _digest(identifier))).first()
    stored = accounts.stored_by_id(connection, row.account_id) if row else None
    if row is None or stored is None or stored.account.disabled is not None or row.stamp != _stamp(stored):
        return None
    moment = now(connection)
    if moment - row.seen > limits.idle or moment - row.created > limits.longest:
        return None
    return Session(row.digest, stored.account, row.created, row.seen, row.address, row.browser)


def is_due(connection: sa.Connection, session: Session, limits: Limits) -> bool:
    """Whether ``touch`` has something to note."""
    return now(connection) - session.seen > min(SEEN_EVERY, limits.idle / 4)


def touch(connection: sa.Connection, session: Session) -> None:
    """Note that the session is in use."""
    there = web_sessions.c.digest == session.digest
    connection.execute(sa.update(web_sessions).where(there).values(seen=now(connection)))


def of_account(connection: sa.Connection, account_id: int, limits: Limits) -> list[tuple[datetime, datetime, str, str]]:
    """The sessions of an account that have not timed out, newest first: begin, last request, address, browser."""
    moment = now(connection)
    columns = [web_sessions.c[name] for name in ("created", "seen", "address", "browser")]
    query = sa.select(*columns).where(
        web_sessions.c.account_id == account_id,
        web_sessions.c.seen > moment - limits.idle,
        web_sessions.c.created > moment - limits.longest,
    )
    rows = connection.execute(query.order_by(web_sessions.c.seen.desc()))
    return [(row.created, row.seen, row.address, row.browser) for row in rows]


def end(connection: sa.Connection, identifier: str) -> None:
    connection.execute(sa.delete(web_sessions).where(web_sessions.c.digest == _digest(identifier)))


def end_all(connection: sa.Connection, account_id: int) -> int:
    """Log the account out everywhere; gives the number of its sessions."""
    return connection.execute(sa.delete(web_sessions).where(web_sessions.c.account_id == account_id)).rowcount


def purge(connection: sa.Connection, before: datetime) -> int:
    """Forget those that were used last before that time."""
    return connection.execute(sa.delete(web_sessions).where(web_sessions.c.seen < before)).rowcount


def _digest(identifier: str) -> bytes:
    return hashlib.sha256(identifier.encode("utf-8", "surrogatepass")).digest()


def _stamp(stored: Stored) -> bytes:
    return hashlib.sha256(b"session:" + stored.password_hash.encode()).digest()
