"""Sources: how far each has been walked, which pulses it has; what a pulse, a run and a quarantined value come from."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "sources",
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("since", moment, nullable=False),
        sa.Column("shape", sa.Text(), nullable=False),
        sa.Column("watermark", moment, nullable=True),
        sa.Column("walk", sa.Text(), nullable=True),
        sa.Column("page_size", sa.Integer(), nullable=True),
        sa.Column("completed", moment, nullable=True),
        sa.Column("compared", moment, nullable=True),
        sa.Column("events", moment, nullable=True),
        sa.Column("failing", moment, nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("next_try", moment, nullable=True),
        sa.Column("held", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("alarms", sa.String(length=100), nullable=False, server_default=sa.text("''")),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "source_pulses",
        sa.Column("source", sa.String(length=100), nullable=False),
        sa.Column("pulse_pk", sa.Integer(), nullable=False),
        sa.Column("via", sa.String(length=200), nullable=False),
        sa.ForeignKeyConstraint(
            ["pulse_pk"], ["pulses.pk"], name=op.f("fk_source_pulses_pulse_pk"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("source", "via", "pulse_pk"),
    )
    op.create_index(op.f("ix_source_pulses_pulse_pk"), "source_pulses", ["pulse_pk"])
    op.create_table(
        "passed_over",
        sa.Column("source", sa.String(length=100), nullable=False),
        sa.Column("pulse_id", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("source", "pulse_id"),
    )
    op.add_column("pulses", sa.Column("complete", sa.Boolean(), nullable=False, server_default=sa.true()))
    op.add_column("quarantine", sa.Column("source", sa.String(length=100), nullable=True))
    op.add_column("runs", sa.Column("source", sa.String(length=100), nullable=True))
    op.add_column("superseded", sa.Column("message", sa.Text(), nullable=True))
    op.execute("UPDATE indicators SET failure = NULL")  # it was not told of which profile; it is tried again
    _claim_what_is_there()


def _claim_what_is_there() -> None:
    """Pulses were not told apart by where they came from: a database that never saw OTX has them from files."""
    seen = sa.text("SELECT count(*) FROM state WHERE key IN ('otx.watermark', 'otx.owner')")
    source, via = ("otx", "subscription") if op.get_bind().scalar(seen) else ("files", "file")
    claims = "INSERT INTO source_pulses (source, pulse_pk, via) SELECT :source, pk, :via FROM pulses WHERE active"
    op.execute(sa.text(claims).bindparams(source=source, via=via))
    op.execute(sa.text("UPDATE quarantine SET source = :source").bindparams(source=source))
    op.execute("DELETE FROM state WHERE key IN ('otx.watermark', 'otx.owner')")
