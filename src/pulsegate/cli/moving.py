"""``pulsegate db copy``, ``backup`` and ``restore``: all that a database holds, into another one or a file."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pulsegate.cli.options import Options, account
from pulsegate.cli.output import AsJSON, instant, people, print_json, when
from pulsegate.cli.setup import load_settings
from pulsegate.errors import UsageError
from pulsegate.files import sqlite_url
from pulsegate.store.database import Database

if TYPE_CHECKING:  # imported when they are needed, so that help and other commands start fast
    from rich.progress import Progress, TaskID

    from pulsegate.store.copying import Told

_SCHEMES = ("sqlite:///", "postgresql://", "postgresql+psycopg://", "postgres://")


def copy(
    source: Annotated[str, typer.Argument(metavar="FROM", help="A URL as in 'database:', or an SQLite file.")],
    target: Annotated[str, typer.Argument(metavar="TO", help="An empty database, or a file that isn't there yet.")],
    as_json: AsJSON = False,
) -> None:
    """Copy an installation into an empty database of the same kind or the other. Stop serve and worker first.

    FROM is only read. TO gets everything or nothing, also when the command is killed.
    """
    from pulsegate.store import moving

    start = time.monotonic()
    urls = _url(source), _url(target)
    if urls[0] == urls[1]:
        raise UsageError("FROM and TO are the same database", hint="Name another one")
    with _bar() as told:
        found = moving.copy(*urls, told)
    names = [_name(url) for url in urls]
    rows = {table: one.rows for table, one in sorted(found.items())}
    number, seconds = sum(rows.values()), round(time.monotonic() - start, 1)
    if as_json:
        print_json({"from": names[0], "to": names[1], "tables": rows, "rows": number, "seconds": seconds})
        return
    people.print(f"Copied and compared: {number:,} rows of {len(rows)} tables, in {seconds} s.", markup=False)
    place = urls[1] if urls[1].startswith("sqlite:") else names[1]
    people.print(f"Set PULSEGATE_DATABASE (or 'database:') to {place}. {names[0]} is as it was.", markup=False)
    people.print("What came into it since this command began is not in the copy.", markup=False)


def backup(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A file that isn't there yet.")],
    as_json: AsJSON = False,
) -> None:
    """Write a backup of the database, while everything goes on. It is one SQLite file, whatever the database is."""
    from pulsegate.store import backups

    options: Options = context.obj
    url = load_settings(demo=options.demo).database_url
    with closing(Database(url, read_only=True)) as database, _bar() as told:
        backups.backup(database, file, told)
    size = file.stat().st_size
    if as_json:
        print_json({"database": database.name, "file": str(file), "bytes": size, "schema": backups.schema(file)})
        return
    people.print(f"{database.name} is backed up in {file}: {size:,} bytes, checked.", markup=False)
    people.print("It holds password hashes and signing secrets. It does not hold opentaxii.yml, nor the", markup=False)
    people.print("files that it names (keys, certificates, lists): back them up, too.", markup=False)


def restore(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A backup.")],
    replace: Annotated[
        bool, typer.Option("--replace", help="Replace what the database holds; an SQLite file is kept aside.")
    ] = False,
    as_json: AsJSON = False,
) -> None:
    """Put a backup into the database that the settings name. Stop serve and worker first.

    Clients go on polling as before: nothing that is published from now on can slip in behind them.
    """
    from pulsegate.store import restoring

    options: Options = context.obj
    settings = load_settings(demo=options.demo)
    url = settings.database_url
    with _bar() as told:
        done = restoring.restore(file, url, replace=replace, skew=settings.skew, account=account(), told=told)
    if as_json:
        aside = str(done.aside) if done.aside else None
        said = {"database": _name(url), "schema": done.schema, "labels_after": instant(done.lifted), "aside": aside}
        print_json(said)
        return
    people.print(f"{file} is restored to {_name(url)}.", markup=False)
    if done.aside:
        people.print(f"What was there is kept in {done.aside}.", markup=False)
    for line in _told_after(when(done.lifted)):
        people.print(f"- {line}", markup=False)


def _told_after(lifted: str) -> tuple[str, ...]:
    """What those who run it, and their clients, have to know."""
    return (
        f"Clients go on polling as before. Labels of what is published from now on lie after {lifted}.",
        "A value that was withdrawn since the backup may be served again until the next pull: run 'pulsegate pull'.",
        "Accounts, passwords and decisions are those of the backup. Whoever was logged in to the pages logs in again.",
        "Does this gate write bundles (relay)? Run 'relay export --full', and 'relay import --restart' on the others.",
    )


def _url(text: str) -> str:
    """The database that the text names: a URL, or the path of an SQLite file."""
    url = text if text.startswith(_SCHEMES) else sqlite_url(Path(text))
    if "://" in text and url != text:
        raise UsageError("write sqlite:///FILE, a path, or postgresql://user@host/name", resource=_masked(text))
    found = load_settings().model_copy(update={"database": url}).database_url
    if not found.startswith("sqlite:///"):
        return found
    return f"sqlite:///{Path(found.removeprefix('sqlite:///')).resolve()}"


def _masked(text: str) -> str:
    return f"{text.partition('://')[0]}://…"


def _name(url: str) -> str:
    return Database(url).name


@contextmanager
def _bar() -> Iterator[Told]:
    """A progress bar on a terminal."""
    from pulsegate.store.copying import silent

    if not sys.stderr.isatty():
        yield silent
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("Reading", total=None)
        yield _shown(progress, task)


def _shown(progress: Progress, task: TaskID) -> Told:
    def told(what: str, done: int, total: int) -> None:
        progress.update(task, description=what, completed=done, total=total)

    return told
