"""What a bundle says of itself, and is signed for. The format is described in docs/relay-format.md."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, model_validator

from pulsegate.errors import RelayFormatError
from pulsegate.model.relay import as_origin

REMOVALS, PULSES, CURATION, OWN = "removals.jsonl.gz", "pulses.jsonl.gz", "curation.jsonl.gz", "own.jsonl.gz"
MEMBERS = (REMOVALS, PULSES, CURATION, OWN)  # in the order in which they stand in the file
MAX_RATIO = 200  # what a member may unpack to, by its size; ours are at 5 to 15
SLACK = 100_000  # bytes that any member may unpack to
MAX_SIZE = 8**11 - 1  # bytes of a member: what a header of the archive can say
MAX_PULSES, MAX_INDICATORS = 10_000_000, 1_000_000_000  # of a state
LONGEST_CHAIN = 1_000  # heads that a delta may span

Hash = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Sequence = Annotated[int, Field(ge=1, le=2_000_000_000)]
Count = Annotated[int, Field(ge=0, le=10**12)]


def is_bomb(size: int, length: int) -> bool:
    """Whether so many bytes would unpack to so many that nobody means well with them."""
    return length > MAX_RATIO * size + SLACK


Origin = Annotated[str, AfterValidator(as_origin)]


class StrictPart(BaseModel):
    """What is read only as it is written: each key known, each type as it is."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Head(StrictPart):
    """A state of the sender: its number, when it was that (UTC), what is in it, and the digest of the head before."""

    origin: Origin
    sequence: Sequence
    created: AwareDatetime
    previous: Hash | None
    pulses: Annotated[int, Field(ge=0, le=MAX_PULSES)]
    indicators: Annotated[int, Field(ge=0, le=MAX_INDICATORS)]
    state: Hash  # relay.records.state_digest

    @property
    def digest(self) -> str:
        """SHA-256 of its canonical JSON: what the next head names, and a delta builds on."""
        return hashlib.sha256(canonical(self)).hexdigest()


class Member(StrictPart):
    """A file in the bundle: bytes and SHA-256 as packed, bytes and lines unpacked."""

    name: Literal["removals.jsonl.gz", "pulses.jsonl.gz", "curation.jsonl.gz", "own.jsonl.gz"]
    size: Annotated[int, Field(ge=0, le=MAX_SIZE)]
    sha256: Hash
    length: Count
    lines: Count

    @model_validator(mode="after")
    def _unpacks_to_little_enough(self) -> Self:
        if is_bomb(self.size, self.length):
            raise ValueError(f"{self.name} would unpack to {self.length:,} bytes from {self.size:,}")
        return self


class Window(StrictPart):
    """The time that a bundle covers; ``start`` is null where it is everything."""

    start: AwareDatetime | None
    end: AwareDatetime


class Manifest(StrictPart):
    """``since``: the sequence number that a delta builds on; ``chain``: digests of the heads from there on."""

    format: Literal["pulsegate-relay"] = "pulsegate-relay"
    version: Literal[1] = 1
    head: Head
    kind: Literal["full", "delta"]
    since: Sequence | None
    chain: dict[str, Hash]
    window: Window
    removals: Count
    members: tuple[Member, ...]
    signer: Hash

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        names = [one.name for one in self.members]
        if names != [one for one in MEMBERS if one in names] or PULSES not in names:
            raise ValueError(f"its members are {', '.join(names) or 'none'}")
        is_delta = self.kind == "delta"
        if (self.since is not None, REMOVALS in names, self.window.start is not None) != (is_delta,) * 3:
            raise ValueError("a delta says what it builds on, and what it removes; a full snapshot does not")
        if self.since is not None and self.since >= self.head.sequence:
            raise ValueError("it builds on what comes after it")
        first = self.head.sequence if self.since is None else self.since
        if sorted(self.chain) != sorted(str(one) for one in range(first, self.head.sequence)):
            raise ValueError("its chain does not lead from what it builds on to its head")
        return self

    @property
    def pulses_member(self) -> Member:
        """That of the pulses, which each bundle has."""
        return next(one for one in self.members if one.name == PULSES)

    def member(self, name: str) -> Member | None:
        return next((one for one in self.members if one.name == name), None)


def canonical(part: StrictPart) -> bytes:
    """JSON with sorted keys, no blanks, UTF-8, and instants as ``2026-01-31T23:59:59.000000Z``."""
    data = part.model_dump()
    return json.dumps(data, default=_encode, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def _encode(value: object) -> str:
    assert isinstance(value, datetime)
    return value.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def read(data: bytes) -> Manifest:
    """The manifest in these bytes. RelayFormatError: it is none, or of a later format."""
    try:
        made = Manifest.model_validate_json(data)
        if canonical(made) != data:
            raise RelayFormatError("has a manifest that is not written as it should be")
    except OverflowError as error:
        raise RelayFormatError("has a manifest with a time that is none") from error
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"]))
        if place == "version":
            raise RelayFormatError(
                "is written in a later format than this version reads", hint="Update Pulsegate here, then import again"
            ) from error
        raise RelayFormatError(
            f"has a manifest that can't be read ({place or 'it'}: {first['msg'].removeprefix('Value error, ')})"
        ) from error
    return made


def read_head(text: str) -> Head:
    """A head that was kept."""
    return Head.model_validate_json(text)
