"""``pulsegate collection add`` and ``edit``: rules by command, tried first and published at once."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pulsegate.cli.collection import refuse_built_in, refuse_settings
from pulsegate.cli.options import DryRun, account, installation, named_collection
from pulsegate.cli.output import AsJSON, people, print_json, print_table
from pulsegate.cli.pull import publish_now
from pulsegate.cli.setup import Installation, prepare
from pulsegate.curation.list_choice import require_lists
from pulsegate.errors import UsageError
from pulsegate.model.collection import Collection, CollectionKind
from pulsegate.settings.load import collection as read_collection
from pulsegate.settings.load import read_value, read_yaml
from pulsegate.settings.section import split
from pulsegate.settings.written import as_settings
from pulsegate.store import audit, collections
from pulsegate.store.collections import Origin

if TYPE_CHECKING:  # imported when it is needed, so that other commands start fast
    from pulsegate.publication.publish import Publication
    from pulsegate.publication.trial import Example, Trial

Name = Annotated[str, typer.Argument(help="The collection's name.")]


def add(
    context: typer.Context,
    name: Name,
    file: Annotated[
        Path, typer.Option("--file", metavar="FILE", help="YAML: an entry of collections: in opentaxii.yml.")
    ],
    dry_run: DryRun = False,
    as_json: AsJSON = False,
) -> None:
    """Add a collection of your own and publish it; --dry-run only says what it would hold."""
    where = installation(context)
    collection = _read_file(file, name)
    refuse_settings(where, name, "Change it there, and start the server again")
    with where.database.read() as connection:
        if collections.get(connection, name) is not None:
            raise UsageError("is there already", resource=name, hint=f"'pulsegate collection edit {name}' changes it")
    _try_and_publish(where, collection, dry_run=dry_run, as_json=as_json)


def edit(
    context: typer.Context,
    name: Name,
    file: Annotated[
        Path | None, typer.Option("--file", metavar="FILE", help="YAML: all of its rules, in place of those it has.")
    ] = None,
    values: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="Change one key: include.tags=phishing,spam; refresh=25d; nothing after '=' takes it away.",
        ),
    ] = None,
    dry_run: DryRun = False,
    as_json: AsJSON = False,
) -> None:
    """Give a collection of your own other rules and publish it; --dry-run only says what would come and go."""
    if (file is None) == (not values):
        raise UsageError(
            "edit takes either --file or --set", hint="Write: pulsegate collection edit NAME --set KEY=VALUE"
        )
    where = installation(context)
    refuse_settings(where, name, "Change it there, and start the server again")
    with where.database.read() as connection:
        known = named_collection(connection, name).collection
    refuse_built_in(known)
    changed = _read_file(file, known.name) if file is not None else with_values(known, values or [])
    _try_and_publish(where, changed, dry_run=dry_run, as_json=as_json)


def _read_file(file: Path, name: str) -> Collection:
    given = read_yaml(file, "Name a file that can be read")
    if not isinstance(given, dict):
        raise UsageError("holds no keys of a collection", resource=str(file), hint="Begin it with: profile: esa")
    return _named(given, name, str(file))


def with_values(known: Collection, values: list[str]) -> Collection:
    """The collection with some keys changed, each written ``KEY=VALUE``, the key with dots as in ``include.tags``."""
    given = as_settings(known)
    for assignment in values:
        key, equals, text = assignment.partition("=")
        if not equals or not key.strip():
            raise UsageError(
                "takes KEY=VALUE", resource=f"--set {assignment}", hint="As in --set include.tags=phishing"
            )
        _set(given, key.strip().split("."), text)
    return _named(given, known.name, "--set")


def _set(given: dict[str, Any], keys: list[str], text: str) -> None:
    target = given
    for key in keys[:-1]:
        inner = target.setdefault(key, {})
        if not isinstance(inner, dict):
            raise UsageError(f"{key} has no keys of its own", resource=f"--set {'.'.join(keys)}")
        target = inner
    target[keys[-1]] = _value(keys, text)


def _value(keys: list[str], text: str) -> Any:
    """As YAML has it; the words of a rule also with commas, and texts to the letter."""
    if not text.strip():
        return None
    is_list = keys[0] in ("include", "exclude") and len(keys) > 1 and keys[-1] != "max_age"
    if keys == ["description"]:
        return text
    if is_list and not text.lstrip().startswith("["):
        return split(text)
    return read_value(text, f"--set {'.'.join(keys)}")


def _named(given: dict[str, Any], name: str, source: str) -> Collection:
    """The collection; what is given may name it, but no other one."""
    other = given.get("name", name)
    if other != name:
        raise UsageError(
            f"names the collection {other!r}, the command {name!r}", resource=source, hint="A collection keeps its name"
        )
    return read_collection({"name": name} | given, source).to_model()


def _try_and_publish(where: Installation, collection: Collection, *, dry_run: bool, as_json: bool) -> None:
    """What comes and goes is found out before anything is changed, and told afterwards."""
    from pulsegate.publication.trial import trial

    require_lists(collection, where.policy.lists)
    if not dry_run:
        prepare(where)
    found = trial(where.database, where.policy, collection)
    published = None
    if not dry_run:
        _put(where, collection)
        published = next(one for one in publish_now(where) if one.collection == collection.name)
    if as_json:
        print_json(_json(found, published))
    else:
        _say(found, published, is_inbox=collection.kind is CollectionKind.INBOX)


def _put(where: Installation, collection: Collection) -> None:
    with where.database.write() as connection:
        known = collections.get(connection, collection.name)
        before = as_settings(known.collection) if known else None
        collections.put(connection, collection, Origin.COMMAND)
        action = "collection.edit" if known else "collection.add"
        audit.record(connection, account(), action, collection.name, before=before, after=as_settings(collection))


def _say(found: Trial, published: Publication | None, *, is_inbox: bool) -> None:
    people.print(_summary(found, is_done=published is not None), markup=False)
    if is_inbox:
        people.print("It is an inbox: what clients push comes in, whatever pulses hold.")
    if found.arrivals:
        people.print(f"\nComing{_some(found.arrivals, found.coming)}:")
        rows = [(one.type, one.value, one.pulse_name) for one in found.arrivals]
        print_table(("type", "value", "pulse"), rows, empty="")
    if found.departures:
        people.print(f"\nGoing{_some(found.departures, found.going)}:")
        reasons = [(one.type, one.value, one.rule, one.reason) for one in found.departures]
        print_table(("type", "value", "rule", "reason"), reasons, empty="")
    if published is not None and published.failed:
        people.print(f"\n{published.failed:,} can't be written; 'pulsegate quarantine list' gives the reasons.")


def _summary(found: Trial, *, is_done: bool) -> str:
    if found.is_new:
        return f"{found.name} {'is' if is_done else 'would be'} new, with {found.coming:,} indicators."
    if is_done:
        return f"{found.name} held {found.holds:,} indicators; {found.coming:,} came and {found.going:,} went."
    return f"{found.name} holds {found.holds:,} indicators; {found.coming:,} would come and {found.going:,} would go."


def _some(examples: list[Example], number: int) -> str:
    return f", {len(examples)} of {number:,}" if len(examples) < number else ""


def _json(found: Trial, published: Publication | None) -> dict[str, Any]:
    told: dict[str, Any] = {
        "name": found.name,
        "new": found.is_new,
        "dry_run": published is None,
        "held": found.holds,
        "coming": found.coming,
        "going": found.going,
        "examples": {
            "coming": [_example(one) for one in found.arrivals],
            "going": [_example(one) for one in found.departures],
        },
    }
    if published is not None:
        told["published"] = {"added": published.added, "removed": published.removed, "failed": published.failed}
    return told


def _example(one: Example) -> dict[str, str]:
    return {
        "type": one.type,
        "value": one.value,
        "pulse": one.pulse_id,
        "pulse_name": one.pulse_name,
        "rule": one.rule,
        "reason": one.reason,
    }
