"""The packages that an inbox holds, taken apart."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace

from pulsegate.errors import ReportError
from pulsegate.reports import Entry, Format, entries
from pulsegate.reports.reading import refusal
from pulsegate.store import ledger, versions
from pulsegate.store.collections import StoredCollection
from pulsegate.store.database import Database
from pulsegate.store.versions import Version, Window


def packages(database: Database, stored: StoredCollection) -> Iterator[Version]:
    """The blocks that a poll of the whole collection gives now, whatever is published meanwhile.

    OutdatedRevisionError: it lasted longer than what was superseded is kept.
    """
    with database.read() as connection:
        row = ledger.get(connection, stored.collection.name)
    if row is not None:
        yield from versions.read(database, Window(stored.id, None, None, row.revision))


def taken_apart(block: Version) -> Iterator[Entry]:
    """The values of a package, as the reader of STIX files finds them; one that it can't read is a Refusal."""
    name = f"package {block.id}"
    try:
        for one in entries(io.BytesIO(block.content), Format.STIX):
            yield replace(one, where=f"{name}, {one.where}")
    except ReportError as error:
        yield refusal(name, "", error.message)
