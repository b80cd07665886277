"""OpenTAXII's persistence API over our database."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from flask import g, has_request_context, request
from opentaxii.common.sqldb import BaseSQLDatabaseAPI
from opentaxii.persistence.sqldb import SQLDatabaseAPI
from opentaxii.taxii.converters import content_binding_entities_to_content_bindings
from opentaxii.taxii.entities import (
    CollectionEntity,
    ContentBindingEntity,
    PollRequestParametersEntity,
    ServiceEntity,
    SubscriptionEntity,
)

from pulsegate.model.collection import CollectionKind
from pulsegate.store import collections, ledger, state, subscriptions, versions
from pulsegate.store.collections import Polled, Service
from pulsegate.store.database import Database, now
from pulsegate.store.subscriptions import Subscription
from pulsegate.store.versions import Measure, Version, Window
from pulsegate.taxii.answer import BINDINGS
from pulsegate.taxii.parts import Signer
from pulsegate.taxii.poll_log import PollLog

SERVICES_KNOWN = 5.0  # seconds


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


class Feed(CollectionEntity):  # type: ignore[misc]  # OpenTAXII is not typed
    """OpenTAXII's entity of a collection, with what a poll needs to know of it."""

    def __init__(self, stored: Polled) -> None:
        super().__init__(
            stored.name,
            id=stored.id,
            description=stored.description,
            type=self.TYPE_FEED,
            volume=stored.volume,
            supported_content=list(BINDINGS),
            available=stored.available,
        )
        self.is_ours = stored.kind is not CollectionKind.INBOX  # every package is one that we made
        self.blocks_per_part = stored.blocks_per_part
        self.opened = stored.opened
        self.since = stored.since

    def get_supported_content(self, version: int) -> object:
        """What OpenTAXII's answer to a subscription to other content asks for, and its own entity lacks."""
        return content_binding_entities_to_content_bindings(self.supported_content, version)


def _entity(stored: Subscription) -> SubscriptionEntity:
    bindings = [ContentBindingEntity(binding, subtypes=list(subtypes)) for binding, subtypes in stored.bindings]
    return SubscriptionEntity(
        service_id=stored.service_id,
        collection_id=stored.collection_id,
        subscription_id=stored.id,
        status=stored.status,
        poll_request_params=PollRequestParametersEntity(
            response_type=stored.response_type or PollRequestParametersEntity.FULL, content_bindings=bindings
        ),
    )


class PersistenceAPI(SQLDatabaseAPI):  # type: ignore[misc]  # OpenTAXII is not typed
    """OpenTAXII's own API on our engine: services, collections and subscriptions are its rows, polls are ours.

    :param db_connection: an SQLAlchemy URL
    :param domain: the host[:port] that clients see; None: the one that each request names
    :param skew: how far ahead a client's clock may run, in seconds
    :param open_after: a collection is served after so many seconds even if its first backfill goes on
    :param results_kept: a result in parts can be fetched for so many seconds
    """

    def __init__(
        self,
        db_connection: str,
        domain: str | None = None,
        skew: float = 600.0,
        open_after: float = 600.0,
        results_kept: float = 3600.0,
    ) -> None:
        BaseSQLDatabaseAPI.__init__(self, db_connection)
        self.database = Database(db_connection)
        self.db.engine = self.database.engine
        self.domain = domain
        self.skew = timedelta(seconds=skew)
        self.open_after = timedelta(seconds=open_after)
        self.results_kept = timedelta(seconds=results_kept)
        self.poll_log = PollLog(self.database)
        self._known: tuple[float, list[Service]] = (0.0, [])  # when they were read, and the services
        with self.database.write() as connection:
            self.signer = Signer(state.secret(connection, state.RESULT_SECRET))

    def get_domain(self, service_id: str) -> str | None:  # noqa: ARG002 - OpenTAXII's signature
        """The authority of the addresses that services advertise."""
        if self.domain is None and has_request_context():
            return request.host or "{SERVER_NAME}:{SERVER_PORT}".format_map(request.environ)  # of a Host that is none
        return self.domain

    def get_services(self, collection_id: int | None = None) -> list[ServiceEntity]:
        """All services, or those of a collection.

        The services are the same for years, and are read again after some seconds; what hangs on them is read once in
        a request, however many collections are listed.
        """
        wanted = None if collection_id is None else self._links().get(collection_id, frozenset())
        return [
            ServiceEntity(id=one.id, type=one.type, properties=one.properties)
            for one in self._services()
            if wanted is None or one.id in wanted
        ]

    def _services(self) -> list[Service]:
        read, found = self._known
        if found and time.monotonic() - read < SERVICES_KNOWN:
            return found
        with self.database.read() as connection:
            found = collections.every_service(connection)
        self._known = time.monotonic(), found
        return found

    def _links(self) -> dict[int, frozenset[str]]:
        if "links" not in g:
            with self.database.read() as connection:
                g.links = collections.service_links(connection)
        found: dict[int, frozenset[str]] = g.links
        return found

    def get_collections(self, service_id: str | None = None) -> list[Feed]:
        with self.database.read() as connection:
            return [Feed(one) for one in collections.polled(connection, service_id)]

    def get_collection(self, name: str, service_id: str | None = None) -> Feed | None:
        """By name; a space in an author's name may be written as such, or ``+`` as OTX does."""
        with self.database.read() as connection:
            for spelling in dict.fromkeys((name, name.replace(" ", "+"))):
                for one in collections.polled(connection, service_id, spelling):
                    return Feed(one)
        return None

    def get_subscription(self, subscription_id: str) -> SubscriptionEntity | None:
        with self.database.read() as connection:
            found = subscriptions.get(connection, subscription_id)
        return None if found is None else _entity(found)

    def get_subscriptions(self, service_id: str) -> list[SubscriptionEntity]:
        with self.database.read() as connection:
            return [_entity(one) for one in subscriptions.of_service(connection, service_id)]

    def update_subscription(self, obj: SubscriptionEntity) -> SubscriptionEntity:
        params = obj.params
        bindings = [] if params is None else params.content_bindings or []
        stored = Subscription(
            id=obj.subscription_id,
            collection_id=obj.collection_id,
            service_id=obj.service_id,
            status=obj.status,
            response_type=None if params is None else params.response_type,
            bindings=tuple((one.binding, tuple(one.subtypes)) for one in bindings),
        )
        with self.database.write() as connection:
            subscriptions.put(connection, stored)
        return obj

    def create_subscription(self, entity: SubscriptionEntity) -> SubscriptionEntity:
        return self.update_subscription(entity)

    def opening(self, feed: Feed) -> timedelta | None:
        """None when the collection may be polled; else the longest time until it may."""
        if feed.opened is not None:
            return None
        with self.database.read() as connection:
            left = feed.since + self.open_after - now(connection)
        if left > timedelta():
            return left
        with self.database.write() as connection:
            ledger.open_(connection, feed.name)
        return None

    def answered_end(self, collection: str, asked: datetime | None) -> tuple[Label, int]:
        """The inclusive end that a poll answers, and the revision that is read for it."""
        answer = ledger.answer(self.database, collection, asked, self.skew)
        return Label.of(answer.end), answer.revision

    def latest_begin(self) -> datetime:
        """The latest begin that a poll may name."""
        with self.database.read() as connection:
            return now(connection) + self.skew

    def measure(self, window: Window, offset: int = 0, limit: int | None = None) -> Measure:
        return versions.measure(self.database, window, offset, limit)

    def read(self, window: Window, offset: int = 0, limit: int | None = None) -> Iterator[Version]:
        return versions.read(self.database, window, offset, limit)
