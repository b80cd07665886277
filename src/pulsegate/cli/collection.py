"""``pulsegate collection``: what can be polled."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer
import yaml

from pulsegate.cli.options import account, installation, named_collection
from pulsegate.cli.output import AsJSON, instant, people, print_json, print_table, when
from pulsegate.cli.setup import Installation
from pulsegate.errors import UsageError
from pulsegate.model.collection import Collection, CollectionKind
from pulsegate.settings.written import as_settings
from pulsegate.store import audit, collections
from pulsegate.store.collections import Size, StoredCollection
from pulsegate.store.database import Connection

app = typer.Typer(no_args_is_help=True, help="The collections that can be polled.")


@app.command("list")
def list_(context: typer.Context, as_json: AsJSON = False) -> None:
    """List the collections and what each holds."""
    where = installation(context)
    with where.database.read() as connection:
        every = [stored.collection for stored in collections.every(connection)]
        sizes = collections.sizes(connection)
    if as_json:
        print_json([_brief(one, sizes[one.name]) for one in every])
        return
    rows = [(one.name, sizes[one.name].indicators, sizes[one.name].blocks, one.description) for one in every]
    print_table(
        ("collection", "indicators", "blocks", "description"), rows, empty="No collection yet: 'pulsegate pull'."
    )


@app.command()
def show(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="The collection's name.")],
    as_json: AsJSON = False,
) -> None:
    """Show a collection's rules, in the form that opentaxii.yml takes."""
    where = installation(context)
    with where.database.read() as connection:
        stored = named_collection(connection, name)
        sizes = collections.sizes(connection)
    size = sizes[stored.collection.name]
    if as_json:
        print_json(as_settings(stored.collection) | {"origin": stored.origin, "holds": _size(size)})
        return
    sys.stdout.write(yaml.safe_dump(as_settings(stored.collection), sort_keys=False, allow_unicode=True))
    people.print(f"# {size.indicators:,} indicators in {size.blocks:,} blocks, last label {when(size.last_label)}")


@app.command()
def remove(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="The collection's name.")],
) -> None:
    """Remove a collection of your own, with its blocks; one in opentaxii.yml is taken out of there first."""
    where = installation(context)
    refuse_settings(where, name, "Take it out there, then remove it")
    with where.database.write() as connection:
        stored = named_collection(connection, name)
        take_away(connection, stored, account())
    people.print(f"{name} is removed.", markup=False)


def take_away(connection: Connection, stored: StoredCollection, by: str) -> None:
    """Remove the collection, with its record. UsageError for one that there always is."""
    refuse_built_in(stored.collection)
    collections.remove(connection, stored.id)
    audit.record(connection, by, "collection.remove", stored.collection.name, before=as_settings(stored.collection))


def refuse_settings(where: Installation, name: str, hint: str) -> None:
    """UsageError when the settings name the collection: a command would be undone by the next start."""
    if name in where.settings.collection_names:
        raise UsageError("stands in the settings file", resource=name, hint=hint)


def refuse_built_in(collection: Collection) -> None:
    """UsageError when the collection is ``subscribed`` or an author's."""
    if collection.kind not in (CollectionKind.OWN, CollectionKind.INBOX):
        raise UsageError(
            "is kept by Pulsegate itself", resource=collection.name, hint="Only your own can be changed or removed"
        )


def _brief(collection: Collection, size: Size) -> dict[str, Any]:
    return {"name": collection.name, "description": collection.description} | _size(size)


def _size(size: Size) -> dict[str, Any]:
    return {
        "indicators": size.indicators,
        "blocks": size.blocks,
        "last_label": instant(size.last_label),
        "opened": size.opened,
    }
