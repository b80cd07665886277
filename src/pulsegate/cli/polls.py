"""``pulsegate polls``: who polled what, and what was answered."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import typer

from pulsegate.cli.options import installation
from pulsegate.cli.output import AsJSON, instant, print_json, print_table, when
from pulsegate.errors import UsageError
from pulsegate.settings.duration import parse_duration
from pulsegate.store import polls as poll_log
from pulsegate.store.database import Connection, now
from pulsegate.store.polls import PollRecord


def polls(
    context: typer.Context,
    account: Annotated[str | None, typer.Option(help="Only polls of this account.")] = None,
    collection: Annotated[str | None, typer.Option(help="Only polls of this collection.")] = None,
    outcome: Annotated[
        str | None, typer.Option(help="Only polls that ended so: answered, cut, UNAUTHORIZED, …")
    ] = None,
    since: Annotated[
        str | None, typer.Option(metavar="DURATION", help="Only polls of so long up to now: 90s, 15m, 24h, 7d.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=1_000_000, help="At most so many.")] = 50,
    as_json: AsJSON = False,
) -> None:
    """List the polls, newest first: who asked for which window when, and what was answered, refused polls too."""
    where = installation(context)
    with where.database.read() as connection:
        found = poll_log.latest(
            connection, account=account, collection=collection, since=_begin(connection, since), outcome=outcome,
            limit=limit,
        )  # fmt: skip
    if as_json:
        print_json([shown(one) for one in found])
        return
    titles = ("time", "account", "address", "collection", "after", "until", "blocks", "indicators", "bytes", "seconds")
    print_table((*titles, "outcome"), [_row(one) for one in found], empty="No poll is recorded.")


def shown(one: PollRecord) -> dict[str, Any]:
    """The record as programs read it."""
    return {
        "time": instant(one.time),
        "account": one.account,
        "address": one.address,
        "agent": one.agent,
        "collection": one.collection,
        "begin": instant(one.begin),
        "end": instant(one.end),
        "part": one.part,
        "blocks": one.blocks,
        "indicators": one.indicators,
        "bytes": one.bytes,
        "seconds": one.seconds,
        "outcome": one.outcome,
        "detail": one.detail,
        "request": one.request,
    }


def outcome_text(one: PollRecord) -> str:
    """How the poll ended, for people."""
    return f"{one.outcome}: {one.detail}" if one.detail else one.outcome


def _row(one: PollRecord) -> tuple[object, ...]:
    window = (when(one.begin) if one.begin else "the start", when(one.end))
    numbers = (one.blocks, one.indicators, one.bytes, f"{one.seconds:.3f}")
    return (when(one.time), one.account or "-", one.address, one.collection, *window, *numbers, outcome_text(one))


def _begin(connection: Connection, since: str | None) -> datetime | None:
    if since is None:
        return None
    try:
        return now(connection) - parse_duration(since)
    except ValueError as error:
        raise UsageError(f"--since: {error}", hint="24h lists the polls of the last day") from error
