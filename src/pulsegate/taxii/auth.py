"""Who somebody is: by name and password, by token or by client certificate; and OpenTAXII's API for the same."""

from __future__ import annotations

import string
from datetime import timedelta
from functools import partial
from typing import Any

import structlog
from flask import has_request_context, request
from opentaxii.auth import OpenTAXIIAuthAPI
from opentaxii.entities import Account as AccountEntity

from pulsegate.store import accounts, state
from pulsegate.store.accounts import Stored
from pulsegate.store.database import Database
from pulsegate.taxii.attempts import THREADS, Attempts, Hashing, Pair, pair_of
from pulsegate.taxii.credentials import VerifiedCredentials
from pulsegate.taxii.refusals import INVALID_TOKEN, BusyError, TooManyAttemptsError, UnauthorizedError
from pulsegate.taxii.tokens import TokenError, Tokens

log = structlog.get_logger(__name__)

TOKEN_SECRET = "secret.token"  # noqa: S105 - the name under which it is kept
TOKEN_LIFE = timedelta(hours=1)
_OTX_KEY = 64  # hexadecimal digits
_SHOWN = 64  # characters of a name in the log


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
    """Accounts of the database at the SQLAlchemy URL ``db_connection``.

    :param token_life: how long a token lets its holder in
    :param threads: how many requests the process answers at once
    """

    def __init__(self, db_connection: str, token_life: timedelta = TOKEN_LIFE, threads: int = THREADS) -> None:
        self._database = Database(db_connection)
        with self._database.write() as connection:
            self._tokens = Tokens(state.secret(connection, TOKEN_SECRET), token_life)
        self.credentials = VerifiedCredentials()
        self.attempts = Attempts()
        self.hashing = Hashing(waiting=threads // 2)

    def by_password(self, name: str, password: str, address: str | None) -> Stored:
        """The account of that name and password, asked for from ``address``. One query, and a hash now and then.

        UnauthorizedError when they don't fit; TooManyAttemptsError or BusyError when they are not even checked.
        """
        with self._database.read() as connection:
            stored = accounts.stored_by_name(connection, name)
        credential = self.credentials.digest(stored, password) if stored else b""
        if stored and credential in self.credentials:
            return _enabled(stored, address)
        pair = pair_of(address, name)
        try:
            check = partial(self._check, stored, password, pair, credential)
            fits = self.hashing.once((pair, credential), check) if stored else check()
        except (TooManyAttemptsError, BusyError) as error:
            log.warning("auth.limited", account=shown(name), address=address, reason=type(error).__name__)
            raise
        if stored is None or not fits:
            log.warning("auth.refused", account=shown(name), address=address)
            raise UnauthorizedError("The user name or the password is wrong")
        return _enabled(stored, address)

    def by_token(self, token: str, address: str | None) -> Stored:
        """The account that ``token`` was made for, as it is now. One query. UnauthorizedError for any other token."""
        try:
            claims = self._tokens.read(token)
            with self._database.read() as connection:
                stored = accounts.stored_by_id(connection, self._tokens.account_id(claims))
            return _enabled(self._tokens.check(claims, stored), address)
        except TokenError as error:
            log.warning("auth.token_refused", reason=str(error), address=address)
            message = "The token is not valid or has expired; get a new one at /management/auth"
            raise UnauthorizedError(message, bearer=INVALID_TOKEN) from None

    def by_certificate(self, subject: str) -> accounts.Account | None:
        """The account that the subject of a verified client certificate is mapped to. One query."""
        with self._database.read() as connection:
            found = accounts.by_certificate(connection, subject)
        return _account_enabled(found, None) if found else None

    def token(self, stored: Stored) -> str:
        return self._tokens.make(stored)

    def _check(self, stored: Stored | None, password: str, pair: Pair, credential: bytes) -> bool:
        if stored and self.attempts.is_known(pair, credential):
            with self.hashing.known():
                fits = accounts.fits(stored, password)
        else:
            self.attempts.require(pair)
            with self.hashing.stranger():
                self.attempts.require(pair)  # others may have failed while this one waited
                fits = accounts.fits(stored, password)
        if fits:
            self.attempts.succeeded(pair, credential)
            self.credentials.add(credential)
        else:
            self.attempts.failed(pair)
        return fits

    # --- OpenTAXII's API, for what is not ours of it ---------------------------------------------------------------

    def authenticate(self, username: str, password: str) -> str | None:
        """A token for the account, or None when name and password don't fit."""
        try:
            return self.token(self.by_password(username, password, _address()))
        except UnauthorizedError:
            return None

    def get_account(self, token: str) -> Account | None:
        """The account that ``token`` was made for, as it is now; None for a forged, outdated or orphaned token."""
        try:
            return Account(self.by_token(token, _address()).account)
        except UnauthorizedError:
            return None

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


def _enabled(stored: Stored, address: str | None) -> Stored:
    """The account, which its owner has proved to be. UnauthorizedError when it is disabled."""
    _account_enabled(stored.account, address)
    return stored


def _account_enabled(account: accounts.Account, address: str | None) -> accounts.Account:
    if account.disabled is not None:
        log.warning("auth.disabled", account=shown(account.name), address=address)
        raise UnauthorizedError("The account is disabled; the administrator enables it")
    return account


def shown(name: str) -> str:
    """A name as a log may show it: one short line, and not what looks like an OTX API key, which OTX takes as name."""
    if len(name) == _OTX_KEY and set(name) <= set(string.hexdigits):
        return f"{name[:4]}… (an OTX API key?)"
    short = name if len(name) <= _SHOWN else name[: _SHOWN - 1] + "…"
    return short if short.isprintable() else ascii(short)


def _address() -> str | None:
    return request.remote_addr if has_request_context() else None
