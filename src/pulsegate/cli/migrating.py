"""What is done before a database of an older version is migrated: a backup, or a word about one."""

from __future__ import annotations

from typing import Annotated

import structlog
import typer

from pulsegate.store import backups, migrate
from pulsegate.store.database import Database

log = structlog.get_logger(__name__)

NoBackup = Annotated[
    bool, typer.Option("--no-backup", help="Migrate an older database without a backup of it; there is no way back.")
]


def back_up_first(database: Database, *, wanted: bool = True) -> None:
    """Back up a database that a migration is about to change, and say so. StoreError: there is no room for it.

    A warning, as it must be seen whatever the log shows.
    """
    if not backups.is_due(database):
        return
    migrate.refuse_newer(database)
    if not database.is_sqlite:
        hint = "the way back is a backup from before: run pg_dump before each upgrade"
        log.warning("database.migrating", database=database.name, hint=hint)
    elif not wanted:
        log.warning("database.migrating", database=database.name, hint="without a backup, as you wished")
    elif (file := backups.before_migration(database)) is not None:
        log.warning("database.backed_up", database=database.name, file=str(file), hint="before it is migrated")
