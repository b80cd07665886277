"""Curation: what a person decides, warning lists, what changed since the last publication; no keys on placements."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

from pulsegate.values.neighbours import host_key

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

AT_ONCE = 10_000  # rows


def upgrade() -> None:
    _indicators()
    _placements()
    _profiles()
    op.add_column(
        "collection_rules",
        sa.Column("origin", sa.String(length=16), nullable=False, server_default=sa.text("'settings'")),
    )
    _publications()
    _decisions()


def _indicators() -> None:
    op.add_column("indicators", sa.Column("host_key", sa.LargeBinary(), nullable=True))
    op.add_column("indicators", sa.Column("lists", sa.Text(), nullable=True))
    op.add_column("indicators", sa.Column("noted", sa.Boolean(), nullable=False, server_default=sa.false()))
    _fill_host_keys(op.get_bind())
    op.create_index("ix_indicators_host_key", "indicators", ["host_key"])
    for column, where in (("expiration", "expiration IS NOT NULL"), ("created", "expiration IS NULL")):
        clause = sa.text(where)
        op.create_index(f"ix_indicators_{column}", "indicators", [column], sqlite_where=clause, postgresql_where=clause)


def _fill_host_keys(connection: sa.Connection) -> None:
    """Of the values that are there, some at a time."""
    last = 0
    query = sa.text("SELECT pk, type, value FROM indicators WHERE pk > :last ORDER BY pk LIMIT :limit")
    update = sa.text("UPDATE indicators SET host_key = :key WHERE pk = :pk")
    while rows := connection.execute(query, {"last": last, "limit": AT_ONCE}).all():
        keys = [{"pk": pk, "key": host_key(kind, value)} for pk, kind, value in rows]
        found: Sequence[dict[str, object]] = [one for one in keys if one["key"] is not None]
        if found:
            connection.execute(update, found)
        last = rows[-1][0]


def _placements() -> None:
    """A key on another table costs PostgreSQL a look-up for each row, and here there are millions of them."""
    for table, columns in (("placements", ("collection_id", "content_block_id")), ("blocks", ("content_block_id",))):
        with op.batch_alter_table(table) as batch:
            for column in columns:
                batch.drop_constraint(op.f(f"fk_{table}_{column}"), type_="foreignkey")


def _profiles() -> None:
    """In which profile each block is written: until now, in its collection's."""
    op.add_column(
        "blocks", sa.Column("profile", sa.String(length=16), nullable=False, server_default=sa.text("'full'"))
    )
    mine = "SELECT collection_id FROM collection_rules WHERE rules LIKE :esa"
    update = sa.text(f"UPDATE blocks SET profile = 'esa' WHERE collection_id IN ({mine})")  # noqa: S608 - no input
    op.get_bind().execute(update, {"esa": '%"profile": "esa"%'})


def _publications() -> None:
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "withdrawals",
        sa.Column("pk", sa.Integer(), nullable=False),
        sa.Column("collection_id", sa.Integer(), nullable=False),
        sa.Column("identity", sa.LargeBinary(), nullable=False),
        sa.Column("since", moment, nullable=False),
        sa.Column("ended", moment, nullable=False),
        sa.ForeignKeyConstraint(
            ["collection_id"], ["data_collections.id"], name=op.f("fk_withdrawals_collection_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("pk"),
    )
    op.create_index(op.f("ix_withdrawals_identity"), "withdrawals", ["identity"])
    op.create_index(op.f("ix_withdrawals_ended"), "withdrawals", ["ended"])
    op.create_table(
        "touched",
        sa.Column("pk", sa.Integer(), nullable=False),
        sa.Column("pulse_pk", sa.Integer(), nullable=True),
        sa.Column("identity", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("pk"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "reflections",
        sa.Column("collection_id", sa.Integer(), nullable=False),
        sa.Column("moment", moment, nullable=False),
        sa.Column("whole", moment, nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["collection_id"], ["data_collections.id"], name=op.f("fk_reflections_collection_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("collection_id"),
    )


def _decisions() -> None:
    moment, account = sa.DateTime(timezone=True), sa.String(length=256)
    op.create_table(
        "allowed",
        sa.Column("pk", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("account", account, nullable=False),
        sa.Column("since", moment, nullable=False),
        sa.Column("expires", moment, nullable=True),
        sa.PrimaryKeyConstraint("pk"),
        sa.UniqueConstraint("kind", "text", name=op.f("uq_allowed_kind")),
    )
    op.create_index(op.f("ix_allowed_expires"), "allowed", ["expires"])
    op.create_table(
        "overrides",
        sa.Column("pk", sa.Integer(), nullable=False),
        sa.Column("collection", sa.String(length=300), nullable=False),
        sa.Column("identity", sa.LargeBinary(), nullable=False),
        sa.Column("type", sa.String(length=32), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("inside", sa.Boolean(), nullable=False),
        sa.Column("against_own", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("account", account, nullable=False),
        sa.Column("since", moment, nullable=False),
        sa.Column("expires", moment, nullable=True),
        sa.PrimaryKeyConstraint("pk"),
        sa.UniqueConstraint("collection", "identity", name=op.f("uq_overrides_collection")),
    )
    op.create_index(op.f("ix_overrides_identity"), "overrides", ["identity"])
    op.create_index(op.f("ix_overrides_expires"), "overrides", ["expires"])
    op.create_table(
        "reviews",
        sa.Column("pulse_id", sa.String(length=64), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("upto", sa.Integer(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("account", account, nullable=False),
        sa.Column("since", moment, nullable=False),
        sa.PrimaryKeyConstraint("pulse_id"),
    )
    op.create_table(
        "trusted_authors",
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("account", account, nullable=False),
        sa.Column("since", moment, nullable=False),
        sa.PrimaryKeyConstraint("author"),
    )
    op.create_table(
        "audit",
        sa.Column("pk", sa.Integer(), nullable=False),
        sa.Column("time", moment, nullable=False),
        sa.Column("account", account, nullable=False),
        sa.Column("action", sa.String(length=64), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("before", sa.Text(), nullable=True),
        sa.Column("after", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("pk"),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_audit_time"), "audit", ["time"])
