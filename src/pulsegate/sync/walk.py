"""A walk over the subscription: one commit for each page, and after any stop it goes on where it stopped."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

import structlog

from pulsegate.errors import OTXAnswerError, OTXUnavailableError
from pulsegate.intake.running import Progress
from pulsegate.intake.taking import Claim, Intake, Unfinished, take
from pulsegate.otx.client import OTXClient
from pulsegate.otx.failures import OTXMissingError, OTXTooLargeError
from pulsegate.otx.parse import Page
from pulsegate.publication.labels import back
from pulsegate.publication.marking import Marker
from pulsegate.store import sources
from pulsegate.store.database import Connection, Database, now
from pulsegate.store.sources import SUBSCRIPTION, Source, Walk
from pulsegate.sync.asking import Asking, Pager, Piece
from pulsegate.sync.comparison import Compared
from pulsegate.sync.completion import Completion
from pulsegate.sync.position import Seen, step
from pulsegate.sync.wanted import Pace, Wanted
from pulsegate.values.dates import read_date

log = structlog.get_logger(__name__)

OVERLAP = timedelta(hours=1)  # OTX shows what was modified a little later than it says
AGAIN = "It is walked again with the next run"
_DAY = timedelta(days=1)  # a pulse that claims to be from later than that does not move the watermark


class SubscriptionWalk:
    """Walks the subscription of one source, newest first. ``after_page`` is called when a page is stored."""

    def __init__(
        self,
        database: Database,
        client: OTXClient,
        wanted: Wanted,
        pace: Pace,
        ask: Asking,
        complete: Completion,
        marker: Marker,
        after_page: Callable[[], None] = lambda: None,
    ) -> None:
        self._database = database
        self._client = client
        self._wanted = wanted
        self._pace = pace
        self._ask = ask
        self._complete = complete
        self._marker = marker
        self._after_page = after_page
        self._claim = Claim(wanted.name, SUBSCRIPTION)

    def run(
        self, intake: Intake, progress: Progress, compared: Compared, *, full: bool = False, shaken: bool = False
    ) -> Walk:
        """Walk to the end, from where the last run stopped; gives the walk that is done. OTXError: not to the end.

        ``full``: over the whole backfill; ``shaken``: a walk that was broken off may have missed some already.
        """
        walk, size = self._begin(compared, full=full or shaken, shaken=shaken)
        walk, size = self._to_the_end(walk, size, intake, progress)
        if walk.doubtful:
            walk = self._whole(compared)
            walk, _ = self._to_the_end(walk, size, intake, progress)
        self._end(walk)
        return walk

    def _to_the_end(self, walk: Walk, size: int, intake: Intake, progress: Progress) -> tuple[Walk, int]:
        """The walk that is done, and the size of its last page."""
        pager = Pager(self._ask, lambda number, limit: self._page(walk, number, limit), size, self._pace.page_size)
        done = False
        while not done:
            piece = self._piece(pager, walk.offset)
            if walk.newest is None and not piece.start:
                latest = max(walk.started, piece.page.date or walk.started) + _DAY
                walk = replace(walk, newest=_newest(piece.page.results, latest))
            pager.fit(piece)
            made = step(walk, _seen(piece))
            walk, done = made.walk, made.done
            self._take(piece.page.results, intake, partial(self._keep, walk, pager.size))
            if made.fault is not None:
                raise OTXAnswerError(made.fault, resource="the subscription", hint=AGAIN)
            progress.fetched(intake, piece.page.count)
            self._after_page()
        return walk, pager.size

    def _begin(self, compared: Compared, *, full: bool, shaken: bool) -> tuple[Walk, int]:
        """The walk that was broken off, or a new one; and the size of its pages.

        The events that led to it are done with in the same transaction: whatever happens then, the walk stands.
        """
        with self._database.write() as connection:
            source = sources.ensure(connection, self._wanted.name, self._wanted.shape)
            walk = source.walk
            if walk is None or (full and not walk.full):
                walk = self._new(connection, source, compared, full=full)
            else:
                walk = replace(walk, doubtful=walk.doubtful or shaken)
                log.info("pull.goes_on", source=source.name, offset=walk.offset, count=walk.count)
            seen = compared.happened.latest or source.events
            sources.update(connection, source.name, walk=walk, events=seen)
        return walk, min(source.page_size or self._pace.page_size, self._pace.page_size)

    def _whole(self, compared: Compared) -> Walk:
        """A walk over the whole backfill, after one that may have missed some."""
        with self._database.write() as connection:
            source = sources.ensure(connection, self._wanted.name, self._wanted.shape)
            walk = self._new(connection, source, compared, full=True)
            sources.update(connection, source.name, walk=walk)
        return walk

    def _new(self, connection: Connection, source: Source, compared: Compared, *, full: bool) -> Walk:
        """Of what there is already, a whole walk passes over what it does not bring."""
        started = now(connection)
        since = back(started, self._wanted.backfill)
        if source.watermark is not None and not full:
            return Walk(started, max(since, source.watermark - OVERLAP))
        if compared.ids is not None:
            claimed = sources.claimed(connection, source.name, SUBSCRIPTION).keys()
            sources.pass_over(connection, source.name, compared.ids - claimed)
        return Walk(started, since, full=True)

    def _page(self, walk: Walk, number: int, limit: int) -> Page[object]:
        try:
            return self._client.subscribed(number, limit, walk.since)
        except OTXTooLargeError:
            if limit > 1:
                raise
        head = self._client.subscribed_head(number, modified_since=walk.since)  # its indicators are asked for apart
        return Page([head], walk.count, has_next=walk.count is None or number < walk.count)

    def _piece(self, pager: Pager[object], offset: int) -> Piece[object]:
        """The page; one that isn't there any more has no rows."""
        try:
            return pager.at(offset)
        except OTXUnavailableError:
            with self._database.write() as connection:  # the next run doesn't begin with what was too much
                sources.update(connection, self._wanted.name, page_size=pager.size)
            raise
        except OTXMissingError:
            if not offset:
                raise
            number = offset // pager.size
            return Piece(number * pager.size, pager.size, _MISSING)

    def _take(self, rows: Iterable[object], intake: Intake, keep: Callable[[Connection], None]) -> None:
        """Store a page with its place; where pulses in it lack indicators, the place is kept when they have them."""

        def then(connection: Connection, unfinished: Sequence[Unfinished]) -> None:
            if not unfinished:
                keep(connection)

        wanted = self._wanted.has_author
        unfinished = take(self._database, rows, intake, self._claim, self._marker, wanted=wanted, then=then)
        for one in unfinished:
            self._complete(one)
        if unfinished:
            with self._database.write() as connection:
                keep(connection)

    def _keep(self, walk: Walk, size: int, connection: Connection) -> None:
        sources.update(connection, self._wanted.name, walk=walk, page_size=size)

    def _end(self, walk: Walk) -> None:
        with self._database.write() as connection:
            source = sources.get(connection, self._wanted.name)
            assert source is not None
            mark = min(walk.started, walk.newest) if walk.newest else None
            known = [one for one in (mark, source.watermark) if one is not None]
            sources.update(connection, source.name, walk=None, watermark=max(known, default=None))


_MISSING: Page[object] = Page([], None, has_next=False)


def _seen(piece: Piece[object]) -> Seen:
    page = piece.page
    received = piece.end - piece.start
    return Seen(piece.start, piece.asked, received, page.count, page.has_next, missing=page is _MISSING)


def _newest(rows: Iterable[object], latest: datetime) -> datetime | None:
    """When the newest of these pulses was modified: OTX's own clock, which this host's may not agree with."""
    dates = (read_date(row.get("modified")) for row in rows if isinstance(row, dict))
    return max((one for one in dates if one is not None and one <= latest), default=None)
