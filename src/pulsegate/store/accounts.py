"""Accounts: OpenTAXII's rows, and beside them the right to every present and future collection."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any

import sqlalchemy as sa
from werkzeug.security import check_password_hash, generate_password_hash

from pulsegate.errors import AccountError
from pulsegate.model.role import Role
from pulsegate.model.subject import normal_subject
from pulsegate.store.database import now
from pulsegate.store.digests import storable
from pulsegate.store.tables import (
    account_certificates,
    account_rights,
    account_roles,
    accounts,
    accounts_disabled,
)

EVERY = "*"
READ, WRITE = "read", "modify"  # as OpenTAXII writes them
MAX_NAME = 256
MAX_SUBJECT = 500


@dataclass(frozen=True, slots=True)
class Account:
    """An account. ``permissions`` maps a collection's name to ``read`` or ``modify``; admins need none.

    ``given_role``: what it may do on the administration pages where it is no admin. ``disabled``: since when it neither
    polls nor logs in.
    """

    id: int
    name: str
    is_admin: bool = False
    permissions: Mapping[str, str] = field(default_factory=dict)
    reads_all: bool = False
    writes_all: bool = False
    given_role: Role | None = None
    disabled: datetime | None = None

    @property
    def role(self) -> Role | None:
        """What it may do on the administration pages; None: it has no access to them."""
        return Role.ADMIN if self.is_admin else self.given_role

    def can_read(self, collection: str) -> bool:
        return self.is_admin or self.reads_all or self.writes_all or collection in self.permissions

    def can_modify(self, collection: str) -> bool:
        return self.is_admin or self.writes_all or self.permissions.get(collection) == WRITE


@dataclass(frozen=True, slots=True)
class Stored:
    """An account as it is now, with the hash that its password must fit."""

    account: Account
    password_hash: str = field(repr=False)


def new_password() -> str:
    """20 letters and digits without look-alikes: about 115 bits, and nothing that a form or a shell would mind."""
    return "".join(secrets.choice("abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789") for _ in range(20))


def add(connection: sa.Connection, name: str, password: str, *, is_admin: bool = False) -> Account:
    """AccountError when the name is taken or can't be sent in HTTP Basic, or when the password is empty."""
    if not name or len(name) > MAX_NAME or ":" in name or not name.isprintable():
        raise AccountError("is no usable account name", resource=repr(name), hint="Use printable characters, no colon")
    if find(connection, name) is not None:
        raise AccountError("exists already", resource=name, hint=f"Use 'pulsegate account password {name}'")
    row = {"username": name, "password_hash": _hash(name, password), "is_admin": is_admin, "_permissions": "{}"}
    connection.execute(sa.insert(accounts).values(row))
    return get(connection, name)


def set_password(connection: sa.Connection, name: str, password: str) -> None:
    account = get(connection, name)
    there = accounts.c.id == account.id
    connection.execute(sa.update(accounts).where(there).values(password_hash=_hash(name, password)))


def remove(connection: sa.Connection, name: str) -> None:
    connection.execute(sa.delete(accounts).where(accounts.c.id == get(connection, name).id))


def grant(connection: sa.Connection, name: str, collection: str, right: str) -> None:
    """Let the account read or write ``collection`` (``*``: every one, those to come included); writers read too."""
    account = get(connection, name)
    if collection == EVERY:
        _put_rights(connection, account.id, True, account.writes_all or right == WRITE)
    elif account.permissions.get(collection) != WRITE:
        _put_permissions(connection, account.id, {**account.permissions, collection: right})


def revoke(connection: sa.Connection, name: str, collection: str) -> None:
    """Take back what ``grant`` gave for ``collection`` (``*``: the right to every one)."""
    account = get(connection, name)
    if collection == EVERY:
        _put_rights(connection, account.id, False, False)
    elif collection in account.permissions:
        kept = {key: right for key, right in account.permissions.items() if key != collection}
        _put_permissions(connection, account.id, kept)
    else:
        raise AccountError(f"has no right of its own to {collection}", resource=name)


def revoke_writing(connection: sa.Connection, name: str, collection: str) -> None:
    """Let the account only read ``collection`` (``*``: every one), to which it may write."""
    account = get(connection, name)
    if collection == EVERY and account.writes_all:
        _put_rights(connection, account.id, True, False)
    elif account.permissions.get(collection) == WRITE:
        _put_permissions(connection, account.id, {**account.permissions, collection: READ})
    else:
        raise AccountError(f"has no right of its own to {collection}", resource=name)


