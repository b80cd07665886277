"""Taking raw pulses in: read, bring every value into its normal form, store, quarantine what is none."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from pulsegate.curation.protections import protection
from pulsegate.errors import PulseFormatError
from pulsegate.model.indicator import Indicator, RawIndicator, Rejection
from pulsegate.otx.parse import ReadPulse, read_pulse
from pulsegate.store import pulses, quarantine
from pulsegate.store.database import Database
from pulsegate.store.pulses import Change
from pulsegate.store.quarantine import INDICATOR, PULSE, Quarantined
from pulsegate.values.normalise import normalise

MAX_RAW = 200_000  # characters of an unreadable pulse that are kept


@dataclass(slots=True)
class Intake:
    """What was taken in so far."""

    pulses: int = 0
    indicators: int = 0
    new: int = 0
    changed: int = 0
    rejected: int = 0  # indicators that are no value of any type
    unreadable: int = 0  # pulses that can't be read


def take(
    database: Database,
    raw_pulses: Iterable[object],
    intake: Intake,
    complete: Callable[[ReadPulse], ReadPulse] = lambda read: read,
) -> None:
    """Store these pulses in one transaction; ``complete`` fetches the indicators that a page left out."""
    read, entries = _read_all(raw_pulses, complete)
    with database.write() as connection:
        for one in read:
            found, rejections = clean((*one.indicators, *one.unreadable))
            change = pulses.put(connection, one.pulse, found, _protect, whole=not one.more_indicators)
            quarantine.replace(connection, one.pulse.id, [_rejected(one.pulse.id, each) for each in rejections])
            _count(intake, change, len(found), len(rejections))
        for entry in entries:
            quarantine.add(connection, entry)
            intake.unreadable += 1


def _read_all(
    raw_pulses: Iterable[object], complete: Callable[[ReadPulse], ReadPulse]
) -> tuple[list[ReadPulse], list[Quarantined]]:
    read, entries = [], []
    for raw in raw_pulses:
        try:
            one = read_pulse(raw)
        except PulseFormatError as error:
            entries.append(_unreadable(raw, error))
        else:
            read.append(complete(one) if one.more_indicators else one)
    return read, entries


def clean(found: Iterable[RawIndicator | Rejection]) -> tuple[list[Indicator], list[Rejection]]:
    """The indicators in their normal form, each value once, and those that are none.

    Of two that are the same value in one pulse, an active one wins, then the one without an end or with the later one.
    """
    best: dict[str, Indicator] = {}
    rejections = []
    for raw in found:
        result = raw if isinstance(raw, Rejection) else normalise(raw)
        if isinstance(result, Rejection):
            rejections.append(result)
        elif (other := best.get(result.identity)) is None or _rank(result) > _rank(other):
            best[result.identity] = result
    return list(best.values()), rejections


def _rank(indicator: Indicator) -> tuple[bool, bool, float]:
    end = indicator.raw.expiration
    return indicator.raw.active, end is None, end.timestamp() if end else 0.0


def _protect(indicator: Indicator) -> str | None:
    hit = protection(indicator.type, indicator.value)
    return hit.name if hit else None


def _rejected(pulse_id: str, rejection: Rejection) -> Quarantined:
    raw = rejection.raw
    return Quarantined(INDICATOR, pulse_id, raw.type, raw.value, rejection.reason)


def _unreadable(raw: object, error: PulseFormatError) -> Quarantined:
    text = json.dumps(raw, ensure_ascii=False, default=str)[:MAX_RAW]
    return Quarantined(PULSE, error.resource, "pulse", error.resource or text[:200], error.message, text)


def _count(intake: Intake, change: Change, found: int, rejected: int) -> None:
    intake.pulses += 1
    intake.indicators += found
    intake.rejected += rejected
    intake.new += change is Change.NEW
    intake.changed += change is Change.CHANGED
