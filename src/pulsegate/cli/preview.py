"""``pulsegate preview``: what a poll of a collection would give."""

from __future__ import annotations

from typing import Annotated

import typer

from pulsegate.cli.options import installation, named_collection
from pulsegate.cli.output import AsJSON, errors, instant, print_json_line, print_table, when
from pulsegate.model.collection import CollectionKind
from pulsegate.store import blocks


def preview(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="COLLECTION", help="The collection's name.")],
    as_json: AsJSON = False,
) -> None:
    """List what a collection gives when it is polled whole; with --json one object a line."""
    where = installation(context)
    with where.database.read() as connection:
        stored = named_collection(connection, name)
        if stored.collection.kind is CollectionKind.INBOX:
            errors.print(f"{name} is an inbox: it holds what was pushed, as it was. Poll it to see that.", markup=False)
            return
        held = blocks.listed(connection, stored.id)
        if as_json:
            for one in held:
                line = {"type": one.type, "value": one.value, "pulse": one.pulse_id, "since": instant(one.since)}
                print_json_line(line)
            return
        rows = [(one.type, one.value, one.pulse_id, when(one.since)) for one in held]
    print_table(("type", "value", "pulse", "since"), rows, empty="It is empty.")
