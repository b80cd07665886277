"""OpenTAXII's persistence API over our database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

from flask import g, has_request_context, request
from opentaxii.common.sqldb import BaseSQLDatabaseAPI
from opentaxii.persistence.sqldb import SQLDatabaseAPI
from opentaxii.taxii.entities import CollectionEntity, ContentBindingEntity, ContentBlockEntity

from pulsegate.store import ledger, versions
from pulsegate.store.collections import STIX_BINDING
from pulsegate.store.database import Database, now
from pulsegate.store.versions import Window


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

    def get_content_blocks(
        self,
        collection_id: int,
        start_time: datetime | None = None,
        end_time: datetime | None = None,
        bindings: Any = None,  # noqa: ARG002 - there is one, and the handler has compared it
        offset: int = 0,
        limit: int | None = None,
    ) -> list[ContentBlockEntity]:
        """The blocks of the window as they stand at the revision that ``answer`` gave for this request."""
        window = Window(collection_id, start_time, end_time, g.revision)
        last = None if limit is None else offset + limit
        return [
            ContentBlockEntity(
                id=one.id,
                content=one.content,
                timestamp_label=Label.of(one.label),
                content_binding=ContentBindingEntity(STIX_BINDING),
            )
            for one in islice(versions.read(self.database, window), offset, last)
        ]

    def opening(self, collection: str) -> timedelta | None:
        """None when the collection may be polled; else the longest time until it may."""
        with self.database.read() as connection:
            known, moment = ledger.get(connection, collection), now(connection)
        if known is None or known.opened is not None:
            return None
        left = known.since + self.open_after - moment
        if left > timedelta():
            return left
        with self.database.write() as connection:
            ledger.open_(connection, collection)
        return None

    def answered_end(self, collection: str, asked: datetime | None) -> Label:
        """The inclusive end that a poll answers; the request's blocks are read at the revision that goes with it."""
        answer = ledger.answer(self.database, collection, asked, self.skew)
        g.revision = answer.revision
        return Label.of(answer.end)

    def latest_begin(self) -> datetime:
        """The latest begin that a poll may name."""
        with self.database.read() as connection:
            return now(connection) + self.skew
