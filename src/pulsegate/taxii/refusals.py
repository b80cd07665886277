"""Answers to those who are not let in: a Status_Message, with the HTTP status that says the same."""

from __future__ import annotations

from typing import Any

from libtaxii.constants import ST_RETRY, ST_UNAUTHORIZED
from opentaxii.taxii.exceptions import StatusMessageException

BASIC = 'Basic realm="Pulsegate", charset="UTF-8"'  # RFC 7617, section 2.1
BEARER = 'Bearer realm="Pulsegate"'  # RFC 6750, section 3
INVALID_TOKEN = BEARER + ', error="invalid_token"'


class Refusal(StatusMessageException):  # type: ignore[misc]  # OpenTAXII is not typed
    """The base. ``http_status`` is the answer's, ``http_headers`` go with it."""

    http_status: int
    http_headers: tuple[tuple[str, str], ...] = ()


class UnauthorizedError(Refusal):
    """Who asks is nobody that is known (HTTP 401; TAXII 1.1 Services, table of status types: UNAUTHORIZED)."""

    http_status = 401

    def __init__(self, message: str, *, bearer: str = BEARER) -> None:
        super().__init__(ST_UNAUTHORIZED, message=message)
        self.http_headers = challenges(bearer)


class _RetryError(Refusal):
    """Come back in ``seconds``: the attempt was not even checked."""

    def __init__(self, message: str, seconds: float) -> None:
        super().__init__(ST_RETRY, message=message)
        self.http_headers = (("Retry-After", str(max(1, round(seconds)))),)


class TooManyAttemptsError(_RetryError):
    """Too many wrong passwords lately (HTTP 429)."""

    http_status = 429


class BusyError(_RetryError):
    """Too many passwords are being checked at once (HTTP 503)."""

    http_status = 503


class UnavailableError(_RetryError):
    """The database can't be asked at the moment (HTTP 503)."""

    http_status = 503

    def __init__(self) -> None:
        super().__init__("The server can't reach its database, or can't write to it; try again in a moment", 30)


def challenges(bearer: str = BEARER) -> tuple[tuple[str, str], ...]:
    """What every 401 says about how to be let in; Basic first, since some clients read one challenge only."""
    return (("WWW-Authenticate", BASIC), ("WWW-Authenticate", bearer))


def dress(response: Any, error: Refusal) -> None:
    """Give a response the status and the headers of the refusal."""
    response.status_code = error.http_status
    for header, value in error.http_headers:
        response.headers.add(header, value)
