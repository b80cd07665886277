"""What one key of the local OTX subscribes to, and what happened to that."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from datetime import datetime

from pulsegate.otx.dates import write_date
from pulsegate.otx.simulation.entry import NEVER, Entry
from pulsegate.values.dates import read_date


def newness(entry: Entry) -> tuple[datetime, str]:
    """What OTX's lists are sorted by."""
    return entry.modified, entry.id


class Subscription:
    """The subscription of one key to the pulses in ``entries``, under the ``lock`` of the feed that holds them.

    A pulse that was subscribed or unsubscribed singly stays so whatever becomes of its author, until the author is
    subscribed to.
    """

    def __init__(self, lock: threading.RLock, entries: Mapping[str, Entry], now: Callable[[], datetime]) -> None:
        self._lock = lock
        self._entries = entries
        self._now = now
        self._singly: set[str] = set()
        self._unsubscribed: set[str] = set()
        self._silenced: set[str] = set()  # authors
        self._events: list[dict[str, object]] = []
        self._sorted: list[Entry] | None = None  # the subscribed ones, newest first; None: to be sorted again
        self._asked: tuple[object, list[Entry]] | None = None  # the last selection, because it is asked for in pages

    def subscribe(self, identity: str, *, wanted: bool = True) -> None:
        """Subscribe to a pulse or, with ``wanted`` false, no more; KeyError: there is none with this id."""
        with self._lock:
            identity = self._entries[identity].id
            self._forget(identity)
            (self._singly if wanted else self._unsubscribed).add(identity)
            self._note("subscribe" if wanted else "unsubscribe", "pulse", identity)

    def subscribe_user(self, name: str, *, wanted: bool = True) -> None:
        """Subscribe to all pulses of an author, those to come too, or to none but those subscribed to singly."""
        with self._lock:
            (self._silenced.discard if wanted else self._silenced.add)(name)
            if wanted:
                self._unsubscribed -= {entry.id for entry in self._entries.values() if entry.author == name}
            self._note("subscribe" if wanted else "unsubscribe", "user", name)

    def added(self, entry: Entry, *, is_new: bool) -> None:
        """A pulse was put into the feed."""
        was_out = entry.id in self._unsubscribed
        self._unsubscribed.discard(entry.id)
        self.changed()
        if (is_new or was_out) and self._holds(entry):
            self._note("subscribe", "pulse", entry.id)

    def changed(self) -> None:
        """Something else in the feed is as it was not."""
        self._sorted = self._asked = None

    def deleted(self, identity: str) -> None:
        """A pulse is gone."""
        self._forget(identity)
        self._note("delete", "pulse", identity)

    def listing(self, since: datetime | None = None, author: str | None = None) -> list[Entry]:
        """The subscribed pulses modified after ``since``, of ``author``, newest ``modified`` first."""
        with self._lock:
            if self._sorted is None:
                self._sorted = sorted(filter(self._holds, self._entries.values()), key=newness, reverse=True)
            if self._asked is None or self._asked[0] != (since, author):
                self._asked = (
                    (since, author),
                    [
                        entry
                        for entry in self._sorted
                        if (since is None or entry.modified > since) and (author is None or entry.author == author)
                    ],
                )
            return self._asked[1]

    def events(self, since: datetime | None = None) -> list[dict[str, object]]:
        """What happened after ``since``, newest first."""
        with self._lock:
            events = list(reversed(self._events))
        return [event for event in events if since is None or (read_date(event["created"]) or NEVER) > since]

    def _holds(self, entry: Entry) -> bool:
        if entry.id in self._singly:
            return True
        return entry.id not in self._unsubscribed and entry.author not in self._silenced

    def _forget(self, identity: str) -> None:
        self._singly.discard(identity)
        self._unsubscribed.discard(identity)

    def _note(self, action: str, kind: str, identity: str) -> None:
        self.changed()
        self._events.append(
            {
                "id": len(self._events) + 1,
                "action": action,
                "object_type": kind,
                "object_id": identity,
                "created": write_date(self._now()),
            }
        )
