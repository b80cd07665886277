"""``pulsegate indicator``: indicators of your own, beside those of OTX."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO

import typer

from pulsegate.cli.options import account, expiry, installation, named_collection
from pulsegate.cli.output import AsJSON, errors, instant, people, print_json, print_table, when
from pulsegate.cli.pull import publication_json, publish_now, say
from pulsegate.cli.setup import Installation, prepare
from pulsegate.errors import ReportError, UsageError
from pulsegate.model.collection import CollectionKind
from pulsegate.model.indicator import RawIndicator
from pulsegate.model.tlp import TLP
from pulsegate.reports import Entry, Format, Proposed, entries, fields, text
from pulsegate.store import own
from pulsegate.values.text import clean_line, clean_text

if TYPE_CHECKING:  # imported when it is needed, so that other commands start fast
    from pulsegate.publication.publish import Publication
    from pulsegate.sync.own import Added, Into, Removed

app = typer.Typer(no_args_is_help=True, help="Indicators of your own, beside those of OTX.")

SHOWN = 20  # lines of each kind that people are shown
LONGEST_NAME = 250
PulseName = Annotated[
    str | None, typer.Option("--pulse", metavar="NAME", help="Of this own pulse only: its name or id.")
]


@app.command()
def add(
    context: typer.Context,
    values: Annotated[list[str] | None, typer.Argument(metavar="[VALUE]…", help="Defanged or not.")] = None,
    file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Take them from a file; '-': from standard input.")
    ] = None,
    form: Annotated[Format, typer.Option("--format", help="The file's format.")] = Format.AUTO,
    from_inbox: Annotated[
        str | None, typer.Option(metavar="COLLECTION", help="Take apart the packages that were pushed to this inbox.")
    ] = None,
    kind: Annotated[
        str | None, typer.Option("--type", metavar="TYPE", help="The type of the values; default: as they look.")
    ] = None,
    title: Annotated[str, typer.Option(help="A title, where the file has none.")] = "",
    description: Annotated[str, typer.Option(help="A description, where the file has none.")] = "",
    tlp: Annotated[TLP | None, typer.Option(help="Their TLP level, where the file has none; default: green.")] = None,
    expires: Annotated[
        str | None,
        typer.Option(metavar="WHEN", help="A date (UTC) or a duration such as 30d, where the file has none."),
    ] = None,
    pulse: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="The own pulse they go into, by name or id; default: named after the file."),
    ] = None,
    author: Annotated[str, typer.Option(help="The pulse's author, who has a collection like every other.")] = "own",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what would become of them.")] = False,
    as_json: AsJSON = False,
) -> None:
    """Add indicators of your own, from the command line, a file or an inbox, and publish them."""
    from pulsegate.sync import own as sync
    from pulsegate.sync.owning import Wanted

    if sum((bool(values), file is not None, from_inbox is not None)) != 1:
        raise UsageError("add takes values, --file or --from-inbox", hint="Write: pulsegate indicator add VALUE …")
    where = installation(context)
    if not dry_run:
        prepare(where)
    wanted = Wanted(clean_text(title), clean_text(description), expiry(where, expires))
    name = _name(pulse or (file.name if file and str(file) != "-" else from_inbox) or sync.NAME, "--pulse")
    into = sync.into(where.database, name, _name(author, "--author"), tlp)
    with _found(where, values, kind, file, form, from_inbox) as found:
        added = sync.add(where.database, where.policy, wanted.fill(found), into, dry_run=dry_run)
    if (added.new or added.changed) and not dry_run:
        _record_added(where, into, added)
    # Also when all is there already: an addition may have been killed before it published.
    done = publish_now(where) if added.accepted and not dry_run else []
    if as_json:
        print_json(_added_json(added, into, dry_run=dry_run) | {"collections": [publication_json(one) for one in done]})
    else:
        _tell(added, into, done, dry_run=dry_run)
    if added.rejected and not added.accepted:
        sys.exit(1)


@app.command()
def remove(
    context: typer.Context,
    values: Annotated[list[str], typer.Argument(metavar="VALUE…", help="Defanged or not.")],
    pulse: PulseName = None,
    as_json: AsJSON = False,
) -> None:
    """Remove indicators of your own, and publish that. What OTX's pulses have of them stays."""
    from pulsegate.sync import own as sync

    where = installation(context)
    prepare(where)
    removed = sync.remove(where.database, values, pulse)
    _record_removed(where, removed)
    done = publish_now(where) if removed.gone else []
    if as_json:
        print_json(_removed_json(removed) | {"collections": [publication_json(one) for one in done]})
    else:
        for kind, value, of in removed.gone:
            people.print(f"{value} ({kind}) is removed from {of.name}", markup=False)
        if removed.gone:
            say(done)
    for one in removed.unknown:
        errors.print(f"pulsegate: no own pulse has {one!r}", markup=False)
    if removed.unknown:
        sys.exit(1)


@app.command("list")
def list_(context: typer.Context, pulse: PulseName = None, as_json: AsJSON = False) -> None:
    """List the indicators of your own, the longest there first."""
    where = installation(context)
    with where.database.read() as connection:
        found = own.listed(connection, pulse)
        if as_json:
            print_json([_listed_json(one) for one in found])
            return
        rows = [
            (one.type, one.value, one.pulse.name, one.pulse.author, one.pulse.tlp, when(one.expires), one.title)
            for one in found
        ]
    titles = ("type", "value", "pulse", "author", "tlp", "expires", "title")
    print_table(titles, rows, empty="There are none yet: 'pulsegate indicator add'.")


