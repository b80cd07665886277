"""What a decision on a value means: which values were written, until when, and what only force gets past."""

from __future__ import annotations

from datetime import datetime

from pulsegate.curation.policy import Policy
from pulsegate.curation.protections import protection
from pulsegate.model.collection import Collection
from pulsegate.model.indicator import IndicatorType, identity_of
from pulsegate.reports import fields
from pulsegate.settings.duration import parse_duration
from pulsegate.store import pulses
from pulsegate.store.database import Connection
from pulsegate.values.normalise import readings, strict_readings

LONGEST_REASON = 2_000
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


def end(text: str, moment: datetime) -> datetime:
    """The moment that a date (UTC), or a duration from ``moment`` on, writes. ValueError: it is neither, or past."""
    try:
        found = moment + parse_duration(text)
    except (ValueError, OverflowError):
        try:
            found = fields.expiration(text) or moment
        except ValueError as error:
            raise ValueError(f"{error}, or as a duration: 30d") from error
    if found <= moment:
        raise ValueError(f"{found:%Y-%m-%d %H:%M:%S} UTC is past")
    return found
