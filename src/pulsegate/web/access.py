"""Who sends a request, and whether it may: each view says with ``needs`` whom it is for, or that it is ``public``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from flask import Flask, current_app, g, redirect, request, session, url_for
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import Forbidden

from pulsegate.model.role import Role
from pulsegate.store import audit, sessions
from pulsegate.store.database import Connection
from pulsegate.web.site import site

View = TypeVar("View", bound=Callable[..., Any])
ID = "id"  # in Flask's session: the id of the row in web_sessions
BACKGROUND = "X-Background"  # of requests that a page makes by itself: they don't keep anybody logged in
_NEEDS = "pulsegate_needs"
_PUBLIC = "public"


@dataclass(frozen=True, slots=True)
class User:
    """The account that is logged in."""

    id: int
    name: str
    role: Role


def needs(role: Role) -> Callable[[View], View]:
    """The view is for accounts with that role, or one above it."""

    def mark(view: View) -> View:
        setattr(view, _NEEDS, role)
        return view

    return mark


def public(view: View) -> View:
    """The view is for everybody, logged in or not."""
    setattr(view, _NEEDS, _PUBLIC)
    return view


def user() -> User:
    """Who is logged in. Only in a view that needs a role."""
    found: User = g.user
    return found


def current() -> User | None:
    """Who is logged in, if anybody is; for templates, which error pages use too."""
    found: User | None = g.get("user")
    return found


def may(role: Role) -> bool:
    """Whether who is logged in may do what ``role`` may."""
    found = current()
    return found is not None and found.role.covers(role)


def may_open(endpoint: str) -> bool:
    """Whether there is such a view, and who is logged in may open it."""
    wanted = getattr(current_app.view_functions.get(endpoint), _NEEDS, None)
    return wanted == _PUBLIC or (isinstance(wanted, Role) and may(wanted))


def audited(connection: Connection, action: str, subject: str, *, before: Any = None, after: Any = None) -> None:
    """Note the change in the transaction that makes it, as done by who is logged in."""
    audit.record(connection, user().name, action, subject, before=before, after=after)


def install(app: Flask) -> None:
    app.view_functions["static"] = public(app.view_functions["static"])
    app.before_request(_admit)


def _admit() -> ResponseReturnValue | None:
    if request.endpoint == "static":
        return None
    g.user = _logged_in()
    if request.endpoint is None:
        return None  # there is no such page, which the error page says
    wanted = getattr(current_app.view_functions[request.endpoint], _NEEDS, None)
    if wanted == _PUBLIC:
        return None
    if g.user is None:
        return _to_login()
    if not isinstance(wanted, Role) or not may(wanted):  # a view that says nothing is for nobody
        raise Forbidden
    return None


def _logged_in() -> User | None:
    identifier = session.get(ID)
    if not isinstance(identifier, str):
        return None
    database = site().database
    with database.read() as connection:
        found = sessions.find(connection, identifier, site().limits)
        is_due = found is not None and sessions.is_due(connection, found, site().limits)
    if found is None or found.account.role is None:
        session.clear()
        return None
    if is_due and BACKGROUND not in request.headers:
        with database.write() as connection:
            sessions.touch(connection, found)
    return User(found.account.id, found.account.name, found.account.role)


def _to_login() -> ResponseReturnValue:
    """Back to this page after that, where it is one that can be opened again."""
    is_part = "HX-Request" in request.headers
    wanted = request.full_path.rstrip("?") if request.method == "GET" and not is_part else None
    address = url_for("login.index", next=wanted)
    return ("", 401, {"HX-Redirect": address}) if is_part else redirect(address, 303)
