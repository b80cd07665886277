"""The process of the administration pages, and what they get of the installation."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import structlog
from gunicorn.app.base import BaseApplication
from gunicorn.workers.gthread import TConn, ThreadWorker

from pulsegate.cli import feeding, hop, lifeline
from pulsegate.cli.processes import PassingLogger
from pulsegate.cli.setup import Installation
from pulsegate.store.accounts import Stored
from pulsegate.store.database import Database
from pulsegate.taxii.auth import AuthAPI
from pulsegate.taxii.edge import WSGI, Environment
from pulsegate.taxii.refusals import BusyError, TooManyAttemptsError, UnauthorizedError

if TYPE_CHECKING:
    from pulsegate.web.site import Site

log = structlog.get_logger(__name__)

NICENESS = 10  # polls have the processor first
AT_ONCE = 4  # pages that are made at a time: each has a connection with a cache, and more would not be faster


def run(where: Installation, channel: hop.Channel, parent: int) -> None:
    """Be the process of the pages, just forked from ``parent``, until there is nobody to make pages for."""
    stand_back()
    lifeline.end_with(parent)
    channel.close_inlet()
    made = _Application(replace(where, database=Database(where.settings.database_url)))  # no connection crosses a fork
    cfg = made.cfg
    log.info("pages.started", pid=os.getpid())
    _Process(1, parent, [channel.outlet], made, cfg.timeout, cfg, cfg.logger_class(cfg)).init_process()


def stand_back() -> None:
    """Take the processor after the polls; where the system forbids that, the pages are made all the same."""
    with suppress(OSError):
        os.nice(NICENESS)


class _Application(BaseApplication):  # type: ignore[misc]  # gunicorn is not typed
    def __init__(self, where: Installation) -> None:
        self._where = where
        super().__init__()

    def load_config(self) -> None:
        settings = self._where.settings
        for key, value in {
            "threads": settings.threads * settings.workers,  # as many as server processes can ask for at once
            "graceful_timeout": 3,
            "limit_request_field_size": hop.LONGEST,
            "loglevel": "warning",
            "logger_class": PassingLogger,
        }.items():
            self.cfg.set(key, value)

    def load(self) -> WSGI:
        from pulsegate.web import app

        settings = self._where.settings
        auth = AuthAPI(settings.database_url, settings.taxii.token_life, settings.threads)
        return hop.unpacked(_by_turns(app.create(site(self._where, auth))))


def _by_turns(application: WSGI) -> WSGI:
    """A few pages at a time; a download is made while it is sent, after its turn."""
    turns = threading.Semaphore(AT_ONCE)

    def call(environment: Environment, start_response: Callable[..., Any]) -> Iterable[bytes]:
        with turns:
            return application(environment, start_response)

    return call


class _Process(ThreadWorker):  # type: ignore[misc]  # gunicorn is not typed
    """Gunicorn's threaded worker, which gets its connections through the channel. They are all the server's own."""

    def accept(self, outlet: socket.socket) -> None:
        ends = hop.received(outlet)
        if ends is None:
            self.alive = False
            return
        for end in ends:
            self.nr_conns += 1
            self.enqueue_req(TConn(self.cfg, end, "", ""))

    def finish_request(self, conn: TConn, _done: Future[Any]) -> None:
        """Each has one request. The other end reads what was sent, so nobody is waited for."""
        self.nr_conns -= 1
        conn.close()


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
