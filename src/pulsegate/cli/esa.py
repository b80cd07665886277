"""``pulsegate esa``: what to type into a Cisco Secure Email Gateway, in the order of its form."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import urlsplit

import typer

from pulsegate.cli.options import installation, named_collection
from pulsegate.cli.output import AsJSON, people, print_json
from pulsegate.cli.programs import command
from pulsegate.cli.setup import GATEWAY, Installation, prepare
from pulsegate.model.collection import Collection, CollectionKind
from pulsegate.store import collections

POLLING_PATH = "/taxii/poll"
PREFERRED = "mail-gateway"


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
            collection = _best([stored.collection for stored in collections.every(connection)])
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


def _best(every: list[Collection]) -> str:
    own = [one.name for one in every if one.kind is CollectionKind.OWN]
    return PREFERRED if PREFERRED in own else next(iter(own), "subscribed")


def print_form(form: dict[str, Any]) -> None:
    for label, value in form.items():
        people.print(f"  {label + ':':<28}{value}", markup=False)


def source_form(where: Installation, collection: str) -> dict[str, Any]:
    """The fields of the appliance's form and their values."""
    found = where.settings
    address = urlsplit(found.public_address)
    host, is_https = address.hostname or found.host, address.scheme == "https"
    if found.domain is None and found.host in ("0.0.0.0", "::"):  # noqa: S104 - a comparison, nothing is bound
        host = "the name or address of this machine"
    renewal = command(where, f"account password {GATEWAY}")
    return {
        "Source Name": f"Pulsegate {collection}",
        "Hostname": host,
        "Polling Path": POLLING_PATH,
        "Collection Name": collection,
        "Polling Interval": "60 minutes",
        "Age of Threat Feeds": "30 days",
        "Time Span of Poll Segment": "30 days",
        "Use HTTPS": "Yes" if is_https else "No",
        "Port": address.port or (443 if is_https else 80),
        "User Name": GATEWAY,
        "Password": f"the one printed at the first start; '{renewal}' makes a new one",
    }
