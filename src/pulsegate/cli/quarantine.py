"""``pulsegate quarantine``: what could not be taken in."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from pulsegate.cli.options import installation
from pulsegate.cli.output import AsJSON, instant, people, print_json, print_table, when
from pulsegate.cli.setup import Installation, prepare
from pulsegate.errors import UsageError
from pulsegate.store import failures, quarantine
from pulsegate.store.digests import storable
from pulsegate.store.quarantine import Quarantined

app = typer.Typer(no_args_is_help=True, help="What could not be taken in, with the reasons.")
UNWRITTEN = "unwritten"  # in the place of a kind: stored, but not to be written as STIX
LISTED = 200  # characters of a value that are listed


@app.command("list")
def list_(context: typer.Context, as_json: AsJSON = False) -> None:
    """List the pulses that can't be read, the indicators that are no value, and those that can't be written as STIX."""
    every = _every(installation(context))
    if as_json:
        print_json([_shown(one) for one in every])
        return
    rows = [(one.pk, one.kind, one.pulse_id, one.type, _short(one.value), one.reason, when(one.since)) for one in every]
    titles = ("id", "what", "pulse", "type", "value", "reason", "since")
    print_table(titles, rows, empty="Nothing is quarantined.")


@app.command()
def show(
    context: typer.Context,
    entry: Annotated[int, typer.Argument(metavar="ID", help="As 'quarantine list' gives it.")],
    as_json: AsJSON = False,
) -> None:
    """Show an entry with all that OTX sent of it."""
    found = _get(installation(context), entry)
    raw = _sent(found)
    if as_json:
        print_json(_shown(found) | {"raw": raw})
        return
    people.print(f"{found.kind} {found.value}: {found.reason}", markup=False, style="bold")
    people.print(
        f"of pulse {found.pulse_id or '-'}, from {found.source or '-'}, since {when(found.since)}", markup=False
    )
    text = json.dumps(raw, ensure_ascii=False, indent=2)
    people.print("It was too long to keep." if raw is None else storable(text), markup=False)


@app.command()
def retry(
    context: typer.Context,
    entries: Annotated[list[int] | None, typer.Argument(metavar="[ID]…", help="Only these; default: all.")] = None,
    as_json: AsJSON = False,
) -> None:
    """Try again what is quarantined, and publish what can be taken now."""
    from pulsegate.publication.publish import publish_all
    from pulsegate.sync.retrial import retry as try_again

    where = installation(context)
    prepare(where)
    for one in entries or ():
        _get(where, one)
    with where.database.read() as connection:
        keys = entries or quarantine.keys(connection)
    result = try_again(where.database, where.policy, keys)
    with where.database.write() as connection:
        unwritten = failures.forget(connection) if not entries else 0
    publish_all(where.database, where.policy)
    with where.database.read() as connection:
        still = len(failures.every(connection))
    result.taken += max(0, unwritten - still)
    result.refused += min(unwritten, still)
    if as_json:
        print_json({"taken": result.taken, "refused": result.refused, "not_kept": result.not_kept})
        return
    people.print(f"{result.taken:,} taken, {result.refused:,} refused again")
    if result.not_kept:
        people.print(f"{result.not_kept:,} were too long to keep; 'pulsegate pull --full' asks OTX for them again")


def _short(value: str) -> str:
    """Its beginning, where it would fill the screen: what can't be taken in may be of any length."""
    return value if len(value) <= LISTED else f"{value[:LISTED]}… ({len(value):,} characters)"


def _sent(entry: Quarantined) -> Any:
    """What OTX sent; None where that was too long to keep, the text where an older version has cut it.

    NaN and Infinity, which are no JSON, are null.
    """
    try:
        return json.loads(entry.raw or "null", parse_constant=lambda _: None)
    except ValueError:
        return entry.raw


def _every(where: Installation) -> list[Quarantined]:
    with where.database.read() as connection:
        unwritten = [
            Quarantined(UNWRITTEN, one.pulse_id, one.type, one.value, one.reason) for one in failures.every(connection)
        ]
        return [*quarantine.every(connection), *unwritten]


def _get(where: Installation, key: int) -> Quarantined:
    with where.database.read() as connection:
        found = quarantine.get(connection, key)
    if found is None:
        raise UsageError("there is no such entry", resource=str(key), hint="'pulsegate quarantine list' shows them")
    return found


def _shown(one: Quarantined) -> dict[str, Any]:
    return {
        "id": one.pk,
        "kind": one.kind,
        "pulse": one.pulse_id,
        "type": one.type,
        "value": one.value,
        "reason": one.reason,
        "source": one.source,
        "since": instant(one.since),
    }
