"""One OTX indicator as one STIX Indicator (STIX 1.2, Indicator data model 2.2)."""

from __future__ import annotations

from datetime import datetime

from cybox.bindings.cybox_core import ObjectType, ObservableType
from mixbox.dates import serialize_datetime
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


def moment(pulse: Pulse, indicator: Indicator) -> datetime:
    """The timestamp of the STIX Indicator: with its id it names a version, so it must not move by itself."""
    return indicator.raw.created or pulse.modified


def build(pulse: Pulse, indicator: Indicator, profile: Profile) -> StixIndicator:
    """The STIX Indicator, without what is the same for all of a pulse (producer, marking, confidence).

    Raises ConversionError when it is not expressible in ``profile`` or holds a character that XML can't carry.
    """
    reason = expressible(indicator.type, indicator.value, indicator.raw.content, profile)
    if reason:
        raise ConversionError(reason, resource=ascii(indicator.identity))
    try:
        return _build(pulse, indicator)
    except ConversionError as error:
        raise ConversionError(error.message, resource=ascii(indicator.identity)) from error


def _build(pulse: Pulse, indicator: Indicator) -> StixIndicator:
    form = MAPPING[indicator.type]
    raw = indicator.raw
    label = text(cut(f"{indicator.type} - {indicator.value}", TITLE_LIMIT))
    text(indicator.value)  # whole, before the id is derived from it
    key = names.key(pulse.id, indicator.identity)
    node = StixIndicator(
        id=names.name("indicator", key),
        timestamp=serialize_datetime(moment(pulse, indicator)),
        Title=text(cut(raw.title, TITLE_LIMIT)) or label,
        Type=[ControlledVocabularyStringType(valueOf_=form.watchlist, xsi_type=_VOCABULARY)] if form.watchlist else [],
        Description=[StructuredTextType(valueOf_=text(cut(raw.description, DESCRIPTION_LIMIT)))]
        * bool(raw.description),
        Valid_Time_Position=[_validity(raw.created, raw.expiration)] if raw.expiration else [],
    )
    _express(node, form, indicator, key, label)
    return node


def _express(node: StixIndicator, form: Form, indicator: Indicator, key: str, label: str) -> None:
    if form.observe:
        subject = ObjectType(id=names.name("object", key), Properties=form.observe(indicator.value))
        node.Observable = ObservableType(id=names.name("observable", key), Title=label, Object=subject)
    elif form.attach:
        form.attach(node, indicator, key)


def _validity(start: datetime | None, end: datetime) -> ValidTimeType:
    return ValidTimeType(
        Start_Time=DateTimeWithPrecisionType(valueOf_=start.isoformat()) if start else None,
        End_Time=DateTimeWithPrecisionType(valueOf_=end.isoformat()),
    )
