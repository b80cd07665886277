"""Reads the answer to a poll as it arrives: nothing is resolved or fetched, and what was read is let go of."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, Protocol

from lxml import etree

from pulsegate.checking.answer import Answer
from pulsegate.checking.messages import NAMESPACE, STIX_BINDINGS
from pulsegate.checking.usage import Found, Used, of_indicator, of_loose_observable
from pulsegate.checking.windows import Window

HELD = 16 * 1024 * 1024  # bytes of XML that are held at once: one indicator, or what is between two of them
MAX_ATTRIBUTE = 65_536  # characters that are kept of one of the message's own; a result's id is asked for again
_STIX = "http://stix.mitre.org/stix-1"
_TAXII = f"{{{NAMESPACE}}}"
_PACKAGE = f"{{{_STIX}}}STIX_Package"
_TAGS = (f"{_TAXII}*", f"{{{_STIX}}}*", "{*}Indicator", "{*}Observable")
_RESPONSE = (
    "Extended_Headers", "Subscription_ID", "Exclusive_Begin_Timestamp", "Inclusive_End_Timestamp", "Record_Count",
    "Message", "Content_Block", "Signature",
)  # fmt: skip
_BLOCK = ("Content_Binding", "Content", "Timestamp_Label", "Message", "Padding", "Signature")
_ORDERS = {"Poll_Response": _RESPONSE, "Content_Block": _BLOCK}
# libxml2's own bounds hold: no huge text, no deep nesting, no flood of entities.
_HARDENING: dict[str, Any] = {
    "resolve_entities": False, "no_network": True, "load_dtd": False, "huge_tree": False, "collect_ids": False,
}  # fmt: skip


class Stream(Protocol):
    """Bytes as they arrive."""

    def read(self, size: int) -> bytes: ...


class MalformedError(ValueError):
    """It is no XML that may be read; the text says why. ``cut``: it ends before its end."""

    def __init__(self, message: str, *, cut: bool = False) -> None:
        super().__init__(message)
        self.cut = cut


class TooMuchError(ValueError):
    """One thing in it is larger than what is held at once."""


class _Held:
    """The stream, counting what came since something was let go of."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self.total = 0
        self._since = 0
        self.head = b""
        self.is_over = False  # all that came was read, and libxml2 waits for more

    def read(self, size: int) -> bytes:
        piece = self._stream.read(size)
        self.is_over = not piece and self.total > 0
        self.total += len(piece)
        self._since += len(piece)
        if len(self.head) < 200:  # noqa: PLR2004 - enough to show
            self.head += piece[:200]
        if self._since > HELD:
            raise TooMuchError(f"one element is larger than {HELD // 1024 // 1024} MB")
        return piece

    def let_go(self) -> None:
        self._since = 0


def read(stream: Stream, window: Window) -> Answer:
    """The answer. MalformedError, TooMuchError; and whatever ``stream`` raises."""
    held = _Held(stream)
    reader = _Reader(Answer(window), held)
    events = etree.iterparse(held, events=("start", "end"), tag=_TAGS, **_HARDENING)
    try:
        for event, element in events:
            reader.take(event, element)
    except etree.XMLSyntaxError as error:
        raise MalformedError(_words(error, held), cut=held.is_over) from error
    finally:
        reader.answer.bytes = held.total
    reader.answer.root = reader.answer.root or _foreign(events.root)
    return reader.answer


def _words(error: etree.XMLSyntaxError, held: _Held) -> str:
    beginning = held.head[:60].decode("utf-8", "replace").strip()
    if not beginning:
        return "it is empty"
    if not beginning.startswith("<") or "<!doctype" in beginning.lower() or "<html" in beginning.lower():
        return f"it is no XML: it begins with {beginning!r}"
    return f"it is no well-formed XML: {error.msg}"


def _foreign(root: etree._Element | None) -> str:
    if root is None:
        return "nothing"
    _refuse_doctype(root)
    return str(root.tag)[:200] if str(root.tag).startswith("{") else f"{str(root.tag)[:200]} without a namespace"


def _refuse_doctype(root: etree._Element) -> None:
    if root.getroottree().docinfo.doctype:
        raise MalformedError("it has a document type declaration, which no TAXII message has")


