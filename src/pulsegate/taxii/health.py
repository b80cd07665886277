"""``/healthz``: the process answers. ``/readyz``: it can serve polls, and how fresh the feed is.

A stale feed makes nobody unready: behind a load balancer all servers would be taken out at once, and the appliances
would get nothing at all. It is told, and ``/readyz?fresh`` refuses for it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from flask import Flask, Response, request

from pulsegate.errors import StoreError
from pulsegate.model.network import Networks
from pulsegate.store import alarms, migrate
from pulsegate.store.database import Database
from pulsegate.taxii.metrics import is_allowed


@dataclass(frozen=True, slots=True)
class Check:
    """``good``: None where it could not be found out."""

    name: str
    good: bool | None
    text: str


def install(app: Flask, database: Database, allow: Networks, stopping: Callable[[], bool] = lambda: False) -> None:
    app.add_url_rule("/healthz", "healthz", lambda: Response("ok\n", mimetype="text/plain"))
    app.add_url_rule("/readyz", "readyz", partial(_answer, database, allow, stopping))


def checks(database: Database) -> list[Check]:
    """The database, its schema, and the feed."""
    try:
        found, newest = migrate.current(database)
    except StoreError as error:
        unknown = "the database can't be asked"
        return [Check("database", False, error.message), Check("schema", None, unknown), Check("feed", None, unknown)]
    serves = migrate.serves(found)
    text = f"{found or 'none'}" if found == newest else f"{found or 'none'}, and this version {_WANTS[serves]} {newest}"
    return [Check("database", True, "answers"), Check("schema", serves, text), _feed(database, serves)]


def _feed(database: Database, serves: bool) -> Check:
    if not serves:
        return Check("feed", None, "another version's tables")
    with database.read() as connection:
        raised = [one for one in alarms.latest(connection, limit=100) if one.cleared is None]
    raised = [one for one in raised if one.source != alarms.CERTIFICATE]
    if not raised:
        return Check("feed", True, "no alarm is raised")
    return Check("feed", False, " ".join(one.text for one in raised))


def _answer(database: Database, allow: Networks, stopping: Callable[[], bool]) -> Response:
    """Details are for those who may read ``/metrics``."""
    found = checks(database)
    if stopping():
        found.append(Check("server", False, "it is about to stop"))
    needed = found if "fresh" in request.args else [one for one in found if one.name != "feed"]
    ready = all(one.good for one in needed)
    lines = ["ready" if ready else "not ready"]
    if is_allowed(allow):
        lines += [f"{one.name}: {_WORDS[one.good]}: {one.text}" for one in found]
    return Response("\n".join(lines) + "\n", 200 if ready else 503, mimetype="text/plain")


_WANTS = {True: "is of", False: "needs"}
_WORDS = {True: "ok", False: "failed", None: "unknown"}
