"""OpenTAXII's authentication API over our accounts: HTTP Basic, and tokens (JWT) for Bearer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import structlog
from opentaxii.auth import OpenTAXIIAuthAPI
from opentaxii.entities import Account as AccountEntity

from pulsegate.store import accounts, state
from pulsegate.store.database import Database

log = structlog.get_logger(__name__)

TOKEN_SECRET = "secret.token"  # noqa: S105 - the name under which it is kept
TOKEN_LIFE = timedelta(hours=1)


class Account(AccountEntity):  # type: ignore[misc]  # OpenTAXII is not typed
    """OpenTAXII's entity, with the right to every collection."""

    def __init__(self, stored: accounts.Account) -> None:
        super().__init__(stored.id, stored.name, dict(stored.permissions), is_admin=stored.is_admin)
        self._stored = stored

    def can_read(self, collection_name: str) -> bool:
        return self._stored.can_read(collection_name)

    def can_modify(self, collection_name: str) -> bool:
        return self._stored.can_modify(collection_name)


class AuthAPI(OpenTAXIIAuthAPI):  # type: ignore[misc]  # OpenTAXII is not typed
    """Accounts of the database at the SQLAlchemy URL ``db_connection``."""

    def __init__(self, db_connection: str) -> None:
        self._database = Database(db_connection)
        with self._database.write() as connection:
            self._secret = state.secret(connection, TOKEN_SECRET)

    def authenticate(self, username: str, password: str) -> str | None:
        """A token for the account, or None when name and password don't fit."""
        with self._database.read() as connection:
            account = accounts.verify(connection, username, password)
        if account is None:
            log.warning("auth.refused", account=username)
            return None
        claims = {"account_id": account.id, "exp": datetime.now(UTC) + TOKEN_LIFE}
        return jwt.encode(claims, self._secret, algorithm="HS256")

    def get_account(self, token: str) -> Account | None:
        """The account that ``token`` was made for, as it is now; None for a forged, outdated or orphaned token."""
        try:
            claims = jwt.decode(token, self._secret, algorithms=["HS256"], options={"require": ["exp"]})
        except jwt.InvalidTokenError as error:
            log.warning("auth.token_refused", reason=type(error).__name__)
            return None
        with self._database.read() as connection:
            stored = accounts.by_id(connection, claims["account_id"])
        return Account(stored) if stored else None

    def create_account(self, username: str, password: str, is_admin: bool = False) -> Account:
        with self._database.write() as connection:
            return Account(accounts.add(connection, username, password, is_admin=is_admin))

    def get_accounts(self) -> list[Account]:
        with self._database.read() as connection:
            return [Account(stored) for stored in accounts.every(connection)]

    def update_account(self, obj: Any, password: str | None = None) -> Account:
        """Give the account a new password; rights are changed with ``pulsegate account``."""
        with self._database.write() as connection:
            if password is not None:
                accounts.set_password(connection, obj.username, password)
            return Account(accounts.get(connection, obj.username))

    def delete_account(self, username: str) -> None:
        with self._database.write() as connection:
            accounts.remove(connection, username)
