"""``pulsegate config``: are the settings right."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich.markup import escape

from pulsegate.cli import alarms, secrecy, tls
from pulsegate.cli.feeding import api_key, password
from pulsegate.cli.options import Options
from pulsegate.cli.output import AsJSON, people, print_json, without_password
from pulsegate.cli.relaying import trusted
from pulsegate.cli.setup import load_settings, make_policy, read_password
from pulsegate.curation.entry_file import read_entries
from pulsegate.curation.list_choice import require_lists
from pulsegate.errors import PulsegateError, SettingsError
from pulsegate.settings import OTXSettings, PullSettings, Settings, find_file
from pulsegate.settings.duration import format_duration
from pulsegate.store.database import Database

app = typer.Typer(no_args_is_help=True, help="The settings.")
SEE_LOG = "The lines above say which could not, and why"


@app.command()
def check(
    context: typer.Context,
    notify: Annotated[bool, typer.Option("--notify", help="Send a message to everybody in alarms.notify.")] = False,
    as_json: AsJSON = False,
) -> None:
    """Read the settings as every command does, and say what is in force; secrets are not shown."""
    options: Options = context.obj
    found = load_settings(demo=options.demo)
    _check_lists(found)
    if found.tls.is_on:
        tls.context(found.tls)
    key = api_key(found.otx)
    for one in found.sources:
        api_key(one)
    if found.admin_password_file is not None:
        read_password(found.admin_password_file, "admin_password_file")
    relaying = list(_relaying(found))
    told = alarms.check(found)
    if notify:
        _send_a_test(found)
    warnings = [str(exposed) for exposed in secrecy.exposed(found)]
    file = find_file()
    if as_json:
        values = _without_secrets(found)
        told_file = str(file) if file else None
        print_json({"file": told_file, "otx_key": key is not None, "settings": values, "warnings": warnings})
        return
    people.print(f"Settings file: {file or 'none (defaults and environment)'}", markup=False)
    people.print(f"Database: {Database(found.database_url).name}", markup=False)
    people.print(f"Listens at: {'https' if found.tls.is_on else 'http'}://{found.host}:{found.port}", markup=False)
    every: list[tuple[str, OTXSettings]] = [("OTX", found.otx), *((f"Source {one.name}", one) for one in found.sources)]
    for name, source in every:
        people.print(f"{name}: {_pulling(source)}; API key {'set' if api_key(source) else 'not set'}", markup=False)
    for upstream in found.upstreams:
        account = f"as {upstream.username}" if password(upstream) else "without an account"
        people.print(f"Upstream {upstream.name}: {_pulling(upstream)}, {account}", markup=False)
    for line in relaying:
        people.print(f"Relay: {line}", markup=False)
    names = ", ".join(collection.name for collection in found.collections)
    people.print(f"Own collections: {escape(names) or 'none'}")
    people.print(f"Alarms: in the log, and to {told} {'address' if told == 1 else 'addresses'}")
    for warning in warnings:
        people.print(f"Warning: {warning}", markup=False)
    people.print("The settings are right.")


def _check_lists(found: Settings) -> None:
    """SettingsError: a list is named that there is not, or a file of one's own can't be read."""
    policy = make_policy(found)
    for collection in found.collections:
        require_lists(collection.to_model(), policy.lists)
    for one in found.warning_lists.files:
        read_entries(one.file)


def _relaying(found: Settings) -> Iterator[str]:
    """What the worker does with bundles. RelayError: a key can't be used."""
    from pulsegate.relay.keys import read_secret

    relay = found.relay
    if relay.key is not None:
        read_secret(relay.key)
    counted = [one.name for one in trusted(relay).counted(datetime.now(UTC))]
    if relay.outbox is not None:
        yield f"writes a bundle into {relay.outbox} every {format_duration(relay.interval)}"
    if relay.inbox is not None:
        yield f"takes bundles from {relay.inbox}, trusted are: {', '.join(counted) or 'none'}"


def _send_a_test(found: Settings) -> None:
    addressed, reached = alarms.tell(found, "a test", "This is a test: alarms come here.", alarms.TEST)
    if not addressed:
        raise SettingsError("nobody is named", resource="alarms", hint="Set alarms.notify or alarms.notify_file")
    if reached < addressed:
        raise PulsegateError(f"{reached} of {addressed} addresses could be told", resource="alarms", hint=SEE_LOG)


def _pulling(one: PullSettings) -> str:
    if not one.enabled:
        return "pulling is off"
    return f"{f'at {one.cron!r} (UTC)' if one.cron else f'every {format_duration(one.interval)}'} from {one.url}"


def _values(found: Settings) -> dict[str, Any]:
    return found.model_dump(mode="json")


def _without_secrets(found: Settings) -> dict[str, Any]:
    values = _values(found)
    values["database"] = Database(found.database_url).name
    for one in (values["otx"], *values["sources"], *values["upstreams"]):
        if one["proxy"] is not None:
            one["proxy"] = without_password(one["proxy"])
    return values
