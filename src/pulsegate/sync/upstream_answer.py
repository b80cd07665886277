"""Reading the answer to a poll as it comes, block by block: one that lacks something stops no other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lxml import etree

from pulsegate.errors import UpstreamError, UpstreamRateLimitedError, UpstreamUnavailableError
from pulsegate.sync.upstream_session import ACCOUNT_HINT, SEGMENT_HINT, URL_HINT
from pulsegate.values.dates import read_date

SHOWN = 200  # characters of its own words in an error
_T = "{http://taxii.mitre.org/messages/taxii_xml_binding-1.1}"
_BLOCK, _RESPONSE, _STATUS = f"{_T}Content_Block", f"{_T}Poll_Response", f"{_T}Status_Message"


@dataclass(frozen=True, slots=True)
class Sent:
    """A content block as it was sent. ``content``: an element of the answer, good until the next block; or text."""

    label: datetime | None
    binding: str
    content: object
    message: str | None


class PollResponse:
    """The blocks of a Poll_Response (TAXII 1.1 XML binding, section 4.4.2); what else it says is known at its end.

    Going over it raises UpstreamError when it is something else, and what lxml and ``body`` raise.
    """

    def __init__(self, body: Any) -> None:
        self.blocks = 0
        self._body = body
        self._root: Any = None
        self._told: dict[str, Any] = {}

    def __iter__(self) -> Iterator[Sent]:
        reading = etree.iterparse(
            self._body, events=("end",), tag=(_BLOCK, _RESPONSE, _STATUS), resolve_entities=False, no_network=True,
            load_dtd=False, huge_tree=True,
        )  # fmt: skip
        for _, element in reading:
            around = element.getparent()
            if element.tag == _BLOCK and around is not None and around.getparent() is None and around.tag == _RESPONSE:
                self.blocks += 1
                yield _sent(element)
                self._clear(element)
        self._root = reading.root
        if self._root.tag == _STATUS:
            raise _status(self._root)
        if self._root.tag != _RESPONSE:
            raise UpstreamError("its answer to a poll is something else than a Poll_Response", hint=URL_HINT)
        self._note(self._root)

    def _clear(self, element: Any) -> None:
        """Keep nothing of what was read but what is said beside the blocks."""
        root = element.getparent()
        element.clear()
        while (before := element.getprevious()) is not None:
            self._note_one(before)
            root.remove(before)

    def _note(self, elements: Any) -> None:
        for one in elements:
            self._note_one(one)

    def _note_one(self, one: Any) -> None:
        if one.tag in (f"{_T}Inclusive_End_Timestamp", f"{_T}Record_Count"):
            self._told[one.tag.removeprefix(_T)] = (one.text or "").strip(), one.get("partial_count", "false")

    @property
    def end(self) -> datetime | None:
        text, _ = self._told.get("Inclusive_End_Timestamp", ("", ""))
        return read_date(text)

    @property
    def count(self) -> int | None:
        """How many blocks the whole result has; None where that isn't told."""
        text, is_partial = self._told.get("Record_Count", ("", ""))
        return int(text) if text.isdecimal() and is_partial in ("false", "0") else None

    @property
    def has_more(self) -> bool:
        return self._root.get("more") in ("true", "1")

    @property
    def result_id(self) -> str | None:
        found: str | None = self._root.get("result_id")
        return found

    @property
    def part(self) -> int:
        return int(self._root.get("result_part_number", "1"))


def _sent(block: Any) -> Sent:
    binding, content = block.find(f"{_T}Content_Binding"), block.find(f"{_T}Content")
    label, message = block.findtext(f"{_T}Timestamp_Label"), block.findtext(f"{_T}Message")
    held = "" if content is None else content[0] if len(content) else content.text or ""
    return Sent(
        read_date((label or "").strip()), "" if binding is None else binding.get("binding_id", ""), held, message
    )


def _status(message: Any) -> UpstreamError:
    wait = next((one.text for one in message.iter(f"{_T}Detail") if one.get("name") == "ESTIMATED_WAIT"), None)
    return from_status(message.get("status_type", ""), message.findtext(f"{_T}Message"), wait)


def from_status(kind: str, message: str | None, wait: object) -> UpstreamError:
    """The error behind a Status_Message (TAXII 1.1 Services, section 4.3). ``wait``: seconds, as it tells them."""
    told = f"it answered {shortly(kind)}" + (f", saying {shortly(message)!r}" if message else "")
    if kind == "RETRY":
        text = str(wait or "").strip()
        return UpstreamRateLimitedError(told, retry_after=float(text) if text.isdecimal() else None)
    if kind in ("UNAUTHORIZED", "DENIED"):
        return UpstreamError(told, hint=ACCOUNT_HINT)
    if kind == "FAILURE":
        return UpstreamUnavailableError(told)
    if kind == "NOT_FOUND":
        return UpstreamError(told, hint="Check collection of the upstream, and whether the account may read it")
    if kind == "PENDING":
        return UpstreamError(f"{told}: it wants to answer later, which is not waited for", hint=SEGMENT_HINT)
    return UpstreamError(told, hint=URL_HINT if kind == "SUCCESS" else None)


def shortly(text: str) -> str:
    """On one line, and not more than fits there."""
    return "".join(letter for letter in " ".join(text.split()) if letter.isprintable())[:SHOWN]
