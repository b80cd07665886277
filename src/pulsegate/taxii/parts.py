"""Results in parts: the ``result_id`` says all that a part is read by, so that nothing is stored for it.

It is signed, not secret: an account that was given it knows what it polled. Every process and host on the database
signs with the same secret.
"""

from __future__ import annotations

import time
from dataclasses import astuple, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from itsdangerous import BadSignature, URLSafeSerializer

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Result:
    """A frozen result: whose it is, which reading, in parts of ``size`` blocks, until when (seconds since 1970)."""

    account: int
    collection: int
    begin: int | None  # microseconds since 1970
    end: int
    revision: int
    size: int
    older: bool  # as STIX 1.1.1
    binding: str | None
    subscription: str | None
    expires: int

    @property
    def window(self) -> tuple[datetime | None, datetime]:
        begin = None if self.begin is None else _EPOCH + self.begin * _MICROSECOND
        return begin, _EPOCH + self.end * _MICROSECOND

    @property
    def is_over(self) -> bool:
        return time.time() >= self.expires


def microseconds(moment: datetime) -> int:
    """Since 1970, exactly."""
    return (moment - _EPOCH) // _MICROSECOND


class Signer:
    """Writes and reads result ids."""

    def __init__(self, secret: str) -> None:
        self._serializer: Any = URLSafeSerializer(secret, salt="result_id")

    def sign(self, result: Result) -> str:
        return str(self._serializer.dumps(astuple(result)))

    def read(self, result_id: str) -> Result | None:
        """None for one that this installation did not sign."""
        try:
            return Result(*self._serializer.loads(result_id))
        except (BadSignature, TypeError, ValueError):
            return None
