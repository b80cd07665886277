"""Taking in the packages of an upstream: each is checked on its own, and published, or quarantined with its reason."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from lxml import etree

from pulsegate.errors import ContentError, UpstreamError
from pulsegate.intake.running import Progress
from pulsegate.intake.taking import MAX_RAW, Intake
from pulsegate.publication import inbox
from pulsegate.publication.inbox import Pushed
from pulsegate.store import collections, quarantine
from pulsegate.store.collections import StoredCollection
from pulsegate.store.database import Database
from pulsegate.store.digests import digest
from pulsegate.store.quarantine import BLOCK, Quarantined

if TYPE_CHECKING:  # cabby is loaded where a client is made, python-stix where a package comes
    from pulsegate.stix import Package
    from pulsegate.sync.upstream_answer import Sent

BATCH_BLOCKS, BATCH_BYTES = 100, 5_000_000  # published in one transaction, or one package
MAX_REASON = 300  # characters: a schema's message quotes what it is about, however long that is
NO_ELEMENT = "its content was no element"
IsWanted = Callable[[bytes, datetime | None], bool]
"""Whether a package is to be published, by its identity and its label there."""


@dataclass(slots=True)
class _Batch:
    """What is stored next: packages, and blocks that can't be taken."""

    pushed: list[Pushed] = field(default_factory=list)
    refused: list[Quarantined] = field(default_factory=list)
    size: int = 0

    @property
    def is_full(self) -> bool:
        return len(self.pushed) + len(self.refused) >= BATCH_BLOCKS or self.size >= BATCH_BYTES


class PackageIntake:
    """Takes what an upstream sends into the collection ``stored``. ``max_block``: of the largest package, in bytes."""

    def __init__(
        self, database: Database, source: str, stored: StoredCollection, max_block: int, intake: Intake, told: Progress
    ) -> None:
        self._database = database
        self._source = source
        self._stored = stored
        self._max_block = max_block
        self._intake = intake
        self._progress = told

    def take(self, sent: Iterable[Sent], is_wanted: IsWanted, refused: set[str] | None = None) -> int:
        """Publish the packages that are wanted, some at a time, also those before an error; gives how many blocks came.

        ``is_wanted`` gets a package's identity and its label. The values of what can't be taken go into ``refused``.
        """
        came, batch = 0, _Batch()
        try:
            for one in sent:
                came += 1
                self._look(one, batch, is_wanted)
                if batch.is_full:
                    full, batch = batch, _Batch()
                    self._store(full, refused)
        except UpstreamError:
            self._store(batch, refused)
            raise
        self._store(batch, refused)
        return came

    def _look(self, one: Sent, batch: _Batch, is_wanted: IsWanted) -> None:
        from pulsegate.stix import receive_content  # noqa: PLC0415 - 30 MB

        self._intake.pulses += 1
        try:
            collections.check_binding(one.binding)
            package = receive_content(one.content, self._max_block)
        except ContentError as error:
            batch.refused.append(_refused(self._source, one, error))
            return
        self._intake.indicators += package.indicators
        if is_wanted(inbox.identity(package), one.label):
            batch.pushed.append(Pushed(package, one.message))
            batch.size += len(package.content)

    def _store(self, batch: _Batch, refused: set[str] | None) -> None:
        if batch.pushed:
            given = inbox.receive(self._database, [self._stored], batch.pushed)
            self._intake.new += sum(len(labels) for labels in given.values())
        if batch.refused:
            with self._database.write() as connection:
                for one in batch.refused:
                    quarantine.add(connection, one)
            self._intake.unreadable += len(batch.refused)
        if refused is not None:
            refused.update(one.value for one in batch.refused)
        self._progress.fetched(self._intake, None)


def package_of(sent: Mapping[str, Any]) -> Package | str:
    """The package of a quarantined block, or why it can't be taken today either."""
    from pulsegate.stix import examine  # noqa: PLC0415 - 30 MB

    if "xml" not in sent:
        return NO_ELEMENT
    try:
        collections.check_binding(str(sent.get("binding")))
        return examine(str(sent["xml"]).encode(), MAX_RAW)
    except ContentError as error:
        return error.message[:MAX_REASON]


def retry_block(database: Database, entry: Quarantined, sent: Mapping[str, Any]) -> bool:
    """Publish a quarantined block where its upstream is published; whether that can be done today."""
    package = package_of(sent)
    with database.read() as connection:
        every = collections.every(connection)
    places = [one for one in every if one.collection.upstream == entry.source]
    if isinstance(package, str) or not places:
        return False
    inbox.receive(database, places, [Pushed(package)])
    with database.write() as connection:
        quarantine.remove(connection, entry)
    return True


def _refused(source: str, one: Sent, error: ContentError) -> Quarantined:
    """The entry of a block that can't be taken: an element is kept as ``xml``, anything else as ``text``."""
    from pulsegate.stix import cut_out  # noqa: PLC0415 - 30 MB

    is_element = isinstance(one.content, etree._Element)  # noqa: SLF001
    text = cut_out(one.content).decode() if is_element else str(one.content)
    kept = json.dumps({"binding": one.binding, "xml" if is_element else "text": text}, ensure_ascii=False)
    value = f"content block {digest('package', text).hex()[:32]}"
    reason = error.message[:MAX_REASON]
    return Quarantined(BLOCK, None, one.binding, value, reason, kept if len(kept) <= MAX_RAW else None, source=source)
