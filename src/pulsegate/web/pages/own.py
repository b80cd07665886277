"""Indicators of one's own: by hand, out of a report, from a file; looked at before they count; and taken away."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import BadRequest, NotFound
from wtforms import FileField, RadioField, SearchField, SelectField, StringField, TextAreaField
from wtforms.validators import InputRequired, Length

from pulsegate.errors import StoreError
from pulsegate.model.indicator import identity_of
from pulsegate.model.role import Role
from pulsegate.model.tlp import TLP
from pulsegate.reports import Format
from pulsegate.reports.fields import until
from pulsegate.store import drafts, own, tasks
from pulsegate.store.database import Connection, now
from pulsegate.store.own import OwnPulse, Standing
from pulsegate.store.tasks import Task
from pulsegate.sync.own import NAME
from pulsegate.sync.owning import picked, standing
from pulsegate.values.normalise import readings
from pulsegate.values.text import clean_line
from pulsegate.web import paging
from pulsegate.web.access import needs, user
from pulsegate.web.forms import Form, choices
from pulsegate.web.site import site
from pulsegate.web.stale import still
from pulsegate.web.tasks import READ_DRAFT, REMOVE_OWN, TAKE_DRAFT, start
from pulsegate.web.words import LazyString, _, later

pages = Blueprint("own", __name__, url_prefix="/own")

MOST = 10_000  # counted of a pulse
LONGEST_NAME = 250
REPORT = "report"
LEVELS = choices([("", later("as they say, else as the pulse, else green")), *((one.value, one.value) for one in TLP)])
FORMATS = choices(
    [
        (Format.AUTO.value, later("as it looks")),
        (Format.CSV.value, later("table (CSV)")),
        (Format.TEXT.value, later("text, one value a line")),
        (Format.STIX.value, later("STIX 1.x (XML)")),
        (Format.MISP.value, later("MISP event (JSON)")),
    ]
)
AGAINST: dict[str, LazyString] = {
    "own": later("covered by your own %(text)s: never served"),
    "allowed": later("on the allow list: %(text)s"),
    "protected": later("covered by the protection %(text)s"),
    "listed": later("on warning lists: %(text)s"),
    "there": later("among your own already"),
    "served": later("served already in %(text)s"),
}


class Into(Form):
    """What is asked of every addition."""

    name = StringField(later("Own pulse that they go into"), [InputRequired(), Length(max=LONGEST_NAME)], default=NAME)
    tlp = RadioField(later("TLP"), choices=LEVELS, default="")
    expires = StringField(later("Until when"))
    until: str | None = None  # what ``expires`` means, as ISO 8601


class ByHand(Into):
    values = TextAreaField(later("Values, one a line"), [InputRequired()])
    title = StringField(later("Title of each"), [Length(max=1000)])


class Report(Into):
    text = TextAreaField(later("The report"), [InputRequired()])


class File(Into):
    file = FileField(later("File"))
    format = SelectField(later("Format"), choices=FORMATS, default=Format.AUTO.value)


class Filters(Form):
    value = SearchField(later("Value"))


@pages.get("/")
@needs(Role.VIEWER)
def index() -> ResponseReturnValue:
    where = paging.position()
    with site().database.read() as connection:
        every = own.every(connection)
        page = paging.cut(_beside(every, where), where, lambda one: (one.pk,))
        counts = own.counts(connection, [one.pk for one in page.rows], MOST)
    return render_template("own/index.html", page=page, counts=counts, most=MOST)


@pages.get("/<int:pk>")
@needs(Role.VIEWER)
def show(pk: int) -> ResponseReturnValue:
    form, where = Filters(request.args), paging.position()
    with site().database.read() as connection:
        pulse = _pulse(connection, pk)
        if form.value.data:
            found = _with_value(connection, pk, form.value.data)
            page = paging.Page(found, None, None)
        else:
            key = paging.row_key(where)
            rows = own.page(connection, pk, key, backwards=where.backwards, limit=paging.SIZE + 1)
            page = paging.cut(rows, where, lambda one: (one.pk,))
        stands = standing(connection, [one.indicator.identity for one in page.rows], pk)
        moment = now(connection)
    return render_template("own/show.html", pulse=pulse, page=page, form=form, stands=stands, moment=moment)


@pages.route("/add", methods=["GET", "POST"])
@needs(Role.CURATOR)
def add() -> ResponseReturnValue:
    form = ByHand(values=request.args.get("value", "")) if request.method == "GET" else ByHand()
    if request.method == "GET" or not _is_right(form):
        return _asked("own/add.html", form)
    return _look(
        form, "", str(form.values.data).encode("utf-8", "replace"), Format.TEXT.value, str(form.title.data or "")
    )


@pages.route("/report", methods=["GET", "POST"])
@needs(Role.CURATOR)
def report() -> ResponseReturnValue:
    form = Report()
    if request.method == "GET" or not _is_right(form):
        return _asked("own/report.html", form)
    return _look(form, "", str(form.text.data).encode("utf-8", "replace"), REPORT)


@pages.route("/import", methods=["GET", "POST"])
@needs(Role.CURATOR)
def import_() -> ResponseReturnValue:
    form = File()
    if request.method == "GET" or not _is_right(form):
        return _asked("own/import.html", form, most=_most())
    sent = request.files.get("file")
    content = sent.read(_most() + 1) if sent else b""
    if not content or len(content) > _most():
        form.file.errors = [_("Choose a file.") if not content else _("It is larger than what is taken here.")]
        return _asked("own/import.html", form, most=_most())
    name = clean_line(sent.filename or "")[:LONGEST_NAME] if sent else ""
    return _look(form, name, content, str(form.format.data))


@pages.get("/drafts/<int:pk>")
@needs(Role.CURATOR)
def draft(pk: int) -> ResponseReturnValue:
    """What the worker has found in what was sent; all is in the task and the draft, so that it survives a reload."""
    with site().database.read() as connection:
        task = _task(connection, pk)
        is_there = drafts.is_there(connection, task.arguments["draft"])
    is_report = task.arguments["format"] == REPORT
    return render_template(
        "own/candidates.html" if is_report else "own/draft.html", task=task, is_there=is_there, against=_against,
        found=task.result if task.outcome == tasks.OK else None,
    )  # fmt: skip


@pages.post("/drafts/<int:pk>/take")
@needs(Role.CURATOR)
def take(pk: int) -> ResponseReturnValue:
    with site().database.write() as connection:
        task = _task(connection, pk)
        if task.outcome != tasks.OK:
            raise BadRequest
        given = dict(task.arguments)
        if not drafts.is_there(connection, given["draft"]):
            raise StoreError(_("What was sent was taken already, or is kept no longer"), hint=_("Send it again"))
        if given["format"] == REPORT:
            given |= {"draft": _picked(connection, task), "format": Format.CSV.value}
        start(connection, TAKE_DRAFT, **given, account=user().name)
    flash(_("They are being added."))
    return redirect(url_for("own.index"), 303)


@pages.post("/drafts/<int:pk>/drop")
@needs(Role.CURATOR)
def drop(pk: int) -> ResponseReturnValue:
    with site().database.write() as connection:
        drafts.remove(connection, _task(connection, pk).arguments["draft"])
    flash(_("Nothing was added."))
    return redirect(url_for("own.index"), 303)


@pages.get("/<int:pk>/remove")
@needs(Role.CURATOR)
def preview_removal(pk: int) -> ResponseReturnValue:
    """Of the indicators that are ticked (``key``), or of all of the pulse (``all``)."""
    keys = request.args.getlist("key", type=paging.pk)[: paging.SIZE]
    with site().database.read() as connection:
        pulse = _pulse(connection, pk)
        found = own.of_pulse(connection, pk, keys) if keys else []
        if found or "all" in request.args:
            return _preview(connection, pulse, found)
    flash(_("Tick the values that you want to remove."))
    return redirect(url_for("own.show", pk=pk), 303)


@pages.post("/<int:pk>/remove")
@needs(Role.CURATOR)
def remove(pk: int) -> ResponseReturnValue:
    """What was shown is taken away; of a whole pulse that has more by now, the effect is shown anew."""
    keys = request.form.getlist("key", type=paging.pk)
    if not keys and "all" not in request.form:
        raise BadRequest
    with site().database.write() as connection:
        pulse = still(_find(connection, pk), lambda one: (one.name,), "own.index")
        newest = own.newest(connection, pk)
        if not keys and newest > request.form.get("upto", 0, int):
            flash(_("More has been added since you looked. This is what it has now."), "error")
            return _preview(connection, pulse, []), 409
        start(connection, REMOVE_OWN, pulse=pk, keys=keys or None, upto=newest, account=user().name)
    flash(_("They are being removed."))
    return redirect(url_for("own.index"), 303)


def _preview(connection: Connection, pulse: OwnPulse, found: Sequence[Standing]) -> str:
    """What the removal of these would do; of none: of all that the pulse has."""
    stands = standing(connection, [one.indicator.identity for one in found], pulse.pk)
    newest = own.newest(connection, pulse.pk)  # before they are counted: what comes in between is shown anew
    count = own.counts(connection, [pulse.pk], MOST)[pulse.pk]
    return render_template(
        "own/remove.html", pulse=pulse, found=found, stands=stands, count=count, newest=newest, most=MOST
    )


def _beside(every: Sequence[OwnPulse], where: paging.Position) -> list[OwnPulse]:
    """Those of a page and one more, the newest first; backwards: the other way round."""
    key = paging.row_key(where)
    ordered = list(every) if where.backwards else list(reversed(every))
    if key is not None:
        ordered = [one for one in ordered if (one.pk > key if where.backwards else one.pk < key)]
    return ordered[: paging.SIZE + 1]


def _pulse(connection: Connection, pk: int) -> OwnPulse:
    found = _find(connection, pk)
    if found is None:
        raise NotFound
    return found


def _find(connection: Connection, pk: int) -> OwnPulse | None:
    return next((one for one in own.every(connection) if one.pk == pk), None)


def _with_value(connection: Connection, pk: int, text: str) -> list[Standing]:
    found = own.standing(connection, {pk}, [identity_of(*one) for one in readings(text)])
    return [one for each in found.values() for one in each]


def _task(connection: Connection, pk: int) -> Task:
    found = tasks.get(connection, pk)
    if found is None or found.kind != READ_DRAFT:
        raise NotFound
    return found


def _is_right(form: Into) -> bool:
    right = bool(form.validate())
    form.name.data = clean_line(str(form.name.data or ""))
    if not form.name.data and right:
        form.name.errors = [_("Write a name.")]
        right = False
    try:
        form.until = _until(form)
    except ValueError as error:
        form.expires.errors = [str(error)]
        right = False
    return right


def _until(form: Into) -> str | None:
    with site().database.read() as connection:
        end = until(str(form.expires.data or ""), now(connection))
    return end.isoformat() if end else None


def _asked(template: str, form: Into, **more: Any) -> ResponseReturnValue:
    with site().database.read() as connection:
        names = sorted({one.name for one in own.every(connection)})[:MOST]
    status = 422 if request.method == "POST" else 200
    return render_template(template, form=form, names=names, **more), status


def _look(form: Into, name: str, content: bytes, how: str, title: str = "") -> ResponseReturnValue:
    """Keep what was sent, and have the worker look at it."""
    with site().database.write() as connection:
        token = drafts.put(connection, user().name, name, content)
        pk = start(
            connection, READ_DRAFT, draft=token, format=how, name=str(form.name.data), tlp=str(form.tlp.data or ""),
            expires=form.until, title=clean_line(title), file=name,
        )  # fmt: skip
    return redirect(url_for("own.draft", pk=pk), 303)


def _picked(connection: Connection, task: Task) -> str:
    """A draft of what was ticked, in place of the report."""
    found = (task.result or {})["candidates"]
    places = {one for one in request.form.getlist("pick", type=int) if 0 <= one < len(found)}
    if not places:
        raise BadRequest
    drafts.remove(connection, task.arguments["draft"])
    chosen = [(str(found[one]["type"]), str(found[one]["value"])) for one in sorted(places)]
    return drafts.put(connection, user().name, "", picked(chosen))


def _against(pair: Sequence[str]) -> str:
    code, text = pair
    return str(AGAINST[code]) % {"text": text} if code in AGAINST else text


def _most() -> int:
    return min(site().settings.pages.max_upload, site().max_body)
