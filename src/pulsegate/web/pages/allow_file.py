"""The allow list from a file and into one: what a file would add is shown first, and the lines that are wrong."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from flask import Blueprint, Response, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_wtf.file import FileField
from wtforms import TextAreaField

from pulsegate.errors import ReportError
from pulsegate.model.decisions import Allowed
from pulsegate.model.role import Role
from pulsegate.publication import allow_file
from pulsegate.publication.allow_file import AllowExport, AllowFormat, Told
from pulsegate.publication.change import Change
from pulsegate.store import decisions
from pulsegate.store.database import now
from pulsegate.web import previews
from pulsegate.web.access import may, needs, user
from pulsegate.web.entries import Decision
from pulsegate.web.site import site
from pulsegate.web.words import _, later

pages = Blueprint("lists_allow_file", __name__, url_prefix="/lists/allow/file")

MOST_BYTES = 2_000_000
MOST_ENTRIES = 5_000
SHOWN = 50  # lines of each kind


class Import(Decision):
    file = FileField(later("File"))
    text = TextAreaField(later("Or the lines themselves"))

    def content(self) -> str:
        """What was given; empty where a field has an error now."""
        given = self.file.data.read(MOST_BYTES + 1) if self.file.data else (self.text.data or "").encode()
        if len(given) > MOST_BYTES:
            self.file.errors = [_("It is larger than 2 MB. Use 'pulsegate allow import'.")]
            return ""
        try:
            return str(given.decode("utf-8-sig"))
        except UnicodeDecodeError:
            self.file.errors = [_("It is no text in UTF-8.")]
            return ""


@pages.get("/import")
@needs(Role.CURATOR)
def read() -> ResponseReturnValue:
    return render_template("allow/import.html", form=Import(None), entries=None)


@pages.post("/import")
@needs(Role.CURATOR)
def preview() -> ResponseReturnValue:
    """What the file would add, and what is wrong in it. It is kept in the page only."""
    form = Import()
    entries, faults = _entries(form)
    new = _new(entries)
    if form.errors or (not entries and not faults):
        if not form.errors:
            form.file.errors = [_("It has no entry.")]
        return render_template("allow/import.html", form=form, entries=None), 422
    shown = previews.of(Change(allow=new)) if 0 < len(new) <= previews.MOST_ENTRIES else None
    kept = allow_file.as_csv(new)
    return render_template(
        "allow/import.html", form=form, entries=entries, new=new, faults=faults, preview=shown, kept=kept, most=SHOWN
    )


@pages.post("/add")
@needs(Role.CURATOR)
def make() -> ResponseReturnValue:
    form = Import()
    entries, faults = _entries(form)
    new = _new(entries)
    if form.errors or faults or not new:
        return render_template("allow/import.html", form=form, entries=None), 422
    previews.make(Change(allow=new), _("%(count)s entries were added to the allow list.", count=len(new)))
    return redirect(url_for("lists_allow.index"), 303)


@pages.get("/allow-list.<form>")
@needs(Role.VIEWER)
def export(form: str) -> ResponseReturnValue:
    """The allow list as a file that the import reads as the same list."""
    with site().database.read() as connection:
        entries = decisions.read(connection).allowed
    is_text = form == AllowExport.TEXT
    text = allow_file.as_text(entries) if is_text else allow_file.as_csv(entries)
    headers = {"Content-Disposition": f"attachment; filename=allow-list.{'txt' if is_text else 'csv'}"}
    return Response(text, mimetype="text/plain" if is_text else "text/csv", headers=headers)


def _entries(form: Import) -> tuple[list[Allowed], list[tuple[int, str]]]:
    """What the file tells, with the given reason and end where it tells none; and its lines that are wrong."""
    text = form.content() if form.validate() else ""
    with site().database.read() as connection:
        moment = now(connection)
    end = form.end(moment)
    if form.errors:
        return [], []
    try:
        told, faults = allow_file.sift(text, AllowFormat.AUTO, _("the file"), MOST_ENTRIES)
    except ReportError as error:
        form.file.errors = [str(error)]
        return [], []
    return [_made(one, form.why(), end, moment) for one in told], faults


def _made(one: Told, why: str, end: datetime | None, moment: datetime) -> Allowed:
    """Who added it, and when, counts where an administrator says so: a list is moved to another installation."""
    who, since = (one.account, one.since) if may(Role.ADMIN) else (None, None)
    by, reason = who or user().name, one.reason or why
    return Allowed(one.kind, one.text, reason, by, since or moment, one.expires or end)


def _new(entries: Sequence[Allowed]) -> list[Allowed]:
    """Without those that are there already, and of which nothing else is told."""
    with site().database.read() as connection:
        there = {(one.kind, one.text): one for one in decisions.read(connection).allowed}
    return [one for one in entries if not _is_known(one, there.get((one.kind, one.text)))]


def _is_known(one: Allowed, there: Allowed | None) -> bool:
    return there is not None and one.reason in ("", there.reason) and one.expires in (None, there.expires)
