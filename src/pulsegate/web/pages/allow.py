"""The allow list: who added what and why; entries are added and removed with a look at what that does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import NotFound
from wtforms import SearchField, StringField
from wtforms.validators import InputRequired, Length

from pulsegate.curation.allow_list import KINDS, entries_of
from pulsegate.model.decisions import Allowed
from pulsegate.model.role import Role
from pulsegate.publication.change import Change
from pulsegate.store import affected, decisions
from pulsegate.store.database import Connection, now
from pulsegate.store.decisions import Wanted
from pulsegate.web import paging, previews
from pulsegate.web.access import needs, user
from pulsegate.web.entries import Decision
from pulsegate.web.forms import Form
from pulsegate.web.site import site
from pulsegate.web.stale import differs, there
from pulsegate.web.suggestions import suggestions
from pulsegate.web.words import _, later

pages = Blueprint("lists_allow", __name__, url_prefix="/lists/allow")

COUNTED = 1_000  # stored indicators of an entry, at most


class Filters(Form):
    text = SearchField(later("Entry or reason"))
    account = StringField(later("By"))


class Add(Decision):
    entry = StringField(later("Entry"), [InputRequired(), Length(max=2_000)])

    @property
    def shown(self) -> str:
        return self.entry.data or ""

    def entries(self) -> list[Allowed]:
        """As they will be stored; empty where a field has an error now."""
        if not self.validate():
            return []
        with site().database.read() as connection:
            moment = now(connection)
        end = self.end(moment)
        try:
            told = entries_of(self.entry.data or "")
        except ValueError as error:
            self.entry.errors = [str(error)]
            return []
        if self.expires.errors:
            return []
        return [Allowed(kind.value, text, self.why(), user().name, moment, end) for kind, text in told]


@pages.get("/")
@needs(Role.VIEWER)
def index() -> ResponseReturnValue:
    form = Filters(request.args)
    wanted = Wanted(form.text.data or None, form.account.data or None)
    where = paging.position()
    with site().database.read() as connection:
        moment = now(connection)
        found = decisions.page_of_allowed(
            connection, wanted, paging.row_key(where), backwards=where.backwards, limit=paging.SIZE + 1
        )
        page = paging.cut(found, where, lambda one: (one.pk,))
        covers = {one.pk: _covers(connection, one.decision) for one in page.rows}
    return render_template("allow/index.html", form=form, page=page, covers=covers, moment=moment, most=COUNTED)


@pages.get("/add")
@needs(Role.CURATOR)
def add() -> ResponseReturnValue:
    """The form; as soon as it has an entry, with what that would do."""
    form = Add(request.args)
    entries = form.entries() if form.entry.data else []
    shown = previews.of(Change(allow=entries)) if entries else None
    status = 422 if form.errors else 200
    near = suggestions(request.args.get("value") or form.entry.data or "")
    return render_template("allow/add.html", form=form, entries=entries, preview=shown, near=near), status


@pages.post("/add")
@needs(Role.CURATOR)
def make() -> ResponseReturnValue:
    form = Add(request.form)
    entries = form.entries()
    if not entries:
        return render_template("allow/add.html", form=form, entries=[], preview=None, near=[]), 422
    if form.is_another():
        return redirect(url_for("lists_allow.add", **_kept()), 303)  # type: ignore[arg-type]
    previews.make(Change(allow=entries), _("%(entry)s is on the allow list.", entry=_named(entries)))
    return redirect(_after(), 303)


@pages.post("/add/count")
@needs(Role.CURATOR)
def count() -> ResponseReturnValue:
    """Have the worker count what the entry would do."""
    form = Add(request.form)
    entries = form.entries()
    if not entries:
        return render_template("allow/add.html", form=form, entries=[], preview=None, near=[]), 422
    key = previews.count(Change(allow=entries))
    return redirect(url_for("lists_allow.add", task=key, **_kept()), 303)  # type: ignore[arg-type]


@pages.get("/remove")
@needs(Role.CURATOR)
def preview_removal() -> ResponseReturnValue:
    return _preview_removal(_known(request.args))


@pages.post("/remove")
@needs(Role.CURATOR)
def remove() -> ResponseReturnValue:
    """What was shown is taken away; of what it has become since the effect is shown anew."""
    entry = there(_asked(request.form), "lists_allow.index")
    if differs(entry.text, entry):
        previews.changed()
        return _preview_removal(entry), 409
    previews.make(Change(disallow=[entry]), _("%(entry)s is off the allow list.", entry=_named([entry])))
    return redirect(_after(), 303)


@pages.post("/remove/count")
@needs(Role.CURATOR)
def count_removal() -> ResponseReturnValue:
    entry = _known(request.form)
    key = previews.count(Change(disallow=[entry]))
    return redirect(url_for("lists_allow.preview_removal", kind=entry.kind, text=entry.text, task=key), 303)


def _kept() -> dict[str, str]:
    """What was filled in, for the address that shows it again."""
    return {name: request.form.get(name, "") for name in ("entry", "reason", "expires", "value")}


def _after() -> str:
    """Back to the value that it was decided for, where it was one."""
    value = request.form.get("value")
    return url_for("indicators.explain", value=value) if value else url_for("lists_allow.index")


def _preview_removal(entry: Allowed) -> str:
    return render_template("allow/remove.html", entry=entry, preview=previews.of(Change(disallow=[entry])))


def _known(given: Any) -> Allowed:
    found = _asked(given)
    if found is None:
        raise NotFound
    return found


def _asked(given: Any) -> Allowed | None:
    kinds = [given["kind"]] if given.get("kind") else [one.value for one in KINDS]
    with site().database.read() as connection:
        every = (decisions.find_allowed(connection, kind, given.get("text", "")) for kind in kinds)
        return next((one for one in every if one is not None), None)


def _named(entries: Sequence[Allowed]) -> str:
    return ", ".join(one.text for one in entries)


def _covers(connection: Connection, entry: Allowed) -> int:
    return affected.reach(connection, entry.kind, entry.text, COUNTED)
