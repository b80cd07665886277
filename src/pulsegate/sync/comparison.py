"""What the subscription has lost, and what is new in it: by its events, and by a comparison of ids.

Nothing is ever taken away because of an error, an empty or a short list; nor, unasked, when a large share would leave
at once.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial

import structlog

from pulsegate.errors import OTXError, OTXKeyError
from pulsegate.otx.client import OTXClient
from pulsegate.otx.dates import OBJECT_ID
from pulsegate.otx.fields import text_of
from pulsegate.otx.parse import Page
from pulsegate.store import quarantine, sources
from pulsegate.store.database import Connection, Database, now
from pulsegate.store.sources import SUBSCRIPTION, Source
from pulsegate.sync.asking import Asking, Pager
from pulsegate.sync.wanted import Wanted
from pulsegate.values.dates import read_date

log = structlog.get_logger(__name__)

IDS = 500  # in one request
EVENTS = 100
MOST_EVENTS = 2_000  # that are looked at in one run; the comparison finds the rest
ACCEPT = "if they may go: pulsegate pull --accept-removals"
_GONE, _BACK = ("delete", "unsubscribe"), ("subscribe",)


@dataclass(frozen=True, slots=True)
class Happened:
    """The events since the last ones: pulses that left and did not come back, and whether anything calls for a look.

    ``shaken``: a walk may have missed what is in the subscription now. That is so when an author's pulses came in, all
    over the list; and when some left and others came, so that the list's length doesn't tell how its rows moved.
    """

    gone: frozenset[str] = frozenset()
    anything: bool = False
    shaken: bool = False
    latest: datetime | None = None


@dataclass(frozen=True, slots=True)
class Compared:
    """``ids``: of the whole subscription, None where they can't be had. ``new``: those that are not stored yet.

    ``unread``: those of them that could not be read the last time. The others of ``Happened`` wait for the walk.
    """

    ids: frozenset[str] | None = None
    new: frozenset[str] = frozenset()
    unread: frozenset[str] = frozenset()
    happened: Happened = field(default_factory=Happened)


@dataclass(frozen=True, slots=True)
class Leaving:
    """The pulses that leave the subscription, by their keys; ``share`` of all that it had."""

    keys: list[int] = field(default_factory=list)
    share: float = 0.0

    def without(self, keys: Collection[int]) -> Leaving:
        """Those that are not among ``keys``."""
        rest = [one for one in self.keys if one not in keys]
        return Leaving(rest, self.share * len(rest) / len(self.keys) if self.keys else 0.0)

    def needs_confirmation(self, most: float) -> bool:
        """One pulse is no accident, however small the subscription is."""
        return len(self.keys) > 1 and self.share > most


def leaving(claimed: Mapping[str, int], gone: Iterable[str]) -> Leaving:
    keys = sorted(claimed[one] for one in gone if one in claimed)
    return Leaving(keys, len(keys) / len(claimed) if claimed else 0.0)


def remove(connection: Connection, name: str, via: str, going: Leaving, *, of: int, hold: bool) -> int:
    """Take these of the pulses that the source has this way, or ``hold`` them back; gives how many are withdrawn."""
    sources.hold_back(connection, name, via, going.keys if hold else ())
    if hold and going.keys:
        log.error("pull.removals_held", source=name, via=via, pulses=len(going.keys), of=of, hint=ACCEPT)
    if hold or not going.keys:
        return 0
    withdrawn = sources.release(connection, name, via, going.keys)
    log.info("pull.removed", source=name, via=via, pulses=len(going.keys), withdrawn=withdrawn)
    return withdrawn


class Comparison:
    """Compares the subscription of one source with what is stored of it."""

    def __init__(self, database: Database, client: OTXClient, wanted: Wanted, ask: Asking) -> None:
        self._database = database
        self._client = client
        self._wanted = wanted
        self._ask = ask

    def run(self, *, due: bool, accept: bool, shown: Collection[int] = ()) -> tuple[Compared, int]:
        """Withdraw what has left, when it is time or an event calls for it; also gives how many pulses were withdrawn.

        ``due``: whatever time it is. ``accept``: however many leave. ``shown``: the keys of pulses that may leave,
        since somebody has looked at them; what leaves beside them is judged by itself.
        """
        with self._database.write() as connection:
            source = sources.ensure(connection, self._wanted.name, self._wanted.shape)
            moment = now(connection)
        happened = self._events(source)
        is_time = source.compared is None or moment - source.compared >= self._wanted.compare
        if not (due or accept or is_time or happened.anything):
            return Compared(happened=happened), 0
        ids = self._ids()
        withdrawn = self._remove(source, ids, happened, accept=accept, shown=shown)
        if ids is None:
            return Compared(happened=happened), withdrawn
        with self._database.write() as connection:
            sources.update(connection, source.name, compared=now(connection))
            claimed = sources.claimed(connection, source.name, SUBSCRIPTION).keys()
            new = ids - claimed - sources.keep_passed_over(connection, source.name, ids)
            unread = new & quarantine.unreadable_ids(connection)
        return Compared(ids, new, unread, happened), withdrawn

    def _events(self, source: Source) -> Happened:
        try:
            return self._read_events(source)
        except OTXKeyError:
            raise
        except OTXError as error:
            log.info("otx.events_unknown", source=source.name, reason=str(error))
            return Happened()

    def _read_events(self, source: Source) -> Happened:
        rows: list[object] = []
        is_whole = False
        for piece in Pager(self._ask, partial(self._event_page, source.events), EVENTS).all():
            rows += piece.page.results
            is_whole = not piece.page.has_next or piece.end == piece.page.count
            if len(rows) >= MOST_EVENTS:
                break
        happened = read_events(rows, source.events)
        return happened if is_whole else replace(happened, anything=True, shaken=True)

    def _event_page(self, since: datetime | None, number: int, limit: int) -> Page[object]:
        return self._client.events(since, number, limit)

    def _ids(self) -> frozenset[str] | None:
        """The ids of all subscribed pulses; None unless the list is whole."""
        try:
            return self._whole_list() or self._whole_list()
        except OTXKeyError:
            raise
        except OTXError as error:
            log.warning("otx.ids_unknown", source=self._wanted.name, reason=str(error))
            return None

    def _whole_list(self) -> frozenset[str] | None:
        found: set[str] = set()
        has_next = False  # some say so for ever; then the count must say that it is not so
        counts: set[int | None] = set()
        for piece in Pager(self._ask, self._client.subscribed_pulse_ids, IDS).all():
            found.update(piece.page.results)
            counts.add(piece.page.count)
            has_next = piece.page.has_next
        is_whole = counts <= {len(found), None} and (counts == {len(found)} or not has_next)
        if not is_whole:
            log.info(
                "otx.ids_not_whole",
                source=self._wanted.name,
                ids=len(found),
                counts=sorted(one for one in counts if one is not None),
            )
        return frozenset(found) if is_whole else None

    def _remove(
        self, source: Source, ids: frozenset[str] | None, happened: Happened, *, accept: bool, shown: Collection[int]
    ) -> int:
        with self._database.write() as connection:
            claimed = sources.claimed(connection, source.name, SUBSCRIPTION)
            gone = happened.gone if ids is None else claimed.keys() - ids
            going = leaving(claimed, gone)
            asked = going.without(shown)
            is_unheard_of = ids is not None and not ids and not claimed.keys() <= happened.gone
            is_doubtful = bool(asked.keys or not shown) and (
                is_unheard_of or asked.needs_confirmation(self._wanted.max_removal)
            )
            return remove(
                connection, source.name, SUBSCRIPTION, going, of=len(claimed), hold=is_doubtful and not accept
            )


def read_events(rows: Iterable[object], after: datetime | None = None) -> Happened:
    """What the events after that time come to. Of several about one pulse the last one counts."""
    dated = []
    for row in rows:
        moment = read_date(row.get("created")) if isinstance(row, dict) else None
        if isinstance(row, dict) and moment is not None and (after is None or moment > after):
            dated.append((moment, text_of(row.get("action")).lower(), _object(row)))
    gone: set[str] = set()
    for _, action, (kind, identity) in sorted(dated):
        if kind == "pulse" and OBJECT_ID.fullmatch(identity):
            (gone.add if action in _GONE else gone.discard)(identity)
        elif kind == "user" and action in _BACK:
            gone.clear()  # any of them may be the author's
    left = any(action in _GONE for _, action, _ in dated)
    came = {kind for _, action, (kind, _) in dated if action in _BACK}
    return Happened(
        frozenset(gone),
        anything=left or bool(came),
        shaken="user" in came or (left and bool(came)),
        latest=max((moment for moment, _, _ in dated), default=None),
    )


def _object(row: Mapping[str, object]) -> tuple[str, str]:
    return text_of(row.get("object_type")).lower(), text_of(row.get("object_id")).strip().lower()
