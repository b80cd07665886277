"""Another try at what is quarantined: a later Pulsegate, or a mended rule, may take it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, fields

import structlog

from pulsegate import __version__
from pulsegate.errors import PulseFormatError
from pulsegate.model.indicator import RawIndicator, Rejection
from pulsegate.otx.dates import read_date
from pulsegate.otx.parse import read_pulse
from pulsegate.store import failures, pulses, quarantine, state, taken
from pulsegate.store.database import Database
from pulsegate.store.locks import INTAKE, within
from pulsegate.store.quarantine import PULSE, Quarantined
from pulsegate.store.sources import FILE, FILES, SUBSCRIPTION
from pulsegate.store.taken import Growing
from pulsegate.sync.intake import Claim, Intake, protect, take
from pulsegate.values.normalise import normalise

log = structlog.get_logger(__name__)

TRIED_BY = "quarantine.tried_by"  # the version that tried last
_DATES = ("created", "expiration")


@dataclass(slots=True)
class Retrial:
    """What came of it: entries that were taken, refused again, and that can't be tried from what is kept."""

    taken: int = 0
    refused: int = 0
    not_kept: int = 0


def retry(database: Database, entries: Iterable[Quarantined]) -> Retrial:
    """Try these entries again. What is taken leaves the quarantine; it is published with the next publication."""
    result = Retrial()
    for entry in entries:
        if entry.raw is None:
            result.not_kept += 1
        elif _retry_pulse(database, entry) if entry.kind == PULSE else _retry_indicator(database, entry):
            result.taken += 1
        else:
            result.refused += 1
    return result


def retry_after_upgrade(database: Database) -> None:
    """Try everything again, once with each version; and to write what could not be written as STIX."""
    with database.read() as connection:
        if state.get(connection, TRIED_BY) == __version__:
            return
        entries = quarantine.every(connection)
    result = retry(database, entries)
    with database.write() as connection:
        failures.forget(connection)
        state.put(connection, TRIED_BY, __version__)
    log.info("quarantine.tried_again", taken=result.taken, refused=result.refused, not_kept=result.not_kept)


def _retry_pulse(database: Database, entry: Quarantined) -> bool:
    raw = json.loads(entry.raw or "null")
    try:
        read_pulse(raw)
    except PulseFormatError:
        return False
    source = entry.source or FILES
    take(database, [raw], Intake(), Claim(source, FILE if source == FILES else SUBSCRIPTION))
    with database.write() as connection:
        quarantine.remove(connection, _key(entry))
    return True


def _retry_indicator(database: Database, entry: Quarantined) -> bool:
    with database.read() as connection:
        stored = pulses.get(connection, entry.pulse_id or "")
    result = normalise(_raw(entry.raw or "{}"))
    if isinstance(result, Rejection) or stored is None:
        return False
    with database.write() as connection:
        within(connection, INTAKE)
        taken.grow(connection, Growing(stored.pk), [result], protect)
        quarantine.remove(connection, _key(entry))
    return True


def _raw(text: str) -> RawIndicator:
    """The indicator as it was sent; what an older version kept less of has the defaults."""
    kept = json.loads(text)
    known = {one.name: kept[one.name] for one in fields(RawIndicator) if one.name in kept}
    dates = {name: read_date(known.get(name)) for name in _DATES}
    return RawIndicator(**{"type": "", "value": ""} | known | dates)


def _key(entry: Quarantined) -> int:
    assert entry.pk is not None
    return entry.pk
