"""``pulsegate explain``: why a value is in a feed, or not, what would change that, and who has fetched it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from pulsegate.cli.options import installation
from pulsegate.cli.output import AsJSON, errors, print_json

if TYPE_CHECKING:  # imported when it is needed, so that other commands start fast
    from pulsegate.publication.explanation import Explanation


def explain(
    context: typer.Context,
    value: Annotated[str, typer.Argument(help="An address, a name, a URL, a hash …, defanged or not.")],
    as_json: AsJSON = False,
) -> None:
    """Say where VALUE stands: in which collections since when and from which pulses, or out by which rule.

    With what would change that, what is near, from where it was withdrawn, and which accounts have fetched it.
    """
    from pulsegate.cli import explained
    from pulsegate.publication.explain import explain as ask

    where = installation(context)
    found: Explanation | None = ask(where.database, where.policy, value)
    if found is None:
        errors.print(f"pulsegate: nothing is known of {value!r}", markup=False)
        sys.exit(1)
    if as_json:
        print_json(explained.as_json(found))
    else:
        explained.show(found)
