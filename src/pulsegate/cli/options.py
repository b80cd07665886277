"""The options that every command shares."""

from __future__ import annotations

from dataclasses import dataclass

import typer

from pulsegate.cli.setup import Installation, load_settings, open_installation
from pulsegate.errors import UsageError
from pulsegate.store import collections
from pulsegate.store.collections import StoredCollection
from pulsegate.store.database import Connection


def named_collection(connection: Connection, name: str) -> StoredCollection:
    """The collection of that name, an author's spaces written as such or as ``+``; UsageError when there is none."""
    found = collections.get(connection, name) or collections.get(connection, name.replace(" ", "+"))
    if found is None:
        raise UsageError("there is no such collection", resource=name, hint="'pulsegate collection list' shows them")
    return found


@dataclass(frozen=True, slots=True)
class Options:
    """What stands before the command's name."""

    demo: bool = False
    verbose: int = 0


def installation(context: typer.Context, *, upgrade: bool = False) -> Installation:
    """The installation that the command works on."""
    options: Options = context.obj
    return open_installation(load_settings(demo=options.demo), demo=options.demo, upgrade=upgrade)
