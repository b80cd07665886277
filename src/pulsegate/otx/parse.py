"""OTX's JSON to the model: pulses, rows of indicators, pages. Tolerates every variant seen since 2015; pure, no I/O."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Generic, TypeVar

from pulsegate.errors import OTXAnswerError, PulseFormatError
from pulsegate.model.indicator import IndicatorType, RawIndicator, Rejection
from pulsegate.model.pulse import Pulse
from pulsegate.model.tlp import TLP
from pulsegate.otx.dates import OBJECT_ID, object_id_time
from pulsegate.otx.fields import NAMES, first, flag_of, number_of, text_of, words_of
from pulsegate.values.dates import read_date
from pulsegate.values.text import clean_line, clean_text, fit_for_xml

T = TypeVar("T")
_MAX_AUTHOR = 250
_SHOWN = 200  # characters of an unreadable row that its rejection keeps


@dataclass(frozen=True, slots=True)
class ReadPulse:
    """A pulse with what could be read of its indicators."""

    pulse: Pulse
    indicators: tuple[RawIndicator, ...]
    more_indicators: bool  # there are more of them than the answer carried: ask for the pulse's indicators
    unreadable: tuple[Rejection, ...]


@dataclass(frozen=True, slots=True)
class ReadIndicators:
    """What could be read of some rows of indicators."""

    indicators: tuple[RawIndicator, ...]
    unreadable: tuple[Rejection, ...]


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page of an answer: its rows unread, how many rows all pages have (None: not told), whether one follows.

    ``date`` is OTX's own time when it answered (aware, UTC); None when it doesn't tell. It doesn't make another page.
    """

    results: list[T]
    count: int | None
    has_next: bool
    date: datetime | None = field(default=None, compare=False)


def read_page(data: object) -> Page[object]:
    """The page in ``data``. ``next`` is only looked at, never kept: it may name any host. OTXAnswerError: no page."""
    results = data.get("results") if isinstance(data, dict) else None
    if not isinstance(data, dict) or not isinstance(results, list):
        raise OTXAnswerError("is not a page: it has no list of results")
    count = data.get("count")
    return Page(results, None if count is None else number_of(count), bool(data.get("next")))


def read_pulse(data: object) -> ReadPulse:
    """The pulse in ``data`` (the decoded JSON object). PulseFormatError, with the pulse's id if known: it is none.

    Without a list of indicators the pulse counts as sent without them, so ``more_indicators`` is true: what wasn't
    sent must not look like what was withdrawn.
    """
    if not isinstance(data, dict):
        raise PulseFormatError("a pulse is a JSON object", hint="Expected the fields id, name, indicators, …")
    pulse = _read_head(data)
    rows = data.get("indicators")
    if rows is None:
        return ReadPulse(pulse, (), more_indicators=True, unreadable=())
    if not isinstance(rows, list):
        raise PulseFormatError("its indicators are no list", resource=pulse.id)
    read = read_indicators(rows)
    more = flag_of(data.get("more_indicators"), missing=False)
    return ReadPulse(pulse, read.indicators, more_indicators=more, unreadable=read.unreadable)


def pulse_id(data: Mapping[str, object]) -> str:
    """The pulse's id, 24 hex digits in lower case. PulseFormatError: its id is none, or it has neither id nor name.

    A pulse whose id was dropped on its way through a file gets one made of its name, author and time of creation
    (SHA-256), so that the same file imported again is the same pulse.
    """
    written = text_of(first(data, "id", "_id", "pulse_id")).strip().lower()
    if OBJECT_ID.fullmatch(written):
        return written
    if written:
        raise PulseFormatError("a pulse's id is 24 hex digits", resource=clean_line(written)[:_SHOWN])
    name = text_of(data.get("name")).strip()
    if not name:
        raise PulseFormatError("has neither an id nor a name, so it is no pulse")
    parts = "\n".join((name, _author(data), text_of(data.get("created"))))
    return hashlib.sha256(parts.encode("utf-8", "replace")).hexdigest()[:24]


