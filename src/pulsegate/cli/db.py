"""``pulsegate db``: the database's schema."""

from __future__ import annotations

from contextlib import closing

import typer

from pulsegate.cli.migrating import NoBackup, back_up_first
from pulsegate.cli.options import Options
from pulsegate.cli.output import AsJSON, people, print_json
from pulsegate.cli.setup import load_settings
from pulsegate.store import migrate
from pulsegate.store.database import Database

app = typer.Typer(no_args_is_help=True, help="The database: its schema, backups, moves to another one.")


def _database(context: typer.Context) -> Database:
    options: Options = context.obj
    return Database(load_settings(demo=options.demo).database_url)


@app.command()
def upgrade(context: typer.Context, no_backup: NoBackup = False) -> None:
    """Bring the schema up to date. An SQLite file is backed up beside itself first; for PostgreSQL run pg_dump."""
    with closing(_database(context)) as database:
        back_up_first(database, wanted=not no_backup)
        before, after = migrate.upgrade(database)
    if before == after:
        people.print(f"{database.name} has the newest schema, {after}.", markup=False)
    else:
        people.print(f"{database.name}: schema {before or '(none)'} -> {after}.", markup=False)


@app.command()
def current(context: typer.Context, as_json: AsJSON = False) -> None:
    """Say which schema the database has, and which one this version needs."""
    with closing(_database(context)) as database:
        found, newest = migrate.current(database)
    if as_json:
        print_json({"database": database.name, "schema": found, "newest": newest})
        return
    advice = "" if found == newest else " Run 'pulsegate db upgrade'."
    people.print(f"{database.name}: schema {found or '(none)'}, newest {newest}.{advice}", markup=False)
