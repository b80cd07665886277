"""Taking raw pulses in: read, bring every value into its normal form, store, quarantine what is none."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field, fields

from pulsegate.errors import PulseFormatError
from pulsegate.model.indicator import Indicator, RawIndicator, Rejection
from pulsegate.model.pulse import Pulse
from pulsegate.otx.parse import ReadPulse, read_pulse
from pulsegate.publication.marking import Marker
from pulsegate.store import quarantine, sources, taken
from pulsegate.store.database import Connection, Database
from pulsegate.store.locks import INTAKE, within
from pulsegate.store.quarantine import INDICATOR, PULSE, Quarantined
from pulsegate.store.taken import Change, Put, Taken
from pulsegate.values.normalise import normalise

MAX_RAW = 4_000_000  # characters of an unreadable pulse that are kept


@dataclass(slots=True)
class Intake:
    """What was taken in so far."""

    pulses: int = 0
    indicators: int = 0
    new: int = 0
    changed: int = 0
    rejected: int = 0  # indicators that are no value of any type
    unreadable: int = 0  # pulses that can't be read
    removed: int = 0  # pulses that no source has any more
    grown: bool = field(default=False, compare=False)  # indicators that came apart are other ones than before

    def __add__(self, other: Intake) -> Intake:
        return Intake(*(getattr(self, one.name) + getattr(other, one.name) for one in fields(Intake)))

    @property
    def is_something(self) -> bool:
        """Whether there is anything to publish."""
        return bool(self.new or self.changed or self.removed or self.grown)


@dataclass(frozen=True, slots=True)
class Claim:
    """Whose pulses they are: the source, and how it has come by them."""

    source: str
    via: str


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A stored pulse with more indicators on OTX than the ``taken`` ones that came with it."""

    pulse_id: str
    pk: int
    taken: int = 0


def _nothing(_connection: Connection, _unfinished: Sequence[Unfinished]) -> None:
    """What else is committed with the pulses."""


def take(
    database: Database,
    raw_pulses: Iterable[object],
    intake: Intake,
    claim: Claim,
    marker: Marker,
    *,
    wanted: Callable[[Pulse], bool] = lambda _: True,
    then: Callable[[Connection, Sequence[Unfinished]], None] = _nothing,
) -> list[Unfinished]:
    """Store these pulses in one transaction, with what ``then`` does; gives those that lack indicators."""
    read, entries = _read_all(raw_pulses, claim.source, wanted)
    cleaned = [clean((*one.indicators, *one.unreadable)) for one in read]
    whole = [not one.more_indicators for one in read]
    arrived = [
        Taken(one.pulse, found, is_whole) for one, (found, _), is_whole in zip(read, cleaned, whole, strict=True)
    ]
    marker.prepare(indicator for one in arrived for indicator in one.found)
    with database.write() as connection:
        within(connection, INTAKE)
        marker.verify(connection)
        put = taken.put_many(connection, arrived, marker)
        sources.claim(connection, claim.source, claim.via, [one.pk for one in put])
        refused = {one.pulse.id: rejections for one, (_, rejections) in zip(read, cleaned, strict=True)}
        entries_of = {key: [rejected(claim.source, key, each) for each in found] for key, found in refused.items()}
        quarantine.replace_many(connection, entries_of)
        for entry in entries:
            quarantine.add(connection, entry)
        unfinished = _unfinished(arrived, put)
        then(connection, unfinished)
    intake.unreadable += len(entries)
    for one, (found, rejections) in zip(put, cleaned, strict=True):
        _count(intake, one.change, len(found), len(rejections))
    return unfinished


def _unfinished(arrived: Sequence[Taken], put: Sequence[Put]) -> list[Unfinished]:
    pairs = zip(arrived, put, strict=True)
    return [Unfinished(one.pulse.id, there.pk, len(one.found)) for one, there in pairs if not there.complete]


def _read_all(
    raw_pulses: Iterable[object], source: str, wanted: Callable[[Pulse], bool]
) -> tuple[list[ReadPulse], list[Quarantined]]:
    """Those that are wanted, each id once: of two, the one that was modified later."""
    read: dict[str, ReadPulse] = {}
    entries = []
    for raw in raw_pulses:
        try:
            one = read_pulse(raw)
        except PulseFormatError as error:
            entries.append(_unreadable(source, raw, error))
            continue
        other = read.get(one.pulse.id)
        if wanted(one.pulse) and (other is None or other.pulse.modified <= one.pulse.modified):
            read[one.pulse.id] = one
    return list(read.values()), entries


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


def rejected(source: str, pulse_id: str, rejection: Rejection) -> Quarantined:
    """The entry of an indicator that is no value, with all that OTX sent of it."""
    raw = rejection.raw
    text = json.dumps(asdict(raw), ensure_ascii=False, default=str)
    return Quarantined(INDICATOR, pulse_id, raw.type, raw.value, rejection.reason, text, source=source)


def _unreadable(source: str, raw: object, error: PulseFormatError) -> Quarantined:
    text = json.dumps(raw, ensure_ascii=False, default=str)
    kept = text if len(text) <= MAX_RAW else None
    value = error.resource or text[:200]
    return Quarantined(PULSE, error.resource, "pulse", value, error.message, kept, source=source)


def _count(intake: Intake, change: Change, found: int, rejections: int) -> None:
    intake.pulses += 1
    intake.indicators += found
    intake.rejected += rejections
    intake.new += change is Change.NEW
    intake.changed += change is Change.CHANGED
