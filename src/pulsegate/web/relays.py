"""The relay as pages show it: each sender with its age and its key, the keys of the settings, what is written next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pulsegate.errors import PulsegateError
from pulsegate.relay import standing, ways
from pulsegate.relay.export import ORIGIN
from pulsegate.relay.importing import source_of
from pulsegate.relay.keys import read_public, read_secret
from pulsegate.relay.manifest import read_head
from pulsegate.relay.standing import Receipt, Sender
from pulsegate.relay.ways import Way
from pulsegate.settings.relay import RelaySettings, TrustedKeySettings
from pulsegate.store import relay, sources, state
from pulsegate.store.database import Connection
from pulsegate.store.relay import Logged, SignedKey
from pulsegate.web.site import site


@dataclass(frozen=True, slots=True)
class Key:
    """A key of ``relay.trust``. ``fingerprint``: None where the file can't be read here, which ``trouble`` tells."""

    settings: TrustedKeySettings
    fingerprint: str | None
    trouble: str | None
    is_revoked: bool
    is_over: bool


@dataclass(frozen=True, slots=True)
class Shown:
    """A sender; ``complaint``: why it is stale. ``signed``: its last key, ``key``: as the settings have that now.

    ``pulses``: how many are here of it.
    """

    sender: Sender
    complaint: str | None
    signed: SignedKey | None
    is_revoked: bool
    key: Key | None
    pulses: int


@dataclass(frozen=True, slots=True)
class Written:
    """A bundle that was written; ``pulses``: of its state, None where that is not known any more."""

    logged: Logged
    pulses: int | None


def is_there() -> bool:
    """Whether there is a relay: by the settings, or by what was done."""
    found = site().settings.relay
    if found.outbox or found.inbox or found.key or found.trust:
        return True
    with site().database.read() as connection:
        return relay.is_used(connection)


def senders(connection: Connection, known: Sequence[Key] | None = None) -> list[Shown]:
    """Each of whom something was taken, with what is not well. ``known``: as ``trusted`` gives; None: it is asked."""
    found = standing.standing(connection)
    if not found.senders:
        return []
    settings = site().settings.relay
    keys = {one.fingerprint: one for one in (trusted(found.moment) if known is None else known)}
    signed = {one.origin: one for one in relay.signed_keys(connection)}
    counts = sources.counts(connection)
    return [_shown(one, settings, signed.get(one.head.origin), keys, counts) for one in found.senders]


def _shown(
    sender: Sender,
    settings: RelaySettings,
    signed: SignedKey | None,
    keys: dict[str | None, Key],
    counts: dict[str, int],
) -> Shown:
    return Shown(
        sender,
        standing.complaint(sender, settings.stale_after),
        signed,
        signed is not None and signed.fingerprint in settings.revoked,
        keys.get(signed.fingerprint) if signed else None,
        counts.get(source_of(sender.head.origin), 0),
    )


def sender(connection: Connection, origin: str) -> Shown | None:
    return next((one for one in senders(connection) if one.sender.head.origin == origin), None)


def trusted(moment: datetime) -> list[Key]:
    """The keys that bundles may be signed with."""
    settings = site().settings.relay
    found = []
    for one in settings.trust:
        fingerprint, trouble = _fingerprint(one.key, is_secret=False)
        is_over = one.until is not None and moment >= one.until
        found.append(Key(one, fingerprint, trouble, fingerprint in settings.revoked, is_over))
    return found


def own_key() -> tuple[str | None, str | None]:
    """The fingerprint of the key that bundles are signed with here, or why it can't be read."""
    path = site().settings.relay.key
    return (None, None) if path is None else _fingerprint(path, is_secret=True)


def _fingerprint(path: Path, *, is_secret: bool) -> tuple[str | None, str | None]:
    try:
        return (read_secret(path) if is_secret else read_public(path)).fingerprint, None
    except PulsegateError as error:
        return None, str(error)


def own_name(connection: Connection) -> str | None:
    """The name that bundles bear; None: it is made up with the first one."""
    return site().settings.relay.origin or state.get(connection, ORIGIN)


def written(connection: Connection, limit: int) -> list[Written]:
    """The last bundles that were."""
    found = []
    for one in relay.logged(connection, relay.OUT, None, limit=limit):
        head = relay.head(connection, relay.OWN, one.entry.sequence) if one.entry.sequence else None
        found.append(Written(one, read_head(head.head).pulses if head else None))
    return found


def full_due(connection: Connection) -> datetime | None:
    """From when on the worker writes everything; None: at once."""
    last = ways.gone(connection, Way.OUTBOX)
    return last.full + site().settings.relay.full_every if last and last.full else None


def receipts() -> Sequence[Receipt]:
    folder = site().settings.relay.receipts
    return standing.read_receipts(folder) if folder else ()
