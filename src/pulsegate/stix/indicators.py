"""One OTX indicator as one STIX Indicator (STIX 1.2, Indicator data model 2.2)."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from cybox.bindings.cybox_core import ObjectType, ObservableType
from stix.bindings.indicator import IndicatorType as StixIndicator
from stix.bindings.indicator import ValidTimeType
from stix.bindings.stix_common import ControlledVocabularyStringType, DateTimeWithPrecisionType, StructuredTextType

from pulsegate.errors import ConversionError
from pulsegate.model.collection import Profile
from pulsegate.model.indicator import Indicator
from pulsegate.model.pulse import Pulse
from pulsegate.stix import names
from pulsegate.stix.mapping import MAPPING, Form, expressible
from pulsegate.stix.text import cut, text

TITLE_LIMIT = 1_000
DESCRIPTION_LIMIT = 16_000

_VOCABULARY = "stixVocabs:IndicatorTypeVocab-1.1"


class Texts(NamedTuple):
    """What a STIX Indicator says of its own, each as python-stix has to get it; empty: it says no such thing."""

    key: str  # the UUID in its ids
    at: str  # when it was made, and since when it is valid (xs:dateTime)
    title: str
    label: str  # type and value, for people
    subject: str  # what is matched
    description: str
    end: str  # until when it is valid (xs:dateTime)


def moment(pulse: Pulse, indicator: Indicator) -> datetime:
    """The timestamp of the STIX Indicator: with its id it names a version, so it must not move by itself."""
    return indicator.raw.created or pulse.modified


def build(pulse: Pulse, indicator: Indicator, profile: Profile) -> StixIndicator:
    """The STIX Indicator, without what is the same for all of a pulse (producer, marking, confidence).

    Raises ConversionError as ``texts`` does.
    """
    said = texts(pulse, indicator, profile)
    form = MAPPING[indicator.type]
    node = StixIndicator(
        id=names.name("indicator", said.key),
        timestamp=said.at,
        Title=said.title,
        Type=[ControlledVocabularyStringType(valueOf_=form.watchlist, xsi_type=_VOCABULARY)] if form.watchlist else [],
        Description=[StructuredTextType(valueOf_=said.description)] if said.description else [],
        Valid_Time_Position=[_validity(said, indicator)] if said.end else [],
    )
    _express(node, form, indicator, said)
    return node


def texts(pulse: Pulse, indicator: Indicator, profile: Profile) -> Texts:
    """The texts of ``indicator``, cut to their lengths.

    Raises ConversionError when it is not expressible in ``profile`` or holds a character that XML can't carry.
    """
    reason = expressible(indicator.type, indicator.value, indicator.raw.content, profile)
    if reason:
        raise ConversionError(reason, resource=ascii(indicator.identity))
    try:
        return _texts(pulse, indicator)
    except ConversionError as error:
        raise ConversionError(error.message, resource=ascii(indicator.identity)) from error


def _texts(pulse: Pulse, indicator: Indicator) -> Texts:
    raw, form = indicator.raw, MAPPING[indicator.type]
    text(indicator.value)  # whole, before the id is derived from it
    label = cut(f"{indicator.type} - {indicator.value}", TITLE_LIMIT)
    return Texts(
        key=names.key(pulse.id, indicator.identity),
        at=moment(pulse, indicator).isoformat(),
        title=text(cut(raw.title, TITLE_LIMIT)) or label,
        label=label,
        subject=form.quote(form.subject(indicator)),
        description=text(cut(raw.description, DESCRIPTION_LIMIT)),
        end=raw.expiration.isoformat() if raw.expiration else "",
    )


def _express(node: StixIndicator, form: Form, indicator: Indicator, said: Texts) -> None:
    subject = form.subject(indicator)
    if form.observe:
        observed = ObjectType(id=names.name("object", said.key), Properties=form.observe(subject))
        node.Observable = ObservableType(id=names.name("observable", said.key), Title=said.label, Object=observed)
    elif form.attach:
        form.attach(node, subject, said.key)


def _validity(said: Texts, indicator: Indicator) -> ValidTimeType:
    return ValidTimeType(
        Start_Time=DateTimeWithPrecisionType(valueOf_=said.at) if indicator.raw.created else None,
        End_Time=DateTimeWithPrecisionType(valueOf_=said.end),
    )
