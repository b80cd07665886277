"""How long a value was in each collection, and which accounts fetched it meanwhile."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from pulsegate.publication.explanation import Stay
from pulsegate.store import polls, withdrawals
from pulsegate.store.around import Place
from pulsegate.store.collections import StoredCollection
from pulsegate.store.database import Connection
from pulsegate.store.polls import Fetch

SHOWN = 5  # stays that ended, of each collection


@dataclass(frozen=True, slots=True)
class Stays:
    """By the collection's key: who fetched what is there now, and what was there, the last one first."""

    fetched: Mapping[int, Sequence[Fetch]]
    left: Mapping[int, Sequence[Stay]]
    logged: datetime | None  # as of when the poll log can tell; None: it is empty


def read(
    connection: Connection,
    every: Iterable[StoredCollection],
    places: Mapping[int, Sequence[Place]],
    keys: Mapping[int, Mapping[bytes, str]],
    parts: Mapping[bytes, str],
) -> Stays:
    """Of the value that stands in ``places``, by the collection's key.

    ``keys``: what it may have been placed as, each with the network that this stands for (empty: the value itself).
    ``parts``: under what it was noted that it left such a network, while that stayed.
    """
    names = {one.id: one.collection.name for one in every}
    now_there = {
        id_: polls.Stay(names[id_], min(one.since for one in mine), max(one.label for one in mine))
        for id_, mine in places.items()
    }
    gone = _gone(connection, names, keys, parts)
    found = polls.fetches(connection, [*now_there.values(), *(asked for each in gone.values() for asked in each)])
    return Stays(
        {id_: found.get(stay, ()) for id_, stay in now_there.items()},
        {
            id_: [Stay(stay.first, _end(stay), of, tuple(found.get(stay, ()))) for stay, of in each.items()]
            for id_, each in gone.items()
        },
        polls.oldest(connection),
    )


def _gone(
    connection: Connection,
    names: Mapping[int, str],
    keys: Mapping[int, Mapping[bytes, str]],
    parts: Mapping[bytes, str],
) -> dict[int, dict[polls.Stay, str]]:
    """Those that ended, each with the network it was a part of; of several that ended at once the whole span.

    A network that ended was not this value's stay where it was written without it (``publish._without``).
    """
    spans: dict[tuple[int, datetime, str], list[datetime]] = {}
    left = withdrawals.of(connection, {id_: [*mine, *parts] for id_, mine in keys.items()})
    lacked = {
        (one.collection_id, one.ended, parts[one.identity])
        for one in left
        if one.identity in parts and one.since >= one.ended
    }
    for one in left:
        network = parts.get(one.identity) or keys[one.collection_id][one.identity]
        if (one.collection_id, one.ended, network) in lacked:
            continue
        spans.setdefault((one.collection_id, one.ended, network), []).extend(one.labels)
    found: dict[int, dict[polls.Stay, str]] = {}
    for (id_, ended, network), labels in spans.items():
        mine = found.setdefault(id_, {})
        if len(mine) < SHOWN:
            mine[polls.Stay(names[id_], min(labels), max(labels), ended)] = network
    return found


def _end(stay: polls.Stay) -> datetime:
    assert stay.ended is not None
    return stay.ended
