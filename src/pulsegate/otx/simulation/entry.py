"""A pulse as the local OTX keeps it: packed JSON, written once, so that tens of thousands fit into memory."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pulsegate.otx.dates import object_id_time
from pulsegate.otx.fields import first, text_of, words_of
from pulsegate.otx.parse import pulse_id
from pulsegate.otx.simulation.answer import dumped
from pulsegate.values.dates import read_date

NEVER = datetime.min.replace(tzinfo=UTC)
_FAST = 1  # of zlib's levels: a third of the size already


@dataclass(frozen=True, slots=True)
class Entry:
    """A pulse as it was put in, with what the local OTX sorts, filters and searches by."""

    id: str
    author: str
    modified: datetime
    words: str  # name, tags and author, in lower case, one a line
    indicators: int  # how many it has
    packed: bytes  # the JSON object, with the indicators that a page carries
    rows: bytes | None  # the JSON list of all its indicators; None: a page carries them all

    def text(self) -> bytes:
        """The pulse as pages carry it."""
        return zlib.decompress(self.packed)

    def pulse(self) -> dict[str, Any]:
        """The pulse as pages carry it, decoded."""
        pulse: dict[str, Any] = json.loads(self.text())
        return pulse

    def all_rows(self) -> list[Any]:
        """All its indicators."""
        if self.rows is not None:
            rows: list[Any] = json.loads(zlib.decompress(self.rows))
            return rows
        found = self.pulse().get("indicators")
        return found if isinstance(found, list) else []


def entry_of(pulse: Mapping[str, object], max_indicators: int) -> Entry:
    """``pulse``, of whose indicators pages carry at most so many. PulseFormatError: it has no usable id."""
    author = first(pulse, "author_name", "author")
    if isinstance(author, dict):
        author = first(author, "username", "name")
    identity = pulse_id(pulse)
    modified = read_date(pulse.get("modified")) or read_date(pulse.get("created")) or object_id_time(identity) or NEVER
    indicators = pulse.get("indicators")
    rows = indicators if isinstance(indicators, list) else []
    cut = len(rows) > max_indicators
    shown = {**pulse, "indicators": rows[:max_indicators], "more_indicators": True} if cut else pulse
    words = (text_of(pulse.get("name")), *words_of(pulse.get("tags")), text_of(author))
    return Entry(
        id=identity,
        author=text_of(author),
        modified=modified,
        words="\n".join(words).lower(),
        indicators=len(rows),
        packed=zlib.compress(dumped(shown), _FAST),
        rows=zlib.compress(dumped(rows), _FAST) if cut else None,
    )
