"""The administration pages in a server process: made when somebody opens one, so that polls pay nothing for them."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterable
from tempfile import SpooledTemporaryFile
from typing import TYPE_CHECKING, Any

from werkzeug.exceptions import ClientDisconnected

from pulsegate.cli import feeding
from pulsegate.cli.setup import Installation
from pulsegate.store.accounts import Stored
from pulsegate.taxii.auth import AuthAPI
from pulsegate.taxii.edge import WSGI, Environment
from pulsegate.taxii.refusals import BusyError, TooManyAttemptsError, UnauthorizedError

if TYPE_CHECKING:
    from pulsegate.web.site import Site


HELD = 256_000  # octets of a body that are kept in memory
AT_ONCE = 2  # pages that a process makes at a time: each takes the interpreter from polls, and the others wait


class Pages:
    """A WSGI application that makes the pages' one at the first request, and asks it for a few pages at a time."""

    def __init__(self, where: Installation, auth: AuthAPI) -> None:
        self._where = where
        self._auth = auth
        self._lock = threading.Lock()
        self._turns = threading.Semaphore(AT_ONCE)
        self._made: WSGI | None = None

    def __call__(self, environment: Environment, start_response: Callable[..., Any]) -> Iterable[bytes]:
        application = self._application()
        if not _is_receivable(environment, self._where.settings.taxii.max_body):
            return application(environment, start_response)
        with SpooledTemporaryFile(HELD) as body:  # a slow client must not keep a turn
            try:
                shutil.copyfileobj(environment["wsgi.input"], body)
            except ClientDisconnected:
                return application(environment, start_response)  # it meets the same, and says so
            body.seek(0)
            environment["wsgi.input"] = body
            with self._turns:  # a download is made while it is sent, after that
                return application(environment, start_response)

    def _application(self) -> WSGI:
        from pulsegate.web import app

        with self._lock:
            if self._made is None:
                self._made = app.create(site(self._where, self._auth))
            return self._made


def _is_receivable(environment: Environment, most: int) -> bool:
    """Whether the body is taken in before a page is made.

    One that is too long is refused unread, and one without a length no page sends: they take no turn.
    """
    length = environment.get("CONTENT_LENGTH") or "0"
    return "HTTP_TRANSFER_ENCODING" not in environment and length.isdigit() and int(length) <= most


def site(where: Installation, auth: AuthAPI) -> Site:
    """What the pages get of the installation."""
    from pulsegate.store.sessions import Limits
    from pulsegate.web.site import Site

    return Site(
        where.database,
        where.policy,
        where.settings,
        _check(auth),
        demo=where.demo,
        feeds=feeding.feeds(where),
        limits=Limits(idle=where.settings.pages.idle),
        max_body=where.settings.taxii.max_body,
    )


def _check(auth: AuthAPI) -> Callable[[str, str, str | None], Stored | None]:
    """``AuthAPI.by_password``, with its refusals as the pages know them."""
    from pulsegate.web.site import TryLaterError

    def check(name: str, password: str, address: str | None) -> Stored | None:
        try:
            return auth.by_password(name, password, address)
        except UnauthorizedError:
            return None
        except (TooManyAttemptsError, BusyError) as error:
            raise TryLaterError(int(dict(error.http_headers)["Retry-After"])) from error

    return check
