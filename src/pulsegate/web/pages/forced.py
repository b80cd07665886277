"""Values that are forced in or out, whatever the rules say: made, listed and undone with a look at what that does."""

from __future__ import annotations

from collections.abc import Sequence

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import NotFound
from wtforms import BooleanField, RadioField, SearchField, SelectField, StringField
from wtforms.validators import InputRequired, Length

from pulsegate.model.collection import Collection, CollectionKind
from pulsegate.model.decisions import Override
from pulsegate.model.indicator import IndicatorType
from pulsegate.model.role import Role
from pulsegate.publication import deciding
from pulsegate.publication.change import Change
from pulsegate.publication.deciding import Meant
from pulsegate.store import collections, decisions
from pulsegate.store.database import now
from pulsegate.store.decisions import Wanted
from pulsegate.store.digests import value_key
from pulsegate.web import paging, previews
from pulsegate.web.access import needs, user
from pulsegate.web.entries import Decision
from pulsegate.web.forms import Form, choices
from pulsegate.web.site import site
from pulsegate.web.stale import differs, there
from pulsegate.web.words import _, later

pages = Blueprint("lists_forced", __name__, url_prefix="/lists/forced")

IN, OUT = "in", "out"


class Filters(Form):
    text = SearchField(later("Value or reason"))
    account = StringField(later("By"))


class Force(Decision):
    value = StringField(later("Value"), [InputRequired(), Length(max=100_000)])
    way = RadioField(later("Force it"), choices=choices([(OUT, later("out")), (IN, later("in"))]), default=OUT)
    collection = SelectField(later("Collection"))
    force = BooleanField(later("Also against own networks and the built-in protections"))

    @property
    def shown(self) -> str:
        return " ".join((self.value.data or "", self.way.data, self.collection.data, str(self.force.data)))

    @property
    def is_in(self) -> bool:
        return bool(self.way.data == IN)


@pages.get("/")
@needs(Role.VIEWER)
def index() -> ResponseReturnValue:
    form = Filters(request.args)
    wanted = Wanted(form.text.data or None, form.account.data or None)
    where = paging.position()
    key = paging.row_key(where)
    with site().database.read() as connection:
        moment = now(connection)
        found = decisions.page_of_overrides(connection, wanted, key, backwards=where.backwards, limit=paging.SIZE + 1)
    page = paging.cut(found, where, lambda one: (one.pk,))
    return render_template("forced/index.html", form=form, page=page, moment=moment)


@pages.get("/force")
@needs(Role.CURATOR)
def force() -> ResponseReturnValue:
    """The form; as soon as it has a value, with what that would do."""
    form, feeds = _form(request.args)
    wanted = _overrides(form, feeds) if form.value.data else []
    shown = previews.of(Change(force=wanted)) if wanted else None
    status = 422 if form.errors else 200
    return render_template("forced/force.html", form=form, wanted=wanted, preview=shown), status


@pages.post("/force")
@needs(Role.CURATOR)
def make() -> ResponseReturnValue:
    form, feeds = _form(request.form)
    wanted = _overrides(form, feeds)
    if not wanted:
        return render_template("forced/force.html", form=form, wanted=[], preview=None), 422
    if form.is_another():
        kept = {field.name: request.form.get(field.name, "") for field in form if field.name in request.form}
        kept.pop("csrf_token", None)
        return redirect(url_for("lists_forced.force", **kept), 303)  # type: ignore[arg-type]
    said = _("%(value)s is forced in.") if form.is_in else _("%(value)s is forced out.")
    previews.make(Change(force=wanted), said % {"value": wanted[0].value})
    return redirect(url_for("indicators.explain", value=wanted[0].value), 303)


@pages.get("/undo")
@needs(Role.CURATOR)
def preview_undo() -> ResponseReturnValue:
    one = _asked()
    if one is None:
        raise NotFound
    return _preview_undo(one)


@pages.post("/undo")
@needs(Role.CURATOR)
def undo() -> ResponseReturnValue:
    """What was shown is undone; of what it has become since the effect is shown anew."""
    one = there(_asked(), "lists_forced.index")
    if differs(one.value, one):
        previews.changed()
        return _preview_undo(one), 409
    previews.make(Change(unforce=[one]), _("The rules decide on %(value)s again.", value=one.value))
    if request.form.get("back"):
        return redirect(url_for("indicators.explain", value=one.value), 303)
    return redirect(url_for("lists_forced.index"), 303)


def _form(given: object) -> tuple[Force, dict[str, Collection]]:
    """The form, with the collections whose contents are decided on: an inbox holds what is pushed."""
    with site().database.read() as connection:
        every = (one.collection for one in collections.every(connection))
        feeds = {one.name: one for one in every if one.kind is not CollectionKind.INBOX}
    form = Force(given)
    form.collection.choices = choices([("", _("all collections")), *((name, name) for name in feeds)])
    form.collection.data = form.collection.data or ""
    return form, feeds


def _overrides(form: Force, feeds: dict[str, Collection]) -> list[Override]:
    """As they will be stored; empty where a field has an error now."""
    if not form.validate():
        return []
    with site().database.read() as connection:
        moment = now(connection)
        text = form.value.data or ""
        meant = deciding.stored(connection, text) if form.is_in else deciding.meant(connection, text)
    end = form.end(moment)
    _judge(form, meant, feeds.get(form.collection.data))
    if form.errors:
        return []
    is_forced = form.is_in and bool(form.force.data)
    return [
        Override(
            form.collection.data, value_key(kind, value), kind.value, value, form.is_in, is_forced, form.why(),
            user().name, moment, end,
        )
        for kind, value in meant
    ]  # fmt: skip


def _judge(form: Force, meant: Sequence[Meant], feed: Collection | None) -> None:
    """Say beside the fields what speaks against it."""
    if not meant:
        form.value.errors = [
            _("No pulse has it, so it can't be forced in. Add it as an own indicator instead.")
            if form.is_in
            else _("This is no value of any type.")
        ]
    for value in meant if form.is_in and not form.force.data else ():
        against = deciding.only_by_force(site().policy, value, feed)
        if against is not None:
            form.force.errors = [against]


def _preview_undo(one: Override) -> str:
    return render_template("forced/undo.html", one=one, preview=previews.of(Change(unforce=[one])))


def _asked() -> Override | None:
    given = request.values
    try:
        identity = value_key(IndicatorType(given.get("type", "")), given.get("value", ""))
    except ValueError:
        return None
    with site().database.read() as connection:
        return decisions.find_override(connection, given.get("collection", ""), identity)
