"""The relay by the settings: keys, the worker's jobs, and how it stands."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog

from pulsegate.cli.output import instant, people, when
from pulsegate.cli.setup import Installation
from pulsegate.errors import PulsegateError, RelayError, UsageError
from pulsegate.model.relay import without_name
from pulsegate.store import audit, relay_notes
from pulsegate.store.database import now
from pulsegate.store.relay import IN, OUT

if TYPE_CHECKING:  # imported when they are needed, so that help and other commands start fast
    from pulsegate.intake.running import Progress
    from pulsegate.model.relay import Take
    from pulsegate.relay.export import Exported
    from pulsegate.relay.importing import Imported
    from pulsegate.relay.keys import SecretKey, Trust
    from pulsegate.relay.outbox import Outbox
    from pulsegate.relay.standing import Standing
    from pulsegate.settings import RelaySettings

log = structlog.get_logger(__name__)


def secret(where: Installation, given: Path | None = None) -> SecretKey:
    """The key to sign with: the given one, or that of the settings."""
    from pulsegate.relay.keys import read_secret

    path = given or where.settings.relay.key
    if path is None:
        hint = "Give --key, or set relay.key; 'pulsegate relay keygen' makes one"
        raise UsageError("there is no key to sign with", hint=hint)
    return read_secret(path)


def trust(where: Installation, given: Sequence[Path] = ()) -> Trust:
    """The keys that are given, or those of the settings."""
    found = trusted(where.settings.relay, given)
    if not found.keys:
        hint = "Give --trust PUBLIC, or set relay.trust"
        raise UsageError("there is no key that bundles may be signed with", hint=hint)
    return found


def trusted(settings: RelaySettings, given: Sequence[Path] = ()) -> Trust:
    """As ``trust``, also where that is nobody. RelayError: a key can't be read."""
    from pulsegate.relay.keys import Trust, read_public

    found = [read_public(one) for one in given] or [
        replace(read_public(one.key, one.name), until=one.until, origin=one.origin) for one in settings.trust
    ]
    return Trust(tuple(found), frozenset(settings.revoked))


def outbox(where: Installation, folder: Path) -> Outbox:
    from pulsegate.relay.outbox import Outbox

    found = where.settings.relay
    return Outbox(folder, found.full_every, found.repeat, found.part_size, found.curation)


def write(where: Installation, folder: Path, *, full: bool = False) -> Exported:
    """Write a bundle into the outbox; what goes wrong is noted for the pages. RelayError, UsageError: it does."""
    from pulsegate.relay.outbox import write_next

    try:
        made = write_next(where.database, secret(where), where.settings.relay.origin, outbox(where, folder), full=full)
    except PulsegateError as error:
        relay_notes.trouble(where.database, OUT, str(error))
        raise
    except OSError as error:  # of the temporary folder that it is made in
        told = RelayError(f"a bundle can't be made: {error.strerror}", resource=error.filename)
        relay_notes.trouble(where.database, OUT, str(told))
        raise told from error
    relay_notes.trouble(where.database, OUT, None)
    return made


def take(
    where: Installation, path: Path, trusted: Trust, account: str, kinds: Collection[Take], *,
    name: str | None = None, restart: bool = False, progress: Progress | None = None,
) -> Imported:  # fmt: skip
    """Take a bundle for somebody: a record tells of it, or the relay's log why it was refused (RelayError)."""
    from pulsegate.relay import importing

    file = name or path.name
    try:
        done = importing.take(
            where.database, where.policy, path, trusted, kinds, name=file, restart=restart, progress=progress
        )
    except RelayError as error:
        importing.note_refusal(where.database, file, error)
        raise
    if not done.known:
        record(where, account, "relay.take", file, done.manifest.head.origin, done.manifest.head.sequence)
    _write_receipts(where)
    return done


def _write_receipts(where: Installation) -> None:
    """Say what is here of each sender, where the settings want it. What can't be written is logged."""
    from pulsegate.relay.standing import write_receipts

    settings = where.settings.relay
    if settings.write_receipts is None:
        return
    try:
        write_receipts(where.database, settings.origin, settings.write_receipts)
    except RelayError as error:  # nothing depends on them
        log.warning("relay.no_receipt", reason=str(error))


def record(where: Installation, account: str, action: str, file: str, origin: str, sequence: int) -> None:
    """Note who took or wrote a bundle."""
    with where.database.write() as connection:
        audit.record(connection, account, action, origin, after={"file": file, "origin": origin, "sequence": sequence})


class Sending:
    """The worker's job of a sender: writes a bundle."""

    def __init__(self, where: Installation, folder: Path) -> None:
        self._where = where
        self._folder = folder

    def expect(self, moment: datetime) -> datetime:
        """Tell the pages when it writes next; gives that moment."""
        relay_notes.due(self._where.database, OUT, moment)
        return moment

    def __call__(self) -> None:
        from pulsegate.relay.outbox import forget_files

        try:
            self.expect(datetime.now(UTC) + self._where.settings.relay.interval)
            write(self._where, self._folder)
            forget_files(self._folder, _kept(self._where))
        except PulsegateError as error:
            log.error("relay.not_written", reason=str(error))  # noqa: TRY400 - the reason is the whole story


