"""Forgetting a sender: what was taken of it counts no more, and its pulses may go, too."""

from __future__ import annotations

from pulsegate.errors import UsageError
from pulsegate.relay import adopting
from pulsegate.relay.importing import LOCK_WAIT, source_of
from pulsegate.store import audit, locks, relay, sources
from pulsegate.store.database import Connection, Database
from pulsegate.store.locks import hold
from pulsegate.store.relay import KeptHead


def forget(database: Database, account: str, origin: str, *, withdraw: bool) -> int:
    """Forget its chain and keys; ``withdraw``: pulses and curation go. Gives how many pulses do.

    Of a sender that is forgotten already, such as one with another name now, what it has left can still be withdrawn.
    UsageError: nothing was taken of it. BusyError: a bundle of it is being taken, for longer than ``LOCK_WAIT``.
    """
    with database.read() as connection:
        _last(connection, origin, withdraw=withdraw)  # a lock is named after a sender that there is
    with hold(database, locks.pull(source_of(origin)), wait=LOCK_WAIT), database.write() as connection:
        return _forget(connection, account, origin, withdraw=withdraw)


def _forget(connection: Connection, account: str, origin: str, *, withdraw: bool) -> int:
    last = _last(connection, origin, withdraw=withdraw)
    relay.forget(connection, origin, pulses_too=withdraw)
    withdrawn = 0
    if withdraw:
        adopting.withdraw(connection, origin, account)
        withdrawn = sources.forget(connection, source_of(origin))
    before = {"origin": origin, "sequence": last and last.sequence, "withdrawn": withdrawn}
    audit.record(connection, account, "relay.forget", origin, before=before)
    return withdrawn


def _last(connection: Connection, origin: str, *, withdraw: bool) -> KeptHead | None:
    """None: it is forgotten, and has left something to withdraw. UsageError: nothing was taken of it."""
    last = relay.last_head(connection, origin) if origin != relay.OWN else None
    has_left = withdraw and sources.get(connection, source_of(origin)) is not None
    if last is None and not has_left:
        hint = f"Known are: {', '.join(relay.origins(connection)) or 'none'}"
        raise UsageError("nothing was taken of such a sender", resource=origin, hint=hint)
    return last
