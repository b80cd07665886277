"""``pulsegate lists``: the warning lists, and what they say of a value."""

from __future__ import annotations

from typing import Annotated

import typer

from pulsegate.cli.output import AsJSON, people, print_json, print_table
from pulsegate.curation.choices import TABLE
from pulsegate.errors import UsageError

app = typer.Typer(no_args_is_help=True, help="MISP's warning lists: well-known values that a feed should hardly block.")


@app.command("list")
def list_(as_json: AsJSON = False) -> None:
    """List the warning lists with what each is for: to block, to inform, or off, and why."""
    if as_json:
        print_json([{"name": name, "mode": mode, "reason": reason} for name, mode, reason in TABLE])
        return
    print_table(("list", "mode", "reason"), TABLE, empty="")


@app.command()
def check(
    value: Annotated[str, typer.Argument(help="An address, a name, a URL, a hash …, defanged or not.")],
    as_json: AsJSON = False,
) -> None:
    """Say which warning lists VALUE is on, as each of the values that it may be."""
    from pulsegate.curation.warning_lists import WarningLists
    from pulsegate.values.normalise import readings

    known = readings(value)
    if not known:
        raise UsageError("is no value of any type", resource=value)
    lists = WarningLists.load()
    found = [(kind, text, hit) for kind, text in known for hit in lists.hits(kind, text)]
    if as_json:
        print_json([
            {"type": kind, "value": text, "list": hit.name, "mode": hit.mode, "entry": hit.entry.text}
            for kind, text, hit in found
        ])  # fmt: skip
        return
    for kind, text, hit in found:
        people.print(f"{text} ({kind}): {hit.sentence}", markup=False)
    if not found:
        people.print(f"{known[0][1]} is on none of the {len(lists)} warning lists that are in use.", markup=False)
