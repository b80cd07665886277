"""The lines of a bundle's members: a pulse, then its indicators; and the digests of both.

A pulse's line is ``{"pulse": {…}, "indicators": n}``, and n lines follow, one indicator each. The fields are those of
``model.Pulse`` and ``model.RawIndicator``: an indicator travels as OTX sent it, so that the receiver brings it into its
normal form itself.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime, timedelta

from pydantic import ConfigDict, TypeAdapter, ValidationError, with_config

from pulsegate.errors import RelayFormatError
from pulsegate.model.indicator import RawIndicator
from pulsegate.model.pulse import Pulse
from pulsegate.values.text import clean_line, is_fit_for_xml

MAX_LINE = (
    20_000_000  # bytes of one line: a rule or a description may be long, but no answer of OTX has more than 16 MiB
)
MAX_AUTHOR = 250  # characters: a collection is named after it
MAX_NUMBER = 2**31 - 1
_ID = re.compile(r"[0-9a-f]{24}|own-[0-9a-f]{20}")
_STRICT = ConfigDict(extra="forbid", strict=True)


@with_config(_STRICT)
@dataclass(frozen=True, slots=True)
class PulseLine:
    """The first line of a pulse: what it says of itself, and how many lines of indicators follow."""

    pulse: Pulse
    indicators: int


_PULSES: TypeAdapter[PulseLine] = TypeAdapter(PulseLine)
# Of a dataclass alone pydantic takes the dataclass's own configuration, and no other.
_INDICATORS: TypeAdapter[RawIndicator | None] = TypeAdapter(RawIndicator | None, config=_STRICT)
_PULSE_FIELDS = tuple(one.name for one in fields(Pulse))


def pulse_line(pulse: Pulse, indicators: int) -> bytes:
    return _PULSES.dump_json(PulseLine(pulse, indicators)) + b"\n"


def indicator_line(raw: RawIndicator) -> bytes:
    return _INDICATORS.dump_json(raw, exclude_defaults=True) + b"\n"


def read_pulse(line: bytes) -> PulseLine:
    """RelayFormatError: the line is no pulse, or not written as ``pulse_line`` writes it."""
    try:
        found = _PULSES.validate_json(line)
    except ValidationError as error:
        raise _fault("a line that should be a pulse", error) from error
    pulse = found.pulse
    if not _is_right(pulse) or found.indicators < 0:
        raise RelayFormatError(f"has a pulse that can't be right: {pulse.id[:40]!r}")
    pulse = replace(pulse, created=_utc(pulse.created), modified=_utc(pulse.modified))
    if pulse_line(pulse, found.indicators) != line:
        raise RelayFormatError("has a pulse that is not written as it should be")
    return PulseLine(pulse, found.indicators)


def _is_right(pulse: Pulse) -> bool:
    """Whether it has what each pulse has that was read from OTX: a good id, a name, an author's name, texts for XML."""
    return (
        is_id(pulse.id)
        and bool(pulse.name)
        and 0 <= pulse.revision <= MAX_NUMBER
        and len(pulse.author) <= MAX_AUTHOR
        and all(clean_line(one) == one for one in (pulse.name, pulse.author))
        and all(map(is_fit_for_xml, _texts(pulse)))
    )


def is_id(text: str) -> bool:
    """Whether a pulse can have it: one of OTX, or one that was made by hand."""
    return _ID.fullmatch(text) is not None


def _utc(moment: datetime) -> datetime:
    """RelayFormatError: it is not said to be UTC."""
    if moment.utcoffset() != timedelta(0):
        raise RelayFormatError(f"has a time that is not in UTC: {moment.isoformat()}")
    return moment.replace(tzinfo=UTC)


def _texts(pulse: Pulse) -> Iterator[str]:
    for one in _PULSE_FIELDS:
        value = getattr(pulse, one)
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
    if found is None:
        raise RelayFormatError("has a line that should be an indicator and is none")
    if not is_fit_for_xml(f"{found.role}{found.title}{found.description}{found.content}"):
        raise RelayFormatError(f"has an indicator with characters that no XML can hold: {found.value[:40]!r}")
    if found.created is None and found.expiration is None:
        return found
    return RawIndicator(  # by position: there are millions of them
        found.type,
        found.value,
        found.otx_id,
        None if found.created is None else _utc(found.created),
        None if found.expiration is None else _utc(found.expiration),
        found.active,
        found.role,
        found.title,
        found.description,
        found.content,
    )


def removal_line(pulse_id: str) -> bytes:
    return json.dumps(pulse_id).encode() + b"\n"


def read_removal(line: bytes) -> str:
    """RelayFormatError: the line is no pulse's id."""
    found = line[1:-2].decode("ascii", "replace")
    if not is_id(found) or line != removal_line(found):
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


class State:
    """What stands for a whole state: SHA-256 of a line for each pulse, its id and the digest of its lines, by id."""

    def __init__(self) -> None:
        self._found = hashlib.sha256()

    def add(self, pulse_id: str, digest: bytes) -> None:
        """In the order of the ids."""
        self._found.update(f"{pulse_id} {digest.hex()}\n".encode())

    def done(self) -> str:
        return self._found.hexdigest()


def state_digest(pulses: Mapping[str, bytes]) -> str:
    """``State`` of all of them."""
    found = State()
    for pulse_id in sorted(pulses):
        found.add(pulse_id, pulses[pulse_id])
    return found.done()
