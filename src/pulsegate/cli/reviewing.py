"""``pulsegate pulse approve|reject|hold|undo|trust|distrust``: decisions on pulses, published at once."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pulsegate.cli.options import DryRun, Reason, account, installation, reason
from pulsegate.cli.output import AsJSON, errors, instant, people, print_json, print_table, when
from pulsegate.cli.pull import publication_json, publish_now, say
from pulsegate.cli.setup import Installation, prepare
from pulsegate.errors import UsageError
from pulsegate.model.decisions import ReviewStatus, Trusted
from pulsegate.model.tlp import TLP
from pulsegate.publication.waiting import Statuses
from pulsegate.store import decisions, pulses
from pulsegate.store.database import Connection, now
from pulsegate.store.pulses import StoredPulse

if TYPE_CHECKING:  # imported when it is needed, so that other commands start fast
    from pulsegate.publication.publish import Publication

SHOWN = 20  # pulses that people are shown
Ids = Annotated[list[str] | None, typer.Argument(metavar="[ID]…", help="The pulses' ids.")]
Author = Annotated[str | None, typer.Option("--author", metavar="NAME", help="All pulses of this author.")]
Tag = Annotated[str | None, typer.Option("--tag", help="All pulses with this tag.")]
Level = Annotated[TLP | None, typer.Option("--tlp", help="All pulses of this level.")]
Waits = Annotated[bool, typer.Option("--waiting", help="All that wait for a look.")]
Who = Annotated[str, typer.Argument(metavar="AUTHOR", help="As OTX names the author.")]


@dataclass(frozen=True, slots=True)
class _Chosen:
    """The pulses that a command means: by id, or all that fit every filter."""

    ids: Sequence[str] = ()
    author: str | None = None
    tag: str | None = None
    tlp: TLP | None = None
    waiting: bool = False

    def find(self, connection: Connection, statuses: Statuses) -> list[StoredPulse]:
        """UsageError: nothing is chosen, both ways are, or there is no pulse of an id."""
        is_filtered = any((self.author, self.tag, self.tlp, self.waiting))
        if bool(self.ids) == is_filtered:
            hint = "Write ids, or one or more of --author, --tag, --tlp and --waiting"
            raise UsageError("the command takes either ids or filters", hint=hint)
        if self.ids:
            return [by_id(connection, one) for one in dict.fromkeys(self.ids)]
        return [one for one in pulses.every(connection) if self._fits(one, statuses)]

    def _fits(self, stored: StoredPulse, statuses: Statuses) -> bool:
        pulse = stored.pulse
        return (
            (self.author is None or pulse.author.casefold() == self.author.casefold())
            and (self.tag is None or self.tag.casefold() in {tag.casefold() for tag in pulse.tags})
            and (self.tlp is None or pulse.tlp is self.tlp)
            and (not self.waiting or statuses.waits(stored))
        )


def by_id(connection: Connection, pulse_id: str) -> StoredPulse:
    """UsageError when there is no such pulse."""
    found = pulses.get(connection, pulse_id.strip().lower())
    if found is None:
        raise UsageError("no such pulse is stored", resource=pulse_id, hint="'pulsegate pulse list' shows them")
    return found


def _deciding(name: str, status: ReviewStatus, says: str) -> Callable[..., None]:
    """The command that decides so on pulses."""

    def command(
        context: typer.Context,
        ids: Ids = None,
        author: Author = None,
        tag: Tag = None,
        tlp: Level = None,
        waiting: Waits = False,
        why: Reason = "",
        dry_run: DryRun = False,
        as_json: AsJSON = False,
    ) -> None:
        chosen = _Chosen(ids or (), author, tag, tlp, waiting)
        _decide(context, chosen, status, why, dry_run=dry_run, as_json=as_json)

    command.__name__, command.__doc__ = name, says
    return command


approve = _deciding(
    "approve",
    ReviewStatus.APPROVED,
    "Let pulses into the collections that review them, with what they hold now, and publish that.",
)
reject = _deciding("reject", ReviewStatus.REJECTED, "Keep pulses out of every collection, and publish that.")
hold = _deciding(
    "hold",
    ReviewStatus.HELD,
    "Put pulses aside: they stay out of the collections that review, whoever wrote them; publish that.",
)


def undo(
    context: typer.Context,
    ids: Annotated[list[str], typer.Argument(metavar="ID…", help="The pulses' ids.")],
    as_json: AsJSON = False,
) -> None:
    """Take back what was decided on pulses, and publish that."""
    _decide(context, _Chosen(ids), None, "", dry_run=False, as_json=as_json)


def _decide(
    context: typer.Context, chosen: _Chosen, status: ReviewStatus | None, why: str, *, dry_run: bool, as_json: bool
) -> None:
    where = installation(context)
    if not dry_run:
        prepare(where)
    said = reason(why)
    with where.database.snapshot() as connection:
        statuses = Statuses(connection)
        found = [(one, statuses.status(one)) for one in chosen.find(connection, statuses)]
        undecided = [] if status else [one for one, _ in found if statuses.review(one) is None]
    found = [(one, before) for one, before in found if one not in undecided]
    done: list[Publication] = []
    if found and not dry_run:
        with where.database.write() as connection:
            decisions.review(connection, [one.pk for one, _ in found], status, reason=said, account=account())
        done = publish_now(where)
    if as_json:
        print_json(_json(status, found, done, dry_run=dry_run))
    else:
        _tell(status, found, done, dry_run=dry_run)
    for one in undecided:
        errors.print(f"pulsegate: nothing was decided on {one.pulse.id}", markup=False)
    if undecided:
        sys.exit(1)


def _tell(
    status: ReviewStatus | None, found: list[tuple[StoredPulse, str]], done: list[Publication], *, dry_run: bool
) -> None:
    rows = [(one.pulse.id, one.pulse.author, before, one.pulse.name) for one, before in found]
    print_table(("id", "author", "was", "pulse"), rows[:SHOWN], empty="No pulse fits.")
    if len(rows) > SHOWN:
        people.print(f"… and {len(rows) - SHOWN:,} more; --json lists them")
    if rows:
        what = status.value if status else "undecided again"
        pulses_are = f"{len(rows):,} pulse{'s' if len(rows) > 1 else ''}"
        people.print(f"\n{pulses_are} {'would be' if dry_run else 'now'} {what}.", markup=False)
    if done:
        say(done)


def _json(
    status: ReviewStatus | None, found: list[tuple[StoredPulse, str]], done: list[Publication], *, dry_run: bool
) -> dict[str, Any]:
    told = [
        {"id": one.pulse.id, "name": one.pulse.name, "author": one.pulse.author, "before": before}
        for one, before in found
    ]
    shown = {"status": status.value if status else None, "dry_run": dry_run, "pulses": told}
    return shown | {"collections": [publication_json(one) for one in done]}


# --- Authors ----------------------------------------------------------------------------------------------------------


def trust(context: typer.Context, author: Who, why: Reason = "", as_json: AsJSON = False) -> None:
    """Always approve an author: the pulses need no look, those to come included; publish that."""
    where = installation(context)
    prepare(where)
    if not author.strip():
        raise UsageError("an author has a name", resource="AUTHOR")
    with where.database.write() as connection:
        known = author in pulses.authors(connection)
        decisions.trust(connection, Trusted(author, reason(why), account(), now(connection)))
    _publish(where, f"{author} is trusted.", as_json=as_json)
    if not known:
        errors.print(f"pulsegate: no stored pulse is by {author!r}; case matters", markup=False)


def distrust(context: typer.Context, author: Who, as_json: AsJSON = False) -> None:
    """Let an author's pulses wait for a look again, and publish that."""
    where = installation(context)
    prepare(where)
    with where.database.write() as connection:
        if not decisions.distrust(connection, author, account()):
            raise UsageError("is not trusted", resource=author, hint="'pulsegate pulse trusted' shows who is")
    _publish(where, f"{author} is no longer trusted.", as_json=as_json)


def _publish(where: Installation, said: str, *, as_json: bool) -> None:
    done = publish_now(where)
    if as_json:
        print_json({"collections": [publication_json(one) for one in done]})
        return
    people.print(said, markup=False)
    say(done)


def trusted(context: typer.Context, as_json: AsJSON = False) -> None:
    """List the authors whose pulses need no look."""
    where = installation(context)
    with where.database.read() as connection:
        found = decisions.read(connection).trusted
    if as_json:
        print_json([
            {"author": one.author, "reason": one.reason, "account": one.account, "since": instant(one.since)}
            for one in found
        ])  # fmt: skip
        return
    rows = [(one.author, one.account, when(one.since), one.reason) for one in found]
    print_table(("author", "by", "since", "reason"), rows, empty="Nobody is: 'pulsegate pulse trust AUTHOR'.")
