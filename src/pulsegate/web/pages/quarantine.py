"""What could not be taken in, with its reason; and another try, for one entry or for all that fit a filter."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import NotFound
from wtforms import SearchField, SelectField

from pulsegate.model.role import Role
from pulsegate.store import failures, pulses, quarantine, sources
from pulsegate.store.database import Connection
from pulsegate.store.quarantine import BLOCK, INDICATOR, PULSE, Quarantined, Wanted
from pulsegate.store.sources import FILES
from pulsegate.sync.retrial import forecast
from pulsegate.web import paging, tasks
from pulsegate.web.access import audited, needs
from pulsegate.web.forms import Form, choices
from pulsegate.web.said import fault
from pulsegate.web.site import site
from pulsegate.web.stale import still
from pulsegate.web.words import _, later

MOST = 10_000  # entries that are counted; more are "10,000+"
LONGEST = 100_000  # characters that are shown of what was sent
UNWRITTEN = "unwritten"  # in the place of a key: all that can't be written as STIX

pages = Blueprint("quarantine", __name__, url_prefix="/quarantine")


class Filters(Form):
    text = SearchField(later("Value, or id of the pulse"))
    kind = SelectField(
        later("What"),
        choices=choices(
            [("", later("all")), (INDICATOR, later("indicators")), (PULSE, later("pulses")), (BLOCK, later("packages"))]
        ),
    )
    reason = SelectField(later("Reason"), validate_choice=False)
    source = SelectField(later("Source"), validate_choice=False)


@pages.get("/")
@needs(Role.VIEWER)
def index() -> ResponseReturnValue:
    form, where = Filters(request.args), paging.position()
    with site().database.read() as connection:
        _offer(connection, form)
        wanted = _wanted(form)
        found = quarantine.page(
            connection, wanted, paging.row_key(where), backwards=where.backwards, limit=paging.SIZE + 1
        )
        is_all = where.key is None and len(found) <= paging.SIZE  # then another scan would tell nothing new
        number = len(found) if is_all else quarantine.number(connection, wanted, MOST)
        unwritten = failures.count(connection)
    page = paging.cut(found, where, lambda one: (one.pk,))
    more = {"number": number, "most": MOST, "unwritten": unwritten, "chosen": _chosen(wanted)}
    return render_template("quarantine/index.html", form=form, page=page, **more)


@pages.get("/<int:pk>")
@needs(Role.VIEWER)
def show(pk: int) -> ResponseReturnValue:
    with site().database.read() as connection:
        entry = _get(connection, pk)
        pulse = pulses.get(connection, entry.pulse_id) if entry.pulse_id else None
    today = forecast(entry, has_pulse=pulse is not None)
    return render_template("quarantine/show.html", one=entry, pulse=pulse, today=today, sent=_sent(entry))


@pages.get("/unwritten")
@needs(Role.VIEWER)
def unwritten() -> ResponseReturnValue:
    """Indicators that are stored and can't be written as STIX."""
    where = paging.position()
    with site().database.read() as connection:
        found = failures.page(connection, paging.row_key(where), backwards=where.backwards, limit=paging.SIZE + 1)
        number = failures.count(connection)
    page = paging.cut(found, where, lambda one: (one.pk,))
    return render_template("quarantine/unwritten.html", page=page, number=number)


@pages.get("/retry")
@needs(Role.CURATOR)
def preview_retry() -> ResponseReturnValue:
    """How many entries would be tried."""
    wanted = _wanted(Filters(request.args))
    with site().database.read() as connection:
        number = quarantine.number(connection, wanted, MOST)
    return render_template("quarantine/retry.html", number=number, most=MOST, chosen=_chosen(wanted))


@pages.post("/retry")
@needs(Role.CURATOR)
def retry() -> ResponseReturnValue:
    """One entry, by its key; those that can't be written; else all that fit the filter."""
    entry = request.form.get("entry", "")
    with site().database.write() as connection:
        if entry == UNWRITTEN:
            _start(connection, UNWRITTEN, unwritten=True)
            return redirect(url_for("quarantine.unwritten"), 303)
        if entry:
            found = _still(connection, request.form.get("entry", 0, int))
            _start(connection, f"{found.kind} {found.value}"[:200], entry=found.pk, stamp=found.stamp)
            return redirect(url_for("quarantine.index"), 303)
        wanted = _wanted(Filters(request.form))
        _start(connection, json.dumps(_chosen(wanted), ensure_ascii=False, sort_keys=True), wanted=asdict(wanted))
    return redirect(url_for("quarantine.index", **_chosen(wanted)), 303)  # type: ignore[arg-type]


def _start(connection: Connection, subject: str, **arguments: Any) -> None:
    tasks.start(connection, tasks.RETRY, **arguments)
    audited(connection, "quarantine.retry", subject)
    flash(_("The worker tries again."))


def _offer(connection: Connection, form: Filters) -> None:
    """What can be chosen: the reasons and sources that there are, and what was chosen before."""
    groups = {one: f"{fault(one)} ({number:,})" for one, number in quarantine.reasons(connection).items()}
    named, stored = (one.name for one in site().feeds), (one.name for one in sources.every(connection))
    origins = {one: one for one in sorted({*named, *stored, FILES})}
    for field, offered in ((form.reason, groups), (form.source, origins)):
        chosen = {field.data: field.data} if field.data and field.data not in offered else {}
        field.choices = choices([("", _("all")), *(chosen | offered).items()])


def _wanted(form: Filters) -> Wanted:
    """An empty field, or one that is not sent, asks for nothing."""
    return Wanted(form.kind.data or None, form.reason.data or None, form.source.data or None, form.text.data or None)


def _chosen(wanted: Wanted) -> dict[str, str]:
    return {name: text for name, text in asdict(wanted).items() if text}


def _get(connection: Connection, pk: int) -> Quarantined:
    found = quarantine.get(connection, pk)
    if found is None:
        raise NotFound
    return found


def _still(connection: Connection, pk: int) -> Quarantined:
    """The entry that the page showed: another one has its key when the pulse was read again."""
    found = quarantine.get(connection, pk) if abs(pk) <= paging.LARGEST else None
    return still(found, lambda one: (one.value or one.kind, one.stamp), "quarantine.index")


def _sent(entry: Quarantined) -> str:
    """What OTX sent, for people; cut where it is long."""
    if entry.raw is None:
        return ""
    try:
        text = json.dumps(json.loads(entry.raw), ensure_ascii=False, indent=1)
    except (ValueError, RecursionError):
        text = entry.raw
    return text if len(text) <= LONGEST else f"{text[:LONGEST]} …"
