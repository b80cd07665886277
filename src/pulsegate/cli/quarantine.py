"""``pulsegate quarantine``: what could not be taken in."""

from __future__ import annotations

import typer

from pulsegate.cli.options import installation
from pulsegate.cli.output import AsJSON, instant, print_json, print_table, when
from pulsegate.store import quarantine

app = typer.Typer(no_args_is_help=True, help="What could not be taken in, with the reasons.")


@app.command("list")
def list_(context: typer.Context, as_json: AsJSON = False) -> None:
    """List the pulses that can't be read and the indicators that are no value of any type."""
    where = installation(context)
    with where.database.read() as connection:
        every = quarantine.every(connection)
    if as_json:
        print_json(
            [
                {
                    "kind": one.kind,
                    "pulse": one.pulse_id,
                    "type": one.type,
                    "value": one.value,
                    "reason": one.reason,
                    "since": instant(one.since),
                }
                for one in every
            ]
        )
        return
    rows = [(one.kind, one.pulse_id, one.type, one.value, one.reason, when(one.since)) for one in every]
    print_table(("what", "pulse", "type", "value", "reason", "since"), rows, empty="Nothing is quarantined.")