def set_role(connection: sa.Connection, name: str, role: Role | None) -> None:
    """Give the account a role on the pages; None takes it away. An admin's includes all rights to collections."""
    account = get(connection, name)
    if account.is_admin and role is not Role.ADMIN:
        _require_another_admin(connection, account)
    there = accounts.c.id == account.id
    connection.execute(sa.update(accounts).where(there).values(is_admin=role is Role.ADMIN))
    connection.execute(sa.delete(account_roles).where(account_roles.c.account_id == account.id))
    if role is not None and role is not Role.ADMIN:
        connection.execute(sa.insert(account_roles).values(account_id=account.id, role=role.value))


def disable(connection: sa.Connection, name: str) -> None:
    """Let the account neither poll nor log in any more. Nothing happens to one that is disabled."""
    account = get(connection, name)
    if account.disabled is None:
        _require_another_admin(connection, account)
        connection.execute(sa.insert(accounts_disabled).values(account_id=account.id, since=now(connection)))


def enable(connection: sa.Connection, name: str) -> None:
    account = get(connection, name)
    connection.execute(sa.delete(accounts_disabled).where(accounts_disabled.c.account_id == account.id))


def _require_another_admin(connection: sa.Connection, account: Account) -> None:
    """AccountError when nobody could administer any more without that one."""
    if account.is_admin and not any(
        one.is_admin and one.disabled is None and one.id != account.id for one in every(connection)
    ):
        raise AccountError(
            "is the last administrator", resource=account.name, hint="Make another account an administrator first"
        )


def get(connection: sa.Connection, name: str) -> Account:
    """AccountError when there is none of that name."""
    account = find(connection, name)
    if account is None:
        raise AccountError("there is no such account", resource=name, hint="'pulsegate account list' shows them")
    return account


def find(connection: sa.Connection, name: str) -> Account | None:
    if storable(name) != name:  # no account has such a name, and no database takes it
        return None
    return _first(connection, _BY_NAME, name)


def by_id(connection: sa.Connection, identifier: int) -> Account | None:
    return _first(connection, _BY_ID, identifier)


def every(connection: sa.Connection) -> list[Account]:
    return [_account(row) for row in connection.execute(_query().order_by(accounts.c.username))]


def rights(account: Account, right: str) -> str:
    """The collections that the account may read or write, parted by commas; ``*``: every one."""
    everything = account.reads_all if right == READ else account.writes_all
    named = sorted(name for name, given in account.permissions.items() if right == READ or given == WRITE)
    return ", ".join([EVERY, *named] if everything or account.is_admin else named)


def recorded(account: Account) -> dict[str, Any]:
    """What the account may do, for the record of changes: never its password, nor a hash of it."""
    found = {"admin": account.is_admin, "read": rights(account, READ), "write": rights(account, WRITE)}
    return found | {"role": account.role, "disabled": account.disabled is not None}


def stored_by_name(connection: sa.Connection, name: str) -> Stored | None:
    """One query."""
    if storable(name) != name:  # no account has such a name, and no database takes it
        return None
    return _first_stored(connection, _BY_NAME, name)


def stored_by_id(connection: sa.Connection, identifier: int) -> Stored | None:
    """One query."""
    return _first_stored(connection, _BY_ID, identifier)


def fits(stored: Stored | None, password: str) -> bool:
    """Whether ``password`` is the account's. Takes as long, a tenth of a second, when there is no account."""
    encodable = not any("\ud800" <= character <= "\udfff" for character in password)
    matches = check_password_hash(stored.password_hash if stored else _dummy(), password if encodable else "")
    return stored is not None and matches and encodable


def verify(connection: sa.Connection, name: str, password: str) -> Account | None:
    """The account, when ``password`` is its password. Takes as long for a name that does not exist."""
    stored = stored_by_name(connection, name)
    return stored.account if fits(stored, password) and stored else None


def add_certificate(connection: sa.Connection, name: str, subject: str) -> str:
    """Let whoever proves to hold a certificate with that subject be the account; gives the subject's normal form.

    AccountError when ``subject`` can't be read or stored, or when it is another account's.
    """
    account, normal = get(connection, name), _subject(name, subject)
    owner = by_certificate(connection, normal)
    if owner is not None and owner.id != account.id:
        raise AccountError(
            f"the certificate {normal} is the account {owner.name}'s",
            resource=name,
            hint=f"Take it away there first: 'pulsegate account certificate {owner.name} … --remove'",
        )
    if owner is None:
        row = {"subject": normal, "account_id": account.id}
        connection.execute(sa.insert(account_certificates).values(row))
    return normal