class _Reader:
    """What an event changes. ``_inside``: how many indicators and observables are open."""

    def __init__(self, answer: Answer, held: _Held) -> None:
        self.answer = answer
        self._held = held
        self._inside = 0
        self._seen: dict[str, int] = {}  # how far the order of an element's children has come
        self._forget_block()

    def _forget_block(self) -> None:
        self._label = self._binding = ""
        self._packages = 0
        self._version: str | None = None
        self._digest = hashlib.blake2b(digest_size=8)
        self._seen["Content_Block"] = 0

    def take(self, event: str, element: etree._Element) -> None:
        tag = str(element.tag)
        if tag.endswith(("Indicator", "Observable")) and tag.rpartition("}")[2] in ("Indicator", "Observable"):
            self._whole(event, element)
        elif tag.startswith(_TAXII) and not self._inside:
            self._taxii(event, element, tag.removeprefix(_TAXII))
        elif not self._inside:
            self._stix(event, element, tag)

    def _whole(self, event: str, element: etree._Element) -> None:
        if event == "start":
            self._inside += 1
            return
        self._inside -= 1
        if self._inside:
            return
        parent = element.getparent()
        place = "" if parent is None else str(parent.tag).rpartition("}")[2]
        if place == "Indicators":
            self._found(of_indicator(element))
        elif place == "Observables":
            self._found(of_loose_observable(element))
        self._let_go(element)

    def _found(self, found: Found) -> None:
        self.answer.tally.add(found)
        text = found.value if isinstance(found, Used) else f"{found.reason} {found.text}"
        self._digest.update(text.encode("utf-8", "replace") + b"\0")

    def _stix(self, event: str, element: etree._Element, tag: str) -> None:
        if event == "end":
            self._let_go(element)
            return
        parent = element.getparent()
        if tag == _PACKAGE and parent is not None and parent.tag == f"{_TAXII}Content":
            self._packages += 1
            self._version = element.get("version") or ""

    def _taxii(self, event: str, element: etree._Element, name: str) -> None:
        parent = element.getparent()
        if event == "start":
            if parent is None:
                _refuse_doctype(element)
                self.answer.root = name
                self.answer.attributes = {str(key): str(value)[:MAX_ATTRIBUTE] for key, value in element.attrib.items()}
            else:
                self._check_order(str(parent.tag).rpartition("}")[2], name)
            return
        read = _FIELDS.get(name)
        if read is not None:
            read(self, element)
        if parent is not None and name != "Content":
            self._let_go(element)

    def _check_order(self, parent: str, name: str) -> None:
        order = _ORDERS.get(parent)
        if order is None or name not in order:
            return
        place = order.index(name)
        if place < self._seen.get(parent, 0):
            self.answer.order.add(f"{name} after {order[self._seen[parent]]} in {parent}")
        self._seen[parent] = max(place, self._seen.get(parent, 0))

    def _of_response(self, element: etree._Element) -> bool:
        parent = element.getparent()
        return parent is not None and parent.getparent() is None

    def begin(self, element: etree._Element) -> None:
        self.answer.begin = element.text or ""

    def end(self, element: etree._Element) -> None:
        self.answer.end = element.text or ""

    def count(self, element: etree._Element) -> None:
        if element.get("partial_count") not in ("true", "1"):
            with suppress(ValueError):
                self.answer.record_count = int(element.text or "")

    def message(self, element: etree._Element) -> None:
        if self._of_response(element):
            self.answer.message = " ".join("".join(element.itertext()).split())[:500]

    def status(self, element: etree._Element) -> None:
        self.answer.status = element.get("status_type") or "without a type"

    def detail(self, element: etree._Element) -> None:
        if element.get("name") == "ESTIMATED_WAIT":
            with suppress(ValueError):
                told = float("".join(element.itertext()))
                self.answer.wait = None if math.isnan(told) else told

    def binding(self, element: etree._Element) -> None:
        self._binding = (element.get("binding_id") or "")[:200]

    def label(self, element: etree._Element) -> None:
        self._label = (element.text or "").strip()[:200]

    def content(self, element: etree._Element) -> None:
        for code, what in _of_content(element, self._packages, self._version, self._binding):
            self.answer.fault(code, what)
        if self._version:
            self.answer.versions.add(self._version)
        if not self._packages:
            self._digest.update((element.text or "").encode("utf-8", "replace"))
        self._let_go(element)

    def block(self, _element: etree._Element) -> None:
        self.answer.labels.add(self._label, self.answer.window)
        self._digest.update(self._label.encode())
        self.answer.digests.add(self._digest.digest())
        self._forget_block()

    def _let_go(self, element: etree._Element) -> None:
        """Forget it and all that stands before it, up to the root: only the way down to it is kept."""
        element.clear(keep_tail=False)
        while (parent := element.getparent()) is not None:
            while parent[0] is not element:
                del parent[0]
            element = parent
        self._held.let_go()


_FIELDS: dict[str, Callable[[_Reader, etree._Element], None]] = {
    "Exclusive_Begin_Timestamp": _Reader.begin,
    "Inclusive_End_Timestamp": _Reader.end,
    "Record_Count": _Reader.count,
    "Message": _Reader.message,
    "Status_Message": _Reader.status,
    "Detail": _Reader.detail,
    "Content_Binding": _Reader.binding,
    "Timestamp_Label": _Reader.label,
    "Content": _Reader.content,
    "Content_Block": _Reader.block,
}


def _of_content(content: etree._Element, packages: int, version: str | None, binding: str) -> Iterator[tuple[str, str]]:
    """What is wrong with the content of a block, as codes with what was seen."""
    if not packages:
        yield _without_package(content)
        return
    if version not in STIX_BINDINGS:
        yield "stix-version", f"A package of STIX {version or 'without a version'}"
    elif binding != STIX_BINDINGS[version]:
        yield "binding", f"A package of STIX {version} whose binding is {binding or 'not told'}"


def _without_package(content: etree._Element) -> tuple[str, str]:
    text = (content.text or "").strip()
    child = next(iter(content), None)
    if child is not None:
        return "no-package", f"A block whose root is {str(child.tag)[:120]}, not a STIX_Package of STIX 1"
    if text.startswith(("{", "[")):
        return "stix2", "A block that holds JSON, as STIX 2 is"
    if text.startswith("<"):
        return "escaped", "A block whose package is escaped"
    return "no-package", f"A block that holds {'other text' if text else 'nothing'}"
