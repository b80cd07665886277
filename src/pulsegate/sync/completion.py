"""The indicators of a pulse that a page left out: fetched in pages and stored as they come, in constant memory."""

from __future__ import annotations

from functools import partial

import structlog

from pulsegate.errors import OTXError, OTXKeyError, OTXUnavailableError
from pulsegate.intake.taking import Intake, Unfinished, clean, finish, grow
from pulsegate.model.indicator import Rejection
from pulsegate.otx.client import OTXClient
from pulsegate.otx.parse import Page, read_indicators
from pulsegate.publication.marking import Marker
from pulsegate.store import taken
from pulsegate.store.database import Database
from pulsegate.store.locks import INTAKE, within
from pulsegate.store.taken import Growing
from pulsegate.sync.asking import Asking, Pager

log = structlog.get_logger(__name__)

PAGE = 1000  # indicators in one request
MOST_REJECTIONS = 10_000  # of one pulse that are kept


def knows_key(client: OTXClient) -> bool:
    """Whether OTX tells whose key it is: then what it refused is one pulse, to a key that is good for the others."""
    try:
        return client.owner() is not None
    except OTXError:
        return False


class Completion:
    """Completes the pulses of one source, in one run."""

    def __init__(
        self, database: Database, client: OTXClient, ask: Asking, source: str, intake: Intake, marker: Marker
    ) -> None:
        self._database = database
        self._client = client
        self._ask = ask
        self._source = source
        self._intake = intake
        self._marker = marker
        self._size = PAGE

    def __call__(self, unfinished: Unfinished) -> None:
        """Fetch and store what is missing. A pulse that OTX can't tell stops nothing else; the next run tries again.

        Where OTX was waited for in vain, it is not waited for again in this run: there may be hundreds of such pulses.
        """
        pager = Pager(self._ask, partial(self._page, unfinished.pulse_id), self._size, PAGE)
        try:
            fault = self._complete(unfinished, pager)
        except OTXError as error:
            if isinstance(error, OTXKeyError) and not knows_key(self._client):
                raise
            fault = str(error)
            if isinstance(error, OTXUnavailableError):
                self._ask = self._ask.without_waiting()
                self._size = pager.size
        if fault:
            log.warning("pulse.incomplete", pulse_id=unfinished.pulse_id, reason=fault)

    def _page(self, pulse_id: str, number: int, limit: int) -> Page[object]:
        return self._client.pulse_indicators(pulse_id, number, limit)

    def _complete(self, unfinished: Unfinished, pager: Pager[object]) -> str | None:
        """None, or why that can't be all of its indicators."""
        growing = Growing(unfinished.pk)
        rejections: list[Rejection] = []
        received = expected = 0
        for piece in pager.all():
            rows = read_indicators(piece.page.results[max(0, received - piece.start) :])
            found, unfit = clean((*rows.indicators, *rows.unreadable))
            rejections += unfit[: MOST_REJECTIONS - len(rejections)]
            grow(self._database, growing, found, self._marker)
            received, expected = piece.end, max(expected, piece.page.count or 0)
            self._intake.grown |= growing.changed
        if received < expected:
            return f"{received} of {expected} indicators came"
        return None if self._finish(unfinished, growing, rejections) else "none of its indicators came"

    def _finish(self, unfinished: Unfinished, growing: Growing, rejections: list[Rejection]) -> bool:
        with self._database.write() as connection:
            within(connection, INTAKE)
            if not growing.seen and not rejections and taken.has_indicators(connection, unfinished.pk):
                return False  # an empty list is what OTX answers when it is in trouble, too
            finish(connection, growing, self._source, unfinished.pulse_id, rejections)
        self._intake.indicators += len(growing.seen) - unfinished.taken
        self._intake.rejected += len(rejections)
        return True
