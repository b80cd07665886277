"""What a decision on a value means: which values were written and what only force gets past."""

from __future__ import annotations

from pulsegate.curation.policy import Policy
from pulsegate.curation.protections import protection
from pulsegate.model.collection import Collection
from pulsegate.model.indicator import IndicatorType, identity_of
from pulsegate.store import pulses
from pulsegate.store.database import Connection
from pulsegate.values.normalise import readings, strict_readings

Meant = tuple[IndicatorType, str]


def stored(connection: Connection, text: str) -> list[Meant]:
    """What the text may mean of what some pulse has."""
    found = (pulses.indicators_of_value(connection, [identity_of(*one)]) for one in readings(text))
    return [(one[0].indicator.type, one[0].indicator.value) for one in found if one]


def meant(connection: Connection, text: str) -> list[Meant]:
    """What is stored of it; else all that it may mean. Empty: it is no value of any type."""
    return stored(connection, text) or list(strict_readings(text))


def only_by_force(policy: Policy, value: Meant, feed: Collection | None) -> str | None:
    """Why only force lets the value into the collection (None: into all): it is one's own, or protected."""
    own = policy.own.covering(*value)
    if own is not None:
        return f"it is your own ({own}, in the settings)"
    hit = protection(*value)
    name = policy.protection(hit.name if hit else None)
    protections = None if feed is None else feed.protections
    if name is None or not (protections is None or name in protections):
        return None
    return f"the built-in protection {name} covers it"
