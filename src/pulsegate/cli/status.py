"""``pulsegate status``: what is stored, how each source fares, what each collection holds, who polls."""

from __future__ import annotations

from typing import Any

import typer

from pulsegate.cli import relaying, source
from pulsegate.cli.options import installation
from pulsegate.cli.output import AsJSON, instant, people, print_json, print_table, when
from pulsegate.cli.polls import outcome_text, shown
from pulsegate.cli.setup import Installation
from pulsegate.store import collections, polls, pulses, quarantine, runs
from pulsegate.store.polls import PollRecord
from pulsegate.store.runs import Run


def status(context: typer.Context, as_json: AsJSON = False) -> None:
    """Say what is stored, how the last pull went, what each collection holds and when each account polled last."""
    where = installation(context)
    with where.database.read() as connection:
        numbers = {
            "pulses": pulses.count(connection),
            "indicators": pulses.count_indicators(connection),
            "quarantined": quarantine.count(connection),
        }
        sizes = collections.sizes(connection)
        last_polls = polls.last_of_each_account(connection)
    last = runs.last(where.database)
    fed = source.states(where)
    if as_json:
        told = {
            "last_pull": _run(last),
            "sources": [source.shown(one) for one in fed],
            "collections": _sizes(sizes),
            "polls": [shown(one) for one in last_polls],
            "relay": relaying.shown(where),
        }
        print_json(numbers | told)
        return
    _print(where, numbers, last, pulls=any(one.is_active for one in fed))
    rows = [
        (name, size.indicators, size.blocks, when(size.last_label), "" if size.opened else "being filled")
        for name, size in sizes.items()
    ]
    people.print()
    source.print_states(fed)
    relaying.print_standing(where)
    people.print()
    print_table(("collection", "indicators", "blocks", "last label", ""), rows, empty="No collection yet.")
    people.print()
    _print_polls(last_polls)


def _print_polls(last: list[PollRecord]) -> None:
    rows = [(one.account, when(one.time), one.address, one.collection, one.blocks, outcome_text(one)) for one in last]
    titles = ("account", "last poll", "address", "collection", "blocks", "outcome")
    print_table(titles, rows, empty="No account has polled yet.")


def _print(where: Installation, numbers: dict[str, int], last: Run | None, *, pulls: bool) -> None:
    if where.demo:
        people.print("DEMO: these are invented pulses from the built-in simulator, not OTX's.", style="bold yellow")
    people.print(f"Database: {where.database.name}", markup=False)
    people.print(
        f"{numbers['pulses']:,} pulses with {numbers['indicators']:,} indicators; "
        f"{numbers['quarantined']:,} quarantined (unreadable, or no value of any type): 'pulsegate quarantine list'"
    )
    if last is None:
        people.print("Nothing was pulled yet." if pulls else "Nothing was pulled yet, and no OTX API key is set.")
        return
    source = f" from {last.source}" if last.source else ""
    people.print(f"Last pull{source}: {last.outcome}, started {when(last.started)}, {last.pulses:,} pulses read")
    if last.error:
        people.print(f"  {last.error}", markup=False, style="red")


def _run(run: Run | None) -> dict[str, Any] | None:
    if run is None:
        return None
    return {
        "started": instant(run.started),
        "finished": instant(run.finished),
        "outcome": run.outcome,
        "pulses": run.pulses,
        "indicators": run.indicators,
        "error": run.error,
    }


def _sizes(sizes: Any) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "indicators": size.indicators,
            "blocks": size.blocks,
            "last_label": instant(size.last_label),
            "opened": size.opened,
        }
        for name, size in sizes.items()
    ]
