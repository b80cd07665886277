"""The lines of a sender's curation: what people decided there, and the rules of its collections.

A line is the canonical JSON of one record. The lines stand in the order of kind and key, and each key comes once. The
lines are described in docs/relay-format.md.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, AwareDatetime, Field, JsonValue, TypeAdapter, ValidationError, model_validator

from pulsegate.curation.allow_list import entries_of
from pulsegate.curation.value_set import EntryKind
from pulsegate.errors import RelayFormatError
from pulsegate.model.collection import Collection
from pulsegate.model.decisions import LONGEST_REASON, Allowed, Override, Review, ReviewStatus, Trusted
from pulsegate.model.indicator import IndicatorType, RawIndicator, Rejection, identity_of
from pulsegate.relay.manifest import StrictPart, canonical
from pulsegate.relay.records import is_id
from pulsegate.settings.collections import MAX_NAME
from pulsegate.settings.written import as_settings
from pulsegate.store.digests import value_key
from pulsegate.values.normalise import normalise
from pulsegate.values.others import LONGEST_QUERY
from pulsegate.values.text import clean_line, is_fit_for_xml

MAX_LINES = 1_000_000
MAX_LINE = 1_000_000  # bytes
LONGEST_AUTHOR = 1_000  # characters
COLLECTION, ALLOW, OVERRIDE, REVIEW, TRUSTED = "collection", "allow", "override", "review", "trusted"


def _in_utc(moment: datetime) -> datetime:
    if moment.utcoffset() != timedelta(0):
        raise ValueError("a moment is written in UTC")
    return moment


def _is_reason(text: str) -> str:
    if len(text) > LONGEST_REASON or clean_line(text) != text:
        raise ValueError(f"a reason is one clean line of {LONGEST_REASON:,} characters at most")
    return text


def _is_author(text: str) -> str:
    if not text.strip() or len(text) > LONGEST_AUTHOR or not is_fit_for_xml(text):
        raise ValueError(f"an author's name has 1 to {LONGEST_AUTHOR:,} characters that XML can hold")
    return text


def _is_pulse(text: str) -> str:
    if not is_id(text):
        raise ValueError("that is no pulse's id")
    return text


def _is_name(text: str) -> str:
    if len(text) > MAX_NAME or not text.isprintable():
        raise ValueError(f"a collection's name has at most {MAX_NAME} printable characters")
    return text


def _is_in(place: str) -> str:
    return _is_name(place) if place else place


def _is_fit(rules: dict[str, JsonValue]) -> dict[str, JsonValue]:
    if not is_fit_for_xml(_texts(rules)):
        raise ValueError("rules have characters that no XML can hold")
    return rules


def _texts(value: JsonValue) -> str:
    """All texts in it, one after the other."""
    if isinstance(value, dict):
        return "".join(f"{key}{_texts(one)}" for key, one in value.items())
    if isinstance(value, list):
        return "".join(map(_texts, value))
    return value if isinstance(value, str) else ""


Moment = Annotated[AwareDatetime, AfterValidator(_in_utc)]
Reason = Annotated[str, AfterValidator(_is_reason)]


class CollectionLine(StrictPart):
    """A collection of the sender's own; ``rules`` as the settings take them, without the name."""

    record: Literal["collection"] = "collection"
    name: Annotated[str, Field(min_length=1), AfterValidator(_is_name)]
    rules: Annotated[dict[str, JsonValue], AfterValidator(_is_fit)]

    @property
    def key(self) -> tuple[str, ...]:
        return (self.name,)


class AllowLine(StrictPart):
    """An entry of the allow list, in its normal form."""

    record: Literal["allow"] = "allow"
    kind: Literal["exact", "subtree", "network"]
    text: Annotated[str, Field(min_length=1, max_length=LONGEST_QUERY)]
    reason: Reason
    since: Moment
    expires: Moment | None

    @property
    def key(self) -> tuple[str, ...]:
        return self.kind, self.text

    @model_validator(mode="after")
    def _is_in_normal_form(self) -> Self:
        if not _is_entry(self.kind, self.text):
            raise ValueError(f"{self.text[:80]!r} is no entry of the kind {self.kind}")
        return self

    def to_model(self, account: str) -> Allowed:
        return Allowed(self.kind, self.text, self.reason, account, self.since, self.expires)


def _is_entry(kind: str, text: str) -> bool:
    try:
        if kind == EntryKind.NETWORK:
            return str(ipaddress.ip_network(text)) == text and "%" not in text
        if kind == EntryKind.SUBTREE:
            return entries_of(text, subtree=True) == ((EntryKind.SUBTREE, text),)
    except ValueError:
        return False
    return text == text.strip() and is_fit_for_xml(text)


