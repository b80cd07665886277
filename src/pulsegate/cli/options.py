"""The options that every command shares."""

from __future__ import annotations

from dataclasses import dataclass

import typer

from pulsegate.cli.setup import Installation, load_settings, open_installation


@dataclass(frozen=True, slots=True)
class Options:
    """What stands before the command's name."""

    demo: bool = False
    verbose: int = 0


def installation(context: typer.Context, *, upgrade: bool = False) -> Installation:
    """The installation that the command works on."""
    options: Options = context.obj
    return open_installation(load_settings(demo=options.demo), demo=options.demo, upgrade=upgrade)
