"""Logging in and out, and one's own password: checked by what the composition root hands over, limited and slow."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from wtforms import Field, HiddenField, PasswordField, StringField
from wtforms.validators import EqualTo, InputRequired, Length

from pulsegate.model.role import Role
from pulsegate.store import accounts, sessions
from pulsegate.store.accounts import MAX_NAME, Stored
from pulsegate.store.database import Connection
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


class NewPassword(Form):
    current = PasswordField(later("Current password"), [InputRequired(), Length(max=MAX_PASSWORD)])
    new = PasswordField(later("New password"), [InputRequired(), Length(max=MAX_PASSWORD)])
    again = PasswordField(later("New password, once more"), [EqualTo("new", later("It is not the same."))])


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
        return _try_later(error, form.name, "login.html", form)
    if found is None:
        form.password.errors = [_("The name or the password is wrong, or the account is disabled.")]
        return _show(form, 401)
    if found.account.role is None:
        form.name.errors = [_("This account has no access to these pages. An administrator can give it a role.")]
        return _show(form, 403)
    with site().database.write() as connection:
        identifier = _begin(connection, found)
    _enter(identifier)
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


@pages.get("/me/password")
@needs(Role.VIEWER)
def password() -> ResponseReturnValue:
    return render_template("password.html", form=NewPassword(None))


@pages.post("/me/password")
@needs(Role.VIEWER)
def change_password() -> ResponseReturnValue:
    """By its owner, who proves to know the one that it has now: a browser that was left alone is not enough."""
    form = NewPassword()
    if not form.validate():
        return render_template("password.html", form=form), 422
    try:
        found = site().check(user().name, form.current.data or "", request.remote_addr)
    except TryLaterError as error:
        return _try_later(error, form.current, "password.html", form)
    identifier = _renew(found, form.new.data or "") if found else None
    if identifier is None:
        form.current.errors = [_("It is not the password of this account.")]
        return render_template("password.html", form=form), 422
    _enter(identifier)
    flash(_("Your password is changed. Elsewhere you are logged out."))
    return redirect(url_for("login.me"), 303)


@pages.post("/logout/everywhere")
@needs(Role.VIEWER)
def log_out_everywhere() -> ResponseReturnValue:
    with site().database.write() as connection:
        sessions.end_all(connection, user().id)
        access.audited(connection, "account.logout", user().name)
    session.clear()
    flash(_("You are logged out everywhere."))
    return redirect(url_for("login.index"), 303)


def _renew(found: Stored, password: str) -> str | None:
    """Give the account a new password, and end its sessions; gives the id of a new one for this browser.

    None: since it was checked the account has got another password already.
    """
    with site().database.write() as connection:
        now = accounts.stored_by_id(connection, user().id)
        if now is None or now.password_hash != found.password_hash:
            return None
        accounts.set_password(connection, now.account.name, password)
        sessions.end_all(connection, user().id)
        access.audited(connection, "account.password", now.account.name)
        renewed = accounts.stored_by_id(connection, user().id)
        return _begin(connection, renewed) if renewed else None


def _begin(connection: Connection, found: Stored) -> str:
    """The id of a new session, in place of the browser's old one."""
    old = session.get(ID)
    if isinstance(old, str):
        sessions.end(connection, old)
    agent = request.headers.get("User-Agent", "")
    return sessions.begin(connection, found, request.remote_addr or "", agent)


def _enter(identifier: str) -> None:
    """Go on in that session: neither its id nor its token was known to anybody before."""
    session.clear()
    session[ID] = identifier


def _try_later(error: TryLaterError, field: Field, template: str, form: Form) -> ResponseReturnValue:
    field.errors = [_("Too many attempts. Try again in %(count)s seconds.", count=error.seconds)]
    return render_template(template, form=form), 429, {"Retry-After": str(error.seconds)}


def _show(form: LogIn, status: int) -> tuple[str, int]:
    return render_template("login.html", form=form), status
