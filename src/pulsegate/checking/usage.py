"""What of a STIX 1.x indicator a mail gateway uses, and why not the rest.

Cisco documents the kinds (addresses, domains, URLs, file hashes), not the forms. So this is the form that is sure to be
read: one indicator with one observable in it, one value that must be equal, and the value's kind told.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from types import MappingProxyType

from lxml import etree

from pulsegate.model.indicator import Indicator, IndicatorType, RawIndicator
from pulsegate.reports.observables import DELIMITER, children, local_type, plain_text
from pulsegate.values.normalise import normalise
from pulsegate.values.text import clean_line

T = IndicatorType
KINDS = ("ip", "domain", "url", "hash")
_SHOWN = 120  # characters of an example
_TRUE = ("true", "1")
_HASHES = MappingProxyType({"MD5": T.MD5, "SHA1": T.SHA1, "SHA256": T.SHA256})
_FORMS = {T.MD5: 32, T.SHA1: 40, T.SHA256: 64}
_RANGE = re.compile(r"[0-9A-Fa-f.:]+\s*-\s*[0-9A-Fa-f.:]+")


@dataclass(frozen=True, slots=True)
class Used:
    """A value that it matches. ``kind`` is one of KINDS; ``doubt``: why it may not be sure to, if so."""

    kind: str
    value: str
    doubt: str = ""


@dataclass(frozen=True, slots=True)
class Ignored:
    """What it leaves out, with the reason for people; ``text`` is an example, at most _SHOWN characters."""

    reason: str
    text: str


Found = Used | Ignored


class _LeftOutError(ValueError):
    """The reason; ``text`` is what is left out."""

    def __init__(self, reason: str, text: str = "") -> None:
        super().__init__(reason)
        self.text = text


def of_indicator(indicator: etree._Element) -> Found:
    """What becomes of an outermost Indicator element."""
    try:
        return _read(_properties(_observable(indicator)))
    except _LeftOutError as left:
        return Ignored(str(left), (left.text or _name_of(indicator))[:_SHOWN])


def of_loose_observable(observable: etree._Element) -> Ignored:
    """An observable that belongs to no indicator."""
    return Ignored("an observable outside of any indicator", _name_of(observable)[:_SHOWN])


def _name_of(element: etree._Element) -> str:
    titles = (plain_text(one) for one in children(element, "Title"))
    return next(titles, "") or element.get("id") or element.get("idref") or ""


def _parts(element: etree._Element) -> dict[str, list[etree._Element]]:
    """Its children by their local names: STIX and CybOX have a namespace for each object."""
    found: dict[str, list[etree._Element]] = {}
    for one in element.iterchildren(etree.Element):
        found.setdefault(one.tag.rpartition("}")[2], []).append(one)
    return found


def _observable(indicator: etree._Element) -> etree._Element:
    if indicator.get("idref"):
        raise _LeftOutError("an indicator that only refers to another one (idref)", indicator.get("idref", ""))
    if indicator.get("negate") in _TRUE:
        raise _LeftOutError("a negated indicator")
    parts = _parts(indicator)
    if "Composite_Indicator_Expression" in parts:
        raise _LeftOutError("an indicator that is composed of others (AND, OR)")
    found = parts.get("Observable", ())
    if len(found) > 1:
        raise _LeftOutError("several observables in one indicator")
    if not found:
        is_rule = "Test_Mechanisms" in parts
        raise _LeftOutError("a rule or query (Test_Mechanisms)" if is_rule else "an indicator without an observable")
    return found[0]


def _properties(observable: etree._Element) -> etree._Element:
    if observable.get("idref"):
        raise _LeftOutError("the observable stands elsewhere (idref)", observable.get("idref", ""))
    if observable.get("negate") in _TRUE:
        raise _LeftOutError("a negated observable")
    parts = _parts(observable)
    if "Observable_Composition" in parts:
        raise _LeftOutError("observables that are composed (AND, OR)")
    if "Event" in parts:
        raise _LeftOutError("an event, not a value")
    for one in parts.get("Object", ()):
        if one.get("idref"):
            raise _LeftOutError("the object stands elsewhere (idref)", one.get("idref", ""))
        for properties in _parts(one).get("Properties", ()):
            return properties
    raise _LeftOutError("an observable without an object")


def _read(properties: etree._Element) -> Used:
    name = local_type(properties)
    reader = _READERS.get(name)
    if reader is None:
        raise _LeftOutError(f"an object of the type {name[:60] or 'that is not told'}", plain_text(properties))
    return reader(properties)


def _value(properties: etree._Element, *names: str) -> tuple[str, str]:
    """The one text at that path, and the doubt about it."""
    fields = list(children(properties, *names))
    texts = [plain_text(one) for one in fields]
    if len(fields) != 1:
        raise _LeftOutError(
            "an object with several values" if fields else "an object without a value", ", ".join(texts)
        )
    text, condition = texts[0], fields[0].get("condition")
    if not text:
        raise _LeftOutError("an object without a value")
    if (fields[0].get("delimiter") or DELIMITER) in text:
        raise _LeftOutError("a list of values in one field", text)
    if condition not in (None, "Equals"):
        raise _LeftOutError(f"the condition {condition[:40]}, not Equals", text)
    return text, "" if condition else "without condition=Equals"


def _address(properties: etree._Element) -> Used:
    text, doubt = _value(properties, "Address_Value")
    category = (properties.get("category") or "").strip()
    if category not in ("", "ipv4-addr", "ipv6-addr", "cidr", "e-mail"):
        raise _LeftOutError(f"an address of the category {category[:40]}", text)
    if category == "e-mail" or "@" in text:
        raise _LeftOutError("an e-mail address", text)
    if "," in text:
        raise _LeftOutError("a list of values in one field", text)
    if _RANGE.fullmatch(text):
        raise _LeftOutError("a range of addresses", text)
    if category == "cidr" or "/" in text:
        raise _LeftOutError("a network (CIDR)", text)
    return Used("ip", text, _of_address(text, category) or doubt)


def _of_address(text: str, category: str) -> str:
    """The doubt about it. _LeftOutError: it is no address."""
    try:
        found = ip_address(text)
    except ValueError:
        raise _LeftOutError("no IP address, though it is said to be one", text) from None
    if category and category != f"ipv{found.version}-addr":
        raise _LeftOutError(f"an IPv{found.version} address that is said to be {category}", text)
    if not found.is_global:
        return "a private or reserved address"
    return "" if category else "an address without its category"


def _domain(properties: etree._Element) -> Used:
    text, doubt = _value(properties, "Value")
    kind = properties.get("type")
    if kind not in (None, "FQDN"):
        raise _LeftOutError(f"a domain name of the type {kind[:40]}, not FQDN", text)
    if "," in text:
        raise _LeftOutError("a list of values in one field", text)
    found = normalise(RawIndicator(T.DOMAIN, text))
    is_name = isinstance(found, Indicator) and found.type in (T.DOMAIN, T.HOSTNAME)
    if not is_name or (text.isascii() and found.value != text.lower()):  # type: ignore[union-attr]
        raise _LeftOutError("no plain domain name", text)
    if not text.isascii():
        return Used("domain", text, "a name with letters that are not ASCII's")
    return Used("domain", text, "" if kind else doubt or "a domain name without type=FQDN")


def _uri(properties: etree._Element) -> Used:
    text, doubt = _value(properties, "Value")
    kind = properties.get("type")
    if kind not in (None, "URL"):
        raise _LeftOutError(f"a URI of the type {kind[:40]}, not URL", text)
    found = normalise(RawIndicator(T.URL, text))
    if not isinstance(found, Indicator) or found.type is not T.URL:
        raise _LeftOutError("no URL, though it is said to be one", text)
    if "[.]" in text or text.lower().startswith("hxxp"):
        raise _LeftOutError("a URL that is made unusable (hxxp, [.])", text)
    if "://" not in text:
        return Used("url", text, "a URL without its scheme")
    return Used("url", text, "" if kind else doubt or "a URI without type=URL")


def _file(properties: etree._Element) -> Used:
    hashes = list(children(properties, "Hashes", "Hash"))
    if len(hashes) != 1:
        reason = "several hashes in one file object" if hashes else "a file without a hash"
        raise _LeftOutError(reason, plain_text(properties))
    text, doubt = _value(hashes[0], "Simple_Hash_Value")
    if "," in text:
        raise _LeftOutError("a list of values in one field", text)
    name = "".join(plain_text(one) for one in children(hashes[0], "Type"))
    kind = _HASHES.get(name.upper().replace("-", ""))
    if kind is None:
        raise _LeftOutError(f"a hash of the type {name[:40]}" if name else "a hash without its type", text)
    if not re.fullmatch(f"[0-9A-Fa-f]{{{_FORMS[kind]}}}", text):
        raise _LeftOutError(f"no {kind.value.removeprefix('FileHash-')} value, though it is said to be one", text)
    return Used("hash", text, doubt)


_READERS: Mapping[str, Callable[[etree._Element], Used]] = MappingProxyType(
    {
        "AddressObjectType": _address,
        "DomainNameObjectType": _domain,
        "URIObjectType": _uri,
        "FileObjectType": _file,
    }
)


class Tally:
    """How many of each, with an example each; bounded, whatever the feed."""

    MOST = 60  # reasons that are told apart

    def __init__(self) -> None:
        self.used = dict.fromkeys(KINDS, 0)
        self.ignored: dict[str, tuple[int, str]] = {}
        self.doubts: dict[str, tuple[int, str]] = {}

    @property
    def uses(self) -> int:
        return sum(self.used.values())

    @property
    def ignores(self) -> int:
        return sum(count for count, _ in self.ignored.values())

    def add(self, found: Found) -> None:
        if isinstance(found, Ignored):
            self._count(self.ignored, found.reason, found.text, 1)
            return
        self.used[found.kind] += 1
        if found.doubt:
            self._count(self.doubts, found.doubt, found.value[:_SHOWN], 1)

    def merge(self, other: Tally) -> None:
        for kind, count in other.used.items():
            self.used[kind] += count
        for mine, theirs in ((self.ignored, other.ignored), (self.doubts, other.doubts)):
            for reason, (count, text) in theirs.items():
                self._count(mine, reason, text, count)

    def _count(self, where: dict[str, tuple[int, str]], reason: str, text: str, count: int) -> None:
        if reason not in where and len(where) >= self.MOST:
            reason = "other reasons"
        before, example = where.get(reason) or (0, clean_line(text))
        where[reason] = (before + count, example)

    def sorted(self) -> Iterator[tuple[str, int, str]]:
        """(reason, count, example) of what is ignored, the most frequent first."""
        for reason, (count, text) in sorted(self.ignored.items(), key=lambda one: -one[1][0]):
            yield reason, count, text
