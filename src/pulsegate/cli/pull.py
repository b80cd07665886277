"""``pulsegate pull`` and ``pulsegate publish``."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import structlog
import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from pulsegate.cli import feeding
from pulsegate.cli.feeding import Feeding
from pulsegate.cli.options import account, installation
from pulsegate.cli.output import AsJSON, people, print_json
from pulsegate.cli.setup import Installation, prepare
from pulsegate.errors import PulsegateError, UsageError
from pulsegate.store import audit, sources

if TYPE_CHECKING:  # imported when a pull begins, so that help and other commands start fast
    from pulsegate.intake.running import Outcome
    from pulsegate.intake.running import Progress as Told
    from pulsegate.intake.taking import Intake
    from pulsegate.publication.publish import Publication


log = structlog.get_logger(__name__)


class Bar:
    """A progress bar on a terminal: pulses, indicators, the time left."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task: TaskID = progress.add_task("Pulling", total=None, pulses=0, indicators=0)

    def fetched(self, intake: Intake, total: int | None) -> None:
        self._progress.update(
            self._task, total=total, completed=intake.pulses, pulses=intake.pulses, indicators=intake.indicators
        )

    def publishing(self, collection: str) -> None:
        self._progress.update(self._task, description=f"Publishing {collection}")


@contextmanager
def _bar() -> Iterator[Told]:
    from pulsegate.intake.running import Silent

    if not sys.stderr.isatty():
        yield Silent()
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[pulses]:,} pulses, {task.fields[indicators]:,} indicators"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        yield Bar(progress)


def pull(
    context: typer.Context,
    full: Annotated[
        bool, typer.Option("--full", help="Walk the whole subscription again, as far back as otx.backfill.")
    ] = False,
    source: Annotated[
        str | None, typer.Option(metavar="NAME", help="Pull from this source only; default: from all.")
    ] = None,
    accept_removals: Annotated[
        bool, typer.Option("--accept-removals", help="Withdraw what left the subscription, however much it is.")
    ] = False,
    files: Annotated[
        list[Path] | None,
        typer.Option(
            "--from", metavar="FILE", help="Take pulses from FILE (API pages, lists or single pulses, plain or gzip)."
        ),
    ] = None,
    more: Annotated[list[Path] | None, typer.Argument(metavar="[FILE]…", help="More files, after --from.")] = None,
    as_json: AsJSON = False,
) -> None:
    """Pull what is new on OTX, or take pulses from files, and publish it."""
    if more and not files:
        raise UsageError("pull takes files after --from", hint="Write: pulsegate pull --from FILE …")
    if files and (full or source or accept_removals):
        raise UsageError("--full, --source and --accept-removals are about OTX, --from is not", hint="Leave out --from")
    from pulsegate.intake.running import together
    from pulsegate.sync import pull as sync

    where = installation(context)
    prepare(where)
    paths = [*(files or ()), *(more or ())]
    failures: list[PulsegateError] = []
    with _bar() as bar:
        if paths:
            outcomes = [sync.pull_files(where.database, paths, where.policy, progress=bar)]
        else:
            outcomes, failures = _pull_all(where, source, bar, full=full, accept_removals=accept_removals)
    if outcomes:
        asked = [] if paths else feeding.named(where, source)
        _report(together(outcomes), asked, as_json=as_json)
    if failures:
        raise failures[0]


def _pull_all(
    where: Installation, source: str | None, bar: Told, *, full: bool, accept_removals: bool
) -> tuple[list[Outcome], list[PulsegateError]]:
    """Pull from each source; the failure of one stops no other."""
    outcomes: list[Outcome] = []
    failures: list[PulsegateError] = []
    found = feeding.named(where, source)
    for one in found:
        if accept_removals:
            _record_acceptance(where, one)
        try:
            with feeding.client(where, one) as client:
                done = feeding.pull(
                    where, one, client, full=full, compare=True, accept_removals=accept_removals, progress=bar
                )
            outcomes.append(done)
        except PulsegateError as error:
            failures.append(error)
            if len(found) > 1:
                log.error("pull.failed", source=one.name, reason=str(error))  # noqa: TRY400 - the whole story
    return outcomes, failures


def _record_acceptance(where: Installation, source: Feeding) -> None:
    """Before the pull, as some may leave before it fails."""
    with where.database.write() as connection:
        row = sources.get(connection, source.name)
        held = row.held if row else 0
        audit.record(connection, account(), "pull.accept-removals", source.name, before={"held": held})


def _report(outcome: Outcome, asked: Sequence[Feeding], *, as_json: bool) -> None:
    intake = outcome.intake
    if as_json:
        counts = {
            key: getattr(intake, key)
            for key in ("pulses", "indicators", "new", "changed", "removed", "rejected", "unreadable")
        }
        print_json(counts | {"collections": [publication_json(one) for one in outcome.publications]})
        return
    brought = " and ".join(dict.fromkeys(one.settings.brings for one in asked)) or "pulses"
    people.print(
        f"{intake.pulses:,} {brought} with {intake.indicators:,} indicators read; "
        f"{intake.new:,} {brought} are new, {intake.changed:,} changed, {intake.removed:,} were withdrawn"
    )
    if intake.rejected or intake.unreadable:
        people.print(
            f"{intake.rejected:,} indicators are no value of any type and {intake.unreadable:,} {brought} can't be "
            "read; 'pulsegate quarantine list' gives the reasons"
        )
    if brought == "pulses" and asked and not intake.pulses and not intake.unreadable:
        people.print("OTX sent no subscribed pulses. Open an author's or a pulse's page on OTX and choose Subscribe.")
    say(outcome.publications)


def publish(context: typer.Context, as_json: AsJSON = False) -> None:
    """Bring every collection up to date with what is stored and with the rules: additions, withdrawals, expiry."""
    where = installation(context)
    prepare(where)
    done = publish_now(where)
    if as_json:
        print_json({"collections": [publication_json(one) for one in done]})
    else:
        say(done)


def publish_now(where: Installation) -> list[Publication]:
    """Publish everything, with a progress bar on a terminal."""
    from pulsegate.publication.publish import publish_all

    with _bar() as bar:
        return publish_all(where.database, where.policy, bar.publishing)


def say(publications: list[Publication]) -> None:
    """What publications changed, for people."""
    changed = [one for one in publications if one.changed]
    for one in changed:
        blocks = one.rewritten_blocks + one.deleted_blocks + one.refreshed_blocks
        counts = f"{one.added:,} added, {one.removed:,} removed"
        told = counts if one.added or one.removed else f"{blocks:,} content blocks changed"
        people.print(f"{one.collection}: {told}", markup=False)
    if not changed:
        people.print("No collection changed.")


def publication_json(one: Publication) -> dict[str, Any]:
    """A publication for programs."""
    return {"name": one.collection, "added": one.added, "removed": one.removed, "failed": one.failed}
