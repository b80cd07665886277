"""The indicators of a pulse that a page left out: fetched in pages and stored as they come, in constant memory."""

from __future__ import annotations

import structlog

from pulsegate.errors import OTXError, OTXKeyError
from pulsegate.model.indicator import Rejection
from pulsegate.otx.client import OTXClient
from pulsegate.otx.parse import read_indicators
from pulsegate.store import quarantine, taken
from pulsegate.store.database import Database
from pulsegate.store.locks import INTAKE, within
from pulsegate.store.taken import Growing
from pulsegate.sync.asking import Asking, Pager
from pulsegate.sync.intake import Intake, Unfinished, clean, protect, rejected

log = structlog.get_logger(__name__)

PAGE = 1000  # indicators in one request
MOST_REJECTIONS = 10_000  # of one pulse that are kept


def complete(
    database: Database, client: OTXClient, ask: Asking, source: str, unfinished: Unfinished, intake: Intake
) -> None:
    """Fetch and store what is missing. A pulse that OTX can't tell stops nothing else; the next run tries again."""
    try:
        _complete(database, client, ask, source, unfinished, intake)
    except OTXKeyError:
        raise
    except OTXError as error:
        log.warning("pulse.incomplete", pulse_id=unfinished.pulse_id, reason=str(error))


def _complete(
    database: Database, client: OTXClient, ask: Asking, source: str, unfinished: Unfinished, intake: Intake
) -> None:
    growing = Growing(unfinished.pk)
    rejections: list[Rejection] = []
    pager = Pager(ask, lambda number, limit: client.pulse_indicators(unfinished.pulse_id, number, limit), PAGE)
    received, count = 0, None
    for piece in pager.all():
        rows = read_indicators(piece.page.results[max(0, received - piece.start) :])
        found, unfit = clean((*rows.indicators, *rows.unreadable))
        rejections += unfit[: MOST_REJECTIONS - len(rejections)]
        with database.write() as connection:
            within(connection, INTAKE)
            taken.grow(connection, growing, found, protect)
        received, count = piece.start + len(piece.page.results), piece.page.count
    if count is not None and received < count:
        log.warning("pulse.incomplete", pulse_id=unfinished.pulse_id, reason=f"{received} of {count} indicators came")
        return
    with database.write() as connection:
        within(connection, INTAKE)
        taken.finish(connection, growing)
        entries = [rejected(source, unfinished.pulse_id, one) for one in rejections]
        quarantine.replace(connection, unfinished.pulse_id, entries)
    intake.indicators += len(growing.seen) - unfinished.taken
    intake.rejected += len(rejections)
