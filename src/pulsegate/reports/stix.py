"""STIX 1.x XML: the values of its indicators and observables, streamed; the reverse of ``stix/mapping.py``.

What can be matched by itself is taken: what holds only together with other things, or when something is not there, is
refused, as it would become wider than its author wrote it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, BinaryIO

from lxml import etree

from pulsegate.errors import ReportError
from pulsegate.model.indicator import Indicator, IndicatorType, RawIndicator
from pulsegate.model.tlp import TLP
from pulsegate.reports.fields import expiration, strictest, tlp
from pulsegate.reports.observables import UnfitError, Value, children, local_type, plain_text, values
from pulsegate.reports.reading import Entry, Proposed, refusal
from pulsegate.reports.streams import MAX_ENTRIES, size, too_many
from pulsegate.values.dates import read_date
from pulsegate.values.names import type_of_name
from pulsegate.values.normalise import normalise
from pulsegate.values.text import clean_text

T = IndicatorType
_TYPES = frozenset(kind.value for kind in IndicatorType)
MAX_DEPTH = 120  # elements: a package that is taken into an inbox has 100, and one that is exported holds such
MAX_CONTEXT = 200_000  # elements of one package outside of its indicators: they are held in memory
_WHOLE = ("}Indicator", "}Observable")
_STIX = "{http://stix.mitre.org/stix-1}"
_ROOT = f"{_STIX}STIX_Package"
_PACKAGES = frozenset({_ROOT, f"{_STIX}Package"})
_TAGS = (*_PACKAGES, f"{_STIX}STIX_Header", "{*}Indicator", "{*}Observable")
# Nothing is resolved or fetched, and libxml2's own bounds hold.
_HARDENING: dict[str, Any] = {"resolve_entities": False, "no_network": True, "load_dtd": False, "huge_tree": False}


def entries(stream: BinaryIO) -> Iterator[Entry]:
    """The values of the package and of those within it. ReportError, before the first one: it is no such package."""
    size(stream)
    _look(stream)
    stream.seek(0)
    levels: list[TLP | None] = []
    depth = 0  # of indicators and observables: the outermost is read as a whole
    for event, element in etree.iterparse(stream, events=("start", "end"), tag=_TAGS, **_HARDENING):
        if element.tag in _PACKAGES:
            levels = [*levels, None] if event == "start" else levels[:-1]
            if event == "end" and levels and not depth:
                _forget(element)
        elif element.tag == f"{_STIX}STIX_Header":
            if event == "end" and not depth:
                levels[-1] = _marking(element)
        else:
            depth += 1 if event == "start" else -1
            if not depth:
                yield from _outermost(element, levels[-1])
                _forget(element)


def _look(stream: BinaryIO) -> None:
    """Read it once from end to end, keeping nothing, so that what is wrong with it is known before anything is done."""
    bounds = _Bounds()
    try:
        for event, element in etree.iterparse(stream, events=("start", "end"), **_HARDENING):
            if event == "start":
                if not bounds.depth:
                    _check_root(element)
                bounds.begin(element.tag)
            else:
                bounds.end(element.tag)
                _forget(element)
    except etree.XMLSyntaxError as error:
        raise ReportError(f"it is no well-formed XML: {error.msg}") from error
    if bounds.objects > MAX_ENTRIES:
        raise too_many(bounds.objects, "objects")


@dataclass(slots=True)
class _Bounds:
    """What is counted of a document: ``context`` are the elements of a package that are kept while it is read."""

    depth: int = 0
    inside: int = 0  # how many indicators and observables are open
    context: int = 0
    objects: int = 0

    def begin(self, tag: str) -> None:
        self.depth += 1
        self.objects += tag.endswith("}Properties")
        self.inside += tag.endswith(_WHOLE)
        self.context += not self.inside
        if self.depth > MAX_DEPTH:
            raise ReportError(f"its elements are nested more than {MAX_DEPTH} deep")
        if self.context > MAX_CONTEXT:
            raise ReportError(f"it has more than {MAX_CONTEXT:,} elements that are no indicators", hint="Split it")

    def end(self, tag: str) -> None:
        self.depth -= 1
        self.inside -= tag.endswith(_WHOLE)
        self.context *= tag not in _PACKAGES


def _check_root(root: etree._Element) -> None:
    if root.getroottree().docinfo.doctype:
        raise ReportError("a package has no document type declaration")
    if root.tag != _ROOT:
        raise ReportError(f"its root is {root.tag[:200]}, not a STIX_Package of STIX 1.x")


def _forget(element: etree._Element) -> None:
    """Let go of what has been read."""
    parent = element.getparent()
    element.clear(keep_tail=False)
    while parent is not None and parent[0] is not element:
        del parent[0]


@dataclass(frozen=True, slots=True)
class _Said:
    """What the indicator around a value says of it."""

    where: str
    tlp: TLP | None
    title: str = ""
    description: str = ""
    created: datetime | None = None
    end: datetime | None = None


def _outermost(element: etree._Element, level: TLP | None) -> Iterator[Entry]:
    where = f"line {element.sourceline}"
    name = etree.QName(element).localname
    if name == "Observable":
        parent = element.getparent()
        if parent is None or etree.QName(parent).localname != "Observables":
            return  # of an incident or a means: context, nothing to look for
        yield from _observable(element, _Said(where, level))
        return
    try:
        said = _said(element, where, level)
    except ValueError as error:
        yield refusal(where, _title(element), str(error))
        return
    yield from _indicator(element, said)


def _said(element: etree._Element, where: str, level: TLP | None) -> _Said:
    return _Said(
        where,
        _marking(element) or level,
        _title(element),
        next((clean_text(plain_text(one)) for one in children(element, "Description")), ""),
        read_date(element.get("timestamp")),
        _end(element),
    )


def _title(element: etree._Element) -> str:
    return next((clean_text(plain_text(one)) for one in children(element, "Title")), "")


def _end(element: etree._Element) -> datetime | None:
    """Until when it is valid: the latest of its ends; None where one period has none. ValueError: it is no date."""
    periods = list(children(element, "Valid_Time_Position"))
    ends = [expiration("".join(plain_text(one) for one in children(period, "End_Time"))) for period in periods]
    return None if not ends or None in ends else max(end for end in ends if end is not None)


def _marking(element: etree._Element) -> TLP | None:
    """The most closed level that it is marked with; one that is not known closes it."""
    found = []
    for one in children(element, "Handling", "Marking", "Marking_Structure"):
        color = one.get("color")
        if color is not None:
            try:
                found.append(tlp(color) or TLP.RED)
            except ValueError:
                found.append(TLP.RED)
    return strictest(found)


def _indicator(element: etree._Element, said: _Said) -> Iterator[Entry]:
    """An indicator, with those that it is composed of."""
    if element.get("negate") in ("true", "1"):
        yield refusal(said.where, said.title, "an indicator that is negated")
        return
    for one in children(element, "Observable"):
        yield from _observable(one, said)
    for one in children(element, "Indicated_TTP"):
        for number in one.iter("{*}CVE_ID"):
            yield _proposed(T.CVE, plain_text(number), said)
    for one in children(element, "Test_Mechanisms", "Test_Mechanism"):
        yield _mechanism(one, said)
    for expression in children(element, "Composite_Indicator_Expression"):
        if expression.get("operator") != "OR":
            yield refusal(said.where, said.title, "indicators that must be met together")
            continue
        for one in children(expression, "Indicator"):
            yield from _outermost(one, said.tlp)


def _observable(element: etree._Element, said: _Said) -> Iterator[Entry]:
    """An observable, with those that it is composed of. One that only refers to another (``idref``) has nothing."""
    if element.get("negate") in ("true", "1"):
        yield refusal(said.where, said.title, "an observable that is negated")
        return
    for one in children(element, "Object", "Properties"):
        for found in values(one):
            yield _read(found, said)
    for _ in children(element, "Object", "Related_Objects", "Related_Object", "Properties"):
        yield refusal(said.where, said.title, "a related object: context, nothing to look for")
    if next(children(element, "Event"), None) is not None:
        yield refusal(said.where, said.title, "an event: a course of actions, nothing to look for by itself")
    for composition in children(element, "Observable_Composition"):
        if composition.get("operator") != "OR":
            yield refusal(said.where, said.title, "observables that must be met together")
            continue
        for inner in children(composition, "Observable"):
            yield from _observable(inner, said)


def _mechanism(element: etree._Element, said: _Said) -> Entry:
    kind = local_type(element)
    if kind == "YaraTestMechanismType":
        rule = "".join(plain_text(one) for one in children(element, "Rule"))
        label = f"{T.YARA} - "  # else the rule's own text names it
        name = said.title.removeprefix(label) if said.title.startswith(label) else ""
        return _proposed(T.YARA, name, said, rule)
    name = "".join(plain_text(one) for one in children(element, "Type"))
    if kind == "GenericTestMechanismType" and name == T.OSQUERY:
        return _proposed(T.OSQUERY, "".join(plain_text(one) for one in children(element, "Specification")), said)
    return refusal(said.where, said.title, f"test mechanisms of the type {name or kind} are not taken")


def _read(found: Value | UnfitError, said: _Said) -> Entry:
    if isinstance(found, UnfitError):
        return refusal(said.where, found.text or said.title, str(found))
    return _proposed(*found, said)


def _proposed(kind: IndicatorType, value: str, said: _Said, content: str = "") -> Entry:
    if kind is T.DOMAIN:
        kind = _kind_of_name(value)
    raw = RawIndicator(
        kind.value,
        value,
        created=said.created,
        expiration=said.end,
        title="" if _is_label(said.title, value) else said.title,
        description=said.description,
        content=content,
    )
    return Proposed(raw, said.tlp, said.where)


def _is_label(title: str, value: str) -> bool:
    """Whether the title says nothing but type and value, as ours do where an indicator has none."""
    kind, dash, rest = title.partition(" - ")
    return bool(dash) and kind in _TYPES and (rest in (value, value.strip()) or rest.endswith("…") or kind == T.YARA)


def _kind_of_name(value: str) -> IndicatorType:
    """STIX has one object for domains and hostnames."""
    found = normalise(RawIndicator(T.DOMAIN, value))
    return type_of_name(found.value) if isinstance(found, Indicator) and found.type is T.DOMAIN else T.DOMAIN
