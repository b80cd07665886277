"""Pulses as people look for them: also those that wait, which only the rules of the collections can say."""

from __future__ import annotations

from pulsegate.publication.waiting import Statuses
from pulsegate.store import pulse_list
from pulsegate.store.database import Connection
from pulsegate.store.pulse_list import Key, Order, Waits, Wanted
from pulsegate.store.pulses import StoredPulse

LOOKED_AT = 500  # at once, where each has to be
MOST_COUNTED = 1_000  # of those


def waits(statuses: Statuses) -> Waits:
    """For ``Wanted.review``: those that wait as of then."""
    return Waits(statuses.moment, statuses.reviewed, statuses.strict)


def page(
    connection: Connection,
    statuses: Statuses,
    wanted: Wanted,
    order: Order,
    key: Key | None,
    *,
    backwards: bool = False,
    limit: int,
) -> list[StoredPulse]:
    """``pulse_list.page``, of those that fit in truth; ``statuses`` knows them after that."""
    is_exact = pulse_list.is_exact(connection, wanted)
    at_once = limit if is_exact else max(limit, LOOKED_AT)
    found: list[StoredPulse] = []
    while True:
        rows = pulse_list.page(connection, wanted, order, key, backwards=backwards, limit=at_once)
        found += _fitting(connection, statuses, rows, is_exact=is_exact)
        if len(found) >= limit or len(rows) < at_once:
            return found[:limit]
        key = pulse_list.key_of(order, rows[-1])


def count(connection: Connection, statuses: Statuses, wanted: Wanted) -> tuple[int, bool]:
    """How many fit, and whether that is the whole number: where each has to be looked at, only some are."""
    if pulse_list.is_exact(connection, wanted):
        return pulse_list.count(connection, wanted), True
    keys = pulse_list.keys(connection, wanted)
    rows = list(pulse_list.in_turn(connection, keys[:MOST_COUNTED]))
    return len(_fitting(connection, statuses, rows, is_exact=False)), len(keys) <= MOST_COUNTED


def keys(connection: Connection, statuses: Statuses, wanted: Wanted) -> list[int]:
    """The keys of all that fit, rising."""
    found = pulse_list.keys(connection, wanted)
    if pulse_list.is_exact(connection, wanted):
        return found
    rows = list(pulse_list.in_turn(connection, found))
    return sorted(one.pk for one in _fitting(connection, statuses, rows, is_exact=False))


def number_waiting(connection: Connection) -> int:
    """How many pulses wait, or have something that waits. Where rules ask for more than columns, all are looked at."""
    statuses = Statuses(connection, [])
    return len(keys(connection, statuses, Wanted(review=waits(statuses)))) if statuses.reviewed else 0


def _fitting(
    connection: Connection, statuses: Statuses, rows: list[StoredPulse], *, is_exact: bool
) -> list[StoredPulse]:
    statuses.learn(connection, rows)
    return rows if is_exact else [one for one in rows if statuses.waits(one)]
