"""A pulse and some of its indicators as one STIX 1.2 package: the same input gives the same bytes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from io import StringIO
from typing import Any

from stix.bindings.stix_core import IndicatorsType, STIXType
from stix.common import Confidence
from stix.common.vocabs import HighMediumLow

from pulsegate.errors import ConversionError
from pulsegate.model.collection import Profile
from pulsegate.model.indicator import Indicator
from pulsegate.model.pulse import Pulse
from pulsegate.stix import context, header, names
from pulsegate.stix.indicators import build, moment
from pulsegate.stix.mapping import MAPPING

TEXT_LIMIT = 32_000
_INDICATOR_REACH = "../../descendant-or-self::node() | ../../descendant-or-self::node()/@*"


@dataclass(frozen=True, slots=True)
class Frame:
    """A package without its indicators: what it says of its pulse."""

    pulse: Pulse
    profile: Profile
    document: STIXType

    def around(self, indicators: Sequence[Indicator]) -> tuple[str, str]:
        """What stands before the first and after the last of ``indicators``, one at least, in what ``render`` gives."""
        before, _, after = self.write(indicators, [_GAP]).partition(_Gap.MARK)
        return before, after

    def write(self, indicators: Sequence[Indicator], nodes: Sequence[Any]) -> str:
        """The package; ``nodes`` are the binding objects of ``indicators``, or what stands for them."""
        document, pulse = self.document, self.pulse
        if nodes:
            document.Indicators = IndicatorsType(Indicator=nodes)
        identities = (indicator.identity for indicator in indicators)
        document.id = names.name("package", names.key(pulse.id, self.profile, *identities))
        declared = names.declarations(_prefixes(pulse, indicators, self.profile))
        out = StringIO()
        document.export(out.write, 0, names.PREFIXES, namespacedef_=declared, pretty_print=False)
        return out.getvalue()


def frame(pulse: Pulse, profile: Profile, limit: int) -> Frame:
    """The frame of ``pulse``'s packages, its texts cut at ``limit`` characters each.

    Raises ConversionError, with the pulse's id as its resource, when it can't be written. So it comes first: no id can
    be derived from the texts of such a pulse.
    """
    try:
        document = STIXType(version="1.2", timestamp=pulse.modified.isoformat(), STIX_Header=header.build(pulse, limit))
        if profile is Profile.FULL:
            context.add(document, pulse, limit)
    except ConversionError as error:
        raise ConversionError(error.message, resource=pulse.id) from error
    return Frame(pulse, profile, document)


def render(
    pulse: Pulse, indicators: Sequence[Indicator], profile: Profile = Profile.FULL, *, text_limit: int = TEXT_LIMIT
) -> bytes:
    """One STIX_Package, version 1.2, in UTF-8, with ``indicators`` of ``pulse`` in their order.

    The description, the references and the context of the pulse are cut at ``text_limit`` characters each. No two
    indicators may have the same identity, as ids derive from it. Raises ConversionError, with the indicator's identity
    or the pulse's id as its resource, for what can't be written.
    """
    opened = frame(pulse, profile, text_limit)
    nodes = [build(pulse, indicator, profile) for indicator in indicators]
    _share(nodes, pulse, indicators, profile)
    return opened.write(indicators, nodes).encode()


def _share(nodes: Sequence[Any], pulse: Pulse, indicators: Sequence[Indicator], profile: Profile) -> None:
    """Give each indicator what is the same for all of them, written once instead of five hundred times."""
    producer = _Once(header.producer(pulse))
    # The appliance's profile stays plain: there the marking of the header covers the indicators too.
    handling = _Once(header.marking(pulse.tlp, _INDICATOR_REACH)) if profile is Profile.FULL else None
    confidences: dict[datetime, _Once] = {}
    for node, indicator in zip(nodes, indicators, strict=True):
        at = moment(pulse, indicator)
        if at not in confidences:
            confidences[at] = _Once(_confidence(at))
        node.Producer = producer
        node.Handling = handling
        node.Confidence = confidences[at]


def _confidence(at: datetime) -> Any:
    """High, because Trend Micro's appliance drops everything else."""
    return Confidence(value=HighMediumLow(HighMediumLow.TERM_HIGH), timestamp=at).to_obj()


class _Once:
    """A binding object that is exported to the same place again and again: the text of the first time is kept."""

    def __init__(self, node: Any) -> None:
        self._node = node
        self._text = ""

    def export(self, write: Callable[[str], Any], *args: Any, **kwargs: Any) -> None:
        if not self._text:
            out = StringIO()
            self._node.export(out.write, *args, **kwargs)
            self._text = out.getvalue()
        write(self._text)


class _Gap:
    """Stands where the indicators go; no text can hold its mark, as XML has no such character."""

    MARK = "\0"

    def export(self, write: Callable[[str], Any], *_args: Any, **_kwargs: Any) -> None:
        write(self.MARK)


_GAP = _Gap()


def _prefixes(pulse: Pulse, indicators: Sequence[Indicator], profile: Profile) -> frozenset[str]:
    types = {indicator.type for indicator in indicators}
    extra = context.prefixes(pulse) if profile is Profile.FULL else frozenset()
    return names.BASE.union(extra, *(MAPPING[type_].prefixes for type_ in types))
