"""The WSGI application: OpenTAXII's Flask application around our server."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from typing import Any

from flask import Flask, Response, request
from opentaxii.middleware import create_app

from pulsegate import __version__
from pulsegate.errors import StoreError
from pulsegate.model.network import Networks
from pulsegate.taxii import access, health, metrics
from pulsegate.taxii.attempts import THREADS
from pulsegate.taxii.auth import TOKEN_LIFE, AuthAPI
from pulsegate.taxii.edge import WSGI, Edge, Environment, is_below
from pulsegate.taxii.server import PulsegateServer, PulsegateTAXII1Server


@dataclass(frozen=True, slots=True)
class Service:
    """What the service is made from.

    ``domain``: the host[:port] that clients see, perhaps with its scheme, None: the one that each request names.
    ``skew``: how far ahead a client's clock may run. ``open_after``: a collection is served after so long even if its
    first backfill goes on. ``results_kept``: a result in parts can be fetched for so long. ``gzip``: answers to polls
    are compressed where the client asks for it. ``max_block``: the largest package that an inbox takes, in bytes.
    ``token_life``: how long a token lets its holder in. ``threads``: requests that the process answers at once.
    ``metrics_allow``: who besides this machine may read ``/metrics``.
    ``edge``: whom to believe what, and how long a request may be. ``certificate``: gives the server's own, None where
    it has none. ``stopping``: whether the server is about to stop.
    """

    database_url: str
    domain: str | None = None
    skew: timedelta = timedelta(minutes=10)
    open_after: timedelta = timedelta(minutes=10)
    results_kept: timedelta = timedelta(hours=1)
    gzip: bool = False
    max_block: int = 5_000_000
    token_life: timedelta = TOKEN_LIFE
    threads: int = THREADS
    metrics_allow: Networks = field(default_factory=Networks)
    edge: Edge = field(default_factory=Edge)
    certificate: Callable[[], metrics.Certificate | None] = lambda: None
    stopping: Callable[[], bool] = lambda: False


MOUNT = "/admin"


def create(service: Service, pages: WSGI | None = None) -> Flask:
    """The application. Make one in each process.

    ``pages``: the WSGI application for what lies below ``/admin``.
    """
    scheme, _, domain = (service.domain or "").rpartition("://")
    parameters = {
        "db_connection": service.database_url,
        "domain": domain or None,
        "skew": service.skew.total_seconds(),
        "open_after": service.open_after.total_seconds(),
        "results_kept": service.results_kept.total_seconds(),
    }
    configuration = {
        "domain": domain or None,
        "scheme": scheme or None,
        "max_body": service.edge.max_body,
        "persistence_api": {"class": "pulsegate.taxii.persistence.PersistenceAPI", "parameters": parameters},
        "save_raw_inbox_messages": False,
        "xml_parser_supports_huge_tree": False,
        "count_blocks_in_poll_responses": False,
        "unauthorized_status": "UNAUTHORIZED",
        "return_server_error_details": False,
        "hooks": None,
        "gzip": service.gzip,
        "max_block": service.max_block,
    }
    auth = AuthAPI(service.database_url, service.token_life, service.threads)
    server = PulsegateServer(PulsegateTAXII1Server(configuration), auth)
    app: Flask = create_app(server)
    app.register_error_handler(StoreError, server.servers.taxii1.handle_store_error)
    access.install(app, server, auth)
    database = server.servers.taxii1.persistence.api.database
    metrics.install(app, database, service.metrics_allow, service.certificate)
    health.install(app, database, service.metrics_allow, service.stopping)
    app.debug = False
    edge = replace(service.edge, scheme=scheme or None, refuses_itself=(MOUNT,) if pages else ())
    inner = _accepting(app.wsgi_app)
    if pages is not None:
        inner = _mounted(pages, inner)
    app.wsgi_app = edge.around(inner)  # type: ignore[assignment, method-assign]
    app.add_url_rule("/", "front", partial(_front, has_pages=pages is not None))
    return app


def _accepting(application: WSGI) -> WSGI:
    """A client that names no ``Accept`` takes anything (RFC 9110, section 12.5.1); OpenTAXII would answer 406."""

    def call(environment: Environment, start_response: Callable[..., Any]) -> Iterable[bytes]:
        environment.setdefault("HTTP_ACCEPT", "*/*")
        return application(environment, start_response)

    return call


def _mounted(pages: WSGI, others: WSGI) -> WSGI:
    """``pages`` gets what lies below ``/admin``, all else goes to ``others`` (PEP 3333: SCRIPT_NAME, PATH_INFO)."""

    def call(environment: Environment, start_response: Callable[..., Any]) -> Iterable[bytes]:
        path = environment.get("PATH_INFO", "")
        if not is_below(path, MOUNT):
            return others(environment, start_response)
        environment["SCRIPT_NAME"] = environment.get("SCRIPT_NAME", "") + MOUNT
        environment["PATH_INFO"] = path.removeprefix(MOUNT)
        if not environment["PATH_INFO"]:
            return Response("", 308, {"Location": f"{environment['SCRIPT_NAME']}/"})(environment, start_response)
        return pages(environment, start_response)

    return call


def _front(*, has_pages: bool) -> Response:
    """For the person who opens the address in a browser: the pages; for others: what this is."""
    if has_pages and "text/html" in request.headers.get("Accept", ""):
        return Response("", 303, {"Location": f"{MOUNT}/"})
    text = (
        f"Pulsegate {__version__}: a TAXII 1.1 server.\n\n"
        "Discovery: /taxii/discovery   Collections: /taxii/collections   Poll: /taxii/poll   Inbox: /taxii/inbox\n"
        "'pulsegate esa' prints what to type into a Cisco Secure Email Gateway.\n"
    )
    return Response(text, mimetype="text/plain")
