"""What each collection holds, the rules that fill it, and what other rules would change."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import quote

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import BadRequest, NotFound

from pulsegate.errors import StoreError
from pulsegate.model.collection import Collection, CollectionKind
from pulsegate.model.role import Role
from pulsegate.publication import export as exports
from pulsegate.publication.forms import ExportFormat
from pulsegate.settings.load import collection as read_collection
from pulsegate.settings.written import as_settings
from pulsegate.store import accounts, collections, looking, polls, tallies, tasks
from pulsegate.store.collections import Origin, StoredCollection
from pulsegate.store.database import Connection, now
from pulsegate.store.tasks import Task
from pulsegate.web import paging, rules
from pulsegate.web.access import audited, needs, user
from pulsegate.web.rules import Rules
from pulsegate.web.site import site
from pulsegate.web.stale import still
from pulsegate.web.tasks import REMOVE_COLLECTION, TRY_RULES, published, start
from pulsegate.web.words import LazyString, _, later

pages = Blueprint("collections", __name__, url_prefix="/collections")

SHOWN = 100  # indicators that came last
LEFT = 50  # that left last
COUNTED = 10_000  # by type; of larger collections those that came last
DAYS = timedelta(days=30)
KINDS: dict[CollectionKind, LazyString] = {
    CollectionKind.SUBSCRIBED: later("all pulses"),
    CollectionKind.AUTHOR: later("an author's"),
    CollectionKind.OWN: later("by rule"),
    CollectionKind.INBOX: later("inbox"),
}
MEDIA = {
    ExportFormat.CSV: ("text/csv", "csv"),
    ExportFormat.TEXT: ("text/plain", "txt"),
    ExportFormat.STIX: ("application/xml", "xml"),
    ExportFormat.JSONL: ("application/jsonl", "jsonl"),
}


@pages.get("/")
@needs(Role.VIEWER)
def index() -> ResponseReturnValue:
    with site().database.read() as connection:
        every = collections.every(connection)
        held = looking.held(connection)
        opened = {one.name: one.opened for one in collections.polled(connection)}
    return render_template(
        "collections/index.html", every=every, held=held, opened=opened, nothing=looking.NOTHING, kinds=KINDS,
        source=_source,
    )  # fmt: skip


@pages.get("/named/<path:name>")
@needs(Role.VIEWER)
def named(name: str) -> ResponseReturnValue:
    """For links from places that know only the name."""
    with site().database.read() as connection:
        found = collections.get(connection, name)
    if found is None:
        raise NotFound
    return redirect(url_for("collections.show", pk=found.id), 303)


@pages.get("/<int:pk>")
@needs(Role.VIEWER)
def show(pk: int) -> ResponseReturnValue:
    with site().database.read() as connection:
        stored = _get(connection, pk)
        held = looking.held(connection, pk).get(pk, looking.NOTHING)
        came = looking.newest(connection, pk, SHOWN)
        gone = looking.gone(connection, pk, LEFT)
        types = looking.types_of_newest(connection, pk, COUNTED)
        days = tallies.since(connection, (now(connection) - DAYS).date(), stored.collection.name)
        (polled,) = collections.polled(connection, name=stored.collection.name)
    return render_template(
        "collections/show.html", stored=stored, one=stored.collection, held=held, came=came, gone=gone, types=types,
        days=list(reversed(days)), polled=polled, given=as_settings(stored.collection), kinds=KINDS, source=_source,
        changeable=_is_changeable(stored), texts=rules.TEXTS, counted=COUNTED, formats=list(ExportFormat),
    )  # fmt: skip


@pages.get("/<int:pk>/download/<form>")
@needs(Role.VIEWER)
def download(pk: int, form: str) -> ResponseReturnValue:
    """Streamed as it is read."""
    if form not in set(ExportFormat):
        raise NotFound
    with site().database.read() as connection:
        stored = _get(connection, pk)
    wanted = ExportFormat(form)
    media, ending = MEDIA[wanted]
    name = quote(f"{stored.collection.name}.{ending}", safe="")
    headers = {"Content-Disposition": f"attachment; filename=\"collection.{ending}\"; filename*=UTF-8''{name}"}
    pieces = exports.export(site().database, stored, wanted)
    return Response(pieces, mimetype=media, headers=headers)


@pages.route("/add", methods=["GET", "POST"])
@needs(Role.CURATOR)
def add() -> ResponseReturnValue:
    if request.method == "GET":
        return render_template("collections/edit.html", form=_proposed() or Rules(), stored=None)
    form = Rules()
    name = str(form.name.data or "").strip()
    given = rules.written(form, name)
    with site().database.read() as connection:
        is_there = collections.get(connection, name) is not None
    if is_there:
        form.name.errors = [_("A collection of this name is there already.")]
    if rules.complain(form, given, site().policy.lists.names) or is_there:
        return render_template("collections/edit.html", form=form, stored=None), 422
    return _try(given, None)


@pages.route("/<int:pk>/edit", methods=["GET", "POST"])
@needs(Role.CURATOR)
def edit(pk: int) -> ResponseReturnValue:
    with site().database.read() as connection:
        stored = _get(connection, pk) if request.method == "GET" else _still(connection, pk)
    _require_changeable(stored)
    known = as_settings(stored.collection)
    if request.method == "GET":
        return render_template("collections/edit.html", form=_proposed() or rules.filled(known), stored=stored)
    form = Rules()
    form.kind.data = "inbox" if stored.collection.kind is CollectionKind.INBOX else "rules"
    given = rules.written(form, stored.collection.name)
    if rules.complain(form, given, site().policy.lists.names):
        return render_template("collections/edit.html", form=form, stored=stored), 422
    return _try(given, known)


@pages.get("/trials/<int:pk>")
@needs(Role.VIEWER)
def trial(pk: int) -> ResponseReturnValue:
    """What the rules would change, before they are saved; the task keeps both, so that it survives a reload."""
    with site().database.read() as connection:
        task = _task(connection, pk)
        given = task.arguments["collection"]
        stored = collections.get(connection, given["name"])
    wanted, before = as_settings(_wanted(task)), task.arguments["before"] or {}
    known = before or as_settings(Collection(given["name"]))
    keys = [key for key in wanted if known.get(key) != wanted[key]]
    return render_template(
        "collections/trial.html", task=task, given=wanted, before=before, keys=keys, stored=stored,
        found=task.result if task.outcome == tasks.OK else None,
        outdated=(as_settings(stored.collection) if stored else None) != task.arguments["before"],
    )  # fmt: skip


@pages.post("/trials/<int:pk>/save")
@needs(Role.CURATOR)
def save(pk: int) -> ResponseReturnValue:
    """What was tried is stored as it was tried, if nobody has changed the collection since."""
    with site().database.write() as connection:
        task = _task(connection, pk)
        if task.outcome != tasks.OK:
            raise BadRequest
        wanted = _wanted(task)
        known = collections.get(connection, wanted.name)
        before = as_settings(known.collection) if known else None
        if before != task.arguments["before"]:
            hint = _("Change it again from what it is now")
            raise StoreError(_("was changed meanwhile"), resource=wanted.name, hint=hint)
        if known is not None:
            _require_changeable(known)
        _refuse_settings(wanted.name)
        stored = collections.put(connection, wanted, Origin.COMMAND)
        action = "collection.edit" if known else "collection.add"
        audited(connection, action, wanted.name, before=before, after=as_settings(wanted))
        published(connection)
    flash(_("Saved. It is being published."))
    return redirect(url_for("collections.show", pk=stored.id), 303)


@pages.get("/<int:pk>/remove")
@needs(Role.CURATOR)
def preview_removal(pk: int) -> ResponseReturnValue:
    with site().database.read() as connection:
        stored = _get(connection, pk)
        _require_changeable(stored)
        held = looking.held(connection, pk).get(pk, looking.NOTHING)
        name = stored.collection.name
        rights = [one.name for one in accounts.every(connection) if name in one.permissions]
        last = polls.latest(connection, collection=name, limit=1)
    return render_template(
        "collections/remove.html", stored=stored, held=held, rights=rights, last=last[0] if last else None
    )


@pages.post("/<int:pk>/remove")
@needs(Role.CURATOR)
def remove(pk: int) -> ResponseReturnValue:
    """By the worker: a large one takes a while, in one transaction."""
    with site().database.write() as connection:
        stored = _still(connection, pk)
        _require_changeable(stored)
        start(connection, REMOVE_COLLECTION, name=stored.collection.name, account=user().name)
    flash(_("%(name)s is being removed.", name=stored.collection.name))
    return redirect(url_for("collections.index"), 303)


def _get(connection: Connection, pk: int) -> StoredCollection:
    found = collections.by_id(connection, pk)
    if found is None:
        raise NotFound
    return found


def _still(connection: Connection, pk: int) -> StoredCollection:
    """The collection that the page showed."""
    return still(collections.by_id(connection, pk), lambda one: (one.collection.name,), "collections.index")


def _task(connection: Connection, pk: int) -> Task:
    found = tasks.get(connection, pk)
    if found is None or found.kind != TRY_RULES:
        raise NotFound
    return found


def _try(given: Mapping[str, Any], before: Mapping[str, Any] | None) -> ResponseReturnValue:
    _refuse_settings(str(given["name"]))
    with site().database.write() as connection:
        pk = start(connection, TRY_RULES, collection=given, before=before)
    return redirect(url_for("collections.trial", pk=pk), 303)


def _proposed() -> Rules | None:
    """The fields as they were tried, to go on from there."""
    pk = request.args.get("trial", type=paging.pk)
    if pk is None:
        return None
    with site().database.read() as connection:
        return rules.filled(_task(connection, pk).arguments["collection"])


def _wanted(task: Task) -> Collection:
    given = task.arguments["collection"]
    return read_collection(given, str(given["name"])).to_model()


def _in_settings(name: str) -> bool:
    return name in site().settings.collection_names


def _source(stored: StoredCollection) -> str:
    """``built-in``, ``settings`` or ``own``: who may change it."""
    if stored.collection.kind in (CollectionKind.SUBSCRIBED, CollectionKind.AUTHOR):
        return "built-in"
    return "settings" if _in_settings(stored.collection.name) else "own"


def _is_changeable(stored: StoredCollection) -> bool:
    return _source(stored) == "own"


def _require_changeable(stored: StoredCollection) -> None:
    _refuse_settings(stored.collection.name)
    if not _is_changeable(stored):
        raise StoreError(
            _("is kept by Pulsegate itself"),
            resource=stored.collection.name,
            hint=_("Only your own can be changed or removed"),
        )


def _refuse_settings(name: str) -> None:
    if _in_settings(name):
        hint = _("Change it there, and start the server again")
        raise StoreError(_("stands in the settings file"), resource=name, hint=hint)
