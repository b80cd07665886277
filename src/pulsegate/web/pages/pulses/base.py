"""What the pages of pulses share: the blueprint, a pulse by its id, and words for what is decided."""

from __future__ import annotations

import re

from flask import Blueprint
from werkzeug.exceptions import NotFound

from pulsegate.store import pulses
from pulsegate.store.database import Connection
from pulsegate.store.digests import storable
from pulsegate.store.pulses import StoredPulse
from pulsegate.web.words import later

pages = Blueprint("pulses", __name__, url_prefix="/pulses")

_DIGITS = re.compile("[0-9]{1,10}")
STATUSES = {
    "waiting": (later("waits for a look"), "waiting"),
    "approved": (later("approved"), "in"),
    "rejected": (later("rejected"), "failed"),
    "held": (later("held"), "waiting"),
    "active": (later("no look needed"), "plain"),
    "withdrawn": (later("withdrawn"), "out"),
}
"""The words for a status (``publication.waiting.STATUSES``), and the badge that they stand in."""


def by_id(connection: Connection, pulse_id: str) -> StoredPulse:
    """NotFound: there is no such pulse."""
    found = pulses.get(connection, storable(pulse_id))
    if found is None:
        raise NotFound
    return found


def clean(text: str | None) -> str | None:
    """What a filter asks for; None: nothing."""
    return storable((text or "").strip())[:200] or None


def whole_number(given: object, most: int = 2**31 - 1) -> int | None:
    """A key that an address names; None for what can be none."""
    if isinstance(given, str) and _DIGITS.fullmatch(given):
        given = int(given)
    if not isinstance(given, int) or isinstance(given, bool):
        return None
    return given if 0 < given <= most else None
