"""At a glance: is the feed fresh, who polls it, what it holds, what came and went, what waits for somebody."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue

from pulsegate.model.collection import Collection, CollectionKind, ReviewMode
from pulsegate.model.role import Role
from pulsegate.publication.pulse_search import number_waiting
from pulsegate.store import alarms, collections, counts, failures, locks, pulses, quarantine, reflections, tallies
from pulsegate.store import tasks as stored
from pulsegate.store.collections import Size
from pulsegate.store.counts import TYPES, WAITING, Counted
from pulsegate.store.database import Connection, now
from pulsegate.web import appliances, chart, feeds, relays, tasks
from pulsegate.web.access import needs
from pulsegate.web.site import site

SHOWN = 5  # alarms, and tasks
FEW = 500  # pulses that are looked at whenever somebody asks; of more the worker keeps the number
SUBSCRIBED = "subscribed"

pages = Blueprint("overview", __name__, url_prefix="/")


@dataclass(frozen=True, slots=True)
class Held:
    """What a collection holds; ``types``: as of ``counted``, None where nothing was counted yet."""

    name: str
    size: Size
    types: dict[str, int]
    counted: datetime | None


@pages.get("/")
@needs(Role.VIEWER)
def index() -> ResponseReturnValue:
    with site().database.read() as connection:
        chosen = request.args.get("collection") or SUBSCRIBED
        today = now(connection).date()
        found = tallies.since(connection, today - timedelta(days=chart.DAYS - 1), chosen)
    return render_template("overview/index.html", chart=chart.chart(found, today), chosen=chosen, **_now())


@pages.get("/now")
@needs(Role.VIEWER)
def current() -> ResponseReturnValue:
    """What changes, for the page that refreshes itself."""
    return render_template("overview/now.html", **_now())


def _now() -> dict[str, Any]:
    database = site().database
    sources = feeds.every()
    with database.read() as connection:
        kept = counts.every(connection)
        every = [one.collection for one in collections.every(connection)]
        found = {
            "sources": [one for one in sources if one.word not in ("hand", "relayed", "unknown")],
            "senders": relays.senders(connection),
            "appliances": appliances.every(connection),
            "alarms": alarms.latest(connection, limit=SHOWN),
            "tasks": stored.latest(connection, limit=SHOWN),
            "quarantined": quarantine.count(connection) + failures.count(connection),
            "published": _published(connection),
            "moment": now(connection),
            "names": [one.name for one in every],
        }
        found |= _held(connection, every, kept) | _waiting(connection, every, kept.get(WAITING))
    found["is_at_work"] = locks.is_held(database, locks.WORKER)
    found["titles"] = tasks.TITLES
    return found


def _published(connection: Connection) -> datetime | None:
    """Up to when every collection reflects what is stored; None: nothing was published yet."""
    return min((one.moment for one in reflections.every(connection).values()), default=None)


def _held(connection: Connection, every: list[Collection], kept: dict[str, Counted]) -> dict[str, Any]:
    """The collections but those of single authors, and how many of these there are; the types that any holds."""
    sizes = collections.volumes(connection)
    shown = [one.name for one in every if one.kind is not CollectionKind.AUTHOR and one.name in sizes]
    rows = []
    for name in shown:
        counted = kept.get(f"{TYPES}{name}")
        rows.append(
            Held(name, sizes[name], dict(counted.numbers) if counted else {}, counted.counted if counted else None)
        )
    most: Counter[str] = Counter()
    for one in rows:
        most |= Counter(one.types)
    types = [kind for kind, _ in most.most_common()]
    times = [one.counted for one in rows if one.counted is not None]
    return {"held": rows, "types": types, "authors": len(sizes) - len(rows), "counted": min(times, default=None)}


def _waiting(connection: Connection, every: list[Collection], kept: Counted | None) -> dict[str, Any]:
    """How many pulses wait for a look, and as of when (None: now); None where the worker has not counted yet."""
    if all(one.review is ReviewMode.NONE for one in every):
        return {"waiting": 0, "waiting_counted": None}
    if pulses.count(connection) <= FEW:
        return {"waiting": number_waiting(connection), "waiting_counted": None}
    if kept is None:
        return {"waiting": None, "waiting_counted": None}
    return {"waiting": kept.numbers[WAITING], "waiting_counted": kept.counted}
