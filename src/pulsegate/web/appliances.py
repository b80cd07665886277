"""Who polls: each account with each collection that it polled lately, what it got last, and whether it has stopped."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from pulsegate.store import accounts, polls
from pulsegate.store.database import Connection, now
from pulsegate.store.polls import PollRecord
from pulsegate.sync.rhythm import SHORTEST, Beat, Rhythm, rhythm

LOOKED_AT = 120  # polls of each account
FORGOTTEN = timedelta(days=7)  # a collection that an account polled before, and no more, is not waited for
GOOD = ("answered", "counted")


@dataclass(frozen=True, slots=True)
class Appliance:
    """An account that polls a collection. ``last``: its newest poll of it."""

    account: str
    collection: str
    last: PollRecord
    rhythm: Rhythm
    is_recent: bool

    @property
    def word(self) -> str:
        """``disabled`` is told elsewhere; ``stopped`` weighs more than what the last answer was."""
        if self.rhythm.beat is Beat.STOPPED:
            return "stopped"
        if self.last.outcome not in GOOD:
            return "refused"
        return "polls" if self.rhythm.beat is Beat.STEADY or self.is_recent else "seldom"


def every(connection: Connection) -> list[Appliance]:
    """Of the accounts that there are; those that need a look come first."""
    moment = now(connection)
    found = []
    for account in accounts.every(connection):
        found += _of(polls.of_account(connection, account.name, limit=LOOKED_AT), moment)
    return sorted(found, key=lambda one: (_ORDER[one.word], one.account, one.collection))


_ORDER = {"stopped": 0, "refused": 1, "polls": 2, "seldom": 3}


def _of(records: Iterable[PollRecord], moment: datetime) -> list[Appliance]:
    """The polls of one account, newest first."""
    by_collection: dict[str, list[PollRecord]] = {}
    for one in records:
        by_collection.setdefault(one.collection.replace("+", " "), []).append(one)
    newest = max((several[0].time for several in by_collection.values()), default=moment)
    return [
        _appliance(name, several, moment)
        for name, several in by_collection.items()
        if several[0].time == newest or moment - several[0].time < FORGOTTEN
    ]


def _appliance(collection: str, records: list[PollRecord], moment: datetime) -> Appliance:
    last = records[0]
    beat = rhythm([one.time for one in records], moment)
    return Appliance(last.account or "", collection, last, beat, moment - last.time < SHORTEST)
