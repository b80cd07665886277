"""Another try at what is quarantined: a later Pulsegate, or a mended rule, may take it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any

import structlog

from pulsegate import __version__
from pulsegate.curation.policy import Policy
from pulsegate.errors import PulseFormatError
from pulsegate.intake.taking import Claim, Intake, take
from pulsegate.model.indicator import Indicator, RawIndicator, Rejection
from pulsegate.otx.parse import read_pulse
from pulsegate.publication.marking import Marker
from pulsegate.store import failures, pulses, quarantine, state, taken
from pulsegate.store.database import Database
from pulsegate.store.digests import digest
from pulsegate.store.locks import INTAKE, within
from pulsegate.store.quarantine import BLOCK, PULSE, Quarantined
from pulsegate.store.sources import FILE, FILES, SUBSCRIPTION
from pulsegate.store.taken import Growing
from pulsegate.sync.packages import package_of, retry_block
from pulsegate.values.dates import read_date
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


@dataclass(frozen=True, slots=True)
class Forecast:
    """What another try would come to. ``fits``: it would be taken, None: it can't be tried; ``reason``: why not.

    ``indicator``: what would be taken.
    """

    fits: bool | None
    reason: str = ""
    indicator: Indicator | None = None


def forecast(entry: Quarantined, *, has_pulse: bool) -> Forecast:
    """What ``retry`` would make of the entry today; changes nothing. ``has_pulse``: the indicator's pulse is stored."""
    sent = _sent(entry)
    if not isinstance(sent, dict):
        return Forecast(None)
    if entry.kind == BLOCK:
        package = package_of(sent)
        return Forecast(False, package) if isinstance(package, str) else Forecast(True)
    if entry.kind == PULSE:
        try:
            read_pulse(sent)
        except PulseFormatError as error:
            return Forecast(False, error.message)
        return Forecast(True)
    result = normalise(_raw(sent))
    if isinstance(result, Rejection):
        return Forecast(False, result.reason)
    return Forecast(has_pulse, "" if has_pulse else "its pulse is not stored any more", result)


def retry(database: Database, policy: Policy, keys: Iterable[int]) -> Retrial:
    """Try the entries with these keys again. What is taken leaves the quarantine, to be published with the next one."""
    result, marker = Retrial(), Marker(database, policy)
    for key in keys:
        with database.read() as connection:
            entry = quarantine.get(connection, key)
        if entry is None:
            continue  # a pull was faster
        sent = _sent(entry)
        if sent is None:
            result.not_kept += 1
        elif _retry(database, marker, entry, sent):
            result.taken += 1
        else:
            result.refused += 1
    return result


def retry_after_upgrade(database: Database, policy: Policy) -> None:
    """Try everything again, once with each version; and to write what could not be written as STIX."""
    with database.read() as connection:
        if state.get(connection, TRIED_BY) == __version__:
            return
        keys = quarantine.keys(connection)
    result = retry(database, policy, keys)
    with database.write() as connection:
        failures.forget(connection)
        state.put(connection, TRIED_BY, __version__)
    log.info("quarantine.tried_again", taken=result.taken, refused=result.refused, not_kept=result.not_kept)


def _sent(entry: Quarantined) -> Any:
    """What OTX sent; None where that was too long to keep, or cut by an older version."""
    try:
        return json.loads(entry.raw or "null")
    except ValueError:
        return None


def _retry(database: Database, marker: Marker, entry: Quarantined, sent: Any) -> bool:
    if entry.kind == BLOCK:
        return retry_block(database, entry, sent)
    return (_retry_pulse if entry.kind == PULSE else _retry_indicator)(database, marker, entry, sent)


def _retry_pulse(database: Database, marker: Marker, entry: Quarantined, sent: Any) -> bool:
    try:
        read_pulse(sent)
    except PulseFormatError:
        return False
    source = entry.source or FILES
    take(database, [sent], Intake(), Claim(source, FILE if source == FILES else SUBSCRIPTION), marker)
    with database.write() as connection:
        quarantine.remove(connection, entry)
    return True


def _retry_indicator(database: Database, marker: Marker, entry: Quarantined, sent: Any) -> bool:
    result = normalise(_raw(sent))
    if isinstance(result, Rejection):
        return False
    with database.read() as connection:
        stored = pulses.get(connection, entry.pulse_id or "")
    if stored is None:
        return False
    with database.write() as connection:
        within(connection, INTAKE)
        marker.verify(connection)
        # Where the pulse has the value in another spelling, that stays, as with any two of a pulse.
        growing = Growing(stored.pk, seen={digest(result.identity)})
        taken.grow(connection, growing, [result], marker)
        quarantine.remove(connection, entry)
    return True


def _raw(kept: Mapping[str, Any]) -> RawIndicator:
    """The indicator as it was sent."""
    known = {one.name: kept[one.name] for one in fields(RawIndicator) if one.name in kept}
    dates = {name: read_date(known.get(name)) for name in _DATES}
    return RawIndicator(**{"type": "", "value": ""} | known | dates)
