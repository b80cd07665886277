"""Bringing the database's schema up to date, with Alembic configured in code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import sqlalchemy as sa

from pulsegate.errors import StoreError
from pulsegate.store.database import Database

HEAD = "0006"  # the newest schema; a test holds it against the migrations
_LOCK = 0x70756C73  # "puls": PostgreSQL's advisory lock for migrations


def folder() -> Path:
    """Where the migrations lie: packed into the wheel, or at the top of a checkout."""
    packed = Path(__file__).parents[1] / "_migrations"
    return packed if packed.exists() else Path(__file__).parents[3] / "migrations"


def upgrade(database: Database) -> tuple[str | None, str]:
    """Migrate to the newest schema in one transaction; gives the revisions before and after.

    A process that is killed in the middle leaves the schema as it was. StoreError when a newer Pulsegate made it.
    """
    with database.write() as connection:
        return upgrade_within(database, connection)


def upgrade_within(database: Database, connection: sa.Connection) -> tuple[str | None, str]:
    """The same in a transaction of the caller's."""
    from alembic import command  # noqa: PLC0415 - half a second, which few commands need

    if not database.is_sqlite:
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
    config = _config(connection)
    before = revision(connection)
    _refuse_newer(database, config, before)
    command.upgrade(config, "head")
    return before, str(revision(connection))


def current(database: Database) -> tuple[str | None, str]:
    """The revision the database has (None: no schema yet) and the newest one there is."""
    with database.read() as connection:
        return revision(connection), HEAD


def serves(revision: str | None) -> bool:
    """Whether polls can be served from the schema ``revision``: this version's, or a later one, which only adds to it.

    A server goes on while another host that has been upgraded migrates (docs/architecture.md, "Where to add a thing").
    """
    return revision is not None and revision >= HEAD


def require_current(database: Database) -> None:
    """StoreError unless the schema is the one that this version works with."""
    found, newest = current(database)
    if found is None or found != newest:
        raise StoreError(
            f"has the schema {found or 'of no version'}, and this version needs {newest}",
            resource=f"database {database.name}",
            hint="Run 'pulsegate db upgrade'",
        )


def _config(connection: sa.Connection) -> Any:
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(folder()).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def revision(connection: sa.Connection) -> str | None:
    """The schema that the database has; None: none of ours yet."""
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.scalar(sa.text("SELECT version_num FROM alembic_version"))
    return found


def refuse_newer(database: Database) -> None:
    """StoreError when a newer Pulsegate made the database."""
    with database.read() as connection:
        _refuse_newer(database, _config(connection), revision(connection))


def _refuse_newer(database: Database, config: Any, found: str | None) -> None:
    from alembic.script import ScriptDirectory  # noqa: PLC0415

    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if found is not None and found not in known:
        raise StoreError(
            f"was made by a newer Pulsegate (schema {found})",
            resource=f"database {database.name}",
            hint="Install that version or a later one; nothing was changed",
        )
