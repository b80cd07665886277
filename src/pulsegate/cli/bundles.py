"""What the worker does with bundles for the pages: try one, take it, write one, forget a sender."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pulsegate.cli import asked, drafting, relaying
from pulsegate.cli.setup import Installation
from pulsegate.errors import RelayError, RelayForkError, UsageError
from pulsegate.store import drafts

if TYPE_CHECKING:
    from pulsegate.cli.tasks import Progress
    from pulsegate.relay.importing import Forecast
    from pulsegate.relay.manifest import Manifest

Result = dict[str, Any]


def look(where: Installation, arguments: Mapping[str, Any]) -> Result:
    """What taking the bundle (``draft``) would change, or why it would be refused. Nothing is, and nothing noted."""
    from pulsegate.relay.importing import forecast

    trusted, restart = relaying.trust(where), bool(arguments["restart"])
    try:
        with _file(where, arguments) as path:
            return {
                "found": _told(
                    forecast(
                        where.database, where.policy, path, trusted, where.settings.relay.take,
                        name=str(arguments["file"]), restart=restart,
                    )
                )
            }  # fmt: skip
    except RelayError as error:
        offers = isinstance(error, RelayForkError) and not restart
        return {"refused": {"reason": _reason(error), "hint": error.hint, "restart": offers}}


def take(where: Installation, arguments: Mapping[str, Any], progress: Progress) -> Result:
    """Take the bundle for ``account``, publish what it brings, and drop the draft."""
    trusted, name = relaying.trust(where), str(arguments["file"])
    with _file(where, arguments) as path:
        done = relaying.take(
            where, path, trusted, str(arguments["account"]), where.settings.relay.take,
            name=name, restart=bool(arguments["restart"]), progress=progress,
        )  # fmt: skip
    with where.database.write() as connection:
        drafts.remove(connection, str(arguments["draft"]))
    counts = {"new": done.intake.new, "changed": done.intake.changed, "removed": done.intake.removed}
    took = _described(done.manifest) | counts | {"known": done.known, "differs": done.differs}
    return {"took": took} | (asked.counts(done.outcome.publications) if done.outcome else {})


def write(where: Installation, arguments: Mapping[str, Any]) -> Result:
    """Write a bundle into the outbox for ``account``: what changed, or everything (``full``)."""
    folder = where.settings.relay.outbox
    if folder is None or where.demo:
        raise UsageError("there is no outbox", hint="Set relay.outbox; the demo has none")
    done = relaying.write(where, folder, full=bool(arguments["full"]))
    head = done.manifest.head
    relaying.record(where, str(arguments["account"]), "relay.write", done.path.name, head.origin, head.sequence)
    return {"wrote": _described(done.manifest) | {"file": done.path.name, "bytes": done.size}}


def forget(where: Installation, arguments: Mapping[str, Any], progress: Progress) -> Result:
    """Forget the sender ``origin`` for ``account``, and its pulses, too, where ``withdraw`` says so."""
    from pulsegate.relay import forgetting

    withdrawn = forgetting.forget(
        where.database, str(arguments["account"]), str(arguments["origin"]), withdraw=bool(arguments["withdraw"])
    )
    forgot = {"forgot": {"origin": arguments["origin"], "withdrawn": withdrawn}}
    return forgot | (asked.publish(where, {}, progress) if withdrawn else {})


@contextmanager
def _file(where: Installation, arguments: Mapping[str, Any]) -> Iterator[Path]:
    """The draft as a file."""
    draft = drafting.get(where, arguments)
    with tempfile.TemporaryDirectory(prefix="pulsegate-") as folder:
        path = Path(folder) / "bundle"
        path.write_bytes(draft.content)
        del draft
        yield path


def _reason(error: RelayError) -> str:
    return f"{error.resource}: {error.message}" if error.resource else error.message


def _described(made: Manifest) -> Result:
    head = made.head
    return {
        "origin": head.origin, "sequence": head.sequence, "kind": made.kind, "since": made.since,
        "created": head.created.isoformat(), "pulses": head.pulses, "indicators": head.indicators,
    }  # fmt: skip


def _told(found: Forecast) -> Result:
    names = ("known", "new", "changed", "unchanged", "leaving", "examples", "signer")
    curation = {kind: asdict(one) for kind, one in found.curation.items() if one.is_something or one.kept}
    curates = any(one.is_something for one in found.curation.values())
    told = {one: getattr(found, one) for one in names} | {"brought": found.indicators}
    told |= {"curation": curation, "curates": curates, "unread": list(found.refused)}
    return _described(found.manifest) | told
