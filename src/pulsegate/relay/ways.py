"""How far bundles have gone out, on each way: by hand, and by the outbox.

A delta builds on the last bundle of its own way: nobody knows whether what went another way has arrived.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from pulsegate.relay.manifest import Manifest
from pulsegate.store import state
from pulsegate.store.database import Connection, now


class Way(StrEnum):
    """By which bundles go out."""

    BY_HAND = "by-hand"
    OUTBOX = "outbox"


@dataclass(frozen=True, slots=True)
class Gone:
    """The number of the last state that went that way, and when; and when the last full snapshot did."""

    number: int
    time: datetime
    full: datetime | None


def gone(connection: Connection, way: Way) -> Gone | None:
    """None: nothing yet."""
    text = state.get(connection, _key(way))
    if text is None:
        return None
    found = json.loads(text)
    full = datetime.fromisoformat(found["full"]) if found["full"] else None
    return Gone(found["number"], datetime.fromisoformat(found["time"]), full)


def note(connection: Connection, way: Way, manifest: Manifest) -> None:
    """Note that the bundle went that way."""
    before, moment = gone(connection, way), now(connection)
    full = moment if manifest.kind == "full" else before and before.full
    kept = {"number": manifest.head.sequence, "time": moment.isoformat(), "full": full and full.isoformat()}
    state.put(connection, _key(way), json.dumps(kept))


def _key(way: Way) -> str:
    return f"relay.gone.{way}"
