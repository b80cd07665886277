"""MISP's JSON: an event, several, or the answer of its API; the attributes and objects' attributes that are to detect.

Source: MISP core format (draft-dulaunoy-misp-core-format), sections 2.2 to 2.4.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, BinaryIO

from pulsegate.errors import ReportError
from pulsegate.model.indicator import IndicatorType, RawIndicator
from pulsegate.model.tlp import TLP
from pulsegate.reports.fields import strictest, tlp
from pulsegate.reports.reading import Entry, Proposed, Refusal, refusal
from pulsegate.reports.streams import MAX_ENTRIES, MAX_JSON, size, too_many
from pulsegate.values.dates import read_date
from pulsegate.values.text import clean_text

T = IndicatorType
Part = tuple[IndicatorType, str]
Split = Callable[[str], tuple[Part, ...]]
_PREFIX = "tlp:"
_RULE = "yara"  # its value is the rule, which has no name of its own


def _whole(kind: IndicatorType) -> Split:
    return lambda value: ((kind, value),)


def _first(kind: IndicatorType) -> Split:
    """Before the bar; behind it is a port."""
    return lambda value: ((kind, value.partition("|")[0]),)


def _last(kind: IndicatorType) -> Split:
    """Behind the last bar; before it is a file's name."""
    return lambda value: ((kind, value.rpartition("|")[2]),)


def _name_and_address(value: str) -> tuple[Part, ...]:
    name, _, address = value.partition("|")
    return (T.DOMAIN, name), (T.IPV4, address)


_HASHES = {"md5": T.MD5, "sha1": T.SHA1, "sha256": T.SHA256, "imphash": T.IMPHASH, "pehash": T.PEHASH}
TYPES: Mapping[str, Split] = MappingProxyType(
    {
        "ip-src": _whole(T.IPV4),  # networks and IPv6 too: the value tells
        "ip-dst": _whole(T.IPV4),
        "ip-src|port": _first(T.IPV4),
        "ip-dst|port": _first(T.IPV4),
        "domain": _whole(T.DOMAIN),
        "hostname": _whole(T.HOSTNAME),
        "hostname|port": _first(T.HOSTNAME),
        "domain|ip": _name_and_address,
        "url": _whole(T.URL),
        "uri": _whole(T.URI),
        **{name: _whole(kind) for name, kind in _HASHES.items()},
        **{f"filename|{name}": _last(kind) for name, kind in _HASHES.items()},
        "malware-sample": _last(T.MD5),
        "email": _whole(T.EMAIL),
        "email-src": _whole(T.EMAIL),
        "email-dst": _whole(T.EMAIL),
        "email-reply-to": _whole(T.EMAIL),
        "mutex": _whole(T.MUTEX),
        "vulnerability": _whole(T.CVE),
        "ja3-fingerprint-md5": _whole(T.JA3),
        "x509-fingerprint-md5": _whole(T.SSL_CERT_FINGERPRINT),
        "x509-fingerprint-sha1": _whole(T.SSL_CERT_FINGERPRINT),
        "x509-fingerprint-sha256": _whole(T.SSL_CERT_FINGERPRINT),
        "btc": _whole(T.BITCOIN_ADDRESS),
    }
)
"""What each attribute type holds; a file's bare name, and what is not here, is refused."""


@dataclass(frozen=True, slots=True)
class _Found:
    """An attribute and what it takes from its event."""

    attribute: Any
    where: str
    title: str = ""
    tlp: TLP | None = None


def entries(stream: BinaryIO) -> Iterator[Entry]:
    """The attributes that have ``to_ids``; the others are refused. ReportError, before the first: it is no event."""
    found = [one for event, where in _events(_load(stream)) for one in _attributes(event, where)]
    if len(found) > MAX_ENTRIES:
        raise too_many(len(found), "attributes")
    for one in found:
        yield from _entries(one)


def _load(stream: BinaryIO) -> Any:
    size(stream, MAX_JSON)
    try:
        return json.loads(stream.read())
    except RecursionError as error:
        raise ReportError("it is nested too deep") from error
    except ValueError as error:  # the encoding's errors, and numbers of too many digits, are such too
        raise ReportError(f"it is no JSON: {error}") from error


def _events(data: Any) -> Iterator[tuple[Mapping[str, Any], str]]:
    """Each event with its path. ReportError when there is none."""
    if isinstance(data, dict) and "response" in data:
        data = data["response"]
    events = data if isinstance(data, list) else [data]
    read = False
    for place, one in enumerate(events):
        event = one.get("Event", one) if isinstance(one, dict) else None
        if isinstance(event, dict) and ({"Attribute", "Object", "info"} & event.keys()):
            read = True
            yield event, f"event {place + 1}"
    if not read:
        raise ReportError("it holds no MISP event", hint="Export the event from MISP as JSON")


def _attributes(event: Mapping[str, Any], where: str) -> Iterator[_Found]:
    title, marking = clean_text(_text(event.get("info"))), _marking(event)
    for place, one in enumerate(_list(event.get("Attribute"))):
        yield _Found(one, f"{where}, attribute {place + 1}", title, marking)
    for number, holder in enumerate(_list(event.get("Object"))):
        attributes = _list(holder.get("Attribute")) if isinstance(holder, dict) else []
        for place, one in enumerate(attributes):
            yield _Found(one, f"{where}, object {number + 1}, attribute {place + 1}", title, marking)


def _entries(found: _Found) -> Iterator[Entry]:
    one = found.attribute
    if not isinstance(one, dict):
        yield Refusal(found.where, "", "not an attribute")
        return
    kind, value = _text(one.get("type")), _text(one.get("value"))
    reason = _against(one, kind)
    if reason:
        yield refusal(found.where, value, reason)
        return
    level = _marking(one) or found.tlp
    for type_, text in ((T.YARA, ""),) if kind == _RULE else TYPES[kind](value):
        indicator = RawIndicator(
            type_.value,
            text,
            created=read_date(_seconds(one.get("timestamp"))),
            title=found.title,
            description=clean_text(_text(one.get("comment"))),
            content=value if kind == _RULE else "",
        )
        yield Proposed(indicator, level, found.where)


def _against(attribute: Mapping[str, Any], kind: str) -> str | None:
    if _is_true(attribute.get("deleted")):
        return "it is deleted"
    if kind not in TYPES and kind != _RULE:
        return f'attributes of type "{clean_text(kind[:60])}" are not taken'
    return None if _is_true(attribute.get("to_ids")) else "it is not marked as an indicator (to_ids)"


def _marking(holder: Mapping[str, Any]) -> TLP | None:
    """The most closed level of its tags; one that is not known closes it."""
    names = [_text(tag.get("name")).strip().lower() for tag in _list(holder.get("Tag")) if isinstance(tag, dict)]
    return strictest(_levels(name for name in names if name.startswith(_PREFIX)))


def _levels(names: Iterable[str]) -> Iterator[TLP]:
    for name in names:
        try:
            found = tlp(name)
        except ValueError:
            found = TLP.RED
        if found is not None:
            yield found


def _seconds(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return None


def _is_true(value: Any) -> bool:
    return value is True or value in (1, "1", "true")


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
