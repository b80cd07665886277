"""A package, and what of it has to be checked so that all of it is known to be valid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pulsegate.model.collection import Profile
from pulsegate.model.indicator import Indicator
from pulsegate.model.pulse import Pulse
from pulsegate.stix import templates
from pulsegate.stix.package import frame, render

# The parser has limits of its own, such as 10 MB for one text: a package that may reach them has to pass it whole.
_LARGE = 8_000_000


@dataclass(frozen=True, slots=True)
class Draft:
    """A package, and its proof: the same package with one indicator of each shape that is in it.

    Indicators of one shape differ in nothing but texts that are fit for XML, in places that take any text, dates and
    ids of the right form. And the schema has no rule that binds one indicator to another. So when the proof is valid,
    the package is.
    """

    content: bytes
    proof: bytes


def draft(pulse: Pulse, indicators: Sequence[Indicator], profile: Profile, *, text_limit: int) -> Draft:
    """What ``render`` gives for the same arguments, mostly without it. Raises ConversionError as ``render`` does."""
    opened = frame(pulse, profile, text_limit)
    written = templates.write(pulse, indicators, profile)
    if not written:
        whole = render(pulse, indicators, profile, text_limit=text_limit)
        return Draft(whole, whole)
    before, after = opened.around(indicators)
    content = "".join((before, *(one.xml for one in written), after)).encode()
    if len(content) > _LARGE:
        return Draft(content, content)
    samples = {one.shape: one.xml for one in written}
    return Draft(content, "".join((before, *samples.values(), after)).encode())
