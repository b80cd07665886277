"""Authors whose pulses need no look: who they are, and adding one or taking one away, with what would come of it."""

from __future__ import annotations

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import BadRequest

from pulsegate.model.decisions import Trusted
from pulsegate.model.role import Role
from pulsegate.publication import review_effect
from pulsegate.publication.review_effect import Decision
from pulsegate.publication.waiting import Statuses
from pulsegate.store import decisions, pulse_list, pulses
from pulsegate.store.database import now
from pulsegate.store.digests import storable
from pulsegate.web import tasks
from pulsegate.web.access import needs, user
from pulsegate.web.entries import Why
from pulsegate.web.local import local_address
from pulsegate.web.pages.pulses.base import pages
from pulsegate.web.site import site
from pulsegate.web.words import _


@pages.get("/authors")
@needs(Role.VIEWER)
def authors() -> ResponseReturnValue:
    with site().database.snapshot() as connection:
        found = list(decisions.trusted(connection).values())
        known = pulses.count_by_author(connection, [one.author for one in found])
        reviewed = [one.name for one in Statuses(connection, []).reviewed]
    return render_template("pulses/authors.html", found=found, known=known, reviewed=reviewed)


@pages.get("/authors/trust")
@needs(Role.CURATOR)
def preview_trust() -> ResponseReturnValue:
    return _preview(_author(request.args.get("author")), trust=True, form=Why())


@pages.get("/authors/distrust")
@needs(Role.CURATOR)
def preview_distrust() -> ResponseReturnValue:
    return _preview(_author(request.args.get("author")), trust=False, form=Why())


@pages.post("/authors/trust")
@needs(Role.CURATOR)
def trust() -> ResponseReturnValue:
    author, form = _author(request.form.get("author")), Why()
    if not form.validate():
        return _preview(author, trust=True, form=form)
    with site().database.write() as connection:
        decisions.trust(connection, Trusted(author, form.why(), user().name, now(connection)))
        tasks.published(connection)
    flash(_("The pulses of %(author)s need no look from now on.", author=author))
    return _back()


@pages.post("/authors/distrust")
@needs(Role.CURATOR)
def distrust() -> ResponseReturnValue:
    author = _author(request.form.get("author"))
    with site().database.write() as connection:
        was = decisions.distrust(connection, author, user().name)
        if was:
            tasks.published(connection)
    said = _("The pulses of %(author)s wait for a look again.", author=author)
    flash(said if was else _("%(author)s was not trusted.", author=author))
    return _back()


def _author(given: str | None) -> str:
    author = storable(given or "")
    if not author.strip():
        raise BadRequest
    return author


def _back() -> ResponseReturnValue:
    path = request.form.get("next")
    return redirect(local_address(path) if path else url_for("pulses.authors"), 303)


def _preview(author: str, *, trust: bool, form: Why) -> ResponseReturnValue:
    with site().database.snapshot() as connection:
        keys = pulse_list.by_author(connection, author)
        effects = review_effect.effect(connection, site().policy, keys, Decision(trust=trust)) if keys else []
        known = decisions.trusted(connection).get(author)
    shown = render_template(
        "pulses/trust.html", author=author, trust=trust, number=len(keys), effects=effects, known=known, form=form,
        next=request.values.get("next", ""),
    )  # fmt: skip
    return shown, 422 if form.errors else 200
