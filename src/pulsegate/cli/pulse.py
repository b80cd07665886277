"""``pulsegate pulse``: the stored pulses."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

import typer

from pulsegate.cli.options import installation
from pulsegate.cli.output import AsJSON, instant, people, print_json, print_table, when
from pulsegate.errors import UsageError
from pulsegate.model.decisions import Review
from pulsegate.model.pulse import Pulse
from pulsegate.publication.waiting import STATUSES, WAITING, Statuses
from pulsegate.store import failures, pulses, quarantine
from pulsegate.store.pulses import StoredPulse

app = typer.Typer(no_args_is_help=True, help="The stored pulses, and what is decided on them.")


@app.command("list")
def list_(
    context: typer.Context,
    author: Annotated[str | None, typer.Option(help="Only the pulses of this author.")] = None,
    status: Annotated[
        str | None, typer.Option(metavar="STATUS", help=f"Only those of this status: {', '.join(STATUSES)}.")
    ] = None,
    as_json: AsJSON = False,
) -> None:
    """List the stored pulses, the most recently modified first."""
    if status not in (None, *STATUSES):
        raise UsageError(f"there is no such status; there are {', '.join(STATUSES)}", resource=status)
    where = installation(context)
    with where.database.snapshot() as connection:
        known = Statuses(connection)
        every = [one for one in pulses.every(connection, author) if _has(known, one, status)]
        counts = pulses.indicator_counts(connection)
    every.reverse()
    if as_json:
        print_json([_brief(stored, known, counts.get(stored.pk, 0)) for stored in every])
        return
    rows = [
        (
            stored.pulse.id, when(stored.pulse.modified), stored.pulse.author, counts.get(stored.pk, 0),
            _status(known, stored), stored.pulse.name,
        )
        for stored in every
    ]  # fmt: skip
    empty = "No pulse is stored yet: 'pulsegate pull'." if status is None else f"No pulse is {status}."
    print_table(("id", "modified", "author", "indicators", "status", "name"), rows, empty=empty)


def _has(known: Statuses, stored: StoredPulse, status: str | None) -> bool:
    """``waiting`` finds approved pulses too, to which something was added that waits."""
    return status is None or known.status(stored) == status or (status == WAITING and known.waits(stored))


def _status(known: Statuses, stored: StoredPulse) -> str:
    added = known.added(stored)
    return known.status(stored) + (f", {added:,} more wait" if added else "")


@app.command()
def show(
    context: typer.Context,
    pulse_id: Annotated[str, typer.Argument(metavar="ID", help="The pulse's id, 24 hex digits.")],
    as_json: AsJSON = False,
) -> None:
    """Show a pulse, its indicators, and what of it was rejected, with the reasons."""
    where = installation(context)
    with where.database.snapshot() as connection:
        known = Statuses(connection)
        stored = pulses.get(connection, pulse_id.lower())
        rejected = quarantine.of_pulse(connection, pulse_id.lower())
        found = pulses.indicators_of(connection, stored.pk) if stored else []
    if stored is None and not rejected:
        raise UsageError("no such pulse is stored", resource=pulse_id, hint="'pulsegate pulse list' shows them")
    if as_json:
        print_json(
            {
                "pulse": _whole(stored.pulse) if stored else None,
                "status": known.status(stored) if stored else None,
                "review": _review(known.review(stored)) if stored else None,
                "indicators": [
                    {
                        "type": one.indicator.type,
                        "value": one.indicator.value,
                        "active": one.indicator.raw.active,
                        "expiration": instant(one.indicator.raw.expiration),
                        "protection": one.protection,
                        "failure": failures.words(one.failure),
                    }
                    for one in found
                ],
                "rejected": [{"type": one.type, "value": one.value, "reason": one.reason} for one in rejected],
            }
        )
        return
    if stored:
        _print(stored.pulse, _sentence(known, stored))
    rows = [
        (one.indicator.type, one.indicator.value, _remark(one, where.policy.protection(one.protection)))
        for one in found
    ]
    print_table(("type", "value", ""), rows, empty="It has no indicators.")
    if rejected:
        people.print()
        print_table(("rejected", "value", "reason"), [(one.type, one.value, one.reason) for one in rejected], empty="")


def _print(pulse: Pulse, status: str) -> None:
    people.print(pulse.name, markup=False, style="bold")
    origin = pulse.address or "an own pulse"
    people.print(f"by {pulse.author}, TLP {pulse.tlp}, modified {when(pulse.modified)}, {origin}", markup=False)
    people.print(status, markup=False)
    if pulse.tags:
        people.print("tags: " + ", ".join(pulse.tags), markup=False)
    people.print()


def _sentence(known: Statuses, stored: StoredPulse) -> str:
    review = known.review(stored)
    if review is None:
        return _status(known, stored)
    because = f": {review.reason}" if review.reason else ""
    return f"{_status(known, stored)}, by {review.account} at {when(review.since)}{because}"


def _review(review: Review | None) -> dict[str, Any] | None:
    if review is None:
        return None
    return {"account": review.account, "since": instant(review.since), "reason": review.reason}


def _remark(one: Any, protection: str | None) -> str:
    raw = one.indicator.raw
    remarks = [
        "" if raw.active else "inactive",
        f"expires {when(raw.expiration)}" if raw.expiration else "",
        f"protected: {protection}" if protection else "",
        f"not convertible: {failures.words(one.failure)}" if one.failure else "",
    ]
    return "; ".join(remark for remark in remarks if remark)


def _whole(pulse: Pulse) -> dict[str, Any]:
    return asdict(pulse) | {"created": instant(pulse.created), "modified": instant(pulse.modified)}


def _brief(stored: StoredPulse, known: Statuses, indicators: int) -> dict[str, Any]:
    pulse = stored.pulse
    return {
        "id": pulse.id,
        "name": pulse.name,
        "author": pulse.author,
        "modified": instant(pulse.modified),
        "tlp": pulse.tlp,
        "status": known.status(stored),
        "indicators": indicators,
        "waiting": known.added(stored),
    }