class Receiving:
    """The worker's job of a receiver: looks into the inbox. It is looked at often, and says what is wrong once."""

    def __init__(self, where: Installation, folder: Path) -> None:
        from pulsegate.relay.inbox import Inbox

        self._where = where
        self._folder = folder
        self._inbox = Inbox(where.database, where.policy, folder, trust(where), where.settings.relay.take)
        self._wrong: str | None = None

    def __call__(self) -> None:
        try:
            self._look()
        except PulsegateError as error:
            if str(error) != self._wrong:
                log.error("relay.inbox_failed", reason=str(error))  # noqa: TRY400 - the reason is the whole story
                with suppress(PulsegateError):  # the database may be what fails
                    relay_notes.trouble(self._where.database, IN, str(error))
            self._wrong = str(error)
        else:
            self._wrong = None

    def _look(self) -> None:
        from pulsegate.relay.inbox import REFUSED, TAKEN
        from pulsegate.relay.outbox import forget_files

        looked = self._inbox.look()
        relay_notes.trouble(self._where.database, IN, None, looked.waiting)
        if looked.taken or looked.known:
            _write_receipts(self._where)
        if looked.taken or looked.known or looked.refused:
            before = _kept(self._where)
            for name in (TAKEN, REFUSED):
                forget_files(self._folder / name, before)


def _kept(where: Installation) -> datetime:
    with where.database.read() as connection:
        return now(connection) - where.settings.relay.kept


def complaints(where: Installation, found: Standing | None = None) -> dict[str, str]:
    """By the names of the sources that stand for senders: why people must be told of them; empty when all is well."""
    from pulsegate.relay.importing import source_of
    from pulsegate.relay.standing import complaint

    stale, senders = where.settings.relay.stale_after, (found or _standing(where)).senders
    told = {source_of(one.head.origin): complaint(one, stale) for one in senders}
    return {name: text for name, text in told.items() if text is not None}


def shown(where: Installation) -> dict[str, Any]:
    """How it stands, as JSON."""
    from pulsegate.relay.importing import source_of

    found, notes = _standing(where), _notes(where)
    told = complaints(where, found)

    return {
        "written": None if found.written is None else {
            "sequence": found.written.entry.sequence, "kind": found.written.entry.kind,
            "file": found.written.entry.file, "time": instant(found.written.time),
        },
        "senders": [
            {
                "origin": one.head.origin, "sequence": one.head.sequence, "as_of": instant(one.head.created),
                "taken": instant(one.taken), "age": round(one.age.total_seconds()),
                "alarm": told.get(source_of(one.head.origin)),
            }
            for one in found.senders
        ],
        "refused": None if found.refused is None else {
            "file": found.refused.entry.file, "time": instant(found.refused.time),
            "reason": without_name(found.refused.entry.file, found.refused.entry.reason),
        },
        "receipts": [
            {"receiver": one.receiver, "origin": one.origin, "sequence": one.sequence, "taken": instant(one.taken)}
            for one in _receipts(where)
        ],
        "waiting": {file: without_name(file, reason) for file, reason in notes[IN].waiting.items()},
        "trouble": {"outbox": notes[OUT].trouble, "inbox": notes[IN].trouble},
    }  # fmt: skip


def _notes(where: Installation) -> dict[str, relay_notes.Note]:
    """What the worker says of the outbox and the inbox."""
    with where.database.read() as connection:
        return {one: relay_notes.get(connection, one) for one in (OUT, IN)}


def _standing(where: Installation) -> Standing:
    from pulsegate.relay.standing import standing

    with where.database.read() as connection:
        return standing(connection)


def _receipts(where: Installation) -> Sequence[Any]:
    from pulsegate.relay.standing import read_receipts

    folder = where.settings.relay.receipts
    return [] if folder is None else read_receipts(folder)


def print_standing(where: Installation) -> None:
    """Some lines, where there is a relay."""
    found = _standing(where)
    if found.written is not None:
        entry = found.written.entry
        people.print(
            f"Relay: number {entry.sequence} was written {when(found.written.time)} ({entry.file})", markup=False
        )
    for one in _receipts(where):
        people.print(f"  {one.receiver} has number {one.sequence}, taken {when(one.taken)}", markup=False)
    for sender in found.senders:
        head = sender.head
        people.print(
            f"Relay: number {head.sequence} of {head.origin}, as of {when(head.created)}, taken {when(sender.taken)}",
            markup=False,
        )
    for name, text in complaints(where, found).items():
        people.print(f"  ALARM ({name}): {text}", markup=False, style="bold red")
    if found.refused is not None:
        entry = found.refused.entry
        reason = without_name(entry.file, entry.reason)
        people.print(f"  Last refused {when(found.refused.time)}: {entry.file}: {reason}", markup=False, style="red")
    _print_notes(where)


def _print_notes(where: Installation) -> None:
    notes = _notes(where)
    for direction, folder in ((OUT, "outbox"), (IN, "inbox")):
        if notes[direction].trouble is not None:
            people.print(f"  The {folder} is in trouble: {notes[direction].trouble}", markup=False, style="bold red")
    for file, reason in notes[IN].waiting.items():
        people.print(f"  Waits: {file}: {without_name(file, reason)}", markup=False)
