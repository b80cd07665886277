"""Logging in and out. The password is checked by the function that the composition root hands over: limited, slow."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from wtforms import HiddenField, PasswordField, StringField
from wtforms.validators import InputRequired, Length

from pulsegate.model.role import Role
from pulsegate.store import sessions
from pulsegate.store.accounts import MAX_NAME, Stored
from pulsegate.web import access
from pulsegate.web.access import ID, needs, public, user
from pulsegate.web.forms import Form
from pulsegate.web.local import local_address
from pulsegate.web.site import TryLaterError, site
from pulsegate.web.words import _, later

MAX_PASSWORD = 1_000

pages = Blueprint("login", __name__)


class LogIn(Form):
    name = StringField(later("Account"), [InputRequired(), Length(max=MAX_NAME)])
    password = PasswordField(later("Password"), [InputRequired(), Length(max=MAX_PASSWORD)])
    next = HiddenField()


@pages.get("/login")
@public
def index() -> ResponseReturnValue:
    if access.current() is not None:
        return redirect(local_address(request.args.get("next")), 303)
    return _show(LogIn(next=request.args.get("next", "")), 200)


@pages.post("/login")
@public
def log_in() -> ResponseReturnValue:
    form = LogIn()
    if not form.validate():
        return _show(form, 422)
    try:
        found = site().check(form.name.data or "", form.password.data or "", request.remote_addr)
    except TryLaterError as error:
        form.name.errors = [_("Too many attempts. Try again in %(count)s seconds.", count=error.seconds)]
        body, _status = _show(form, 429)
        return body, 429, {"Retry-After": str(error.seconds)}
    if found is None:
        form.password.errors = [_("The name or the password is wrong, or the account is disabled.")]
        return _show(form, 401)
    if found.account.role is None:
        form.name.errors = [_("This account has no access to these pages. An administrator can give it a role.")]
        return _show(form, 403)
    _begin(found)
    return redirect(local_address(form.next.data), 303)


@pages.post("/logout")
@public
def log_out() -> ResponseReturnValue:
    identifier = session.get(ID)
    if isinstance(identifier, str):
        with site().database.write() as connection:
            sessions.end(connection, identifier)
    session.clear()
    return redirect(url_for("login.index"), 303)


@pages.get("/me")
@needs(Role.VIEWER)
def me() -> ResponseReturnValue:
    """The account's own page: where it is logged in."""
    with site().database.read() as connection:
        found = sessions.of_account(connection, user().id, site().limits)
    return render_template("me.html", sessions=found)


@pages.post("/logout/everywhere")
@needs(Role.VIEWER)
def log_out_everywhere() -> ResponseReturnValue:
    with site().database.write() as connection:
        sessions.end_all(connection, user().id)
        access.audited(connection, "account.logout", user().name)
    session.clear()
    flash(_("You are logged out everywhere."))
    return redirect(url_for("login.index"), 303)


def _begin(found: Stored) -> None:
    """A new session: neither its id nor its token was known to anybody before."""
    old = session.get(ID)
    session.clear()
    with site().database.write() as connection:
        if isinstance(old, str):
            sessions.end(connection, old)
        agent = request.headers.get("User-Agent", "")
        session[ID] = sessions.begin(connection, found, request.remote_addr or "", agent)


def _show(form: LogIn, status: int) -> tuple[str, int]:
    return render_template("login.html", form=form), status
