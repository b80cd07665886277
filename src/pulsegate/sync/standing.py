"""How each source of pulses stands: what the settings say of it, what is stored of it, what is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from pulsegate.settings import PullSettings, UpstreamSettings
from pulsegate.store import collections, sources
from pulsegate.store.database import Connection, now
from pulsegate.store.sources import FILES, OWN, RELAYED, Source, Walk
from pulsegate.sync.alarm import complaints


@dataclass(frozen=True, slots=True)
class Feed:
    """A source of the settings by its name. ``is_on``: it is pulled from."""

    name: str
    settings: PullSettings
    is_on: bool


@dataclass(frozen=True, slots=True)
class State:
    """A source as people want to know it.

    ``pulses``: how many it has; of an upstream, packages. ``row``: None before its first pull; ``is_known``: it is in
    the settings; ``alarms``: their texts. ``feed``: None
    for one that the settings don't name, for files and for what is added by hand.
    """

    name: str
    row: Source | None
    pulses: int
    is_known: bool
    is_active: bool
    moment: datetime
    alarms: Mapping[str, str]
    feed: Feed | None = None

    @property
    def is_fed(self) -> bool:
        """Whether it is not pulled from, but given: files, own indicators, a sender's bundles."""
        return is_fed(self.name)


def is_fed(name: str) -> bool:
    """Whether the source of this name is given what it has."""
    return name in (FILES, OWN) or name.startswith(RELAYED)


def states(connection: Connection, feeds: Sequence[Feed]) -> list[State]:
    """Every source that is in the settings or in the store, and the files."""
    configured = {one.name: one for one in feeds}
    stored = {one.name: one for one in sources.every(connection)}
    counts = {**sources.counts(connection), **_packages(connection, configured)}
    moment = now(connection)
    found = []
    for name in dict.fromkeys([*configured, *stored, *counts]):
        one, row = configured.get(name), stored.get(name)
        is_active = one is not None and one.is_on
        alarms = _alarms(one, row, moment) if one and row and is_active else {}
        is_known = one is not None or is_fed(name)
        found.append(State(name, row, counts.get(name, 0), is_known, is_active, moment, alarms, one))
    return found


def _alarms(feed: Feed, row: Source, moment: datetime) -> dict[str, str]:
    return complaints(row, feed.settings.stale_after, moment, feed.settings.brings)


def _packages(connection: Connection, configured: Mapping[str, Feed]) -> dict[str, int]:
    """How many packages each upstream has."""
    into = {}
    for name, one in configured.items():
        if isinstance(one.settings, UpstreamSettings):
            into[name] = one.settings.published_in
    sizes = collections.volumes(connection) if into else {}
    return {name: sizes[there].blocks for name, there in into.items() if there in sizes}


def seconds_left(walk: Walk, moment: datetime) -> float | None:
    """Of a walk, judged by how long it took until now, outages included; None: that can't be told."""
    taken = (moment - walk.started) / timedelta(seconds=1)
    if not walk.count or not walk.offset or taken <= 0:
        return None
    return round(taken / walk.offset * max(0, walk.count - walk.offset), 1)
