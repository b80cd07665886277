"""What a decision would do, shown before it is made: counted here where it concerns little, else by the worker."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flask import flash, request

from pulsegate.publication import change as changes
from pulsegate.publication import effect
from pulsegate.publication.change import Change
from pulsegate.publication.effect import Effect
from pulsegate.store import tasks as stored
from pulsegate.web import paging, tasks
from pulsegate.web.access import user
from pulsegate.web.site import site
from pulsegate.web.words import _

MOST = 500  # indicators that a request looks at
MOST_ENTRIES = 200  # of the allow list that a request changes


@dataclass(frozen=True, slots=True)
class Preview:
    """``reach``: stored indicators that the change may concern, ``MOST + 1`` for more.

    ``effects``: None where they are not counted, or not yet; ``task``: the key of the one that counts them.
    """

    reach: int
    effects: Sequence[Effect] | None
    task: int | None = None

    @property
    def most(self) -> int:
        return MOST

    @property
    def is_wide(self) -> bool:
        return self.reach > MOST


def of(change: Change) -> Preview:
    """What the change would do. The address may name the task that has counted it (``task``)."""
    with site().database.read() as connection:
        reach = changes.reach(connection, change, MOST)
    if reach <= MOST:
        return Preview(reach, effect.effects(site().database, site().policy, change))
    return _counted(change, reach)


def _counted(change: Change, reach: int) -> Preview:
    """What the worker has counted: of this change, not of another one that the address might name."""
    key = request.args.get("task", type=paging.pk)
    with site().database.read() as connection:
        task = stored.get(connection, key) if key is not None else None
    if task is None or task.kind != tasks.EFFECT or not _is_same(changes.read(task.arguments), change):
        return Preview(reach, None)
    effects = effect.of_json(task.result["effects"]) if task.result else None
    return Preview(reach, effects, task.pk)


def _is_same(one: Change, other: Change) -> bool:
    return _names(one) == _names(other)


def _names(change: Change) -> list[list[tuple[str, str]]]:
    return [[(one.kind, one.text) for one in entries] for entries in (change.allow, change.disallow)]


def count(change: Change) -> int:
    """Have the worker count it; gives the task's key."""
    with site().database.write() as connection:
        return tasks.start(connection, tasks.EFFECT, **changes.written(change))


def changed() -> None:
    """Say, on the page that shows the effect anew, why the decision was not made."""
    flash(_("It has been changed since you looked. This is what it is now."), "error")


def make(change: Change, said: str) -> None:
    """Decide so, and have it published; what concerns much is done by the worker. ``said`` tells it to people."""
    with site().database.write() as connection:
        entries = len(change.allow) + len(change.disallow)
        if entries > MOST_ENTRIES or changes.reach(connection, change, MOST) > MOST:
            tasks.start(connection, tasks.DECIDE, account=user().name, **changes.written(change))
            said = _("The worker makes this change: it concerns much.")
        else:
            change.note(connection, user().name)
            tasks.published(connection)
    flash(said)
