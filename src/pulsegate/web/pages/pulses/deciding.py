"""Decisions on pulses, one or many: what would come of them first, and then, by a second step, the decision."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flask import flash, redirect, render_template, request
from flask.typing import ResponseReturnValue
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import BadRequest

from pulsegate.model.decisions import ReviewStatus
from pulsegate.model.role import Role
from pulsegate.publication import pulse_search, review_effect
from pulsegate.publication.review_effect import Decision, Effect
from pulsegate.publication.waiting import Statuses
from pulsegate.store import decisions, pulse_list, pulses
from pulsegate.store.database import Connection
from pulsegate.store.locks import INTAKE, within
from pulsegate.store.pulse_list import State
from pulsegate.store.pulses import StoredPulse
from pulsegate.web import tasks
from pulsegate.web.access import needs, user
from pulsegate.web.entries import Why
from pulsegate.web.local import local_address
from pulsegate.web.pages.pulses.base import STATUSES, pages, whole_number
from pulsegate.web.pages.pulses.listing import filters, wanted
from pulsegate.web.site import site
from pulsegate.web.words import _, several

NAMED = 10  # pulses that a preview names
UNDO = "undo"
KINDS: dict[str, ReviewStatus | None] = {
    "approve": ReviewStatus.APPROVED,
    "reject": ReviewStatus.REJECTED,
    "hold": ReviewStatus.HELD,
    UNDO: None,
}


@dataclass(frozen=True, slots=True)
class Preview:
    """What a decision on pulses would do, and the state of the pulses that it was made for."""

    keys: Sequence[int]
    named: Sequence[StoredPulse]
    effects: Sequence[Effect]
    state: State


@pages.get("/decide")
@needs(Role.CURATOR)
def preview() -> ResponseReturnValue:
    what = _kind(request.args)
    with site().database.snapshot() as connection:
        found = _look(connection, what, request.args)
    return _show(what, request.args, found, Why())


@pages.post("/decide")
@needs(Role.CURATOR)
def decide() -> ResponseReturnValue:
    """The decision, if the pulses are still those that were looked at; else what it would do now is shown."""
    what, form = _kind(request.form), Why()
    with site().database.write() as connection:
        within(connection, INTAKE)  # from here on no pulse gets an indicator that nobody has seen
        keys = _chosen(connection, what, request.form)
        is_same = pulse_list.state(connection, keys).digest == request.form.get("seen")
        is_good = form.validate() and is_same and keys
        if is_good:
            number = decisions.review(connection, keys, KINDS[what], reason=form.why(), account=user().name)
            tasks.published(connection)
    if not is_good:
        return _show_again(what, form, is_same=is_same)
    flash(_said(what, number))
    return redirect(local_address(request.form.get("next")) if request.form.get("next") else _list(), 303)


def _show_again(what: str, form: Why, *, is_same: bool) -> ResponseReturnValue:
    with site().database.snapshot() as connection:
        found = _look(connection, what, request.form)
    if not is_same:
        flash(_("Some of the pulses have changed since you looked. This is what it would do now."), "error")
    return _show(what, request.form, found, form, 422 if is_same else 409)


def _kind(given: MultiDict[str, str]) -> str:
    what = given.get("what", "")
    if what not in KINDS:
        raise BadRequest
    return what


def _chosen(connection: Connection, what: str, given: MultiDict[str, str]) -> list[int]:
    """The keys of the pulses that are ticked, or of all that fit the filters; to be undone only what was decided."""
    if given.get("all"):
        statuses = Statuses(connection, [])
        found = pulse_search.keys(connection, statuses, wanted(filters(connection, given), statuses))
        if what != UNDO:
            return found
    else:
        ticked = (whole_number(one) for one in given.getlist("pulse"))
        found = sorted({one for one in ticked if one is not None})
    kinds = pulse_list.kinds(connection, found)
    return [pk for pk in found if pk in kinds and (what != UNDO or kinds[pk][0] is not None)]


def _look(connection: Connection, what: str, given: MultiDict[str, str]) -> Preview:
    keys = _chosen(connection, what, given)
    named = pulses.some(connection, keys[-NAMED:])
    named.reverse()
    effects = review_effect.effect(connection, site().policy, keys, Decision(KINDS[what])) if keys else []
    return Preview(keys, named, effects, pulse_list.state(connection, keys))


def _show(what: str, given: MultiDict[str, str], found: Preview, form: Why, status: int = 200) -> ResponseReturnValue:
    kept = [
        (name, one) for name, values in given.lists() if name not in ("csrf_token", "reason", "seen") for one in values
    ]
    shown = render_template(
        "pulses/decide.html", what=what, found=found, form=form, kept=kept, title=_title(what, len(found.keys)),
        words=STATUSES, back=local_address(given.get("next")) if given.get("next") else _list(), says=_says(what),
    )  # fmt: skip
    return shown, status if found.keys else 422


def _list() -> str:
    return local_address("/pulses/")


def _title(what: str, number: int) -> str:
    return {
        "approve": several("Approve %(num)s pulse?", "Approve %(num)s pulses?", number),
        "reject": several("Reject %(num)s pulse?", "Reject %(num)s pulses?", number),
        "hold": several("Put %(num)s pulse aside?", "Put %(num)s pulses aside?", number),
        UNDO: several(
            "Take back what was decided on %(num)s pulse?", "Take back what was decided on %(num)s pulses?", number
        ),
    }[what]


def _says(what: str) -> str:
    return {
        "approve": _(
            "What is approved enters the collections that review pulses, as it is now, where their rules let it in."
        ),
        "reject": _("What is rejected leaves every collection, and stays out of them."),
        "hold": _(
            "What is held stays out of the collections that review pulses, whoever wrote it, until somebody decides."
        ),
        UNDO: _("The rules decide again; where pulses are reviewed they wait, unless their author is trusted."),
    }[what]


def _said(what: str, number: int) -> str:
    return {
        "approve": several("%(num)s pulse is approved.", "%(num)s pulses are approved.", number),
        "reject": several("%(num)s pulse is rejected.", "%(num)s pulses are rejected.", number),
        "hold": several("%(num)s pulse is put aside.", "%(num)s pulses are put aside.", number),
        UNDO: several(
            "What was decided on %(num)s pulse is taken back.",
            "What was decided on %(num)s pulses is taken back.",
            number,
        ),
    }[what]
