"""The command line: one module a command group; ``commands`` has them all."""

from __future__ import annotations


def main() -> None:
    """Run the command that was typed.

    All else is imported here, not above: the processes that write for a publication import the program's own module,
    too, and with it this one.
    """
    from pulsegate.cli import commands

    commands.main()
