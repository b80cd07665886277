"""OpenTAXII's persistence API over our database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from flask import has_request_context, request
from opentaxii.common.sqldb import BaseSQLDatabaseAPI
from opentaxii.persistence.sqldb import SQLDatabaseAPI
from opentaxii.taxii.entities import CollectionEntity, ContentBlockEntity

from pulsegate.store import ledger
from pulsegate.store.database import Database, now


class Label(datetime):
    """A timestamp label: in UTC, and always written with six fractional digits (TAXII 1.1 Services, section 4.1.1).

    libtaxii writes labels with ``isoformat``, which leaves the fraction away when it is zero.
    """

    @classmethod
    def of(cls, moment: datetime) -> Label:
        utc = moment.astimezone(UTC)
        return cls(*utc.timetuple()[:6], utc.microsecond, tzinfo=UTC)

    def isoformat(self, sep: str = "T", timespec: str = "microseconds") -> str:  # noqa: ARG002
        return super().isoformat(sep, "microseconds")


class PersistenceAPI(SQLDatabaseAPI):  # type: ignore[misc]  # OpenTAXII is not typed
    """OpenTAXII's own API on our engine, with windows compared in UTC and ends that the ledger answers.

    :param db_connection: an SQLAlchemy URL
    :param domain: the host[:port] that clients see; None: the one that each request names
    :param skew: how far ahead a client's clock may run, in seconds
    :param open_after: a collection is served after so many seconds even if its first backfill goes on
    """

    def __init__(
        self, db_connection: str, domain: str | None = None, skew: float = 600.0, open_after: float = 600.0
    ) -> None:
        BaseSQLDatabaseAPI.__init__(self, db_connection)
        self.database = Database(db_connection)
        self.db.engine = self.database.engine
        self.domain = domain
        self.skew = timedelta(seconds=skew)
        self.open_after = timedelta(seconds=open_after)

    def get_domain(self, service_id: str) -> str | None:  # noqa: ARG002 - OpenTAXII's signature
        """The authority of the addresses that services advertise."""
        if self.domain is None and has_request_context():
            return str(request.host)
        return self.domain

    def get_collection(self, name: str, service_id: str | None = None) -> CollectionEntity | None:
        """By name; a space in an author's name may be written as such, or ``+`` as OTX does."""
        return super().get_collection(name, service_id) or super().get_collection(name.replace(" ", "+"), service_id)

    def _get_content_query(self, **asked: Any) -> Any:
        """SQLite keeps no zone and would compare the digits of another one."""
        for key in ("start_time", "end_time"):
            if asked.get(key) is not None:
                asked[key] = asked[key].astimezone(UTC)
        return super()._get_content_query(**asked)

    def get_content_blocks(self, *args: Any, **asked: Any) -> list[ContentBlockEntity]:
        found: list[ContentBlockEntity] = super().get_content_blocks(*args, **asked)
        for block in found:
            block.timestamp_label = Label.of(block.timestamp_label)
        return found

    def opening(self, collection: str) -> timedelta | None:
        """None when the collection may be polled; else the longest time until it may."""
        with self.database.read() as connection:
            known, moment = ledger.get(connection, collection), now(connection)
        if known is None or known.opened:
            return None
        left = known.since + self.open_after - moment
        if left > timedelta():
            return left
        with self.database.write() as connection:
            ledger.open_(connection, collection)
        return None

    def answered_end(self, collection: str, asked: datetime | None) -> Label:
        """The inclusive end that a poll answers; see ``store.ledger.answered_end``."""
        return Label.of(ledger.answered_end(self.database, collection, asked, self.skew))

    def latest_begin(self) -> datetime:
        """The latest begin that a poll may name."""
        with self.database.read() as connection:
            return now(connection) + self.skew
