"""``pulsegate indicator force-in|force-out|unforce|forced``: values that are in or out whatever the rules say."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pulsegate.cli.options import Expires, Reason, account, expiry, installation, named_collection, reason
from pulsegate.cli.output import AsJSON, errors, instant, people, print_json, print_table, when
from pulsegate.cli.pull import publication_json, publish_now, say
from pulsegate.cli.setup import Installation, prepare
from pulsegate.errors import UsageError
from pulsegate.model.collection import Collection, CollectionKind
from pulsegate.model.decisions import Override
from pulsegate.model.indicator import IndicatorType
from pulsegate.publication import deciding
from pulsegate.publication.deciding import Meant
from pulsegate.store import decisions
from pulsegate.store.database import Connection, now
from pulsegate.store.digests import value_key
from pulsegate.values.normalise import readings

if TYPE_CHECKING:  # imported when it is needed, so that other commands start fast
    from pulsegate.publication.publish import Publication

EVERYWHERE = ""
FREED = "is no longer forced"
Values = Annotated[list[str], typer.Argument(metavar="VALUE…", help="Defanged or not.")]
In = Annotated[
    str | None, typer.Option("--collection", metavar="NAME", help="In this collection only; default: in all.")
]


def force_in(
    context: typer.Context,
    values: Values,
    collection: In = None,
    force: Annotated[
        bool, typer.Option("--force", help="Also against your own domains and networks and the protections.")
    ] = False,
    why: Reason = "",
    expires: Expires = None,
    as_json: AsJSON = False,
) -> None:
    """Let values in that some pulse has, whatever the rules and lists say, and publish that."""
    where = installation(context)
    prepare(where)
    only = _named(where, collection)
    with where.database.read() as connection:
        meant = [one for value in values for one in _stored(connection, value)]
        unknown = [value for value in values if not _stored(connection, value)]
    if unknown:
        hint = "'pulsegate indicator add' adds it as one of your own"
        raise UsageError("no pulse has it, so it can't be forced in", resource=unknown[0], hint=hint)
    for kind, value in () if force else meant:
        _refuse_against_own(where, kind, value, only)
    _force(where, meant, only, inside=True, force=force, why=why, expires=expires, as_json=as_json)


def force_out(
    context: typer.Context,
    values: Values,
    collection: In = None,
    why: Reason = "",
    expires: Expires = None,
    as_json: AsJSON = False,
) -> None:
    """Keep values out whatever the rules say, those too that no pulse has yet, and publish that."""
    where = installation(context)
    prepare(where)
    only = _named(where, collection)
    with where.database.read() as connection:
        meant = [one for value in values for one in _meant(connection, value)]
    _force(where, meant, only, inside=False, force=False, why=why, expires=expires, as_json=as_json)


def unforce(context: typer.Context, values: Values, collection: In = None, as_json: AsJSON = False) -> None:
    """Let the rules decide on values again, in one collection or wherever they were forced, and publish that."""
    where = installation(context)
    prepare(where)
    only = _named(where, collection, must_be_there=False)
    gone: list[Override] = []
    unknown: list[str] = []
    with where.database.write() as connection:
        every = decisions.read(connection).overrides
        for value in values:
            identities = {value_key(*one) for one in readings(value)}
            mine = [one for one in every if one.identity in identities and only in (None, one.collection)]
            gone += [one for one in mine if one not in gone]
            unknown += [] if mine else [value]
        for one in gone:
            decisions.unforce(connection, one.collection, one.identity, account())
    done = publish_now(where) if gone else []
    _tell(gone, done, as_json=as_json, says=FREED)
    for value in unknown:
        errors.print(f"pulsegate: {value!r} is not forced there", markup=False)
    if unknown:
        sys.exit(1)


def forced(context: typer.Context, as_json: AsJSON = False) -> None:
    """List the values that are forced in or out: where, by whom, why and until when."""
    where = installation(context)
    with where.database.read() as connection:
        moment = now(connection)
        found = decisions.read(connection).overrides
    over = {one for one in found if one.expires is not None and one.expires <= moment}
    if as_json:
        print_json([_json(one) | {"expired": one in over} for one in found])
        return
    rows = [
        (
            one.type, one.value, "in" if one.inside else "out", one.collection or "all", one.account, when(one.since),
            when(one.expires) + (", over" if one in over else ""), one.reason,
        )
        for one in found
    ]  # fmt: skip
    titles = ("type", "value", "forced", "collection", "by", "since", "until", "reason")
    print_table(titles, rows, empty="No value is: 'pulsegate indicator force-out VALUE'.")


def _named(where: Installation, name: str | None, *, must_be_there: bool = True) -> str | None:
    """The collection's name, None for all. UsageError: there is none, or it is an inbox, where nothing is decided."""
    if name is None:
        return None
    with where.database.read() as connection:
        if not must_be_there and name in {one.collection for one in decisions.read(connection).overrides}:
            return name
        found = named_collection(connection, name).collection
    if found.kind is CollectionKind.INBOX:
        raise UsageError("is an inbox: it holds what is pushed, whatever is decided", resource=name)
    return found.name


def _stored(connection: Connection, text: str) -> list[Meant]:
    """What the text may mean of what some pulse has. UsageError when it is no value at all."""
    if not readings(text):
        raise UsageError("is no value of any type", resource=text)
    return deciding.stored(connection, text)


def _meant(connection: Connection, text: str) -> list[Meant]:
    """What is stored of it; else all that it may mean."""
    return _stored(connection, text) or deciding.meant(connection, text)


def _refuse_against_own(where: Installation, kind: IndicatorType, value: str, only: str | None) -> None:
    """UsageError when own networks or a protection speak against the value in the collection."""
    with where.database.read() as connection:
        feed = None if only is None else _collection(connection, only)
    against = deciding.only_by_force(where.policy, (kind, value), feed)
    if against is not None:
        raise UsageError(against, resource=value, hint="--force lets it in all the same")


def _collection(connection: Connection, name: str) -> Collection:
    return named_collection(connection, name).collection


def _force(
    where: Installation,
    meant: Sequence[Meant],
    only: str | None,
    *,
    inside: bool,
    force: bool,
    why: str,
    expires: str | None,
    as_json: bool,
) -> None:
    said, end = reason(why), expiry(where, expires)
    found = []
    with where.database.write() as connection:
        for kind, value in dict.fromkeys(meant):
            one = Override(
                only or EVERYWHERE, value_key(kind, value), kind.value, value, inside, force, said, account(),
                now(connection), end,
            )  # fmt: skip
            decisions.force(connection, one)
            found.append(one)
    done = publish_now(where)
    _tell(found, done, as_json=as_json, says=f"is forced {'in' if inside else 'out'}")


def _tell(found: Sequence[Override], done: list[Publication], *, as_json: bool, says: str) -> None:
    if as_json:
        shown = {"values": [_json(one) for one in found], "collections": [publication_json(one) for one in done]}
        print_json(shown)
        return
    for one in found:
        place = f"in {one.collection}" if one.collection else "in all collections"
        until = f", until {when(one.expires)}" if one.expires and says != FREED else ""
        people.print(f"{one.value} ({one.type}) {says}, {place}{until}.", markup=False)
    if found:
        say(done)


def _json(one: Override) -> dict[str, Any]:
    return {
        "type": one.type,
        "value": one.value,
        "collection": one.collection or None,
        "inside": one.inside,
        "force": one.against_own,
        "reason": one.reason,
        "account": one.account,
        "since": instant(one.since),
        "expires": instant(one.expires),
    }