def _read_head(data: Mapping[str, object]) -> Pulse:
    if "indicator" in data and "indicators" not in data:
        raise PulseFormatError("is an indicator, not a pulse", resource=text_of(data.get("id")) or None)
    identity = pulse_id(data)
    name = clean_line(text_of(data.get("name")))
    if not name and "indicators" not in data:
        raise PulseFormatError("has neither a name nor indicators, so it is no pulse", resource=identity)
    created, modified = _times(identity, data)
    return Pulse(
        id=identity,
        name=name or f"Pulse {identity}",
        author=_author(data),
        created=created,
        modified=modified,
        description=clean_text(text_of(data.get("description"))),
        tlp=TLP.read(" ".join((*words_of(data.get("tlp")), *words_of(data.get("TLP"))))),
        revision=number_of(data.get("revision")),
        public=flag_of(data.get("public"), missing=True),
        adversary=" ".join(words_of(data.get("adversary"))),
        tags=words_of(data.get("tags")),
        references=words_of(data.get("references"), ("url", *NAMES)),
        targeted_countries=words_of(data.get("targeted_countries")),
        malware_families=words_of(data.get("malware_families")),
        attack_ids=words_of(data.get("attack_ids"), ("id", "name", "display_name")),
        industries=words_of(data.get("industries")),
        extract_source=words_of(data.get("extract_source")),
    )


def _author(data: Mapping[str, object]) -> str:
    """The author's name, clean and bounded (a collection is named after it); empty when the pulse doesn't tell."""
    author = first(data, "author_name", "author")
    if isinstance(author, dict):
        author = first(author, "username", "author_name", "name")
    return clean_line(text_of(author))[:_MAX_AUTHOR].rstrip()


def _times(identity: str, data: Mapping[str, object]) -> tuple[datetime, datetime]:
    """When it was created and modified. OTX has pulses modified before they were created: kept, it sorts by that."""
    created, modified = read_date(data.get("created")), read_date(data.get("modified"))
    created = created or object_id_time(identity) or modified
    if created is None:
        raise PulseFormatError("tells no time: neither created nor modified is a date", resource=identity)
    return created, modified or created


def read_indicators(rows: object) -> ReadIndicators:
    """The rows of a pulse's ``indicators`` or of ``/pulses/{id}/indicators``. PulseFormatError: it isn't a list."""
    if not isinstance(rows, list):
        raise PulseFormatError("indicators are a JSON list")
    indicators: list[RawIndicator] = []
    unreadable: list[Rejection] = []
    for row in rows:
        read = _read_indicator(row)
        if isinstance(read, Rejection):
            unreadable.append(read)
        else:
            indicators.append(read)
    return ReadIndicators(tuple(indicators), tuple(unreadable))


def _read_indicator(row: object) -> RawIndicator | Rejection:
    if not isinstance(row, dict):
        return Rejection(RawIndicator("", _shown(row)), "not an object with a type and a value")
    get = row.get
    kind, value = text_of(get("type")), text_of(get("indicator"))
    role, title, description, content = get("role"), get("title"), get("description"), get("content")
    raw = RawIndicator(  # by position, and what is missing at no cost: there are millions of them
        kind,
        value,
        text_of(get("id") if get("id") is not None else get("_id")) or None,
        read_date(get("created")),
        read_date(get("expiration")),
        flag_of(get("is_active"), missing=True),
        clean_line(text_of(role)) if role else "",
        clean_text(text_of(title)) if title else "",
        clean_text(text_of(description)) if description else "",
        _content(kind, text_of(content)) if content else "",
    )
    if not value.strip():
        return Rejection(raw, "has no value" if get("indicator") in (None, value) else "its value is no text")
    return raw


def _content(kind: str, text: str) -> str:
    """A rule is code: what looks like an HTML escape in it is meant so."""
    return fit_for_xml(text) if kind in (IndicatorType.YARA, IndicatorType.OSQUERY) else clean_text(text)


def _shown(row: object) -> str:
    """What a rejection shows of a row that is no object; deep structures aren't walked."""
    if isinstance(row, list):
        return "a list"
    return clean_line(text_of(row))[:_SHOWN] or ("null" if row is None else type(row).__name__)
