"""Who may poll what, and who may do what on these pages."""

from __future__ import annotations

from collections.abc import Callable

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import BadRequest, NotFound
from wtforms import RadioField, SelectChoice, SelectField, StringField
from wtforms.validators import InputRequired, Length

from pulsegate.errors import AccountError
from pulsegate.model.role import Role
from pulsegate.store import accounts, collections, polls, sessions
from pulsegate.store.accounts import EVERY, MAX_NAME, READ, WRITE, Account
from pulsegate.store.database import Connection
from pulsegate.web.access import audited, needs, user
from pulsegate.web.forms import Form, choices
from pulsegate.web.site import site
from pulsegate.web.stale import still
from pulsegate.web.words import _, later

pages = Blueprint("accounts", __name__, url_prefix="/accounts")

ROLES: list[SelectChoice] = choices(
    [
        ("", later("none: it polls, and has no access to these pages")),
        (Role.VIEWER.value, later("viewer: sees everything but accounts")),
        (Role.CURATOR.value, later("curator: decides what is in the feed")),
        (Role.ADMIN.value, later("administrator: may do everything")),
    ]
)
RIGHTS: list[SelectChoice] = choices([(READ, later("poll")), (WRITE, later("poll and push"))])


class Add(Form):
    name = StringField(later("Name"), [InputRequired(), Length(max=MAX_NAME)])
    role = RadioField(later("Role on these pages"), choices=ROLES, default="")
    reads = SelectField(
        later("Polls"), choices=choices([(EVERY, later("every collection")), ("", later("none yet"))]), default=EVERY
    )


class RoleChoice(Form):
    role = RadioField(later("Role on these pages"), choices=ROLES, default="")


class Right(Form):
    collection = SelectField(later("Collection"))
    right = SelectField(later("Right"), choices=RIGHTS)


@pages.get("/")
@needs(Role.ADMIN)
def index() -> ResponseReturnValue:
    with site().database.read() as connection:
        every = accounts.every(connection)
        last = {one.account: one for one in polls.last_of_each_account(connection)}
    return render_template("accounts/index.html", accounts=every, last=last)


@pages.route("/add", methods=["GET", "POST"])
@needs(Role.ADMIN)
def add() -> ResponseReturnValue:
    form = Add()
    if request.method == "GET" or not form.validate():
        return render_template("accounts/add.html", form=form), 200 if request.method == "GET" else 422
    password = accounts.new_password()
    try:
        with site().database.write() as connection:
            made = _add(connection, form, password)
    except AccountError as error:
        form.name.errors = [error.message]
        return render_template("accounts/add.html", form=form), 422
    return _show_password(made, password)


@pages.get("/<int:pk>")
@needs(Role.ADMIN)
def show(pk: int) -> ResponseReturnValue:
    with site().database.read() as connection:
        account = _get(connection, pk)
        logins = sessions.of_account(connection, pk, site().limits)
        certificates = accounts.certificates(connection).get(pk, [])
        names = [one.collection.name for one in collections.every(connection)]
    form = Right()
    form.collection.choices = choices([(EVERY, _("every collection")), *((one, one) for one in names)])
    role = RoleChoice(role=account.role.value if account.role else "")
    return render_template(
        "accounts/show.html", account=account, sessions=logins, certificates=certificates, form=form, role=role
    )


@pages.post("/<int:pk>/role")
@needs(Role.ADMIN)
def role(pk: int) -> ResponseReturnValue:
    form = RoleChoice()
    if not form.validate():
        raise BadRequest
    wanted = Role(form.role.data) if form.role.data else None
    return _change(pk, "account.role", lambda connection, name: accounts.set_role(connection, name, wanted))


@pages.post("/<int:pk>/grant")
@needs(Role.ADMIN)
def grant(pk: int) -> ResponseReturnValue:
    collection, right = request.form.get("collection", ""), request.form.get("right")
    with site().database.read() as connection:
        known = {EVERY, *(one.collection.name for one in collections.every(connection))}
    if collection not in known or right not in (READ, WRITE):
        raise BadRequest
    return _change(
        pk, "account.grant", lambda connection, name: accounts.grant(connection, name, collection, str(right))
    )


@pages.post("/<int:pk>/revoke")
@needs(Role.ADMIN)
def revoke(pk: int) -> ResponseReturnValue:
    collection = request.form.get("collection", "")
    return _change(pk, "account.revoke", lambda connection, name: accounts.revoke(connection, name, collection))


@pages.post("/<int:pk>/disable")
@needs(Role.ADMIN)
def disable(pk: int) -> ResponseReturnValue:
    return _change(pk, "account.disable", accounts.disable)


@pages.post("/<int:pk>/enable")
@needs(Role.ADMIN)
def enable(pk: int) -> ResponseReturnValue:
    return _change(pk, "account.enable", accounts.enable)


@pages.post("/<int:pk>/password")
@needs(Role.ADMIN)
def password(pk: int) -> ResponseReturnValue:
    """A new password. The answer shows it, once: it is kept nowhere, so there is nothing to redirect to."""
    new = accounts.new_password()
    with site().database.write() as connection:
        account = _still(connection, pk)
        accounts.set_password(connection, account.name, new)
        sessions.end_all(connection, pk)
        audited(connection, "account.password", account.name)
    return _show_password(account, new)


@pages.get("/<int:pk>/remove")
@needs(Role.ADMIN)
def preview_removal(pk: int) -> ResponseReturnValue:
    with site().database.read() as connection:
        account = _get(connection, pk)
        last = polls.latest(connection, account=account.name, limit=1)
    return render_template("accounts/remove.html", account=account, last=last[0] if last else None)


@pages.post("/<int:pk>/remove")
@needs(Role.ADMIN)
def remove(pk: int) -> ResponseReturnValue:
    if pk == user().id:
        hint = _("Another administrator can remove it")
        raise AccountError(_("is your own account"), resource=user().name, hint=hint)
    with site().database.write() as connection:
        account = _still(connection, pk)
        accounts.remove(connection, account.name)
        audited(connection, "account.remove", account.name, before=accounts.recorded(account))
    flash(_("%(name)s is removed.", name=account.name))
    return redirect(url_for("accounts.index"), 303)


def _add(connection: Connection, form: Add, password: str) -> Account:
    name = form.name.data or ""
    accounts.add(connection, name, password)
    if form.role.data:
        accounts.set_role(connection, name, Role(form.role.data))
    if form.reads.data:
        accounts.grant(connection, name, EVERY, READ)
    made = accounts.get(connection, name)
    audited(connection, "account.add", name, after=accounts.recorded(made))
    return made


def _change(pk: int, action: str, change: Callable[[Connection, str], None]) -> ResponseReturnValue:
    """Make the change, note it where it was one, and show the account as it is then."""
    with site().database.write() as connection:
        before = _still(connection, pk)
        change(connection, before.name)
        after = _get(connection, pk)
        if before != after:
            audited(connection, action, before.name, before=accounts.recorded(before), after=accounts.recorded(after))
    flash(_("Saved."))
    return redirect(url_for("accounts.show", pk=pk), 303)


def _get(connection: Connection, pk: int) -> Account:
    found = accounts.by_id(connection, pk)
    if found is None:
        raise NotFound
    return found


def _still(connection: Connection, pk: int) -> Account:
    """The account that the page showed."""
    return still(accounts.by_id(connection, pk), lambda one: (one.name,), "accounts.index")


def _show_password(account: Account, password: str) -> ResponseReturnValue:
    return render_template("accounts/password.html", account=account, password=password)
