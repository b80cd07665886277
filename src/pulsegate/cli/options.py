"""The options that every command shares."""

from __future__ import annotations

import getpass
import os
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

import typer

from pulsegate.cli.setup import Installation, load_settings, open_installation
from pulsegate.errors import UsageError
from pulsegate.model.decisions import LONGEST_REASON
from pulsegate.store import collections
from pulsegate.store.collections import StoredCollection
from pulsegate.store.database import Connection, now
from pulsegate.store.digests import storable
from pulsegate.values.text import clean_line

Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why, for those who come after you.")]
Expires = Annotated[
    str | None, typer.Option("--expires", metavar="WHEN", help="Until when: a date (UTC), or a duration such as 30d.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would happen; change nothing.")]


def account() -> str:
    """Who is said to have done what a command does: the user of the host."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):  # a container's user has no name
        name = f"uid {os.getuid()}"
    return f"{storable(clean_line(name))[:200]} (host)"


def reason(text: str) -> str:
    """The reason in one line. UsageError: it is too long."""
    found = clean_line(text)
    if len(found) > LONGEST_REASON:
        raise UsageError(f"takes {LONGEST_REASON:,} characters at most", resource="--reason")
    return found


def expiry(where: Installation, text: str | None) -> datetime | None:
    """The moment that ``--expires`` writes, None for none. UsageError: it is no date, or past."""
    from pulsegate.reports import fields

    if text is None:
        return None
    with where.database.read() as connection:
        moment = now(connection)
    try:
        end = fields.until(text, moment)
    except ValueError as error:
        raise UsageError(str(error), resource="--expires") from error
    if end is None:
        raise UsageError("is empty", resource="--expires", hint="Leave it out where there is no end")
    return end


def named_collection(connection: Connection, name: str) -> StoredCollection:
    """The collection of that name, an author's spaces written as such or as ``+``; UsageError when there is none."""
    found = collections.get(connection, name) or collections.get(connection, name.replace(" ", "+"))
    if found is None:
        hint = "'pulsegate collection list' shows them; 'pulsegate publish' makes those that opentaxii.yml has just got"
        raise UsageError("there is no such collection", resource=name, hint=hint)
    return found


@dataclass(frozen=True, slots=True)
class Options:
    """What stands before the command's name."""

    demo: bool = False
    verbose: int = 0


def installation(context: typer.Context, *, upgrade: bool = False, backup: bool = True) -> Installation:
    """The installation that the command works on. Its connections end with the command."""
    options: Options = context.obj
    found = load_settings(demo=options.demo)
    made = open_installation(found, demo=options.demo, upgrade=upgrade, backup=backup)
    context.call_on_close(made.database.close)
    return made
