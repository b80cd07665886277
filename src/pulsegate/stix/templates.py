"""What python-stix writes for one indicator, cut where the texts stand, so that the next of its shape needs no objects.

A template is python-stix's own output for a sample of the shape. What is filled in are the texts that python-stix
would get, escaped by python-stix's own function; so nothing here knows how an indicator is written.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import NamedTuple

from mixbox.binding_utils import quote_xml

from pulsegate.model.collection import Profile
from pulsegate.model.indicator import Indicator, IndicatorType, RawIndicator
from pulsegate.model.pulse import OWN, Pulse
from pulsegate.model.tlp import TLP
from pulsegate.stix import header
from pulsegate.stix.indicators import Texts, texts
from pulsegate.stix.mapping import MAPPING
from pulsegate.stix.objects import LIST_DELIMITER
from pulsegate.stix.package import render

# All shapes that there can be are fewer than two thousand, of some 2 kB each; a feed has some dozens.
_KEPT = 512

# Dates are filled in as they are. Before this, or outside of UTC, python-stix may write one in another form.
_SINCE = "1970"
_UTC = "+00:00"

_CREATED = datetime(2001, 2, 3, 4, 5, 6, tzinfo=UTC)
_EXPIRATION = datetime(2002, 3, 4, 5, 6, 7, tzinfo=UTC)
_AUTHOR = "sample-author"


class Shape(NamedTuple):
    """All that decides which elements and attributes an indicator has, apart from its texts."""

    profile: Profile
    tlp: TLP
    authored: bool
    own: bool
    type: IndicatorType
    sample: str  # the subject that stands for all that get the same markup
    described: bool
    created: bool
    ending: bool


@dataclass(frozen=True, slots=True)
class Template:
    """Markup with places for texts."""

    pieces: tuple[str, ...]  # markup, and in turn with it the sample's texts
    places: tuple[int, ...]  # for each of the sample's texts: which text of an indicator stands there

    def fill(self, values: Sequence[str]) -> str:
        """The element; ``values`` are what stands in the places, escaped."""
        parts = list(self.pieces)
        parts[1::2] = [values[place] for place in self.places]
        return "".join(parts)


@dataclass(frozen=True, slots=True)
class Written:
    """One Indicator element, and its shape."""

    shape: Shape
    xml: str


def write(pulse: Pulse, indicators: Iterable[Indicator], profile: Profile) -> list[Written] | None:
    """The Indicator elements as ``render`` writes them in a package, or None when one of them fits no template.

    Raises ConversionError as ``render`` does for an indicator.
    """
    author = quote_xml(header.author(pulse))
    written = []
    for indicator in indicators:
        said = texts(pulse, indicator, profile)
        if not _is_usual(said):
            return None
        shape = _shape(pulse, indicator, profile)
        written.append(Written(shape, template(shape).fill(_escaped(said, author))))
    return written


def _escaped(said: Texts, author: str) -> tuple[str, ...]:
    """The texts as they stand in XML, in the places that a template counts; ``author`` is escaped already."""
    label = quote_xml(said.label)
    return (
        said.key,  # hexadecimal digits, and dates: there is nothing to escape
        said.at,
        label if said.title == said.label else quote_xml(said.title),
        label,
        quote_xml(said.subject),
        quote_xml(said.description),
        said.end,
        author,
    )


@lru_cache(_KEPT)
def template(shape: Shape) -> Template:
    """The template of ``shape``."""
    pulse, indicator = _sample(shape)
    package = render(pulse, [indicator], shape.profile).decode()
    element = package.partition("<stix:Indicators>")[2].partition("</stix:Indicators>")[0]
    return _cut(element, _escaped(texts(pulse, indicator, shape.profile), pulse.author))


def _is_usual(said: Texts) -> bool:
    """Whether the markup depends on the shape alone: not so for an empty subject, and one that needs a delimiter."""
    return (
        said.subject != ""
        and LIST_DELIMITER not in said.subject
        and _is_plain(said.at)
        and (said.end == "" or _is_plain(said.end))
    )


def _is_plain(date: str) -> bool:
    return date >= _SINCE and date.endswith(_UTC)


def _shape(pulse: Pulse, indicator: Indicator, profile: Profile) -> Shape:
    raw, form = indicator.raw, MAPPING[indicator.type]
    return Shape(
        profile=profile,
        tlp=pulse.tlp,
        authored=pulse.author != "",
        own=pulse.is_own,
        type=indicator.type,
        sample=form.sample(form.subject(indicator)),
        described=raw.description != "",
        created=raw.created is not None,
        ending=raw.expiration is not None,
    )


def _sample(shape: Shape) -> tuple[Pulse, Indicator]:
    """A pulse and an indicator of ``shape``, each text of which is found nowhere else."""
    identity = f"{OWN}sample-pulse" if shape.own else "sample-pulse"
    pulse = Pulse(identity, "", _AUTHOR * shape.authored, _CREATED, _CREATED, tlp=shape.tlp)
    raw = RawIndicator(
        shape.type,
        shape.sample,
        created=_CREATED if shape.created else None,
        expiration=_EXPIRATION if shape.ending else None,
        title="sample-title",
        description="sample-description" * shape.described,
        content=shape.sample,
    )
    return pulse, Indicator(shape.type, shape.sample, raw)


def _cut(element: str, marks: Iterable[str]) -> Template:
    """``element`` cut at ``marks``. No two begin alike, so that a label is found before the value within it."""
    places = {mark: place for place, mark in enumerate(marks) if mark}
    parts = re.split(f"({'|'.join(map(re.escape, places))})", element)
    return Template(tuple(parts), tuple(places[mark] for mark in parts[1::2]))
