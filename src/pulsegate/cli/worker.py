"""``pulsegate worker``: pull and publish on schedule."""

from __future__ import annotations

from typing import Annotated

import typer

from pulsegate.cli import secrecy
from pulsegate.cli.migrating import NoBackup
from pulsegate.cli.options import installation
from pulsegate.cli.setup import prepare


def worker(
    context: typer.Context,
    no_backup: NoBackup = False,
    parent: Annotated[int | None, typer.Option(hidden=True, help="End when this process is gone.")] = None,
) -> None:
    """Pull and publish on schedule, without serving polls."""
    from pulsegate.cli.schedule import run

    where = installation(context, upgrade=True, backup=not no_backup)
    prepare(where)
    if parent is None:  # else the server has told it
        secrecy.warn(where.settings)
    run(where, parent)
