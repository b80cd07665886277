"""The administration pages: roles, sessions, tasks for the worker, what came and went by day, alarms, counts."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _accounts()
    _tasks()
    _overview()
    op.create_table(
        "tallies",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("collection", sa.String(length=300), nullable=False),
        sa.Column("added", sa.Integer(), nullable=False),
        sa.Column("removed", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("day", "collection"),
    )
    fetches = ["collection", "time", "account", "address", "outcome", "begin", "end"]
    op.create_index("ix_polls_fetches", "polls", fetches)
    op.create_table(
        "drafts",
        sa.Column("token", sa.String(length=43), nullable=False),
        sa.Column("account", sa.String(length=256), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("token"),
    )
    op.create_index(op.f("ix_drafts_created"), "drafts", ["created"])
    op.create_index("ix_withdrawals_collection_id_ended", "withdrawals", ["collection_id", "ended"])
    op.create_index("ix_polls_account_time", "polls", ["account", "time"])
    op.drop_index("ix_pulses_author", "pulses")  # the next one begins with it
    op.create_index("ix_pulses_author_modified", "pulses", ["author", "modified"])
    op.create_index("ix_pulses_tlp_modified", "pulses", ["tlp", "modified"])
    on_lists = sa.text("lists IS NOT NULL")  # so few that they are counted at once
    op.create_index(
        "ix_indicators_lists", "indicators", ["lists", "pk"], sqlite_where=on_lists, postgresql_where=on_lists
    )


def _accounts() -> None:
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "account_roles",
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_account_roles_account_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("account_id"),
    )
    op.create_table(
        "accounts_disabled",
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("since", moment, nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_accounts_disabled_account_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("account_id"),
    )
    op.create_table(
        "web_sessions",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("stamp", sa.LargeBinary(), nullable=False),
        sa.Column("created", moment, nullable=False),
        sa.Column("seen", moment, nullable=False),
        sa.Column("address", sa.String(length=100), nullable=False),
        sa.Column("browser", sa.String(length=300), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_web_sessions_account_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("digest"),
    )
    op.create_index(op.f("ix_web_sessions_account_id"), "web_sessions", ["account_id"])


def _tasks() -> None:
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "tasks",
        sa.Column("pk", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("arguments", sa.Text(), nullable=False),
        sa.Column("account", sa.String(length=256), nullable=False),
        sa.Column("created", moment, nullable=False),
        sa.Column("started", moment, nullable=True),
        sa.Column("heartbeat", moment, nullable=True),
        sa.Column("finished", moment, nullable=True),
        sa.Column("progress", sa.Text(), nullable=True),
        sa.Column("outcome", sa.String(length=16), nullable=True),
        sa.Column("result", sa.Text(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("pk"),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_tasks_finished"), "tasks", ["finished"])


def _overview() -> None:
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "held_back",
        sa.Column("source", sa.String(length=100), nullable=False),
        sa.Column("pulse_pk", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["pulse_pk"], ["pulses.pk"], name=op.f("fk_held_back_pulse_pk"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("source", "pulse_pk"),
    )
    op.create_index(op.f("ix_held_back_pulse_pk"), "held_back", ["pulse_pk"])
    op.create_table(
        "alarms",
        sa.Column("pk", sa.Integer(), nullable=False),
        sa.Column("source", sa.String(length=100), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("raised", moment, nullable=False),
        sa.Column("cleared", moment, nullable=True),
        sa.PrimaryKeyConstraint("pk"),
    )
    op.create_table(
        "counts",
        sa.Column("name", sa.String(length=400), nullable=False),
        sa.Column("stamp", sa.Text(), nullable=False),
        sa.Column("counted", moment, nullable=False),
        sa.Column("numbers", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_index(op.f("ix_quarantine_reason"), "quarantine", ["reason"])
    is_failed = sa.text("failure IS NOT NULL")
    op.create_index("ix_indicators_failure", "indicators", ["pk"], sqlite_where=is_failed, postgresql_where=is_failed)
