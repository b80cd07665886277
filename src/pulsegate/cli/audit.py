"""``pulsegate audit``: who changed what."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from pulsegate.cli.options import installation
from pulsegate.cli.output import AsJSON, instant, print_json, print_table, when
from pulsegate.store import audit as changes

SAID = frozenset({"account", "since", "text", "value"})  # in other columns
LONGEST = 300  # characters of a change that people are shown


def audit(
    context: typer.Context,
    action: Annotated[
        str | None, typer.Option(help="Only of this kind, such as allow.add, or of this group, such as allow.")
    ] = None,
    subject: Annotated[str | None, typer.Option(help="Only what concerns this value, pulse, collection …")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="The newest so many.")] = 50,
    as_json: AsJSON = False,
) -> None:
    """List who changed what and when, from what to what, the newest change first."""
    where = installation(context)
    with where.database.read() as connection:
        found = changes.every(connection, limit=limit, action=action, subject=subject)
    if as_json:
        print_json([_json(one) for one in found])
        return
    rows = [(when(one.time), one.account, one.action, one.subject, _words(one.before, one.after)) for one in found]
    empty = "No change fits." if action or subject else "Nothing was changed by anybody."
    print_table(("time", "by", "action", "subject", "change"), rows, empty=empty)


def _json(one: changes.Change) -> dict[str, Any]:
    told = {"time": instant(one.time), "account": one.account, "action": one.action, "subject": one.subject}
    return told | {"before": one.before, "after": one.after}


def _words(before: Any, after: Any) -> str:
    """What is different, for people."""
    if isinstance(before, dict) and isinstance(after, dict):
        keys = [key for key in after | before if key not in SAID and before.get(key) != after.get(key)]
        text = "; ".join(f"{key}: {_short(before.get(key))} → {_short(after.get(key))}" for key in keys)
    elif before is not None and after is not None:
        text = f"{_short(before)} → {_short(after)}"
    elif before is not None:
        text = f"was {_short(before)}"
    else:
        text = _short(after) if after is not None else ""
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def _short(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(
            f"{key} {_short(one)}" for key, one in value.items() if key not in SAID and one not in (None, "", [], {})
        )
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
