"""``pulsegate config``: are the settings right."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.markup import escape

from pulsegate.cli import alarms, tls
from pulsegate.cli.feeding import api_key
from pulsegate.cli.options import Options
from pulsegate.cli.output import AsJSON, people, print_json, without_password
from pulsegate.cli.setup import load_settings, make_policy
from pulsegate.errors import SettingsError
from pulsegate.settings import Settings, find_file
from pulsegate.store.database import Database

app = typer.Typer(no_args_is_help=True, help="The settings.")


@app.command()
def check(
    context: typer.Context,
    notify: Annotated[bool, typer.Option("--notify", help="Send a message to everybody in alarms.notify.")] = False,
    as_json: AsJSON = False,
) -> None:
    """Read the settings as every command does, and say what is in force; secrets are not shown."""
    options: Options = context.obj
    found = load_settings(demo=options.demo)
    make_policy(found)
    if found.tls.is_on:
        tls.context(found.tls)
    key = api_key(found.otx)
    for one in found.sources:
        api_key(one)
    told = alarms.addresses(found)
    if notify and not (told and alarms.notify(found, "Pulsegate: a test", "This is a test: alarms come here.")):
        raise SettingsError("not everybody could be told", resource="alarms.notify", hint="The log says more")
    file = find_file()
    if as_json:
        values = _without_secrets(found)
        print_json({"file": str(file) if file else None, "otx_key": key is not None, "settings": values})
        return
    people.print(f"Settings file: {file or 'none (defaults and environment)'}", markup=False)
    people.print(f"Database: {Database(found.database_url).name}", markup=False)
    people.print(f"Listens at: {'https' if found.tls.is_on else 'http'}://{found.host}:{found.port}", markup=False)
    pulling = (
        "pulling is off" if not found.otx.enabled else f"every {_values(found)['otx']['interval']} from {found.otx.url}"
    )
    people.print(f"OTX: {pulling}; API key {'set' if key else 'not set'}", markup=False)
    more = ", ".join(one.name for one in found.sources)
    people.print(f"Further sources: {escape(more) or 'none'}")
    names = ", ".join(collection.name for collection in found.collections)
    people.print(f"Own collections: {escape(names) or 'none'}")
    people.print(f"Alarms are sent to {len(told)} addresses besides the log")
    people.print("The settings are right.")


def _values(found: Settings) -> dict[str, Any]:
    return found.model_dump(mode="json")


def _without_secrets(found: Settings) -> dict[str, Any]:
    values = _values(found)
    values["database"] = Database(found.database_url).name
    for one in (values["otx"], *values["sources"]):
        if one["proxy"] is not None:
            one["proxy"] = without_password(one["proxy"])
    return values
