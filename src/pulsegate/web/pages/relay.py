"""The relay: what was written and taken, how old that is, what waits or was refused; and bundles by hand."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import BadRequest, NotFound
from wtforms import FileField, SelectField

from pulsegate.errors import StoreError, UsageError
from pulsegate.model.relay import without_name
from pulsegate.model.role import Role
from pulsegate.relay.outbox import part_name
from pulsegate.store import drafts, locks, relay, relay_notes, tasks
from pulsegate.store.database import Connection, now
from pulsegate.store.tasks import Task
from pulsegate.values.text import clean_line
from pulsegate.web import paging, relays
from pulsegate.web.access import needs, user
from pulsegate.web.forms import Form, choices
from pulsegate.web.site import site
from pulsegate.web.stale import differs, there
from pulsegate.web.tasks import FORGET_SENDER, TAKE_BUNDLE, TITLES, TRY_BUNDLE, WRITE_BUNDLE, start
from pulsegate.web.words import LazyString, _, later

pages = Blueprint("relay", __name__, url_prefix="/relay")

FEW = 5  # bundles, refusals and tasks that the first page shows
LOOKED_AT = 100  # of the last tasks, among which are those of the relay
LONGEST_NAME = 250
ASKED = (TAKE_BUNDLE, WRITE_BUNDLE, FORGET_SENDER)
OUTCOMES: dict[str, tuple[LazyString, str]] = {
    relay.WRITTEN: (later("written"), "in"),
    relay.TAKEN: (later("taken"), "in"),
    relay.KNOWN: (later("known already"), "out"),
    relay.WAITS: (later("waits"), "waiting"),
    relay.REFUSED: (later("refused"), "failed"),
}


class File(Form):
    file = FileField(later("File"))


class Filters(Form):
    outcome = SelectField(
        later("Outcome"),
        choices=choices([("", later("all")), *((name, words) for name, (words, _state) in OUTCOMES.items())]),
        validate_choice=False,
    )


@pages.get("/")
@needs(Role.VIEWER)
def index() -> ResponseReturnValue:
    settings = site().settings.relay
    with site().database.read() as connection:
        moment = now(connection)
        keys = relays.trusted(moment)
        found: dict[str, Any] = {
            "name": relays.own_name(connection),
            "written": relays.written(connection, FEW),
            "full_due": relays.full_due(connection),
            "out": relay_notes.get(connection, relay.OUT),
            "into": relay_notes.get(connection, relay.IN),
            "keys": keys,
            "senders": relays.senders(connection, keys),
            "refused": relay.logged(connection, relay.IN, None, outcome=relay.REFUSED, limit=FEW),
            "asked": [one for one in tasks.latest(connection, limit=LOOKED_AT) if one.kind in ASKED][:FEW],
        }
    found["sends"] = bool(settings.outbox or settings.key or found["written"])
    found["receives"] = bool(settings.inbox or settings.trust or found["senders"] or found["refused"])
    return render_template(
        "relay/index.html", settings=settings, moment=moment, own_key=relays.own_key(),
        receipts=relays.receipts(), titles=TITLES, is_at_work=locks.is_held(site().database, locks.WORKER),
        without_name=without_name, **found,
    )  # fmt: skip


@pages.get("/log")
@needs(Role.VIEWER)
def log() -> ResponseReturnValue:
    form, where = Filters(request.args), paging.position()
    wanted = form.outcome.data if form.outcome.data in OUTCOMES else None
    with site().database.read() as connection:
        rows = relay.logged(
            connection, None, paging.row_key(where), outcome=wanted, backwards=where.backwards, limit=paging.SIZE + 1
        )
    page = paging.cut(rows, where, lambda one: (one.pk,))
    return render_template("relay/log.html", form=form, page=page, outcomes=OUTCOMES, without_name=without_name)


@pages.post("/write")
@needs(Role.ADMIN)
def write() -> ResponseReturnValue:
    if site().settings.relay.outbox is None or site().demo:
        raise UsageError(_("there is no outbox"), hint=_("Set relay.outbox; the demo has none"))
    with site().database.write() as connection:
        start(connection, WRITE_BUNDLE, full="full" in request.form, account=user().name)
    flash(_("The worker writes a bundle."))
    return redirect(url_for("relay.index"), 303)


@pages.route("/take", methods=["GET", "POST"])
@needs(Role.ADMIN)
def send() -> ResponseReturnValue:
    """A file is sent, kept, and looked at by the worker."""
    form = File()
    if request.method == "GET":
        return _form(form), 200
    sent = request.files.get("file")
    content = sent.read(_most() + 1) if sent else b""
    name = clean_line(sent.filename or "")[:LONGEST_NAME] if sent else ""
    fault = _fault(name, content)
    if fault is not None:
        form.file.errors = [fault]
        return _form(form), 422
    with site().database.write() as connection:
        token = drafts.put(connection, user().name, name, content)
        pk = start(connection, TRY_BUNDLE, draft=token, file=name, restart=False)
    return redirect(url_for("relay.trial", pk=pk), 303)


@pages.get("/trials/<int:pk>")
@needs(Role.ADMIN)
def trial(pk: int) -> ResponseReturnValue:
    """What the worker has found in the file; all is in the task and the draft, so that it survives a reload."""
    with site().database.read() as connection:
        task = _task(connection, pk)
        is_there = drafts.is_there(connection, task.arguments["draft"])
    came: Any = task.result or {}
    created = datetime.fromisoformat(came["found"]["created"]) if "found" in came else None
    return render_template("relay/trial.html", task=task, is_there=is_there, came=came, created=created)


@pages.post("/trials/<int:pk>/restart")
@needs(Role.ADMIN)
def restart(pk: int) -> ResponseReturnValue:
    """The same file is looked at as if nothing had been taken of its sender: only where the refusal says so."""
    with site().database.write() as connection:
        task = _task(connection, pk)
        if not (task.result or {}).get("refused", {}).get("restart"):
            raise BadRequest
        _require_draft(connection, task)
        again = start(connection, TRY_BUNDLE, **dict(task.arguments) | {"restart": True})
    return redirect(url_for("relay.trial", pk=again), 303)


@pages.post("/trials/<int:pk>/take")
@needs(Role.ADMIN)
def take(pk: int) -> ResponseReturnValue:
    with site().database.write() as connection:
        task = _task(connection, pk)
        if "found" not in (task.result or {}):
            raise BadRequest
        _require_draft(connection, task)
        start(connection, TAKE_BUNDLE, **task.arguments, account=user().name)
    flash(_("The bundle is being taken."))
    return redirect(url_for("relay.index"), 303)


@pages.post("/trials/<int:pk>/drop")
@needs(Role.ADMIN)
def drop(pk: int) -> ResponseReturnValue:
    with site().database.write() as connection:
        drafts.remove(connection, _task(connection, pk).arguments["draft"])
    flash(_("Nothing was taken."))
    return redirect(url_for("relay.index"), 303)


@pages.get("/senders/<origin>/forget")
@needs(Role.ADMIN)
def preview_forget(origin: str) -> ResponseReturnValue:
    with site().database.read() as connection:
        found = relays.sender(connection, origin)
    if found is None:
        raise NotFound
    return render_template("relay/forget.html", one=found)


@pages.post("/senders/<origin>/forget")
@needs(Role.ADMIN)
def forget(origin: str) -> ResponseReturnValue:
    """The sender as it was shown; when something has been taken of it meanwhile, the effect is shown anew."""
    with site().database.write() as connection:
        found = there(relays.sender(connection, origin), "relay.index")
        if differs(origin, found.sender.head.sequence, found.pulses):
            flash(_("It has been changed since you looked. This is what it is now."), "error")
            return render_template("relay/forget.html", one=found), 409
        start(connection, FORGET_SENDER, origin=origin, withdraw="withdraw" in request.form, account=user().name)
    flash(_("The worker forgets %(name)s.", name=origin))
    return redirect(url_for("relay.index"), 303)


def _form(form: File) -> str:
    return render_template("relay/send.html", form=form, most=_most(), settings=site().settings.relay)


def _fault(name: str, content: bytes) -> str | None:
    """Why what was sent is not even looked at."""
    if not site().settings.relay.trust:
        return _("There is no key that bundles may be signed with: set relay.trust.")
    if not content:
        return _("Choose a file.")
    if part_name(name) is not None:
        return _("This is one part of several. Put all of them into the inbox, or put them together first.")
    if len(content) > _most():
        return _("It is larger than what is taken here. Put it into the inbox, or run 'pulsegate relay import'.")
    return None


def _task(connection: Connection, pk: int) -> Task:
    found = tasks.get(connection, pk)
    if found is None or found.kind != TRY_BUNDLE:
        raise NotFound
    return found


def _require_draft(connection: Connection, task: Task) -> None:
    if not drafts.is_there(connection, task.arguments["draft"]):
        raise StoreError(_("What was sent was taken already, or is kept no longer"), hint=_("Send it again"))


def _most() -> int:
    return min(site().settings.pages.max_upload, site().max_body)
