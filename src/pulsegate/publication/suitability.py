"""How much of a collection's window a mail gateway can use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from pulsegate.model.collection import Profile
from pulsegate.model.indicator import IndicatorType
from pulsegate.publication.verdicts import BY_VALUE
from pulsegate.stix import expressible
from pulsegate.store import looking
from pulsegate.store.collections import StoredCollection
from pulsegate.store.database import Connection, now


@dataclass(frozen=True, slots=True)
class Suitability:
    """Of the window ``begin`` to now: blocks, and indicators by what the gateway makes of them."""

    begin: datetime
    blocks: int
    used: Mapping[str, int]
    ignored: Mapping[str, int]


def suitability(connection: Connection, stored: StoredCollection, segment: timedelta) -> Suitability:
    """Counts what was published in the last ``segment``; takes as long as it holds indicators.

    In the profile ``esa`` all that is there is used; elsewhere networks and URIs may be either, and count as ignored.
    """
    begin = now(connection) - segment
    blocks, found = looking.types_since(connection, stored.id, begin)
    is_made_for_it = stored.collection.profile is Profile.ESA
    used = {kind: count for kind, count in found.items() if is_made_for_it or _is_used(IndicatorType(kind))}
    return Suitability(begin, blocks, used, {kind: count for kind, count in found.items() if kind not in used})


def _is_used(kind: IndicatorType) -> bool:
    return kind not in BY_VALUE and expressible(kind, "", "", Profile.ESA) is None
