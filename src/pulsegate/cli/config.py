"""``pulsegate config``: are the settings right."""

from __future__ import annotations

from typing import Any

import typer
from rich.markup import escape

from pulsegate.cli import tls
from pulsegate.cli.options import Options
from pulsegate.cli.output import AsJSON, people, print_json, without_password
from pulsegate.cli.setup import api_key, load_settings, make_policy
from pulsegate.settings import Settings, find_file
from pulsegate.store.database import Database

app = typer.Typer(no_args_is_help=True, help="The settings.")


@app.command()
def check(context: typer.Context, as_json: AsJSON = False) -> None:
    """Read the settings as every command does, and say what is in force; secrets are not shown."""
    options: Options = context.obj
    found = load_settings(demo=options.demo)
    make_policy(found)
    if found.tls.is_on:
        tls.context(found.tls)
    key = api_key(found)
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
    names = ", ".join(collection.name for collection in found.collections)
    people.print(f"Own collections: {escape(names) or 'none'}")
    people.print("The settings are right.")


def _values(found: Settings) -> dict[str, Any]:
    return found.model_dump(mode="json")


def _without_secrets(found: Settings) -> dict[str, Any]:
    values = _values(found)
    values["database"] = Database(found.database_url).name
    if found.otx.proxy is not None:
        values["otx"]["proxy"] = without_password(found.otx.proxy)
    return values
