"""``pulsegate esa``: what to type into a Cisco Secure Email Gateway, in the order of its form."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from pulsegate.cli.options import installation, named_collection
from pulsegate.cli.output import AsJSON, people, print_json
from pulsegate.cli.programs import command
from pulsegate.cli.setup import GATEWAY, Installation, prepare
from pulsegate.settings import appliance
from pulsegate.settings.appliance import PREFERRED
from pulsegate.store import collections

__all__ = ["PREFERRED", "esa", "print_form", "source_form"]


def esa(
    context: typer.Context,
    collection: Annotated[str | None, typer.Argument(help="The collection; without it the one best suited.")] = None,
    as_json: AsJSON = False,
) -> None:
    """Print what to type into the appliance: Mail Policies > External Threat Feeds Manager > Add Source."""
    where = installation(context)
    prepare(where)
    with where.database.read() as connection:
        if collection is not None:
            collection = named_collection(connection, collection).collection.name
        else:
            collection = appliance.best([stored.collection for stored in collections.every(connection)])
    form = source_form(where, collection)
    if as_json:
        print_json(form)
        return
    people.print("Mail Policies > External Threat Feeds Manager > Add Source", style="bold")
    print_form(form)
    if form["Hostname"] in ("127.0.0.1", "localhost"):
        people.print(
            "Listening on this machine only: set PULSEGATE_HOST (or --host) to an address the appliance reaches."
        )


def print_form(form: dict[str, Any]) -> None:
    for label, value in form.items():
        people.print(f"  {label + ':':<28}{value}", markup=False)


def source_form(where: Installation, collection: str) -> dict[str, Any]:
    """The fields of the appliance's form and their values."""
    found = appliance.source_form(where.settings, collection)
    renewal = command(where, f"account password {GATEWAY}")
    return {
        "Source Name": found.name,
        "Hostname": found.host or "the name or address of this machine",
        "Polling Path": found.path,
        "Collection Name": found.collection,
        "Polling Interval": f"{found.interval.seconds // 60} minutes",
        "Age of Threat Feeds": f"{found.age.days} days",
        "Time Span of Poll Segment": f"{found.segment.days} days",
        "Use HTTPS": "Yes" if found.https else "No",
        "Port": found.port,
        "User Name": GATEWAY,
        "Password": f"the one printed at the first start; '{renewal}' makes a new one",
    }
