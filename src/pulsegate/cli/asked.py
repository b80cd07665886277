"""What the pages ask of the worker about sources and the quarantine: pulls, tests of a key, another try."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from pulsegate.cli import feeding
from pulsegate.cli.setup import Installation
from pulsegate.errors import UsageError
from pulsegate.publication.publish import Publication, publish_all
from pulsegate.store import failures, quarantine, sources
from pulsegate.store.database import Connection
from pulsegate.store.quarantine import Wanted
from pulsegate.sync.retrial import Retrial, retry

if TYPE_CHECKING:
    from pulsegate.cli.tasks import Progress

Result = dict[str, Any]
AT_ONCE = 200  # entries that are tried between two notes of progress


def publish(where: Installation, _arguments: Mapping[str, Any], progress: Progress) -> Result:
    return _counts(publish_all(where.database, where.policy, progress.publishing))


def pull(where: Installation, arguments: Mapping[str, Any], progress: Progress) -> Result:
    """``source``: its name. ``full``: all of it. ``held``: the stamp of the removals that somebody has agreed to."""
    (source,) = feeding.named(where, str(arguments["source"]))
    shown = _shown(where, source.name, arguments.get("held"))
    with feeding.client(where, source) as client:
        outcome = feeding.pull(
            where, source, client, full=bool(arguments.get("full")), compare=True, shown=shown, progress=progress
        )
    intake = outcome.intake
    names = ("pulses", "indicators", "new", "changed", "removed", "rejected", "unreadable")
    return _counts(outcome.publications) | {"read": {name: getattr(intake, name) for name in names}}


def _shown(where: Installation, source: str, stamp: str | None) -> set[int]:
    """The pulses that may leave; UsageError when they are not those that were looked at."""
    if stamp is None:
        return set()
    with where.database.read() as connection:
        held = sources.held(connection, source)
    if sources.stamp(held) != stamp:
        hint = "Look at them again, and accept those"
        raise UsageError("other removals wait by now than those that were accepted", resource=source, hint=hint)
    return held


def test_key(where: Installation, arguments: Mapping[str, Any], progress: Progress) -> Result:
    """``source``: its name. Whose key it is, as OTX says; None: it accepts the key and doesn't tell."""
    (source,) = feeding.named(where, str(arguments["source"]))
    if source.is_upstream:
        raise UsageError("has no key that could be tested", resource=source.name, hint="Pull from it")
    progress.say("asking")
    with feeding.client(where, source) as client:
        owner = client.owner()
    if owner is not None:
        with where.database.write() as connection:
            sources.set_owner(connection, source.name, owner)
    return {"owner": owner}


def try_again(where: Installation, arguments: Mapping[str, Any], progress: Progress) -> Result:
    """``entry``: the key of the one with that ``stamp``; else those of ``wanted`` (``quarantine.Wanted``).

    ``unwritten``: what can't be written as STIX.
    """
    if arguments.get("unwritten"):
        return _write_again(where, progress)
    with where.database.read() as connection:
        keys = _keys(connection, arguments)
    total = Retrial()
    for start in range(0, len(keys), AT_ONCE):
        progress.say("trying", done=start, total=len(keys))
        some = asdict(retry(where.database, where.policy, keys[start : start + AT_ONCE]))
        total = Retrial(**{name: number + some[name] for name, number in asdict(total).items()})
    return asdict(total) | _counts(publish_all(where.database, where.policy, progress.publishing))


def _keys(connection: Connection, arguments: Mapping[str, Any]) -> list[int]:
    """No key of an entry in whose place another one stands by now: a pull was faster."""
    if "entry" not in arguments:
        return quarantine.keys(connection, Wanted(**arguments.get("wanted", {})))
    key = int(arguments["entry"])
    found = quarantine.get(connection, key)
    if found is None or arguments.get("stamp", found.stamp) != found.stamp:  # one of an older version tells none
        return []
    return [key]


def _write_again(where: Installation, progress: Progress) -> Result:
    with where.database.write() as connection:
        before = failures.forget(connection)
    done = _counts(publish_all(where.database, where.policy, progress.publishing))
    with where.database.read() as connection:
        still = failures.count(connection)
    return {"taken": max(0, before - still), "refused": min(before, still), "not_kept": 0} | done


def _counts(publications: list[Publication]) -> Result:
    return {"added": sum(one.added for one in publications), "removed": sum(one.removed for one in publications)}
