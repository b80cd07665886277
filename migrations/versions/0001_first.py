"""The first schema: OpenTAXII 0.9.3's tables and, beside them, Pulsegate's.

A database that a stock OpenTAXII made is taken over as it is, hence ``if_not_exists``.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "accounts",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("username", sa.String(length=256), nullable=True),
        sa.Column("password_hash", sa.String(length=256), nullable=True),
        sa.Column("is_admin", sa.Boolean(), nullable=True),
        sa.Column("_permissions", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("username", name=op.f("uq_accounts_username")),
        if_not_exists=True,
    )
    op.create_table(
        "data_collections",
        sa.Column("date_created", sa.DateTime(timezone=True), nullable=True),
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=300), nullable=True),
        sa.Column("type", sa.String(length=150), nullable=True),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("accept_all_content", sa.Boolean(), nullable=True),
        sa.Column("bindings", sa.Text(), nullable=True),
        sa.Column("available", sa.Boolean(), nullable=True),
        sa.Column("volume", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        if_not_exists=True,
    )
    op.create_index(op.f("ix_data_collections_name"), "data_collections", ["name"], unique=True, if_not_exists=True)
    op.create_table(
        "ledgers",
        sa.Column("name", sa.String(length=300), nullable=False),
        sa.Column("opened", sa.DateTime(timezone=True), nullable=True),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("frontier", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("purged", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
        if_not_exists=True,
    )
    op.create_table(
        "pulses",
        sa.Column("pk", sa.Integer(), nullable=False),
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.Column("modified", sa.DateTime(timezone=True), nullable=False),
        sa.Column("tlp", sa.String(length=16), nullable=False),
        sa.Column("details", sa.Text(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("fingerprint", sa.LargeBinary(), nullable=False),
        sa.Column("stored", sa.DateTime(timezone=True), nullable=False),
        sa.Column("withdrawn", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("pk"),
        sa.UniqueConstraint("id", name=op.f("uq_pulses_id")),
        sqlite_autoincrement=True,
        if_not_exists=True,
    )
    op.create_index(op.f("ix_pulses_author"), "pulses", ["author"], unique=False, if_not_exists=True)
    op.create_index(op.f("ix_pulses_modified"), "pulses", ["modified"], unique=False, if_not_exists=True)
    op.create_table(
        "quarantine",
        sa.Column("pk", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("pulse_id", sa.Text(), nullable=True),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("value_digest", sa.LargeBinary(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("raw", sa.Text(), nullable=True),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("pk"),
        if_not_exists=True,
    )
    op.create_index(op.f("ix_quarantine_pulse_id"), "quarantine", ["pulse_id"], unique=False, if_not_exists=True)
    op.create_index(
        op.f("ix_quarantine_value_digest"), "quarantine", ["value_digest"], unique=False, if_not_exists=True
    )
    op.create_table(
        "runs",
        sa.Column("pk", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("started", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished", sa.DateTime(timezone=True), nullable=True),
        sa.Column("outcome", sa.String(length=16), nullable=False),
        sa.Column("pulses", sa.Integer(), nullable=False),
        sa.Column("indicators", sa.Integer(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("pk"),
        if_not_exists=True,
    )
    op.create_index(op.f("ix_runs_started"), "runs", ["started"], unique=False, if_not_exists=True)
    op.create_table(
        "services",
        sa.Column("date_created", sa.DateTime(timezone=True), nullable=True),
        sa.Column("id", sa.String(length=150), nullable=False),
        sa.Column("type", sa.String(length=150), nullable=True),
        sa.Column("_properties", sa.Text(), nullable=False),
        sa.Column("date_updated", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        if_not_exists=True,
    )
    op.create_table(
        "state",
        sa.Column("key", sa.String(length=100), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("key"),
        if_not_exists=True,
    )
    op.create_table(
        "account_rights",
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("reads_all", sa.Boolean(), nullable=False),
        sa.Column("writes_all", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_account_rights_account_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("account_id"),
        if_not_exists=True,
    )
    op.create_table(
        "collection_rules",
        sa.Column("collection_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("author", sa.Text(), nullable=True),
        sa.Column("rules", sa.Text(), nullable=False),
        sa.Column("changed", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["collection_id"],
            ["data_collections.id"],
            name=op.f("fk_collection_rules_collection_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("collection_id"),
        if_not_exists=True,
    )
    op.create_table(
        "inbox_messages",
        sa.Column("date_created", sa.DateTime(timezone=True), nullable=True),
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("message_id", sa.Text(), nullable=True),
        sa.Column("result_id", sa.Text(), nullable=True),
        sa.Column("record_count", sa.Integer(), nullable=True),
        sa.Column("partial_count", sa.Boolean(), nullable=True),
        sa.Column("subscription_collection_name", sa.Text(), nullable=True),
        sa.Column("subscription_id", sa.Text(), nullable=True),
        sa.Column("exclusive_begin_timestamp_label", sa.DateTime(timezone=True), nullable=True),
        sa.Column("inclusive_end_timestamp_label", sa.DateTime(timezone=True), nullable=True),
        sa.Column("original_message", sa.LargeBinary(), nullable=False),
        sa.Column("content_block_count", sa.Integer(), nullable=True),
        sa.Column("destination_collections", sa.Text(), nullable=True),
        sa.Column("service_id", sa.String(length=150), nullable=True),
        sa.ForeignKeyConstraint(
            ["service_id"],
            ["services.id"],
            name=op.f("fk_inbox_messages_service_id"),
            onupdate="CASCADE",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id"),
        if_not_exists=True,
    )
    op.create_table(
        "indicators",
        sa.Column("pk", sa.Integer(), nullable=False),
        sa.Column("pulse_pk", sa.Integer(), nullable=False),
        sa.Column("identity", sa.LargeBinary(), nullable=False),
        sa.Column("type", sa.String(length=32), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("protection", sa.String(length=32), nullable=True),
        sa.Column("failure", sa.Text(), nullable=True),
        sa.Column("raw_type", sa.Text(), nullable=False),
        sa.Column("raw_value", sa.Text(), nullable=False),
        sa.Column("otx_id", sa.Text(), nullable=True),
        sa.Column("created", sa.DateTime(timezone=True), nullable=True),
        sa.Column("expiration", sa.DateTime(timezone=True), nullable=True),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["pulse_pk"], ["pulses.pk"], name=op.f("fk_indicators_pulse_pk"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("pk"),
        sa.UniqueConstraint("pulse_pk", "identity", name=op.f("uq_indicators_pulse_pk")),
        sqlite_autoincrement=True,
        if_not_exists=True,
    )
    op.create_index(op.f("ix_indicators_identity"), "indicators", ["identity"], unique=False, if_not_exists=True)
    op.create_table(
        "result_sets",
        sa.Column("date_created", sa.DateTime(timezone=True), nullable=True),
        sa.Column("id", sa.String(length=150), nullable=False),
        sa.Column("collection_id", sa.Integer(), nullable=True),
        sa.Column("bindings", sa.Text(), nullable=True),
        sa.Column("begin_time", sa.DateTime(timezone=True), nullable=True),
        sa.Column("end_time", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["collection_id"],
            ["data_collections.id"],
            name=op.f("fk_result_sets_collection_id"),
            onupdate="CASCADE",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id"),
        if_not_exists=True,
    )
    op.create_table(
        "service_to_collection",
        sa.Column("service_id", sa.String(length=150), nullable=False),
        sa.Column("collection_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["collection_id"],
            ["data_collections.id"],
            name=op.f("fk_service_to_collection_collection_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["service_id"], ["services.id"], name=op.f("fk_service_to_collection_service_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("service_id", "collection_id"),
        if_not_exists=True,
    )
    op.create_table(
        "subscriptions",
        sa.Column("date_created", sa.DateTime(timezone=True), nullable=True),
        sa.Column("id", sa.String(length=150), nullable=False),
        sa.Column("collection_id", sa.Integer(), nullable=True),
        sa.Column("params", sa.Text(), nullable=True),
        sa.Column("status", sa.String(length=150), nullable=True),
        sa.Column("service_id", sa.String(length=150), nullable=True),
        sa.ForeignKeyConstraint(
            ["collection_id"],
            ["data_collections.id"],
            name=op.f("fk_subscriptions_collection_id"),
            onupdate="CASCADE",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["service_id"],
            ["services.id"],
            name=op.f("fk_subscriptions_service_id"),
            onupdate="CASCADE",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id"),
        if_not_exists=True,
    )
    op.create_table(
        "superseded",
        sa.Column("pk", sa.Integer(), nullable=False),
        sa.Column("collection_id", sa.Integer(), nullable=False),
        sa.Column("content_block_id", sa.Integer(), nullable=False),
        sa.Column("label", sa.DateTime(timezone=True), nullable=False),
        sa.Column("from_revision", sa.Integer(), nullable=False),
        sa.Column("to_revision", sa.Integer(), nullable=False),
        sa.Column("ended", sa.DateTime(timezone=True), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["collection_id"], ["data_collections.id"], name=op.f("fk_superseded_collection_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("pk"),
        if_not_exists=True,
    )
    op.create_index(
        "ix_superseded_collection_id_label", "superseded", ["collection_id", "label"], unique=False, if_not_exists=True
    )
    op.create_index(op.f("ix_superseded_ended"), "superseded", ["ended"], unique=False, if_not_exists=True)
    op.create_table(
        "content_blocks",
        sa.Column("date_created", sa.DateTime(timezone=True), nullable=True),
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("message", sa.Text(), nullable=True),
        sa.Column("timestamp_label", sa.DateTime(timezone=True), nullable=True),
        sa.Column("inbox_message_id", sa.Integer(), nullable=True),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("binding_id", sa.String(length=300), nullable=True),
        sa.Column("binding_subtype", sa.String(length=300), nullable=True),
        sa.ForeignKeyConstraint(
            ["inbox_message_id"],
            ["inbox_messages.id"],
            name=op.f("fk_content_blocks_inbox_message_id"),
            onupdate="CASCADE",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id"),
        if_not_exists=True,
    )
    op.create_index(
        op.f("ix_content_blocks_binding_id"), "content_blocks", ["binding_id"], unique=False, if_not_exists=True
    )
    op.create_index(
        op.f("ix_content_blocks_binding_subtype"),
        "content_blocks",
        ["binding_subtype"],
        unique=False,
        if_not_exists=True,
    )
    op.create_index(
        op.f("ix_content_blocks_timestamp_label"),
        "content_blocks",
        ["timestamp_label"],
        unique=False,
        if_not_exists=True,
    )
    op.create_table(
        "blocks",
        sa.Column("content_block_id", sa.Integer(), nullable=False),
        sa.Column("collection_id", sa.Integer(), nullable=False),
        sa.Column("pulse_pk", sa.Integer(), nullable=True),
        sa.Column("label", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revision", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["collection_id"], ["data_collections.id"], name=op.f("fk_blocks_collection_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["content_block_id"], ["content_blocks.id"], name=op.f("fk_blocks_content_block_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["pulse_pk"], ["pulses.pk"], name=op.f("fk_blocks_pulse_pk"), ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("content_block_id"),
        if_not_exists=True,
    )
    op.create_index(
        "ix_blocks_collection_id_label", "blocks", ["collection_id", "label"], unique=False, if_not_exists=True
    )
    op.create_index(op.f("ix_blocks_pulse_pk"), "blocks", ["pulse_pk"], unique=False, if_not_exists=True)
    op.create_table(
        "collection_to_content_block",
        sa.Column("collection_id", sa.Integer(), nullable=False),
        sa.Column("content_block_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["collection_id"],
            ["data_collections.id"],
            name=op.f("fk_collection_to_content_block_collection_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["content_block_id"],
            ["content_blocks.id"],
            name=op.f("fk_collection_to_content_block_content_block_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("collection_id", "content_block_id"),
        if_not_exists=True,
    )
    op.create_index(
        op.f("ix_collection_to_content_block_content_block_id"),
        "collection_to_content_block",
        ["content_block_id"],
        unique=False,
        if_not_exists=True,
    )
    op.create_table(
        "placements",
        sa.Column("collection_id", sa.Integer(), nullable=False),
        sa.Column("identity", sa.LargeBinary(), nullable=False),
        sa.Column("content_block_id", sa.Integer(), nullable=False),
        sa.Column("indicator_pk", sa.Integer(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["collection_id"], ["data_collections.id"], name=op.f("fk_placements_collection_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["content_block_id"], ["content_blocks.id"], name=op.f("fk_placements_content_block_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("collection_id", "identity"),
        if_not_exists=True,
    )
    op.create_index(
        op.f("ix_placements_content_block_id"), "placements", ["content_block_id"], unique=False, if_not_exists=True
    )
