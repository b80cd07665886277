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
from pulsegate.store.taken import Change, Growing, Put, Taken
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


@dataclass(frozen=True, slots=True)
class Arrived:
    """A pulse, clean, with its indicators: all that it has if ``whole``; and those that are no value of any type."""

    pulse: Pulse
    found: Sequence[Indicator]
    rejections: Sequence[Rejection] = ()
    whole: bool = True


def _nothing(_connection: Connection, _put: Sequence[Put]) -> None:
    """What else is committed with the pulses."""


def take(
    database: Database,
    raw_pulses: Iterable[object],
    intake: Intake,
    claim: Claim,
    marker: Marker,
    *,
    wanted: Callable[[Pulse], bool] = lambda _: True,
    then: Callable[[Connection, Sequence[Unfinished]], None] = lambda _connection, _unfinished: None,
) -> list[Unfinished]:
    """Store these pulses in one transaction, with what ``then`` does; gives those that lack indicators."""
    read, entries = _read_all(raw_pulses, claim.source, wanted)
    arrived = [
        Arrived(one.pulse, *clean((*one.indicators, *one.unreadable)), whole=not one.more_indicators) for one in read
    ]

    def also(connection: Connection, there: Sequence[Put]) -> None:
        for entry in entries:
            quarantine.add(connection, entry)
        then(connection, _unfinished(arrived, there))

    there = put(database, arrived, intake, claim, marker, then=also)
    intake.unreadable += len(entries)
    return _unfinished(arrived, there)


def put(
    database: Database,
    arrived: Sequence[Arrived],
    intake: Intake,
    claim: Claim,
    marker: Marker,
    *,
    then: Callable[[Connection, Sequence[Put]], None] = _nothing,
) -> list[Put]:
    """Store pulses, each of another id, in one transaction with what ``then`` does; what is no value is quarantined."""
    marker.prepare(indicator for one in arrived for indicator in one.found)
    with database.write() as connection:
        within(connection, INTAKE)
        marker.verify(connection)
        there = taken.put_many(connection, [Taken(one.pulse, one.found, one.whole) for one in arrived], marker)
        sources.claim(connection, claim.source, claim.via, [one.pk for one in there])
        refused = {
            one.pulse.id: [rejected(claim.source, one.pulse.id, each) for each in one.rejections] for one in arrived
        }
        quarantine.replace_many(connection, refused)
        then(connection, there)
    for one, stored in zip(arrived, there, strict=True):
        _count(intake, stored.change, len(one.found), len(one.rejections))
    return there


def grow(
    database: Database,
    growing: Growing,
    found: Sequence[Indicator],
    marker: Marker,
    *,
    then: Callable[[Connection], None] = lambda _connection: None,
) -> None:
    """Store more indicators of a pulse that comes in pieces, in one transaction with what ``then`` does."""
    marker.prepare(found)
    with database.write() as connection:
        within(connection, INTAKE)
        marker.verify(connection)
        taken.grow(connection, growing, found, marker)
        then(connection)


def finish(
    connection: Connection, growing: Growing, source: str, pulse_id: str, rejections: Iterable[Rejection]
) -> None:
    """All pieces have come: what did not come leaves; what is no value is quarantined."""
    taken.finish(connection, growing)
    quarantine.replace(connection, pulse_id, [rejected(source, pulse_id, one) for one in rejections])


def _unfinished(arrived: Sequence[Arrived], put: Sequence[Put]) -> list[Unfinished]:
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
