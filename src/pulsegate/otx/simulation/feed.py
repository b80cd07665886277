"""What the local OTX holds: its pulses, and the subscription of each key to them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from pulsegate.otx.dates import write_date
from pulsegate.otx.simulation.entry import Entry, entry_of
from pulsegate.otx.simulation.subscription import Subscription, newness

_STEP = timedelta(seconds=1)


class Feed:
    """The pulses of a local OTX, and who subscribes to which. Thread-safe.

    A pulse is changed by putting it in again; pages carry at most ``max_indicators`` of its indicators.
    """

    def __init__(
        self, pulses: Iterable[Mapping[str, object]], now: Callable[[], datetime], max_indicators: int
    ) -> None:
        self._lock = threading.RLock()
        self._now = now
        self._max_indicators = max_indicators
        self._entries = {entry.id: entry for entry in (entry_of(pulse, max_indicators) for pulse in pulses)}
        self._subscriptions: list[Subscription] = []
        self._opened: tuple[Entry, list[Any]] | None = None  # whose indicators were asked for last

    def subscription(self) -> Subscription:
        """One more subscription: to everything, until it is told otherwise."""
        made = Subscription(self._lock, self._entries, self._now)
        with self._lock:
            self._subscriptions.append(made)
        return made

    def put(self, pulse: Mapping[str, object]) -> str:
        """Add ``pulse``, or replace the one with its id; its id. PulseFormatError: it has no usable id.

        It is subscribed to, unless its author no longer is.
        """
        entry = entry_of(pulse, self._max_indicators)
        with self._lock:
            known = self._entries.get(entry.id)
            self._entries[entry.id] = entry
            for subscription in self._subscriptions:
                subscription.added(entry, is_new=known is None)
        return entry.id

    def touch(self, identity: str) -> None:
        """Modify a pulse: it is the newest from now on. KeyError: there is none with this id."""
        with self._lock:
            entry = self._entries[identity]
            newest = max(one.modified for one in self._entries.values())
            pulse = {**entry.pulse(), "modified": write_date(max(self._now(), newest + _STEP))}
            if entry.rows is not None:
                pulse["indicators"] = entry.all_rows()
            self._entries[identity] = entry_of(pulse, self._max_indicators)
            for subscription in self._subscriptions:
                subscription.changed()

    def delete(self, identity: str) -> None:
        """Delete a pulse; KeyError: there is none with this id."""
        with self._lock:
            del self._entries[identity]
            for subscription in self._subscriptions:
                subscription.deleted(identity)

    def entry(self, identity: str) -> Entry | None:
        """One pulse, subscribed or not."""
        with self._lock:
            return self._entries.get(identity)

    def rows(self, entry: Entry) -> list[Any]:
        """All indicators of a pulse; those asked for last are kept, because they are asked for page by page."""
        with self._lock:
            opened = self._opened
        if opened is None or opened[0] is not entry:
            opened = entry, entry.all_rows()
            with self._lock:
                self._opened = opened
        return opened[1]

    def found(self, words: str) -> list[Entry]:
        """The pulses that have ``words`` in their name, tags or author, newest first."""
        with self._lock:
            entries = list(self._entries.values())
        wanted = words.strip().lower()
        return sorted((entry for entry in entries if wanted in entry.words), key=newness, reverse=True)

    def authors(self) -> dict[str, int]:
        """The authors with their numbers of pulses."""
        with self._lock:
            entries = list(self._entries.values())
        counts: dict[str, int] = {}
        for entry in entries:
            counts[entry.author] = counts.get(entry.author, 0) + 1
        return counts
