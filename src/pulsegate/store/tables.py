"""Every table. The first half is OpenTAXII 0.9.3's own schema, to the letter; the second half is ours, beside it.

OpenTAXII's: opentaxii/persistence/sqldb/models.py and opentaxii/auth/sqldb/models.py. A test compares the two, since a
stock OpenTAXII must be able to serve this database.
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from pulsegate.store.columns import UTCDateTime

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
    }
)

# --- OpenTAXII's ---------------------------------------------------------------------------------------------------

collection_to_content_block = Table(
    "collection_to_content_block",
    metadata,
    Column("collection_id", Integer, ForeignKey("data_collections.id", ondelete="CASCADE")),
    Column("content_block_id", Integer, ForeignKey("content_blocks.id", ondelete="CASCADE"), index=True),
    PrimaryKeyConstraint("collection_id", "content_block_id"),
)

content_blocks = Table(
    "content_blocks",
    metadata,
    Column("date_created", UTCDateTime),
    Column("id", Integer, primary_key=True),
    Column("message", Text),
    Column("timestamp_label", UTCDateTime, index=True),
    Column("inbox_message_id", Integer, ForeignKey("inbox_messages.id", onupdate="CASCADE", ondelete="CASCADE")),
    Column("content", LargeBinary, nullable=False),
    Column("binding_id", String(300), index=True),
    Column("binding_subtype", String(300), index=True),
)

service_to_collection = Table(
    "service_to_collection",
    metadata,
    Column("service_id", String(150), ForeignKey("services.id", ondelete="CASCADE")),
    Column("collection_id", Integer, ForeignKey("data_collections.id", ondelete="CASCADE")),
    PrimaryKeyConstraint("service_id", "collection_id"),
)

services = Table(
    "services",
    metadata,
    Column("date_created", UTCDateTime),
    Column("id", String(150), primary_key=True),
    Column("type", String(150)),
    Column("_properties", Text, nullable=False),
    Column("date_updated", UTCDateTime),
)

data_collections = Table(
    "data_collections",
    metadata,
    Column("date_created", UTCDateTime),
    Column("id", Integer, primary_key=True),
    Column("name", String(300), index=True, unique=True),
    Column("type", String(150)),
    Column("description", Text),
    Column("accept_all_content", Boolean),
    Column("bindings", Text),
    Column("available", Boolean),
    Column("volume", Integer),
)

inbox_messages = Table(
    "inbox_messages",
    metadata,
    Column("date_created", UTCDateTime),
    Column("id", Integer, primary_key=True),
    Column("message_id", Text),
    Column("result_id", Text),
    Column("record_count", Integer),
    Column("partial_count", Boolean),
    Column("subscription_collection_name", Text),
    Column("subscription_id", Text),
    Column("exclusive_begin_timestamp_label", UTCDateTime),
    Column("inclusive_end_timestamp_label", UTCDateTime),
    Column("original_message", LargeBinary, nullable=False),
    Column("content_block_count", Integer),
    Column("destination_collections", Text),
    Column("service_id", String(150), ForeignKey("services.id", onupdate="CASCADE", ondelete="CASCADE")),
)

result_sets = Table(
    "result_sets",
    metadata,
    Column("date_created", UTCDateTime),
    Column("id", String(150), primary_key=True),
    Column("collection_id", Integer, ForeignKey("data_collections.id", onupdate="CASCADE", ondelete="CASCADE")),
    Column("bindings", Text),
    Column("begin_time", UTCDateTime),
    Column("end_time", UTCDateTime),
)

subscriptions = Table(
    "subscriptions",
    metadata,
    Column("date_created", UTCDateTime),
    Column("id", String(150), primary_key=True),
    Column("collection_id", Integer, ForeignKey("data_collections.id", onupdate="CASCADE", ondelete="CASCADE")),
    Column("params", Text),
    Column("status", String(150)),
    Column("service_id", String(150), ForeignKey("services.id", onupdate="CASCADE", ondelete="CASCADE")),
)

accounts = Table(
    "accounts",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("username", String(256), unique=True),
    Column("password_hash", String(256)),
    Column("is_admin", Boolean),
    Column("_permissions", Text, nullable=False),
)

OPENTAXII_TABLES = tuple(metadata.tables)

# --- Ours ----------------------------------------------------------------------------------------------------------

pulses = Table(
    "pulses",
    metadata,
    Column("pk", Integer, primary_key=True),
    Column("id", String(64), nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("author", Text, nullable=False),
    Column("created", UTCDateTime, nullable=False),
    Column("modified", UTCDateTime, nullable=False, index=True),
    Column("tlp", String(16), nullable=False),
    Column("details", Text, nullable=False),  # the other fields of model.Pulse, as JSON
    Column("active", Boolean, nullable=False),  # false: no source has it any more
    Column("fingerprint", LargeBinary, nullable=False),  # of everything that was read: equal means nothing changed
    Column("stored", UTCDateTime, nullable=False),
    Column("withdrawn", UTCDateTime),  # since when it is not active
    Column("complete", Boolean, nullable=False, server_default=sa.true()),  # false: there are more indicators on OTX
    Index("ix_pulses_author_modified", "author", "modified"),
    Index("ix_pulses_tlp_modified", "tlp", "modified"),
    sqlite_autoincrement=True,  # blocks name their pulse by its key
)

indicators = Table(
    "indicators",
    metadata,
    Column("pk", Integer, primary_key=True),
    Column("pulse_pk", Integer, ForeignKey("pulses.pk", ondelete="CASCADE"), nullable=False),
    Column("identity", LargeBinary, nullable=False, index=True),  # digest of model.Indicator.identity
    Column("type", String(32), nullable=False),
    Column("value", Text, nullable=False),
    Column("protection", String(32)),  # the built-in protection that concerns the value, used by a collection or not
    Column("failure", Text),  # why it can't be written as STIX, where that was tried in vain: JSON, by profile
    Column("raw_type", Text, nullable=False),
    Column("raw_value", Text, nullable=False),
    Column("otx_id", Text),
    Column("created", UTCDateTime),
    Column("expiration", UTCDateTime),
    Column("active", Boolean, nullable=False),
    Column("role", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("content", Text, nullable=False),
    Column("host_key", LargeBinary),  # values.neighbours.host_key: what lies below a domain or in a network is a range
    Column("lists", Text),  # the warning lists that cover the value, by name, parted by blanks
    Column("noted", Boolean, nullable=False, server_default=sa.false()),  # own, allow list or a decision may concern it
    UniqueConstraint("pulse_pk", "identity"),
    Index("ix_indicators_host_key", "host_key"),
    sqlite_autoincrement=True,  # placements name an indicator by its key: a key must never be given again
)
Index(
    "ix_indicators_expiration",
    indicators.c.expiration,
    sqlite_where=indicators.c.expiration.is_not(None),
    postgresql_where=indicators.c.expiration.is_not(None),
)
Index(
    "ix_indicators_failure",
    indicators.c.pk,
    sqlite_where=indicators.c.failure.is_not(None),
    postgresql_where=indicators.c.failure.is_not(None),
)
Index(
    "ix_indicators_lists",
    indicators.c.lists,
    indicators.c.pk,
    sqlite_where=indicators.c.lists.is_not(None),
    postgresql_where=indicators.c.lists.is_not(None),
)
Index(
    "ix_indicators_created",
    indicators.c.created,
    sqlite_where=indicators.c.expiration.is_(None),
    postgresql_where=indicators.c.expiration.is_(None),
)

sources = Table(
    "sources",
    metadata,
    Column("name", String(100), primary_key=True),
    Column("since", UTCDateTime, nullable=False),  # when it was first seen in the settings
    Column("shape", Text, nullable=False),  # what its settings ask for: another shape is walked as a whole
    Column("watermark", UTCDateTime),  # everything modified until then was seen by a whole walk
    Column("walk", Text),  # the walk under way, as JSON
    Column("page_size", Integer),  # what OTX has answered to lately; null: the configured one
    Column("completed", UTCDateTime),  # when the last pull ended well, and what it brought was published
    Column("compared", UTCDateTime),  # when the last comparison of ids ended
    Column("events", UTCDateTime),  # the latest event that was looked at, by OTX's clock
    Column("failing", UTCDateTime),  # since when it fails; null: it doesn't
    Column("error", Text),
    Column("next_try", UTCDateTime),
    Column("held", Integer, nullable=False, server_default="0"),  # pulses whose removal waits for a confirmation
    Column("alarms", String(100), nullable=False, server_default=sa.text("''")),  # that people were told of
)

source_pulses = Table(
    "source_pulses",
    metadata,
    Column("source", String(100), nullable=False),
    Column("pulse_pk", Integer, ForeignKey("pulses.pk", ondelete="CASCADE"), nullable=False, index=True),
    Column("via", String(200), nullable=False),  # subscription, pulse, search:WORDS, file
    PrimaryKeyConstraint("source", "via", "pulse_pk"),
)

passed_over = Table(
    "passed_over",
    metadata,
    Column("source", String(100), nullable=False),
    Column("pulse_id", String(64), nullable=False),  # subscribed to, but older than the backfill
    PrimaryKeyConstraint("source", "pulse_id"),
)

quarantine = Table(
    "quarantine",
    metadata,
    Column("pk", Integer, primary_key=True),
    Column("kind", String(16), nullable=False),  # pulse: unreadable; indicator: no value; block: not convertible
    Column("pulse_id", Text, index=True),
    Column("type", Text, nullable=False),
    Column("value", Text, nullable=False),
    Column("value_digest", LargeBinary, nullable=False, index=True),
    Column("reason", Text, nullable=False, index=True),
    Column("raw", Text),
    Column("since", UTCDateTime, nullable=False),
    Column("source", String(100)),  # where it came from
)

collection_rules = Table(
    "collection_rules",
    metadata,
    Column("collection_id", Integer, ForeignKey("data_collections.id", ondelete="CASCADE"), primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("author", Text),
    Column("rules", Text, nullable=False),  # model.Collection as JSON
    Column("changed", UTCDateTime, nullable=False),
    Column("origin", String(16), nullable=False, server_default=sa.text("'settings'")),  # or command, relay
    Column("sender", String(100)),  # whose bundle brought them, of origin relay
)

ledgers = Table(
    "ledgers",
    metadata,
    Column("name", String(300), primary_key=True),  # kept when the collection goes: its frontier must outlive it
    Column("opened", UTCDateTime),  # null: the first backfill is not complete yet
    Column("since", UTCDateTime, nullable=False),
    Column("frontier", UTCDateTime, nullable=False),  # no label at or before it will ever be given again
    Column("revision", Integer, nullable=False),  # number of the last publication
    Column("purged", Integer, nullable=False),  # what was served at an earlier revision can no longer be told
)

blocks = Table(
    "blocks",
    metadata,
    Column("content_block_id", Integer, primary_key=True, autoincrement=False),
    Column("collection_id", Integer, ForeignKey("data_collections.id", ondelete="CASCADE"), nullable=False),
    Column("pulse_pk", Integer, ForeignKey("pulses.pk", ondelete="SET NULL"), index=True),
    Column("label", UTCDateTime),  # content_blocks.timestamp_label, beside the collection for one index
    Column("revision", Integer),  # of the publication that made this version; null: staged, not published yet
    Column("indicators", Integer, nullable=False, server_default="0"),  # how many stand in this version
    Column("size", Integer, nullable=False, server_default="0"),  # of its content, in bytes
    Column("profile", String(16), nullable=False, server_default=sa.text("'full'")),  # that it is written in
    Index("ix_blocks_collection_id_label", "collection_id", "label"),
)

superseded = Table(
    "superseded",
    metadata,
    Column("pk", Integer, primary_key=True),
    Column("collection_id", Integer, ForeignKey("data_collections.id", ondelete="CASCADE"), nullable=False),
    Column("content_block_id", Integer, nullable=False),  # the block itself may be gone
    Column("label", UTCDateTime, nullable=False),
    Column("from_revision", Integer, nullable=False),
    Column("to_revision", Integer, nullable=False),  # the publication that ended it
    Column("ended", UTCDateTime, nullable=False, index=True),
    Column("indicators", Integer, nullable=False, server_default="0"),
    Column("size", Integer, nullable=False, server_default="0"),
    Column("binding", String(300)),  # content_blocks.binding_id
    Column("message", Text),  # content_blocks.message
    Column("content", LargeBinary, nullable=False),
    Index("ix_superseded_collection_id_label", "collection_id", "label"),
)

placements = Table(  # without foreign keys: on PostgreSQL they take two thirds of the time of a large publication
    "placements",
    metadata,
    Column("collection_id", Integer, nullable=False),
    Column("identity", LargeBinary, nullable=False),  # of the value, or of pulse and value without deduplication
    Column("content_block_id", Integer, nullable=False, index=True),
    Column("indicator_pk", Integer, nullable=False),
    Column("since", UTCDateTime, nullable=False),
    PrimaryKeyConstraint("collection_id", "identity"),
)

withdrawals = Table(
    "withdrawals",
    metadata,
    Column("pk", Integer, primary_key=True),
    Column("collection_id", Integer, ForeignKey("data_collections.id", ondelete="CASCADE"), nullable=False),
    Column("identity", LargeBinary, nullable=False, index=True),  # of the value, or of an address as part of a network
    Column("since", UTCDateTime, nullable=False),  # its label: who polled a window with it has fetched it
    Column("ended", UTCDateTime, nullable=False, index=True),
    Index("ix_withdrawals_collection_id_ended", "collection_id", "ended"),
)

drafts = Table(  # what somebody sent in with a form, and is asked about once more before it counts
    "drafts",
    metadata,
    Column("token", String(43), primary_key=True),  # random
    Column("account", String(256), nullable=False),
    Column("created", UTCDateTime, nullable=False, index=True),
    Column("name", Text, nullable=False),  # of the file
    Column("content", LargeBinary, nullable=False),
)

touched = Table(  # what the next publication looks at; taken away when every collection reflects it
    "touched",
    metadata,
    Column("pk", Integer, primary_key=True),
    Column("pulse_pk", Integer),  # with no identity: all that the pulse has
    Column("identity", LargeBinary),  # with no pulse: the value in whatever pulse
    sqlite_autoincrement=True,
)

reflections = Table(  # as of when each collection reflects the store
    "reflections",
    metadata,
    Column("collection_id", Integer, ForeignKey("data_collections.id", ondelete="CASCADE"), primary_key=True),
    Column("moment", UTCDateTime, nullable=False),  # what falls due by itself is done up to here
    Column("whole", UTCDateTime, nullable=False),  # when everything was looked at last
    Column("digest", LargeBinary, nullable=False),  # of the rules and of what holds for every collection
)

allowed = Table(
    "allowed",
    metadata,
    Column("pk", Integer, primary_key=True),
    Column("kind", String(16), nullable=False),  # exact, subtree, network
    Column("text", Text, nullable=False),  # in its normal form
    Column("reason", Text, nullable=False),
    Column("account", String(256), nullable=False),  # who added it
    Column("since", UTCDateTime, nullable=False),
    Column("expires", UTCDateTime, index=True),
    UniqueConstraint("kind", "text"),
)

overrides = Table(
    "overrides",
    metadata,
    Column("pk", Integer, primary_key=True),
    Column("collection", String(300), nullable=False),  # its name; empty: every one
    Column("identity", LargeBinary, nullable=False, index=True),
    Column("type", String(32), nullable=False),
    Column("value", Text, nullable=False),
    Column("inside", Boolean, nullable=False),  # forced in, else out
    Column("against_own", Boolean, nullable=False, server_default=sa.false()),  # in against own networks, protections
    Column("reason", Text, nullable=False),
    Column("account", String(256), nullable=False),
    Column("since", UTCDateTime, nullable=False),
    Column("expires", UTCDateTime, index=True),
    UniqueConstraint("collection", "identity"),
)

reviews = Table(
    "reviews",
    metadata,
    Column("pulse_id", String(64), primary_key=True),  # by its id, so that it outlives the row
    Column("status", String(16), nullable=False),  # approved, rejected, held
    Column("upto", Integer, nullable=False),  # the last key of an indicator as it was looked at
    Column("reason", Text, nullable=False),
    Column("account", String(256), nullable=False),
    Column("since", UTCDateTime, nullable=False),
)

trusted_authors = Table(
    "trusted_authors",
    metadata,
    Column("author", Text, primary_key=True),  # whose pulses need no look
    Column("reason", Text, nullable=False),
    Column("account", String(256), nullable=False),
    Column("since", UTCDateTime, nullable=False),
)

audit = Table(
    "audit",
    metadata,
    Column("pk", Integer, primary_key=True),
    Column("time", UTCDateTime, nullable=False, index=True),
    Column("account", String(256), nullable=False),  # who did it: an account, or a user of the host
    Column("action", String(64), nullable=False),
    Column("subject", Text, nullable=False),
    Column("before", Text),  # JSON
    Column("after", Text),  # JSON
    sqlite_autoincrement=True,
)

runs = Table(
    "runs",
    metadata,
    Column("pk", Integer, primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("started", UTCDateTime, nullable=False, index=True),
    Column("finished", UTCDateTime),
    Column("outcome", String(16), nullable=False),  # running, ok, failed
    Column("pulses", Integer, nullable=False),
    Column("indicators", Integer, nullable=False),
    Column("error", Text),
    Column("source", String(100)),
)

account_rights = Table(
    "account_rights",
    metadata,
    Column("account_id", Integer, ForeignKey("accounts.id", ondelete="CASCADE"), primary_key=True),
    Column("reads_all", Boolean, nullable=False),
    Column("writes_all", Boolean, nullable=False),
)

account_certificates = Table(
    "account_certificates",
    metadata,
    Column("subject", String(500), primary_key=True),  # of a client certificate, as RFC 4514 writes it
    Column("account_id", Integer, ForeignKey("accounts.id", ondelete="CASCADE"), nullable=False, index=True),
)

polls = Table(
    "polls",
    metadata,
    Column("pk", Integer, primary_key=True),
    Column("time", UTCDateTime, nullable=False, index=True),  # when the request came
    Column("account", String(256)),
    Column("address", String(100), nullable=False),
    Column("agent", Text, nullable=False),
    Column("collection", Text, nullable=False),
    Column("begin", UTCDateTime),
    Column("end", UTCDateTime),  # as answered
    Column("part", Integer),  # of a result in parts
    Column("blocks", Integer, nullable=False),
    Column("indicators", Integer, nullable=False),
    Column("bytes", BigInteger, nullable=False),  # of the answer's body
    Column("seconds", Float, nullable=False),
    Column("outcome", String(32), nullable=False),  # answered, counted, cut, or the type of the Status_Message
    Column("detail", Text),
    Column("request", String(64)),  # the id of the HTTP request, as the logs have it
    Index("ix_polls_fetches", "collection", "time", "account", "address", "outcome", "begin", "end"),
    Index("ix_polls_account_time", "account", "time"),
)

account_roles = Table(  # what an account may do on the pages; admins need no row, others without one have no access
    "account_roles",
    metadata,
    Column("account_id", Integer, ForeignKey("accounts.id", ondelete="CASCADE"), primary_key=True),
    Column("role", String(16), nullable=False),  # viewer, curator
)

accounts_disabled = Table(  # those neither poll nor log in
    "accounts_disabled",
    metadata,
    Column("account_id", Integer, ForeignKey("accounts.id", ondelete="CASCADE"), primary_key=True),
    Column("since", UTCDateTime, nullable=False),
)

web_sessions = Table(
    "web_sessions",
    metadata,
    Column("digest", LargeBinary, primary_key=True),  # of the random id in the browser's cookie
    Column("account_id", Integer, ForeignKey("accounts.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("stamp", LargeBinary, nullable=False),  # digest of the password's hash at log-in: another one ends it
    Column("created", UTCDateTime, nullable=False),
    Column("seen", UTCDateTime, nullable=False),
    Column("address", String(100), nullable=False),
    Column("browser", String(300), nullable=False),
)

tasks = Table(  # what somebody asked the worker to do
    "tasks",
    metadata,
    Column("pk", Integer, primary_key=True),
    Column("kind", String(32), nullable=False),
    Column("arguments", Text, nullable=False),  # JSON
    Column("account", String(256), nullable=False),
    Column("created", UTCDateTime, nullable=False),
    Column("started", UTCDateTime),
    Column("heartbeat", UTCDateTime),
    Column("finished", UTCDateTime, index=True),
    Column("progress", Text),  # JSON
    Column("outcome", String(16)),  # ok, failed
    Column("result", Text),  # JSON
    Column("error", Text),
    sqlite_autoincrement=True,
)

tallies = Table(
    "tallies",
    metadata,
    Column("day", Date, nullable=False),  # UTC
    Column("collection", String(300), nullable=False),  # its name: what happened outlives it
    Column("added", Integer, nullable=False),
    Column("removed", Integer, nullable=False),
    PrimaryKeyConstraint("day", "collection"),
)

held_back = Table(  # pulses whose removal from a subscription waits for a confirmation
    "held_back",
    metadata,
    Column("source", String(100), nullable=False),
    Column("pulse_pk", Integer, ForeignKey("pulses.pk", ondelete="CASCADE"), nullable=False, index=True),
    PrimaryKeyConstraint("source", "pulse_pk"),
)

alarms = Table(
    "alarms",
    metadata,
    Column("pk", Integer, primary_key=True),
    Column("source", String(100), nullable=False),
    Column("kind", String(32), nullable=False),
    Column("text", Text, nullable=False),
    Column("raised", UTCDateTime, nullable=False),
    Column("cleared", UTCDateTime),  # null: it still is so
)

counts = Table(  # what takes too long to count each time that somebody looks
    "counts",
    metadata,
    Column("name", String(400), primary_key=True),  # such as types:subscribed
    Column("stamp", Text, nullable=False),  # of what it was counted from: the same means that nothing has changed
    Column("counted", UTCDateTime, nullable=False),
    Column("numbers", Text, nullable=False),  # JSON
)

poll_totals = Table(  # polls so far: the numbers only rise
    "poll_totals",
    metadata,
    Column("collection", String(300), nullable=False),  # empty: none that there is
    Column("outcome", String(32), nullable=False),
    Column("polls", BigInteger, nullable=False),
    Column("blocks", BigInteger, nullable=False),
    Column("indicators", BigInteger, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("seconds", Float, nullable=False),
    *(Column(f"within_{number}", BigInteger, nullable=False) for number in range(6)),  # store.poll_totals.BUCKETS
    PrimaryKeyConstraint("collection", "outcome"),
)

relay_heads = Table(  # each state that was exported (origin: empty) or taken from somebody's bundle
    "relay_heads",
    metadata,
    Column("origin", String(100), nullable=False),
    Column("sequence", Integer, nullable=False),
    Column("digest", LargeBinary, nullable=False),  # of the head: what the next one names as the previous
    Column("head", Text, nullable=False),  # relay.manifest.Head as JSON
    Column("noted", UTCDateTime, nullable=False),  # when it was written to a file, or taken
    PrimaryKeyConstraint("origin", "sequence"),
)

relay_pulses = Table(  # which pulses a state has: ours (origin: empty), or what somebody's bundles brought
    "relay_pulses",
    metadata,
    Column("origin", String(100), nullable=False),
    Column("pulse_id", String(64), nullable=False),
    Column("digest", LargeBinary),  # of its lines; null: it is gone
    Column("sequence", Integer, nullable=False),  # of the head that brought this
    Column("stored", UTCDateTime),  # pulses.stored when the digest was made
    PrimaryKeyConstraint("origin", "pulse_id"),
    Index("ix_relay_pulses_origin_sequence", "origin", "sequence"),
)

relay_log = Table(  # bundles that were written, taken, or refused
    "relay_log",
    metadata,
    Column("pk", Integer, primary_key=True),
    Column("time", UTCDateTime, nullable=False, index=True),
    Column("direction", String(8), nullable=False),  # out, in
    Column("origin", String(100)),
    Column("sequence", Integer),
    Column("kind", String(8)),  # full, delta
    Column("file", Text, nullable=False),
    Column("outcome", String(16), nullable=False),  # written, taken, known, refused, waits
    Column("reason", Text),
    Column("pulses", Integer, nullable=False, server_default="0"),
    Column("removals", Integer, nullable=False, server_default="0"),
    Column("bytes", BigInteger, nullable=False, server_default="0"),
    sqlite_autoincrement=True,
)

relay_keys = Table(  # which origin each key has signed for
    "relay_keys",
    metadata,
    Column("fingerprint", String(64), primary_key=True),
    Column("origin", String(100), nullable=False),
    Column("name", Text, nullable=False),  # what the settings called it
    Column("seen", UTCDateTime, nullable=False),
)

state = Table(
    "state",
    metadata,
    Column("key", String(100), primary_key=True),
    Column("value", Text, nullable=False),
)
