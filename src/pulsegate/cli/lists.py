"""``pulsegate lists``: the warning lists that are in force, what each hits, and what they say of a value."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

import typer

from pulsegate.cli.options import installation
from pulsegate.cli.output import AsJSON, people, print_json, print_table
from pulsegate.cli.setup import Installation
from pulsegate.curation.choices import DEFAULTS, TABLE
from pulsegate.curation.list_choice import ListChoice
from pulsegate.errors import UsageError
from pulsegate.model.mode import Mode
from pulsegate.publication.marking import with_decisions
from pulsegate.store import collections, marked

app = typer.Typer(no_args_is_help=True, help="Warning lists: well-known values that a feed should hardly block.")


@dataclass(frozen=True, slots=True)
class _Shown:
    """A list with its mode in force. ``is_named``: some collection blocks by it, whatever its mode."""

    name: str
    mode: Mode
    reason: str
    is_named: bool

    @property
    def words(self) -> str:
        named = "; a collection names it" if self.is_named else ""
        default = DEFAULTS.get(self.name, self.mode)
        return f"{self.mode}{f' (not {default})' if default != self.mode else ''}{named}"


@app.command("list")
def list_(context: typer.Context, as_json: AsJSON = False) -> None:
    """List the warning lists: the mode in force (block, inform or off), why, and how many stored indicators it hits."""
    where = installation(context)
    with where.database.snapshot() as connection:
        counts, named = marked.listed(connection), collections.named_lists(connection)
    found = list(_every(where.policy.lists, named))
    if as_json:
        print_json([
            {
                "name": one.name, "mode": one.mode, "reason": one.reason, "named": one.is_named,
                "indicators": counts[one.name],
            }
            for one in found
        ])  # fmt: skip
        return
    rows = [(one.name, one.words, counts[one.name], one.reason) for one in found]
    print_table(("list", "mode", "indicators", "reason"), rows, empty="")


def _every(choice: ListChoice, named: frozenset[str]) -> Iterator[_Shown]:
    """MISP's lists in the order of their names, then those of one's own."""
    for name, _, reason in TABLE:
        yield _Shown(name, choice.mode(name), reason, name in named)
    for one in choice.files:
        yield _Shown(one.name, one.mode, one.title or f"your own: {one.path}", one.name in named)


@app.command()
def check(
    context: typer.Context,
    value: Annotated[str, typer.Argument(help="An address, a name, a URL, a hash …, defanged or not.")],
    as_json: AsJSON = False,
) -> None:
    """Say which of the warning lists in force VALUE is on, as each of the values that it may be."""
    from pulsegate.curation.warning_lists import WarningLists
    from pulsegate.values.normalise import readings

    known = readings(value)
    if not known:
        raise UsageError("is no value of any type", resource=value)
    lists = _choice(installation(context)).load() or WarningLists()
    found = [(kind, text, hit) for kind, text in known for hit in lists.hits(kind, text)]
    if as_json:
        print_json([
            {"type": kind, "value": text, "list": hit.name, "mode": hit.mode, "entry": hit.entry.text}
            for kind, text, hit in found
        ])  # fmt: skip
        return
    for kind, text, hit in found:
        people.print(f"{text} ({kind}): {hit.sentence}", markup=False)
    if not found:
        people.print(f"{known[0][1]} is on none of the {len(lists)} warning lists that are in use.", markup=False)


def _choice(where: Installation) -> ListChoice:
    """The lists as a publication uses them."""
    with where.database.read() as connection:
        return with_decisions(connection, where.policy).lists


@app.command()
def hits(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="The list's name.")],
    as_json: AsJSON = False,
) -> None:
    """List the stored indicators that a warning list covers, as of the last publication."""
    where = installation(context)
    if name not in where.policy.lists.names:
        raise UsageError("there is no such warning list", resource=name, hint="'pulsegate lists list' shows them")
    with where.database.read() as connection:
        found = list(marked.on_list(connection, name))
    if as_json:
        print_json([
            {"type": one.type, "value": one.value, "pulse": one.pulse_id, "name": one.pulse_name} for one in found
        ])  # fmt: skip
        return
    rows = [(one.type, one.value, one.pulse_id, one.pulse_name) for one in found]
    print_table(("type", "value", "pulse", "name"), rows, empty="It covers no stored indicator.")
