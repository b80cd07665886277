"""The TAXII service: what a block holds, in indicators and bytes; the poll log; client certificates of accounts."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table in ("blocks", "superseded"):
        for column in ("indicators", "size"):
            op.add_column(table, sa.Column(column, sa.Integer(), nullable=False, server_default="0"))
    op.execute(
        "UPDATE blocks SET indicators = "
        "(SELECT count(*) FROM placements WHERE placements.content_block_id = blocks.content_block_id)"
    )
    op.execute(
        "UPDATE blocks SET size = "
        "(SELECT length(content) FROM content_blocks WHERE content_blocks.id = blocks.content_block_id)"
    )
    op.add_column("superseded", sa.Column("binding", sa.String(length=300), nullable=True))
    op.execute("UPDATE superseded SET size = length(content), binding = 'urn:stix.mitre.org:xml:1.2'")
    op.create_table(
        "account_certificates",
        sa.Column("subject", sa.String(length=500), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_account_certificates_account_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("subject"),
    )
    op.create_index(op.f("ix_account_certificates_account_id"), "account_certificates", ["account_id"])
    op.create_table(
        "polls",
        sa.Column("pk", sa.Integer(), nullable=False),
        sa.Column("time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("account", sa.String(length=256), nullable=True),
        sa.Column("address", sa.String(length=100), nullable=False),
        sa.Column("agent", sa.Text(), nullable=False),
        sa.Column("collection", sa.Text(), nullable=False),
        sa.Column("begin", sa.DateTime(timezone=True), nullable=True),
        sa.Column("end", sa.DateTime(timezone=True), nullable=True),
        sa.Column("part", sa.Integer(), nullable=True),
        sa.Column("blocks", sa.Integer(), nullable=False),
        sa.Column("indicators", sa.Integer(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("seconds", sa.Float(), nullable=False),
        sa.Column("outcome", sa.String(length=32), nullable=False),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("pk"),
    )
    op.create_index(op.f("ix_polls_time"), "polls", ["time"])
