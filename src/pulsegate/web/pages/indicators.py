"""One value: everything that is known of it, and what would change that. And all values, filtered."""

from __future__ import annotations

from datetime import timedelta

from flask import Blueprint, Response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import NotFound
from wtforms import SearchField
from wtforms.validators import InputRequired, Length

from pulsegate.model.role import Role
from pulsegate.publication.explain import explain as ask
from pulsegate.publication.explanation import Explanation, Standing
from pulsegate.publication.export import export
from pulsegate.publication.forms import ExportFormat
from pulsegate.store import collections
from pulsegate.values.normalise import readings
from pulsegate.web import browsing, idle
from pulsegate.web.access import needs
from pulsegate.web.forms import Form
from pulsegate.web.remedies import page as page_of
from pulsegate.web.remedies import remedy
from pulsegate.web.site import site
from pulsegate.web.words import later

pages = Blueprint("indicators", __name__, url_prefix="/indicators")

SHOWN = 20  # pulses of a value
FETCHES = 5  # accounts that fetched it, of each collection
AGE = timedelta(days=30)  # for which appliances keep what they fetched: what the page Appliances tells them to

RELATIONS = {
    "networks": later("Networks that hold it"),
    "holds": later("Addresses and networks in it"),
    "parents": later("Names above it"),
    "below": later("Names below it"),
    "host": later("Its host"),
    "domain": later("Its domain"),
    "urls": later("URLs on the same host"),
    "mailboxes": later("Mail addresses in the same domain"),
}


class Search(Form):
    value = SearchField(later("Value"), [InputRequired(), Length(max=100_000)])


@pages.get("/")
@needs(Role.VIEWER)
def index() -> ResponseReturnValue:
    """The search for one value, and a list of all that fit the filters."""
    with site().database.snapshot() as connection:
        form = browsing.form(connection, request.args)
        page = browsing.page(connection, form) if form.validate() and form.can_be_read() else None
    status = 422 if form.errors else 200
    shown = render_template("indicators/index.html", search=Search(None), form=form, page=page, address_of=page_of)
    return shown, status


@pages.get("/explain")
@needs(Role.VIEWER)
def explain() -> ResponseReturnValue:
    """All that is known of a value, in whatever spelling."""
    text = request.args.get("value", "").strip()
    if not text:
        return redirect(url_for("indicators.index"), 303)
    form = Search(request.args)
    idle.used()
    found = ask(site().database, site().policy, text) if form.validate() else None
    if found is None:
        known = readings(text)
        return render_template("indicators/unknown.html", search=form, text=text, known=known, own=page_of("own"))
    return render_template("indicators/explain.html", search=form, **_shown(found))


@pages.get("/in/<path:name>.csv")
@needs(Role.VIEWER)
def download(name: str) -> ResponseReturnValue:
    """What a collection holds, as a table, streamed."""
    with site().database.read() as connection:
        stored = collections.get(connection, name)
    if stored is None:
        raise NotFound
    headers = {"Content-Disposition": "attachment; filename=indicators.csv"}
    return Response(export(site().database, stored, ExportFormat.CSV), mimetype="text/csv", headers=headers)


def _shown(found: Explanation) -> dict[str, object]:
    """What the template needs of it."""
    told = {one.rule for one in found.covered}
    standings = [one for one in found.standings if _is_worth_telling(one)]
    return {
        "found": found,
        "standings": sorted(standings, key=lambda one: not one.included),
        "elsewhere": len(found.standings) - len(standings),
        "inside": sum(one.included for one in found.standings),
        "told": told,
        "remedy": lambda change: remedy(change, found.type),
        "page": page_of,
        "relations": RELATIONS,
        "age": AGE,
        "most": SHOWN,
        "fetches": FETCHES,
        "begins": _begins(found),
    }


def _is_worth_telling(one: Standing) -> bool:
    """Another author's collection has nothing to do with it, unless it was there."""
    return one.included or bool(one.left) or one.rule != "author"


def _begins(found: Explanation) -> bool:
    """Whether it stood anywhere before the poll log begins, so that it can't tell everything."""
    begins = [one.since for one in found.standings if one.since is not None]
    begins += [stay.since for one in found.standings for stay in one.left]
    return bool(begins) and (found.logged is None or found.logged > min(begins))
