"""``pulsegate source``: where pulses come from, and how that goes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import typer

from pulsegate.cli import feeding
from pulsegate.cli.options import account, installation
from pulsegate.cli.output import AsJSON, instant, people, print_json, print_table, when
from pulsegate.cli.setup import Installation
from pulsegate.errors import UsageError
from pulsegate.store import audit, sources
from pulsegate.store.locks import hold, pull
from pulsegate.store.sources import FILES, OWN, RELAYED, Walk
from pulsegate.sync import standing
from pulsegate.sync.standing import State, seconds_left

app = typer.Typer(no_args_is_help=True, help="The sources of pulses.")


def states(where: Installation) -> list[State]:
    """Every source that is in the settings or in the store, and the files."""
    with where.database.read() as connection:
        return standing.states(connection, feeding.feeds(where))


@app.command("list")
def list_(context: typer.Context, as_json: AsJSON = False) -> None:
    """List the sources: when each was last complete, how far a walk is, what fails, and when it is tried again."""
    found = states(installation(context))
    if as_json:
        print_json([shown(one) for one in found])
    else:
        print_states(found)


@app.command()
def remove(
    context: typer.Context, name: Annotated[str, typer.Argument(help="A source that the settings no longer name.")]
) -> None:
    """Forget a source; pulses that no other source has are withdrawn with the next publication."""
    where = installation(context)
    found = {one.name: one for one in states(where)}
    if name not in found:
        raise UsageError("there is no such source", resource=name, hint="'pulsegate source list' shows them")
    if name == OWN:
        hint = "'pulsegate indicator remove' withdraws them"
        raise UsageError("stands for your own indicators", resource=name, hint=hint)
    if name.startswith(RELAYED):
        hint = f"Run: pulsegate relay forget {name.removeprefix(RELAYED)} --withdraw"
        raise UsageError("stands for what a sender's bundles brought", resource=name, hint=hint)
    if found[name].is_known and name != FILES:
        raise UsageError("is still in the settings", resource=name, hint="Take it out of there first")
    with hold(where.database, pull(name)), where.database.write() as connection:
        withdrawn = sources.forget(connection, name)
        audit.record(connection, account(), "source.remove", name, before={"withdrawn": withdrawn})
    people.print(
        f"{name} is forgotten; {withdrawn:,} pulses are withdrawn with the next publication ('pulsegate publish'). "
        "Restart the worker if it was started when the settings still named it",
        markup=False,
    )


def shown(state: State) -> dict[str, Any]:
    """The state for programs."""
    row = state.row
    walk = row.walk if row else None
    return {
        "name": state.name,
        "active": state.is_active,
        "pulses": state.pulses,
        "completed": instant(row.completed) if row else None,
        "walk": None
        if walk is None
        else {"taken": walk.offset, "of": walk.count, "seconds_left": seconds_left(walk, state.moment)},
        "failing_since": instant(row.failing) if row else None,
        "error": row.error if row else None,
        "next_try": instant(row.next_try) if row else None,
        "removals_held": row.held if row else 0,
        "alarms": sorted(state.alarms),
    }


def print_states(found: Sequence[State]) -> None:
    """A table, and below it what is wrong."""
    rows = [(one.name, one.pulses, when(one.row.completed) if one.row else "-", _words(one)) for one in found]
    print_table(("source", "pulses", "last complete", ""), rows, empty="There is no source.")
    for one in found:
        row = one.row
        if row is not None and row.failing is not None:
            again = f"; tried again at {when(row.next_try)}" if row.next_try and row.next_try > one.moment else ""
            people.print(
                f"  {one.name} has failed since {when(row.failing)}{again}: {row.error}", markup=False, style="red"
            )
        for kind, text in sorted(one.alarms.items()):
            people.print(f"  ALARM ({kind}): {text}", markup=False, style="bold red")


def _words(state: State) -> str:
    row = state.row
    if not state.is_known:
        return f"not in the settings: 'pulsegate source remove {state.name}'"
    if state.is_fed:
        return ""
    if row is not None and row.walk is not None:
        return _progress(row.walk, state)
    if state.is_active:
        return "" if row else "not pulled yet"
    return "off, or without a key"


def _progress(walk: Walk, state: State) -> str:
    brings = state.feed.settings.brings if state.feed else "pulses"
    text = f"{walk.offset:,} of {walk.count:,} {brings} taken" if walk.count else f"{walk.offset:,} {brings} taken"
    left = seconds_left(walk, state.moment)
    return text if left is None else f"{text}, about {max(1, round(left / 60))} min left"
