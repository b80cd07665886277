"""Where pulses come from: settings, state and history of each source; pulls, a test of the key, held removals."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import NotFound

from pulsegate.errors import UsageError
from pulsegate.model.role import Role
from pulsegate.settings import UpstreamSettings
from pulsegate.store import blocks, collections, runs, sources
from pulsegate.store import tasks as stored
from pulsegate.store.blocks import StoredBlock
from pulsegate.store.database import Connection
from pulsegate.store.tasks import Task
from pulsegate.web import feeds, paging, tasks
from pulsegate.web.access import audited, needs
from pulsegate.web.feeds import Shown
from pulsegate.web.site import site
from pulsegate.web.words import _

FIRST = 5  # pulses that are named before one looks at all that are held back
LOOKED_AT = 200  # of the last tasks, among which are those of a source

pages = Blueprint("sources", __name__, url_prefix="/sources")


@pages.get("/")
@needs(Role.VIEWER)
def index() -> ResponseReturnValue:
    return render_template("sources/index.html", found=feeds.every())


@pages.get("/<name>/")
@needs(Role.VIEWER)
def show(name: str) -> ResponseReturnValue:
    found = _get(name)
    where = paging.position()
    with site().database.read() as connection:
        rows = runs.page(connection, name, paging.row_key(where), backwards=where.backwards, limit=paging.SIZE + 1)
        first = sources.held_page(connection, name, None, limit=FIRST)
        owner = sources.owner(connection, name)
        asked = _asked(connection, name)
    page = paging.cut(rows, where, lambda one: (one.pk,))
    return render_template("sources/show.html", one=found, page=page, first=first, owner=owner, asked=asked)


@pages.get("/<name>/progress")
@needs(Role.VIEWER)
def progress(name: str) -> ResponseReturnValue:
    """How far a pull is, whoever began it; the part asks for itself again."""
    return render_template("sources/progress.html", one=_get(name))


@pages.post("/<name>/pull")
@needs(Role.ADMIN)
def pull(name: str) -> ResponseReturnValue:
    _require_active(name)
    full = "full" in request.form
    with site().database.write() as connection:
        tasks.start(connection, tasks.PULL, source=name, **({"full": True} if full else {}))
        audited(connection, "pull.start", name, after={"full": full})
    flash(_("The worker pulls from %(name)s.", name=name))
    return _back(name)


@pages.post("/<name>/test")
@needs(Role.ADMIN)
def test(name: str) -> ResponseReturnValue:
    """Ask OTX whose key it is."""
    _require_active(name)
    with site().database.write() as connection:
        tasks.start(connection, tasks.KEY, source=name)
        audited(connection, "source.test", name)
    return _back(name)


@pages.get("/<name>/held")
@needs(Role.VIEWER)
def held(name: str) -> ResponseReturnValue:
    """The pulses, or an upstream's packages, whose removal waits, and what it means to accept it."""
    found = _get(name)
    where = paging.position()
    with site().database.read() as connection:
        keys = sources.held(connection, name)
        rows = sources.held_page(
            connection, name, paging.row_key(where), backwards=where.backwards, limit=paging.SIZE + 1
        )
        packages = _packages(connection, found, keys)
    page = paging.cut(rows, where, lambda one: (one.pk,))
    more = {"packages": packages, "number": len(keys), "stamp": sources.stamp(keys)}
    return render_template("sources/held.html", one=found, page=page, **more)


@pages.post("/<name>/accept")
@needs(Role.CURATOR)
def accept(name: str) -> ResponseReturnValue:
    """Those that were shown may leave; UsageError when others wait by now."""
    _require_active(name)
    with site().database.write() as connection:
        keys = sources.held(connection, name)
        stamp = sources.stamp(keys)
        if not keys or request.form.get("stamp") != stamp:
            hint = _("Look at them again, and accept those")
            raise UsageError(_("other removals wait by now than those that you saw"), resource=name, hint=hint)
        tasks.start(connection, tasks.PULL, source=name, held=stamp)
        audited(connection, "pull.accept-removals", name, before={"held": len(keys)})
    flash(_("The worker takes them away with a pull."))
    return _back(name)


def _packages(connection: Connection, found: Shown, keys: Collection[int]) -> list[StoredBlock]:
    """The first of the packages with these keys; none where it is pulses that wait."""
    feed = found.state.feed
    if feed is None or not isinstance(feed.settings, UpstreamSettings) or not keys:
        return []
    stored = collections.get(connection, feed.settings.published_in)
    return list(blocks.published(connection, stored.id, sorted(keys)[: paging.SIZE]).values()) if stored else []


def _get(name: str) -> Shown:
    found = feeds.named(name)
    if found is None:
        raise NotFound
    return found


def _require_active(name: str) -> None:
    if not _get(name).state.is_active:
        hint = _("Give it a key, and enabled: true, in opentaxii.yml")
        raise UsageError(_("is not pulled from"), resource=name, hint=hint)


def _asked(connection: Connection, name: str) -> dict[str, Task]:
    """The last thing of each kind that somebody asked for on this page."""
    found: dict[str, Task] = {}
    for one in stored.latest(connection, limit=LOOKED_AT):
        arguments: Any = one.arguments
        if arguments.get("source") == name:
            found.setdefault(one.kind, one)
    return found


def _back(name: str) -> ResponseReturnValue:
    return redirect(url_for("sources.show", name=name), 303)
