"""The administration pages: roles, sessions, tasks for the worker, and what came and went by day."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _accounts()
    _tasks()
    op.create_table(
        "tallies",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("collection", sa.String(length=300), nullable=False),
        sa.Column("added", sa.Integer(), nullable=False),
        sa.Column("removed", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("day", "collection"),
    )
    op.create_index("ix_polls_collection_time", "polls", ["collection", "time"])
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
