"""Tokens for HTTP Bearer: JSON Web Tokens (RFC 7519), signed with a secret that the database keeps."""

from __future__ import annotations

import hashlib
import hmac
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt

from pulsegate.store.accounts import Stored

ALGORITHM = "HS256"
_ACCOUNT, _CREDENTIAL = "account_id", "credential"


class TokenError(Exception):
    """A token is forged, outdated or none at all; the message says which, without the token."""


class Tokens:
    """Makes and reads tokens. Every process and host on one database has the same ``secret``."""

    def __init__(self, secret: str, life: timedelta) -> None:
        self._secret = secret
        self._life = life

    def make(self, stored: Stored) -> str:
        """A token for the account. It ends when its life is over, or when the account gets another password."""
        now = datetime.now(UTC)
        claims = {
            _ACCOUNT: stored.account.id,
            _CREDENTIAL: self._credential(stored),
            "iat": now,
            "exp": now + self._life,
        }
        return jwt.encode(claims, self._secret, algorithm=ALGORITHM)

    def read(self, token: str) -> dict[str, Any]:
        """The claims of a token that we made and that has not expired; TokenError for any other."""
        required = [_ACCOUNT, _CREDENTIAL, "exp"]
        try:
            claims = jwt.decode(token, self._secret, algorithms=[ALGORITHM], options={"require": required})
        except (jwt.InvalidTokenError, ValueError) as error:  # ValueError: characters that can't be in a token
            raise TokenError(type(error).__name__) from None
        return dict(claims)

    def account_id(self, claims: dict[str, Any]) -> int:
        return int(claims[_ACCOUNT])

    def check(self, claims: dict[str, Any], stored: Stored | None) -> Stored:
        """The account, when the token was made for it with the password that it has now; TokenError when not.

        An id alone is not enough: that of a removed account may be given again.
        """
        if stored is None or not hmac.compare_digest(str(claims[_CREDENTIAL]), self._credential(stored)):
            raise TokenError("AccountChanged")
        return stored

    def _credential(self, stored: Stored) -> str:
        """Stands for the stored hash, which nobody can guess from it."""
        text = f"{stored.account.id}:{stored.password_hash}"
        return hashlib.blake2b(text.encode(), key=self._secret.encode()[:64], digest_size=16).hexdigest()
