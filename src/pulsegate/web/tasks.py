"""Long work: the pages ask the worker for it, and show how far it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue
from flask_babel import format_decimal
from werkzeug.exceptions import NotFound

from pulsegate.model.role import Role
from pulsegate.store import locks
from pulsegate.store import tasks as stored
from pulsegate.store.database import Connection
from pulsegate.web import access
from pulsegate.web.access import needs, user
from pulsegate.web.site import site
from pulsegate.web.words import _, later

SHOWN = 3  # tasks at once
PUBLISH, PULL, KEY, RETRY = "publish", "pull", "key", "retry"
EFFECT, DECIDE = "effect", "decide"
TRY_APPLIANCE = "try_appliance"
TRY_RULES, REMOVE_COLLECTION = "try_rules", "remove_collection"
READ_DRAFT, TAKE_DRAFT, REMOVE_OWN = "read_draft", "take_draft", "remove_own"
TRY_BUNDLE, TAKE_BUNDLE, WRITE_BUNDLE = "try_bundle", "take_bundle", "write_bundle"
FORGET_SENDER = "forget_sender"
TITLES = {
    PUBLISH: later("Publishing"),
    PULL: later("Pulling"),
    KEY: later("Testing the key"),
    RETRY: later("Trying again what is quarantined"),
    TRY_APPLIANCE: later("Testing the connection of an appliance"),
    TRY_RULES: later("Finding out what the rules would change"),
    REMOVE_COLLECTION: later("Removing a collection"),
    READ_DRAFT: later("Reading what was sent"),
    TAKE_DRAFT: later("Adding own indicators"),
    REMOVE_OWN: later("Removing own indicators"),
    EFFECT: later("Counting what a decision would do"),
    DECIDE: later("Changing the allow list"),
    TRY_BUNDLE: later("Looking at a bundle"),
    TAKE_BUNDLE: later("Taking a bundle"),
    WRITE_BUNDLE: later("Writing a bundle"),
    FORGET_SENDER: later("Forgetting a sender"),
}

pages = Blueprint("tasks", __name__, url_prefix="/tasks")


def start(connection: Connection, kind: str, **arguments: Any) -> int:
    """Ask the worker for a task; gives its key, for ``/admin/tasks/KEY`` or the macro ``task``."""
    return stored.start(connection, kind, arguments, user().name)


def published(connection: Connection) -> int:
    """Have what was decided published: call it in the transaction of each decision. Several that wait are one."""
    return start(connection, PUBLISH)


def unfinished() -> list[int]:
    """The keys of the tasks that every page shows to who is logged in: those that are not done yet."""
    if access.current() is None:
        return []
    with site().database.read() as connection:
        return [one.pk for one in stored.unfinished(connection)][:SHOWN]


@pages.get("/<int:pk>")
@needs(Role.VIEWER)
def show(pk: int) -> ResponseReturnValue:
    """One task; the part asks for itself again until it is done."""
    database = site().database
    with database.read() as connection:
        task = stored.get(connection, pk)
    if task is None:
        raise NotFound
    is_idle = not task.is_done and not locks.is_held(database, locks.WORKER)
    title = TITLES.get(task.kind, task.kind)
    return render_template("tasks/show.html", task=task, title=title, is_idle=is_idle, step=_step(task))


def _step(task: stored.Task) -> str:
    """What it is doing, for people."""
    found = task.progress or {}
    if found.get("step") == "publishing":
        return _("Publishing %(name)s", name=found.get("name", ""))
    if found.get("step") == "pulling":
        return _pulled(found)
    if found.get("step") == "trying":
        numbers = {name: format_decimal(found.get(name, 0)) for name in ("done", "total")}
        return _("%(done)s of %(total)s entries tried", **numbers)
    return _("OTX is asked") if found.get("step") == "asking" else ""


def _pulled(found: Mapping[str, Any]) -> str:
    done, indicators = (format_decimal(found.get(name) or 0) for name in ("done", "indicators"))
    if not found.get("total"):
        return _("%(done)s pulses with %(indicators)s indicators read", done=done, indicators=indicators)
    total = format_decimal(found["total"])
    return _("%(done)s of %(total)s pulses, %(indicators)s indicators", done=done, total=total, indicators=indicators)