class OverrideLine(StrictPart):
    """A value that is forced in or out; ``collection`` is empty: in all.

    That one is forced in against own networks and protections doesn't travel: the receiver's hold.
    """

    record: Literal["override"] = "override"
    collection: Annotated[str, AfterValidator(_is_in)]
    type: IndicatorType
    value: str
    inside: bool
    reason: Reason
    since: Moment
    expires: Moment | None

    @property
    def key(self) -> tuple[str, ...]:
        return self.collection, identity_of(self.type, self.value)

    @model_validator(mode="after")
    def _is_in_normal_form(self) -> Self:
        found = normalise(RawIndicator(type=self.type.value, value=self.value))
        if isinstance(found, Rejection) or (found.type, found.value) != (self.type, self.value):
            raise ValueError(f"{self.value[:80]!r} is no {self.type.value} in its normal form")
        return self

    def to_model(self, account: str) -> Override:
        return Override(
            self.collection, value_key(self.type, self.value), self.type.value, self.value, self.inside,
            False, self.reason, account, self.since, self.expires,
        )  # fmt: skip


class ReviewLine(StrictPart):
    """What was decided on a pulse."""

    record: Literal["review"] = "review"
    pulse: Annotated[str, AfterValidator(_is_pulse)]
    status: ReviewStatus
    reason: Reason
    since: Moment

    @property
    def key(self) -> tuple[str, ...]:
        return (self.pulse,)

    def to_model(self, account: str) -> Review:
        return Review(self.pulse, self.status, 0, self.reason, account, self.since)


class TrustedLine(StrictPart):
    """An author whose pulses need no look."""

    record: Literal["trusted"] = "trusted"
    author: Annotated[str, AfterValidator(_is_author)]
    reason: Reason
    since: Moment

    @property
    def key(self) -> tuple[str, ...]:
        return (self.author,)

    def to_model(self, account: str) -> Trusted:
        return Trusted(self.author, self.reason, account, self.since)


Decision = Allowed | Override | Review | Trusted
Line = CollectionLine | AllowLine | OverrideLine | ReviewLine | TrustedLine
_LINES: TypeAdapter[Line] = TypeAdapter(Annotated[Line, Field(discriminator="record")])


# --- Writing ---------------------------------------------------------------------------------------------------------


def told(decision: Decision | Collection) -> dict[str, Any]:
    """What a line says of it."""
    fields: dict[str, Any]
    match decision:
        case Collection():
            rules = as_settings(decision)
            return {"record": COLLECTION, "name": rules.pop("name"), "rules": rules}
        case Allowed():
            fields = {"record": ALLOW, "kind": decision.kind, "text": decision.text, "expires": decision.expires}
        case Override():
            fields = {"record": OVERRIDE, "collection": decision.collection, "type": IndicatorType(decision.type)}
            fields |= {"value": decision.value, "inside": decision.inside, "expires": decision.expires}
        case Review():
            fields = {"record": REVIEW, "pulse": decision.pulse_id, "status": decision.status}
        case Trusted():
            fields = {"record": TRUSTED, "author": decision.author}
    return fields | {"reason": clean_line(decision.reason), "since": decision.since}


def as_lines(decisions: Iterable[Decision | Collection]) -> tuple[list[bytes], list[str]]:
    """The lines, in their order; and of what no receiver would take, what is wrong with it."""
    found: dict[tuple[str, ...], bytes] = {}
    faults: list[str] = []
    for one in decisions:
        try:
            line = _LINES.validate_python(told(one))
            text = canonical(line) + b"\n"
            read(text)
        except ValidationError as error:
            faults.append(f"{type(one).__name__.lower()}: {_first(error)}")
        except RelayFormatError as error:
            faults.append(f"{type(one).__name__.lower()} {error.message}")
        else:
            found[line.record, *line.key] = text
    return [found[key] for key in sorted(found)], faults


# --- Reading ---------------------------------------------------------------------------------------------------------


def read(text: bytes) -> Line:
    """RelayFormatError: the line is no record, or not written as it should be."""
    if len(text) > MAX_LINE:
        raise RelayFormatError(f"has a line of curation of more than {MAX_LINE:,} bytes")
    try:
        line = _LINES.validate_json(text)
    except ValidationError as error:
        raise RelayFormatError(f"has a line of curation that can't be read ({_first(error)})") from error
    if canonical(line) + b"\n" != text:
        raise RelayFormatError("has a line of curation that is not written as it should be")
    return line


def read_all(lines: Iterable[bytes]) -> Iterator[Line]:
    """The records. RelayFormatError: one can't be read, comes twice, or out of its order."""
    last: tuple[str, ...] = ()
    for number, text in enumerate(lines, start=1):
        line = read(text)
        key = (line.record, *line.key)
        if key <= last:
            raise RelayFormatError(f"has curation twice, or not in its order: {json.dumps(key)[:100]}")
        if number > MAX_LINES:
            raise RelayFormatError(f"has more than {MAX_LINES:,} lines of curation")
        last = key
        yield line


def _first(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(map(str, first["loc"]))
    return f"{place or 'it'}: {first['msg'].removeprefix('Value error, ')}"