def _record_added(where: Installation, into: Into, added: Added) -> None:
    from pulsegate.sync.owning import note_added

    with where.database.write() as connection:
        note_added(connection, account(), into, added)


def _record_removed(where: Installation, removed: Removed) -> None:
    from pulsegate.sync.owning import note_removed

    with where.database.write() as connection:
        note_removed(connection, account(), removed)


def _name(text: str, option: str) -> str:
    name = clean_line(text)
    if not name or len(name) > LONGEST_NAME:
        raise UsageError(f"takes 1 to {LONGEST_NAME} characters", resource=option)
    return name


@contextmanager
def _found(
    where: Installation,
    values: list[str] | None,
    kind: str | None,
    file: Path | None,
    form: Format,
    inbox: str | None,
) -> Iterator[Iterator[Entry]]:
    """The entries that the command's words mean."""
    if kind is not None and not values:
        raise UsageError("is about values on the command line", resource="--type", hint="A table has a column for it")
    if form is not Format.AUTO and file is None:
        raise UsageError("is about --file", resource="--format")
    if inbox is not None:
        yield _of_inbox(where, inbox)
    elif file is not None:
        with _opened(file) as stream:
            yield _of_file(stream, form, file)
    else:
        yield iter([_typed(value, kind) for value in values or ()])


def _typed(value: str, kind: str | None) -> Entry:
    if kind is None:
        return text.value(value, "command line")
    try:
        found = fields.named_type(kind)
    except ValueError as error:
        raise UsageError(str(error), resource="--type") from error
    if found is None:
        return text.value(value, "command line")
    return Proposed(RawIndicator(found.value, value), where="command line")


def _of_file(stream: BinaryIO, form: Format, path: Path) -> Iterator[Entry]:
    try:
        yield from entries(stream, form)
    except ReportError as error:
        raise ReportError(error.message, resource=str(path), hint=error.hint) from error


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    if str(path) == "-":
        from pulsegate.reports.streams import MAX_BYTES

        yield io.BytesIO(sys.stdin.buffer.read(MAX_BYTES + 1))
        return
    try:
        stream = path.open("rb")
    except OSError as error:
        raise UsageError(f"can't be read: {error.strerror}", resource=str(path)) from error
    with stream:
        if not stream.seekable():
            raise UsageError("is no plain file", resource=str(path), hint="Give it on standard input: --file -")
        yield stream


def _of_inbox(where: Installation, name: str) -> Iterator[Entry]:
    from pulsegate.publication.pushed import packages, taken_apart

    with where.database.read() as connection:
        stored = named_collection(connection, name)
    if stored.collection.kind is not CollectionKind.INBOX:
        raise UsageError("is no inbox", resource=name, hint="--from-inbox takes a collection of kind: inbox")
    for block in packages(where.database, stored):
        yield from taken_apart(block)


def _tell(added: Added, into: Into, done: list[Publication], *, dry_run: bool) -> None:
    for line in added.lines[:SHOWN] if added.accepted <= SHOWN else ():
        guarded = f", covered by the protection {line.protection}" if line.protection else ""
        state = {"new": "new", "changed": "changed", "there": "is there already"}[line.what]
        people.print(f"{line.value} ({line.type}, TLP {line.tlp}): {state}{guarded}", markup=False)
    rows = [(one.where, one.text, one.reason) for one in added.in_order[:SHOWN]]
    if rows:
        print_table(("rejected", "text", "reason"), rows, empty="")
        if added.rejected > len(rows):
            people.print(f"… and {added.rejected - len(rows):,} more; --json lists them")
    would = "would be " if dry_run else ""
    people.print(
        f"{would}{added.new:,} new, {added.changed:,} changed, {added.there:,} already there in {into.name}; "
        f"{added.rejected:,} rejected",
        markup=False,
    )
    if added.protected:
        people.print(
            f"{added.protected:,} are covered by built-in protections: collections with those leave them out "
            "('pulsegate explain VALUE')"
        )
    if added.accepted and not dry_run:
        say(done)


def _added_json(added: Added, into: Into, *, dry_run: bool) -> dict[str, Any]:
    return {
        "pulse": into.name,
        "author": into.author,
        "dry_run": dry_run,
        "accepted": added.accepted,
        "new": added.new,
        "changed": added.changed,
        "already_there": added.there,
        "rejected": added.rejected,
        "protected": added.protected,
        "indicators": [
            {
                "type": one.type,
                "value": one.value,
                "state": {"there": "already there"}.get(one.what, one.what),
                "tlp": one.tlp,
                "where": one.where,
                "protection": one.protection,
            }
            for one in added.lines
        ],
        "refusals": [{"where": one.where, "text": one.text, "reason": one.reason} for one in added.in_order],
    }


def _removed_json(removed: Removed) -> dict[str, Any]:
    return {
        "removed": [
            {"type": kind, "value": value, "pulse": of.id, "name": of.name} for kind, value, of in removed.gone
        ],
        "unknown": removed.unknown,
        "pulses_withdrawn": removed.withdrawn,
    }


def _listed_json(one: own.Listed) -> dict[str, Any]:
    return {
        "type": one.type,
        "value": one.value,
        "pulse": one.pulse.id,
        "name": one.pulse.name,
        "author": one.pulse.author,
        "tlp": one.pulse.tlp,
        "title": one.title,
        "description": one.description,
        "created": instant(one.created),
        "expires": instant(one.expires),
        "protection": one.protection,
    }
