"""Packing a pulse's indicators into packages that are valid and within bounds; what is bad is isolated."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from pulsegate.errors import ConversionError
from pulsegate.model.collection import Profile
from pulsegate.model.indicator import Indicator
from pulsegate.model.pulse import Pulse
from pulsegate.stix import networks
from pulsegate.stix.drafts import draft
from pulsegate.stix.mapping import expressible
from pulsegate.stix.package import TEXT_LIMIT
from pulsegate.stix.schema import check

MAX_INDICATORS = 500
MAX_BYTES = 1_000_000

# The markup of a package and of one indicator, for the first guess at a block's size; measured, on the high side.
_FRAME = 4_000
_MARKUP = 1_700


@dataclass(frozen=True, slots=True)
class Block:
    """A valid package and the indicators in it, in their order; a network that is written by addresses is one."""

    content: bytes
    indicators: tuple[Indicator, ...]


@dataclass(frozen=True, slots=True)
class Failure:
    """An indicator that is in no package, with the reason for people."""

    indicator: Indicator
    reason: str


@dataclass(frozen=True, slots=True)
class _Packer:
    pulse: Pulse
    profile: Profile
    max_bytes: int

    @property
    def text_limit(self) -> int:
        """The pulse's own texts are in every block: each of them gets a small share of it."""
        return min(TEXT_LIMIT, self.max_bytes // 32)

    @property
    def frame(self) -> int:
        """About how many bytes a package takes without its indicators."""
        return _FRAME + min(len(self.pulse.description), self.text_limit)

    def pack(self, indicators: tuple[Indicator, ...]) -> Iterator[Block | Failure]:
        """One block when that works, else both halves, down to the one indicator that is at fault."""
        try:
            content = self._content(indicators)
        except ConversionError as error:
            yield from self._split(indicators, error.message)
        else:
            yield Block(content, indicators)

    def _split(self, indicators: tuple[Indicator, ...], reason: str) -> Iterator[Block | Failure]:
        half = len(indicators) // 2
        if half:
            yield from self.pack(indicators[:half])
            yield from self.pack(indicators[half:])
        else:
            self._content(())  # raises when it is the pulse that can't be written
            yield Failure(indicators[0], reason)

    def _content(self, indicators: tuple[Indicator, ...]) -> bytes:
        written = networks.expanded(indicators, self.profile)
        made = draft(self.pulse, written, self.profile, text_limit=self.text_limit)
        size = len(made.content)
        if size > self.max_bytes:
            raise ConversionError(
                f"takes {size} bytes as STIX, more than the {self.max_bytes} of a block", resource=self.pulse.id
            )
        try:
            check(made.proof)
        except ConversionError as error:
            raise ConversionError(error.message, resource=self.pulse.id) from error
        return made.content


def blocks(
    pulse: Pulse,
    indicators: Iterable[Indicator],
    profile: Profile,
    *,
    expand: int = 0,
    max_indicators: int = MAX_INDICATORS,
    max_bytes: int = MAX_BYTES,
) -> Iterator[Block | Failure]:
    """The ``indicators`` of ``pulse``, in order, in as few blocks as both bounds allow.

    Every block is valid STIX 1.2. An indicator that can't be written, or is too large for a block alone, comes as a
    Failure and stops nothing else. No more than one block's worth is held. Raises ConversionError, with the pulse's
    id as its resource, when it is the pulse that can't be written.

    ``expand``: a network of at most so many addresses is written address by address where the profile needs that. It
    counts as so many; ``Block.indicators`` has the network itself, once.
    """
    packer = _Packer(pulse, profile, max_bytes)
    batch: list[Indicator] = []
    count, size = 0, packer.frame
    for indicator in indicators:
        reason = expressible(indicator.type, indicator.value, indicator.raw.content, profile, expand)
        if reason:
            yield Failure(indicator, reason)
            continue
        number = networks.size(indicator, profile)
        weight = _weight(indicator, number)
        if batch and (count + number > max_indicators or size + weight > max_bytes):
            yield from packer.pack(tuple(batch))
            batch, count, size = [], 0, packer.frame
        batch.append(indicator)
        count += number
        size += weight
    if batch:
        yield from packer.pack(tuple(batch))


def _weight(indicator: Indicator, number: int) -> int:
    """About how many bytes ``indicator``, written as so many, takes: a bad guess costs a second rendering, no more."""
    raw = indicator.raw
    texts = len(raw.title) + len(raw.description) + len(raw.content)
    if number > 1:
        texts = min(texts, 2 * networks.TEXT_LIMIT)
    return number * (_MARKUP + 3 * len(indicator.value) + texts)