def remove_certificate(connection: sa.Connection, name: str, subject: str) -> str:
    """Take a certificate away from the account. AccountError when it is not the account's."""
    account, normal = get(connection, name), _subject(name, subject)
    there = (account_certificates.c.subject == normal) & (account_certificates.c.account_id == account.id)
    if connection.execute(sa.delete(account_certificates).where(there)).rowcount == 0:
        raise AccountError(
            f"has no certificate {normal}", resource=name, hint="'pulsegate account list' shows those it has"
        )
    return normal


def by_certificate(connection: sa.Connection, subject: str) -> Account | None:
    """The account that a certificate's subject, in any writing of RFC 4514, is mapped to. One query."""
    try:
        normal = normal_subject(subject)
    except ValueError:
        return None
    if storable(normal) != normal:
        return None
    return _first(connection, _BY_SUBJECT, normal)


def certificates(connection: sa.Connection) -> dict[int, list[str]]:
    """The subjects that are mapped to each account, by the account's id."""
    found: dict[int, list[str]] = {}
    for row in connection.execute(sa.select(account_certificates).order_by(account_certificates.c.subject)):
        found.setdefault(row.account_id, []).append(row.subject)
    return found


def _subject(name: str, subject: str) -> str:
    try:
        normal = normal_subject(subject)
    except ValueError as error:
        raise AccountError(
            f"{subject!r} is no subject of a certificate", resource=name, hint="Write it as CN=esa1,O=Example"
        ) from error
    if len(normal) > MAX_SUBJECT:
        raise AccountError(f"a subject has at most {MAX_SUBJECT} characters", resource=name, hint="Use another one")
    return normal


@cache
def _dummy() -> str:
    """A hash that no password fits, made on first use: it takes a tenth of a second."""
    return generate_password_hash(secrets.token_hex(32))


def _hash(name: str, password: str) -> str:
    if not password:
        raise AccountError("an empty password is not accepted", resource=name)
    return generate_password_hash(password)


def _put_rights(connection: sa.Connection, identifier: int, reads: bool, writes: bool) -> None:
    connection.execute(sa.delete(account_rights).where(account_rights.c.account_id == identifier))
    if reads or writes:
        row = {"account_id": identifier, "reads_all": reads, "writes_all": writes}
        connection.execute(sa.insert(account_rights).values(row))


def _put_permissions(connection: sa.Connection, identifier: int, permissions: Mapping[str, str]) -> None:
    values = {"_permissions": json.dumps(permissions, sort_keys=True)}
    connection.execute(sa.update(accounts).where(accounts.c.id == identifier).values(values))


def _query() -> sa.Select[Any]:
    more = (account_rights.c.reads_all, account_rights.c.writes_all, account_roles.c.role, accounts_disabled.c.since)
    return (
        sa.select(accounts, *more)
        .outerjoin(account_rights, account_rights.c.account_id == accounts.c.id)
        .outerjoin(account_roles, account_roles.c.account_id == accounts.c.id)
        .outerjoin(accounts_disabled, accounts_disabled.c.account_id == accounts.c.id)
    )


# Built once, since building one takes longer than running it, and every request runs one.
_BY_NAME = _query().where(accounts.c.username == sa.bindparam("wanted"))
_BY_ID = _query().where(accounts.c.id == sa.bindparam("wanted"))
_BY_SUBJECT = (
    _query()
    .join(account_certificates, account_certificates.c.account_id == accounts.c.id)
    .where(account_certificates.c.subject == sa.bindparam("wanted"))
)


def _first_stored(connection: sa.Connection, query: sa.Select[Any], wanted: object) -> Stored | None:
    row = connection.execute(query, {"wanted": wanted}).first()
    return Stored(_account(row), row.password_hash) if row else None


def _first(connection: sa.Connection, query: sa.Select[Any], wanted: object) -> Account | None:
    row = connection.execute(query, {"wanted": wanted}).first()
    return _account(row) if row else None


def _account(row: Any) -> Account:
    return Account(
        id=row.id,
        name=row.username,
        is_admin=bool(row.is_admin),
        permissions=json.loads(row._permissions),  # noqa: SLF001 - OpenTAXII's column is named so
        reads_all=bool(row.reads_all),
        writes_all=bool(row.writes_all),
        given_role=Role(row.role) if row.role else None,
        disabled=row.since,
    )
