"""The lines of a bundle's members: a pulse, then its indicators; and the digests of both.

A pulse's line is ``{"pulse": {…}, "indicators": n}``, and n lines follow, one indicator each. The fields are those of
``model.Pulse`` and ``model.RawIndicator``: an indicator travels as OTX sent it, so that the receiver brings it into its
normal form itself.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields

from pydantic import ConfigDict, TypeAdapter, ValidationError, with_config

from pulsegate.errors import RelayFormatError
from pulsegate.model.indicator import RawIndicator
from pulsegate.model.pulse import Pulse
from pulsegate.values.text import is_fit_for_xml

MAX_LINE = 32_000_000  # bytes of one line: a rule or a description may be long


MAX_ID = 64  # characters of a pulse's id


@with_config(ConfigDict(extra="forbid"))
@dataclass(frozen=True, slots=True)
class PulseLine:
    """The first line of a pulse: what it says of itself, and how many lines of indicators follow."""

    pulse: Pulse
    indicators: int


_PULSES: TypeAdapter[PulseLine] = TypeAdapter(PulseLine)
_INDICATORS: TypeAdapter[RawIndicator] = TypeAdapter(RawIndicator)
_TEXTS = tuple(
    one.name for one in fields(RawIndicator) if one.name not in ("created", "expiration", "active", "value", "type")
)


def pulse_line(pulse: Pulse, indicators: int) -> bytes:
    return _PULSES.dump_json(PulseLine(pulse, indicators)) + b"\n"


def indicator_line(raw: RawIndicator) -> bytes:
    return _INDICATORS.dump_json(raw, exclude_defaults=True) + b"\n"


def read_pulse(line: bytes) -> PulseLine:
    """RelayFormatError: the line is no pulse."""
    try:
        found = _PULSES.validate_json(line)
    except ValidationError as error:
        raise _fault("a line that should be a pulse", error) from error
    texts = (one for one in _texts(found.pulse))
    if found.indicators < 0 or not 0 < len(found.pulse.id) <= MAX_ID or not all(map(is_fit_for_xml, texts)):
        raise RelayFormatError(f"has a pulse that can't be right: {found.pulse.id[:40]!r}")
    return found


def _texts(pulse: Pulse) -> Iterator[str]:
    for one in fields(Pulse):
        value = getattr(pulse, one.name)
        if isinstance(value, str):
            yield value
        elif isinstance(value, tuple):
            yield from value


def read_indicator(line: bytes) -> RawIndicator:
    """RelayFormatError: the line is no indicator."""
    try:
        found = _INDICATORS.validate_json(line)
    except ValidationError as error:
        raise _fault("a line that should be an indicator", error) from error
    if not all(is_fit_for_xml(getattr(found, name) or "") for name in _TEXTS):
        raise RelayFormatError(f"has an indicator with characters that no XML can hold: {found.value[:40]!r}")
    return found


def removal_line(pulse_id: str) -> bytes:
    return json.dumps(pulse_id).encode() + b"\n"


def read_removal(line: bytes) -> str:
    """RelayFormatError: the line is no pulse's id."""
    try:
        found = json.loads(line)
    except ValueError as error:
        raise RelayFormatError("has a line that should be a pulse's id and is none") from error
    if not isinstance(found, str) or not 0 < len(found) <= MAX_ID:
        raise RelayFormatError("has a line that should be a pulse's id and is none")
    return found


def _fault(what: str, error: ValidationError) -> RelayFormatError:
    first = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(map(str, first["loc"]))
    return RelayFormatError(f"has {what} and is none ({place or 'it'}: {first['msg'].removeprefix('Value error, ')})")


class Digest:
    """SHA-256 of a pulse's lines, as they come."""

    def __init__(self, *lines: bytes) -> None:
        self._found = hashlib.sha256(b"".join(lines))

    def add(self, line: bytes) -> None:
        self._found.update(line)

    def done(self) -> bytes:
        return self._found.digest()


def digest(lines: Iterable[bytes]) -> bytes:
    """That of all of them."""
    found = Digest()
    for line in lines:
        found.add(line)
    return found.done()


def state_digest(pulses: Mapping[str, bytes]) -> str:
    """What stands for a whole state: SHA-256 of a line for each pulse, its id and the digest of its lines, by id."""
    found = hashlib.sha256()
    for pulse_id in sorted(pulses):
        found.update(f"{pulse_id} {pulses[pulse_id].hex()}\n".encode())
    return found.hexdigest()
