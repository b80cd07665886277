"""Pulses that are asked for one by one: new in the subscription, named by their ids, or found by a search."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from functools import partial

import structlog

from pulsegate.errors import OTXError, OTXKeyError, OTXUnavailableError, PulseFormatError
from pulsegate.intake.taking import Claim, Intake, Unfinished, take
from pulsegate.otx.client import OTXClient
from pulsegate.otx.failures import OTXMissingError, OTXTooLargeError
from pulsegate.otx.parse import Page, pulse_id, read_pulse
from pulsegate.publication.marking import Marker
from pulsegate.store import pulses, sources
from pulsegate.store.database import Database
from pulsegate.store.sources import PULSE, SUBSCRIPTION
from pulsegate.sync.asking import Asking, Pager
from pulsegate.sync.comparison import leaving, remove
from pulsegate.sync.completion import Completion, knows_key
from pulsegate.sync.wanted import Wanted
from pulsegate.values.dates import read_date

log = structlog.get_logger(__name__)

FOUND = 100  # rows in one answer to a search
MOST_FOUND = 1_000  # of one search


class Following:
    """Fetches single pulses of one source."""

    def __init__(
        self,
        database: Database,
        client: OTXClient,
        wanted: Wanted,
        ask: Asking,
        complete: Completion,
        intake: Intake,
        marker: Marker,
    ) -> None:
        self._database = database
        self._client = client
        self._wanted = wanted
        self._ask = ask
        self._complete = complete
        self._intake = intake
        self._marker = marker

    def new_in_subscription(self, ids: Iterable[str], since: datetime) -> None:
        """Take those that were modified after ``since``, by a wanted author; remember the others as passed over."""
        for identity in ids:
            raw = self._pulse(identity)
            if raw is None:
                continue
            if self._is_passed_over(raw, since):
                with self._database.write() as connection:
                    sources.add_passed_over(connection, self._wanted.name, identity)
            else:
                self._take(raw, SUBSCRIPTION)

    def incomplete(self) -> dict[str, int]:
        """The pulses that could not be had whole until now: keys by OTX's ids."""
        with self._database.read() as connection:
            return sources.incomplete(connection, self._wanted.name)

    def complete(self, waiting: Iterable[str]) -> None:
        """Try those of them again that are still not whole."""
        for identity, key in self.incomplete().items():
            if identity in waiting:
                self._complete(Unfinished(identity, key))

    def by_id(self, *, accept: bool = False, shown: Collection[int] = ()) -> None:
        """Take the pulses that the settings name; those that they name no more, or that OTX doesn't know, leave.

        ``accept``: however many OTX doesn't know; ``shown``: the keys of those that may leave.
        """
        gone = []
        for identity in self._wanted.pulses:
            raw, is_gone = self._look(identity)
            if raw is not None:
                self._take(raw, PULSE)
            elif is_gone:
                gone.append(identity)
                log.warning("otx.pulse_unknown", source=self._wanted.name, pulse_id=identity)
        name = self._wanted.name
        with self._database.write() as connection:
            claimed = sources.claimed(connection, name, PULSE)
            unnamed = [claimed[one] for one in sorted(claimed.keys() - set(self._wanted.pulses))]
            self._intake.removed += sources.release(connection, name, PULSE, unnamed)
            going = leaving(claimed, gone)
            is_doubtful = going.without(shown).needs_confirmation(self._wanted.max_removal)
            self._intake.removed += remove(
                connection, name, PULSE, going, of=len(claimed), hold=is_doubtful and not accept
            )

    def by_search(self) -> None:
        """Take what the searches find, where it is new or newer; what was found before stays while it is asked."""
        asked = {f"search:{words}"[:200]: words for words in self._wanted.searches}
        for via, words in asked.items():
            self._search(via, words)
        with self._database.write() as connection:
            for via in sources.ways(connection, self._wanted.name):
                if via.startswith("search:") and via not in asked:
                    self._intake.removed += sources.release(connection, self._wanted.name, via)

    def _search(self, via: str, words: str) -> None:
        with self._database.read() as connection:
            claimed = sources.claimed(connection, self._wanted.name, via)
        seen = 0
        for piece in Pager(self._ask, partial(self._found, words), FOUND).all():
            for row in piece.page.results:
                self._take_found(via, row, claimed)
            seen += len(piece.page.results)
            if seen >= MOST_FOUND:
                log.warning("otx.search_is_wide", source=self._wanted.name, words=words, taken=seen)
                return

    def _found(self, words: str, number: int, limit: int) -> Page[object]:
        return self._client.search(words, number, limit)

    def _take_found(self, via: str, row: object, claimed: dict[str, int]) -> None:
        if not isinstance(row, dict):
            return
        try:
            identity = pulse_id(row)
        except PulseFormatError:
            return
        if identity in claimed and not self._is_newer(identity, read_date(row.get("modified"))):
            return
        raw = self._pulse(identity)
        if raw is not None:
            self._take(raw, via)

    def _is_newer(self, identity: str, modified: datetime | None) -> bool:
        with self._database.read() as connection:
            stored = pulses.get(connection, identity)
        return stored is None or modified is None or modified > stored.pulse.modified

    def _take(self, raw: object, via: str) -> None:
        claim = Claim(self._wanted.name, via)
        for one in take(self._database, [raw], self._intake, claim, self._marker, wanted=self._wanted.has_author):
            self._complete(one)

    def _is_passed_over(self, raw: object, since: datetime) -> bool:
        """What can't be read is taken, and so quarantined."""
        try:
            pulse = read_pulse(raw).pulse
        except PulseFormatError:
            return False
        return pulse.modified <= since or not self._wanted.has_author(pulse)

    def _pulse(self, identity: str) -> object | None:
        return self._look(identity)[0]

    def _look(self, identity: str) -> tuple[object | None, bool]:
        """The pulse, and whether OTX says that there is none. One that can't be told stops nothing else."""
        try:
            return self._ask(partial(self._read, identity)), False
        except OTXMissingError:
            return None, True
        except OTXUnavailableError:
            raise
        except OTXError as error:
            if isinstance(error, OTXKeyError) and not knows_key(self._client):
                raise
            log.warning("pulse.not_read", pulse_id=identity, reason=str(error))
            return None, False

    def _read(self, identity: str) -> object:
        try:
            return self._client.pulse(identity)
        except OTXTooLargeError:
            return self._client.pulse_head(identity)
