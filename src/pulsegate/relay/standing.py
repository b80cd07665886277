"""How the relay stands: what was written last, what was taken of each sender, how old that is, what receivers say."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import structlog
from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from pulsegate.relay.export import origin_of, written
from pulsegate.relay.manifest import Hash, Head, Origin, Sequence, read_head
from pulsegate.relay.outbox import make_folder
from pulsegate.settings.duration import roughly
from pulsegate.store import relay
from pulsegate.store.database import Connection, Database, now
from pulsegate.store.relay import Logged

log = structlog.get_logger(__name__)

RECEIPT = ".receipt.json"
_MOST = 10_000  # bytes of a receipt


@dataclass(frozen=True, slots=True)
class Sender:
    """What was taken of a sender last, and when; ``age``: how old its last state is."""

    head: Head
    taken: datetime
    age: timedelta


class Receipt(BaseModel):
    """What a receiver says that it has of a sender. It is not signed: good to know, and nothing is built upon it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    receiver: Origin
    origin: Origin
    sequence: Sequence
    state: Hash
    taken: AwareDatetime


@dataclass(frozen=True, slots=True)
class Standing:
    """``written``: the last bundle that was; ``refused``: the last file that was; as of ``moment``."""

    moment: datetime
    written: Logged | None
    senders: tuple[Sender, ...]
    refused: Logged | None


def standing(connection: Connection) -> Standing:
    moment = now(connection)
    senders = []
    for origin in relay.origins(connection):
        kept = relay.last_head(connection, origin)
        if kept is not None:
            head = read_head(kept.head)
            made = min(head.created, kept.noted)  # a sender whose clock is ahead would never be said to fall silent
            senders.append(Sender(head, kept.noted, moment - made))
    return Standing(
        moment,
        relay.last_logged(connection, relay.OUT, relay.WRITTEN),
        tuple(senders),
        relay.last_logged(connection, relay.IN, relay.REFUSED),
    )


def complaint(sender: Sender, stale_after: timedelta) -> str | None:
    """Why people must be told of the sender; None when all is well."""
    if sender.age <= stale_after:
        return None
    head = sender.head
    return (
        f"The last bundle of {head.origin} is {roughly(sender.age)} old: number {head.sequence}, of "
        f"{head.created:%Y-%m-%d %H:%M} UTC. Look whether the sender writes bundles, and whether they arrive. What is "
        "published goes on being served."
    )


def write_receipts(database: Database, configured: str | None, folder: Path) -> None:
    """Say what is here of each sender, in a file for each. RelayError: it can't be written."""
    make_folder(folder)
    with database.write() as connection:
        receiver, found = origin_of(connection, configured), standing(connection)
    for one in found.senders:
        head = one.head
        receipt = Receipt(
            receiver=receiver, origin=head.origin, sequence=head.sequence, state=head.state, taken=one.taken
        )
        with written(folder / f"{head.origin}-{receiver}{RECEIPT}") as file:
            file.write(receipt.model_dump_json().encode() + b"\n")


def read_receipts(folder: Path) -> list[Receipt]:
    """The receipts that lie there; what is none is passed over."""
    found = []
    for path in sorted(folder.glob(f"*{RECEIPT}")) if folder.is_dir() else ():
        try:
            with path.open("rb") as file:
                found.append(Receipt.model_validate_json(file.read(_MOST)))
        except (OSError, ValidationError) as error:
            log.warning("relay.receipt_unreadable", file=path.name, reason=type(error).__name__)
    return found
