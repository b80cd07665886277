"""The relay: states that were exported or taken, their pulses, the log of bundles, keys. Totals and ids of polls."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "relay_heads",
        sa.Column("origin", sa.String(length=100), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("head", sa.Text(), nullable=False),
        sa.Column("noted", moment, nullable=False),
        sa.PrimaryKeyConstraint("origin", "sequence"),
    )
    op.create_table(
        "relay_pulses",
        sa.Column("origin", sa.String(length=100), nullable=False),
        sa.Column("pulse_id", sa.String(length=64), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=True),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("stored", moment, nullable=True),
        sa.PrimaryKeyConstraint("origin", "pulse_id"),
    )
    op.create_index("ix_relay_pulses_origin_sequence", "relay_pulses", ["origin", "sequence"])
    op.create_table(
        "relay_log",
        sa.Column("pk", sa.Integer(), nullable=False),
        sa.Column("time", moment, nullable=False),
        sa.Column("direction", sa.String(length=8), nullable=False),
        sa.Column("origin", sa.String(length=100), nullable=True),
        sa.Column("sequence", sa.Integer(), nullable=True),
        sa.Column("kind", sa.String(length=8), nullable=True),
        sa.Column("file", sa.Text(), nullable=False),
        sa.Column("outcome", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("pulses", sa.Integer(), server_default="0", nullable=False),
        sa.Column("removals", sa.Integer(), server_default="0", nullable=False),
        sa.Column("bytes", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("pk"),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_relay_log_time"), "relay_log", ["time"])
    op.create_table(
        "relay_keys",
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("origin", sa.String(length=100), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("seen", moment, nullable=False),
        sa.PrimaryKeyConstraint("fingerprint"),
    )
    op.create_table(
        "poll_totals",
        sa.Column("collection", sa.String(length=300), nullable=False),
        sa.Column("outcome", sa.String(length=32), nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in ("polls", "blocks", "indicators", "bytes")),
        sa.Column("seconds", sa.Float(), nullable=False),
        *(sa.Column(f"within_{number}", sa.BigInteger(), nullable=False) for number in range(6)),
        sa.PrimaryKeyConstraint("collection", "outcome"),
    )
    op.add_column("polls", sa.Column("request", sa.String(length=64), nullable=True))
    op.add_column("collection_rules", sa.Column("sender", sa.String(length=100), nullable=True))
