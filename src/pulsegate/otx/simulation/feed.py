"""What the local OTX holds: pulses, which of them the key's owner subscribes to, and what happened to them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from pulsegate.otx.dates import object_id_time, read_date, write_date
from pulsegate.otx.fields import first, text_of
from pulsegate.otx.parse import pulse_id

NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Entry:
    """A pulse as it was put in, with what the feed sorts and filters by."""

    id: str
    author: str
    modified: datetime
    data: Mapping[str, object]


class Feed:
    """The pulses of a local OTX. Thread-safe; a pulse that was put in is changed by putting it in again."""

    def __init__(self, pulses: Iterable[Mapping[str, object]], now: Callable[[], datetime]) -> None:
        self._lock = threading.Lock()
        self._now = now
        self._entries = {entry.id: entry for entry in map(_entry, pulses)}
        self._unsubscribed: set[str] = set()
        self._events: list[dict[str, object]] = []
        self._sorted: list[Entry] | None = None  # the subscribed ones, newest first; None: to be sorted again

    def put(self, pulse: Mapping[str, object]) -> str:
        """Add ``pulse``, or replace the one with its id, subscribed; its id. PulseFormatError: it has no usable id."""
        entry = _entry(pulse)
        with self._lock:
            is_new = entry.id not in self._entries or entry.id in self._unsubscribed
            self._entries[entry.id] = entry
            self._unsubscribed.discard(entry.id)
            self._sorted = None
            if is_new:
                self._note("subscribe", entry.id)
        return entry.id

    def delete(self, identity: str) -> None:
        """Delete a pulse; KeyError: there is none with this id."""
        with self._lock:
            del self._entries[identity]
            self._unsubscribed.discard(identity)
            self._sorted = None
            self._note("delete", identity)

    def subscribe(self, identity: str, *, wanted: bool = True) -> None:
        """Subscribe to a pulse or, with ``wanted`` false, no more; KeyError: there is none with this id."""
        with self._lock:
            entry = self._entries[identity]
            (self._unsubscribed.discard if wanted else self._unsubscribed.add)(entry.id)
            self._sorted = None
            self._note("subscribe" if wanted else "unsubscribe", entry.id)

    def subscribed(self, since: datetime | None = None, author: str | None = None) -> list[Entry]:
        """The subscribed pulses modified after ``since``, of ``author``, newest ``modified`` first."""
        with self._lock:
            if self._sorted is None:
                wanted = (entry for entry in self._entries.values() if entry.id not in self._unsubscribed)
                self._sorted = sorted(wanted, key=lambda entry: (entry.modified, entry.id), reverse=True)
            entries = self._sorted
        return [
            entry
            for entry in entries
            if (since is None or entry.modified > since) and (author is None or entry.author == author)
        ]

    def pulse(self, identity: str) -> Mapping[str, object] | None:
        """One pulse, subscribed or not."""
        with self._lock:
            entry = self._entries.get(identity)
        return entry.data if entry else None

    def authors(self) -> dict[str, int]:
        """The authors with their numbers of pulses."""
        with self._lock:
            entries = list(self._entries.values())
        counts: dict[str, int] = {}
        for entry in entries:
            counts[entry.author] = counts.get(entry.author, 0) + 1
        return counts

    def events(self, since: datetime | None = None) -> list[dict[str, object]]:
        """What happened after ``since``, newest first."""
        with self._lock:
            events = list(reversed(self._events))
        return [event for event in events if since is None or (read_date(event["created"]) or NEVER) > since]

    def _note(self, action: str, identity: str) -> None:
        self._events.append(
            {
                "id": len(self._events) + 1,
                "action": action,
                "object_type": "pulse",
                "object_id": identity,
                "created": write_date(self._now()),
            }
        )


def _entry(pulse: Mapping[str, object]) -> Entry:
    author = first(pulse, "author_name", "author")
    if isinstance(author, dict):
        author = first(author, "username", "name")
    rows = pulse.get("indicators")
    data = {**pulse, "indicators": list(rows)} if isinstance(rows, list) else dict(pulse)
    identity = pulse_id(pulse)
    modified = read_date(pulse.get("modified")) or read_date(pulse.get("created")) or object_id_time(identity) or NEVER
    return Entry(identity, text_of(author), modified, data)
