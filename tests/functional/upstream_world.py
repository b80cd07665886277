"""Pulsegates that pull from each other, or from any TAXII server, in this process and over real HTTP."""

from __future__ import annotations

import json
from contextlib import closing, contextmanager
from datetime import timedelta

import sqlalchemy as sa

import support
from packages import package
from pulsegate.curation.policy import Policy
from pulsegate.model.collection import Collection, CollectionKind
from pulsegate.publication import inbox
from pulsegate.publication.built_in import SUBSCRIBED
from pulsegate.publication.inbox import Pushed
from pulsegate.publication.publish import publish_all
from pulsegate.stix import Package, examine
from pulsegate.store import accounts, blocks, collections, quarantine, sources, tables
from pulsegate.store.database import Database
from pulsegate.sync.pull import pull_files
from pulsegate.sync.upstream import Upstream, pull_upstream
from pulsegate.sync.upstream_client import UpstreamClient
from pulsegate.sync.wanted import Pace
from sync.fakes import Naps

USER, PASSWORD = "reader", "a-secret-of-the-reader"
DAY = timedelta(days=1)
POLICY = Policy(disabled=frozenset({"reserved-range"}))


class Gate:
    """A Pulsegate on a database: filled, served, and pulled into."""

    def __init__(self, database):
        self.database = database
        with database.write() as connection:
            collections.ensure_services(connection)
            collections.put(connection, SUBSCRIBED)
            self.partners = collections.put(connection, Collection("partners", kind=CollectionKind.INBOX))
            accounts.add(connection, USER, PASSWORD)
            accounts.grant(connection, USER, "*", accounts.READ)

    @contextmanager
    def served(self, **options):
        with support.serving(support.application(self.database.url, **options)) as address:
            yield address

    def push(self, *names, version="1.2", title="A package"):
        """Packages of one domain each."""
        given = [examine(package(one, version=version, title=title), 5_000_000) for one in names]
        inbox.receive(self.database, [self.partners], [Pushed(one) for one in given])

    def withdraw(self, *names):
        """Those packages of ``partners``."""
        with self.database.read() as connection:
            there = blocks.packages(connection, self.partners.id)
        keys = {inbox.identity(Package(package(one), "1.2", 1)) for one in names}
        gone = [block for key, block in there.items() if key in keys]
        assert len(gone) == len(names)
        inbox.withdraw(self.database, self.partners, gone)

    def take_pulses(self, folder, pulses):
        (folder / "pulses.json").write_text(json.dumps(pulses))
        pull_files(self.database, [folder / "pulses.json"], POLICY)

    def pull(self, address, collection="partners", *, naps=None, client=None, path="/taxii/poll", **options):
        """From the gate or the server at that address."""
        asked = {"full", "compare", "accept_removals", "shown"} & options.keys()
        how = {key: options.pop(key) for key in asked}
        made = {"username": USER, "password": PASSWORD} | (client or {})
        given = {"name": "other", "into": "taxii_other"} | options
        upstream = Upstream(url=f"{address}{path}", collection=collection, **given)
        pace = Pace(sleep=naps or Naps(), jitter=lambda seconds: seconds)
        with UpstreamClient(upstream.url, collection, max_block=upstream.max_block, **made) as made_client:
            return pull_upstream(self.database, made_client, POLICY, upstream, pace, **how)

    def put_back(self, time):
        """All labels and the clock of the ledger, as if so much time had gone by."""
        with self.database.write() as connection:
            for table, column in ((tables.blocks, "label"), (tables.content_blocks, "timestamp_label"),
                                  (tables.ledgers, "frontier")):  # fmt: skip
                for row in connection.execute(sa.select(table)).mappings().all():
                    key = next(iter(table.primary_key.columns))
                    if row[column] is not None and row[column].year > 1970:
                        values = {column: row[column] - time}
                        connection.execute(sa.update(table).where(key == row[key.name]).values(values))

    def publish(self):
        publish_all(self.database, POLICY)

    def served_by(self, collection):
        """The packages as a poll of everything gives them, in the order of their labels."""
        with self.served() as address:
            return [one.content for one in support.poll(address, collection, USER, PASSWORD)]

    def held(self, collection="taxii_other"):
        """The names in the packages of an inbox, sorted, as often as they are there."""
        with self.database.read() as connection:
            stored = collections.get(connection, collection)
            return sorted(content_names(connection, stored.id)) if stored else None

    def source(self, name="other"):
        with self.database.read() as connection:
            return sources.get(connection, name)

    def quarantined(self):
        with self.database.read() as connection:
            return [(one.kind, one.type, one.reason, one.source) for one in quarantine.every(connection)]


def content_names(connection, collection_id):
    links, content = tables.collection_to_content_block.c, tables.content_blocks.c
    there = links.content_block_id == content.id
    query = sa.select(content.content).join(tables.collection_to_content_block, there)
    query = query.where(links.collection_id == collection_id)
    return [value for content in connection.scalars(query) for _, value in support.read_values(content)]


@contextmanager
def other_gate(url):
    """A second Pulsegate, on a database of its own."""
    with closing(Database(url)) as database:
        yield Gate(database)
