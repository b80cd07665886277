"""``pulsegate explain``: why a value is in a feed, or not."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from pulsegate.cli.options import installation
from pulsegate.cli.output import AsJSON, errors, instant, people, print_json, print_table, when

if TYPE_CHECKING:  # imported when it is needed, so that other commands start fast
    from pulsegate.publication.explain import Explanation


def explain(
    context: typer.Context,
    value: Annotated[str, typer.Argument(help="An address, a name, a URL, a hash …, defanged or not.")],
    as_json: AsJSON = False,
) -> None:
    """Say where VALUE stands: in which collections since when and from which pulses, or out by which rule."""
    from pulsegate.publication.explain import explain as ask

    where = installation(context)
    found = ask(where.database, where.policy, value)
    if found is None:
        errors.print(f"pulsegate: no pulse has {value!r}", markup=False)
        sys.exit(1)
    if as_json:
        print_json(_json(found))
        return
    people.print(f"{found.value} ({found.type})", markup=False, style="bold")
    rows = [(pulse.author, pulse.name, when(pulse.modified), pulse.id) for pulse in found.pulses]
    print_table(("author", "pulse", "modified", "id"), rows, empty="In no stored pulse.")
    people.print()
    standings = [
        (one.collection, "in" if one.included else "out", when(one.since), one.rule, one.reason)
        for one in found.standings
        if one.rule != "author"  # one for each other author would drown the rest
    ]
    print_table(("collection", "", "since", "rule", "reason"), standings, empty="There is no collection yet.")


def _json(found: Explanation) -> dict[str, object]:
    return {
        "value": found.value,
        "type": found.type,
        "pulses": [{"id": one.id, "name": one.name, "author": one.author} for one in found.pulses],
        "collections": [
            {
                "name": one.collection,
                "in": one.included,
                "since": instant(one.since),
                "rule": one.rule,
                "reason": one.reason,
            }
            for one in found.standings
        ],
    }
