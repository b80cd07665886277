"""``pulsegate allow``: the allow list, values that are not served whatever a pulse says of them."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pulsegate.cli.options import DryRun, Expires, Reason, account, expiry, installation, reason
from pulsegate.cli.output import AsJSON, errors, instant, people, print_json, print_table, when
from pulsegate.cli.pull import publication_json, publish_now, say
from pulsegate.cli.setup import Installation, prepare
from pulsegate.errors import UsageError
from pulsegate.model.decisions import Allowed
from pulsegate.publication.allow_file import AllowExport, AllowFormat, Told
from pulsegate.store import decisions
from pulsegate.store.database import now

if TYPE_CHECKING:  # imported when it is needed, so that other commands start fast
    from pulsegate.publication.effect import Effect
    from pulsegate.publication.publish import Publication

app = typer.Typer(no_args_is_help=True, help="The allow list: values that are never served.")

SHOWN = 10  # values that people are shown
MAX_BYTES = 64_000_000
Values = Annotated[
    list[str], typer.Argument(metavar="VALUE…", help="An address, a network, a name, a URL, a hash …, defanged or not.")
]
Subtree = Annotated[bool, typer.Option("--subtree", help="The name and all below it; as if written .example.com.")]


@app.command()
def add(
    context: typer.Context,
    values: Values,
    subtree: Subtree = False,
    why: Reason = "",
    expires: Expires = None,
    dry_run: DryRun = False,
    as_json: AsJSON = False,
) -> None:
    """Add values to the allow list and publish that; it says which indicators they take out of which collections."""
    where = installation(context)
    told = [one for value in values for one in _read(value, subtree=subtree)]
    entries = _made(where, told, reason(why), expiry(where, expires))
    _add(where, entries, dry_run=dry_run, as_json=as_json)


@app.command()
def remove(
    context: typer.Context,
    values: Annotated[list[str] | None, typer.Argument(metavar="[VALUE]…", help="As it was added.")] = None,
    subtree: Subtree = False,
    all_expired: Annotated[bool, typer.Option("--all-expired", help="All entries whose end is past.")] = False,
    as_json: AsJSON = False,
) -> None:
    """Take entries off the allow list and publish that: what they kept out comes in where the rules let it."""
    if bool(values) == all_expired:
        raise UsageError("remove takes values or --all-expired", hint="Write: pulsegate allow remove VALUE …")
    where = installation(context)
    prepare(where)
    unknown: list[str] = []
    with where.database.write() as connection:
        moment = now(connection)
        every = decisions.read(connection).allowed
        gone = [one for one in every if all_expired and one.expires is not None and one.expires <= moment]
        for value in values or ():
            found = _find(every, value, subtree=subtree)
            gone += [one for one in found if one not in gone]
            unknown += [] if found else [value]
        for one in gone:
            decisions.disallow(connection, one.kind, one.text, account())
    done = publish_now(where) if gone else []
    if as_json:
        shown = {"removed": [_json(one) for one in gone], "unknown": unknown}
        print_json(shown | {"collections": [publication_json(one) for one in done]})
    else:
        for one in gone:
            people.print(f"{_named(one)} is off the allow list.", markup=False)
        say(done)
    for value in unknown:
        errors.print(f"pulsegate: {value!r} is not on the allow list", markup=False)
    if unknown:
        sys.exit(1)


@app.command("list")
def list_(context: typer.Context, as_json: AsJSON = False) -> None:
    """List the allow list: who added what, when, why and until when, and how many stored values each entry covers."""
    from pulsegate.publication.effect import count

    where = installation(context)
    with where.database.snapshot() as connection:
        moment = now(connection)
        counted = [(one, count(connection, one)) for one in decisions.read(connection).allowed]
    if as_json:
        print_json([_json(one) | {"expired": _is_over(one, moment), "covers": covers} for one, covers in counted])
        return
    rows = [
        (one.kind, one.text, covers, one.account, when(one.since), _until(one, moment), one.reason)
        for one, covers in counted
    ]
    titles = ("kind", "text", "covers", "by", "since", "until", "reason")
    print_table(titles, rows, empty="It is empty: 'pulsegate allow add VALUE'.")


@app.command("import")
def import_(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The file; '-': standard input.")],
    form: Annotated[AllowFormat, typer.Option("--format", help="How the file is written.")] = AllowFormat.AUTO,
    why: Reason = "",
    expires: Expires = None,
    dry_run: DryRun = False,
    as_json: AsJSON = False,
) -> None:
    """Add the entries of a file to the allow list and publish that; when a line is wrong, nothing is stored."""
    from pulsegate.publication import allow_file

    where = installation(context)
    told = allow_file.read(_text(file), form, str(file))
    made = _made(where, told, reason(why), expiry(where, expires))
    with where.database.read() as connection:
        there = {(one.kind, one.text): one for one in decisions.read(connection).allowed}
    entries = [one for one in (_kept(one, there.get((one.kind, one.text))) for one in made) if one is not None]
    _add(where, entries, dry_run=dry_run, as_json=as_json, already=len(made) - len(entries))


@app.command()
def export(
    context: typer.Context,
    form: Annotated[
        AllowExport, typer.Option("--format", help="csv: with all that is known of each; text: an entry a line.")
    ] = AllowExport.CSV,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Write to FILE; default: standard output.")
    ] = None,
) -> None:
    """Write the allow list to a file that 'allow import' reads as the same list."""
    from pulsegate.cli.export import put_out
    from pulsegate.publication import allow_file

    where = installation(context)
    with where.database.read() as connection:
        entries = decisions.read(connection).allowed
    text = allow_file.as_text(entries) if form is AllowExport.TEXT else allow_file.as_csv(entries)
    put_out([text.encode()], out)


def _read(value: str, *, subtree: bool) -> list[Told]:
    """The entries that a word of the command line means. UsageError when it is no value."""
    from pulsegate.curation.allow_list import entries_of

    try:
        return [Told(kind.value, text) for kind, text in entries_of(value, subtree=subtree)]
    except ValueError as error:
        raise UsageError(str(error), resource="--subtree" if subtree else None) from error


def _find(every: Sequence[Allowed], value: str, *, subtree: bool) -> list[Allowed]:
    """The entries that the value writes; of a name that is there with all below it only, that one."""
    wanted = [(one.kind, one.text) for one in _read(value, subtree=subtree)]
    found = [one for one in every if (one.kind, one.text) in wanted]
    texts = {text for kind, text in wanted if kind == "exact"}
    return found or [one for one in every if one.kind == "subtree" and one.text in texts]


def _made(where: Installation, told: Iterable[Told], why: str, end: datetime | None) -> list[Allowed]:
    """Entries as they will be stored, with the given reason and end where they tell none."""
    with where.database.read() as connection:
        moment = now(connection)
    found = (
        Allowed(
            one.kind, one.text, one.reason or why, one.account or account(), one.since or moment, one.expires or end
        )
        for one in told
    )
    return list({(one.kind, one.text): one for one in found}.values())


def _kept(one: Allowed, there: Allowed | None) -> Allowed | None:
    """None for an entry that is there already, and of which nothing else is told."""
    is_known = there is not None and one.reason in ("", there.reason) and one.expires in (None, there.expires)
    return None if is_known else one


def _text(file: Path) -> str:
    try:
        if str(file) == "-":
            found = sys.stdin.buffer.read(MAX_BYTES + 1)
        else:
            with file.open("rb") as stream:
                found = stream.read(MAX_BYTES + 1)
        if len(found) > MAX_BYTES:
            raise UsageError(f"is larger than {MAX_BYTES // 1_000_000} MB", resource=str(file))
        return found.decode("utf-8-sig")
    except OSError as error:
        raise UsageError(f"can't be read: {error.strerror}", resource=str(file)) from error
    except UnicodeDecodeError as error:
        raise UsageError("is no text in UTF-8", resource=str(file)) from error


def _add(where: Installation, entries: list[Allowed], *, dry_run: bool, as_json: bool, already: int = 0) -> None:
    """What they take out is found out before anything is changed, and told afterwards."""
    from pulsegate.publication.effect import effect

    if not dry_run:
        prepare(where)
    found = effect(where.database, where.policy, entries)
    done: list[Publication] = []
    if not dry_run and entries:
        with where.database.write() as connection:
            decisions.allow(connection, entries, account())
        done = publish_now(where)
    if as_json:
        shown = {"dry_run": dry_run, "already_there": already, "entries": [_json(one) for one in entries]}
        shown |= {"takes_out": [_effect_json(one) for one in found]}
        print_json(shown | {"collections": [publication_json(one) for one in done]})
    else:
        _tell(entries, found, done, dry_run=dry_run, already=already)


def _tell(entries: list[Allowed], found: list[Effect], done: list[Publication], *, dry_run: bool, already: int) -> None:
    for one in entries[:SHOWN]:
        people.print(f"{_named(one)} {'would be' if dry_run else 'is'} on the allow list.", markup=False)
    if len(entries) > SHOWN:
        people.print(f"… and {len(entries) - SHOWN:,} more entries")
    if already:
        people.print(f"{already:,} entries were there already.")
    if found:
        people.print(f"\nThis {'would take' if dry_run else 'takes'} out:")
        print_table(("collection", "indicators"), [(one.collection, one.going) for one in found], empty="")
        values = {(one.type, one.value): one.pulse_name for each in found for one in each.examples}
        rows = [(*value, name) for value, name in values.items()][:SHOWN]
        people.print()
        print_table(("type", "value", "pulse"), rows, empty="")
    elif entries:
        people.print(f"It {'would take' if dry_run else 'takes'} nothing out of what is served.")
    if done:
        people.print()
        say(done)


def _named(one: Allowed) -> str:
    return {"subtree": f"{one.text} with all below it", "network": f"the network {one.text}"}.get(one.kind, one.text)


def _is_over(one: Allowed, moment: datetime) -> bool:
    return one.expires is not None and one.expires <= moment


def _until(one: Allowed, moment: datetime) -> str:
    return f"{when(one.expires)}, over" if _is_over(one, moment) else when(one.expires)


def _json(one: Allowed) -> dict[str, Any]:
    told = {"kind": one.kind, "text": one.text, "reason": one.reason, "account": one.account}
    return told | {"since": instant(one.since), "expires": instant(one.expires)}


def _effect_json(one: Effect) -> dict[str, Any]:
    examples = [
        {"type": each.type, "value": each.value, "pulse": each.pulse_id, "pulse_name": each.pulse_name}
        for each in one.examples
    ]
    return {"name": one.collection, "going": one.going, "examples": examples}
