"""Who polls: each account with each collection that it polled lately, what it got last, and whether it has stopped."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from pulsegate.store import accounts, polls
from pulsegate.store.database import Connection, now
from pulsegate.store.polls import Polled, PollRecord
from pulsegate.sync.rhythm import SHORTEST, Beat, Rhythm, rhythm
from pulsegate.web.outcomes import FINE

LOOKED_AT = 120  # polls of each account
FORGOTTEN = timedelta(days=7)  # a collection that an account polled before, and no more, is not waited for


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
        if self.last.outcome not in FINE:
            return "refused"
        return "polls" if self.rhythm.beat is Beat.STEADY or self.is_recent else "seldom"


def every(connection: Connection) -> list[Appliance]:
    """Of the accounts that there are; those that need a look come first."""
    moment = now(connection)
    found: list[Appliance] = []
    for account in accounts.every(connection):
        found += _of(connection, account.name, moment)
    return sorted(found, key=lambda one: (_ORDER[one.word], one.account, one.collection))


_ORDER = {"stopped": 0, "refused": 1, "polls": 2, "seldom": 3}


def _of(connection: Connection, account: str, moment: datetime) -> Iterator[Appliance]:
    """An author's spaces may be written as ``+``: that is one collection."""
    polled: dict[str, list[Polled]] = {}  # the newest first
    for one in polls.times(connection, account, limit=LOOKED_AT):
        polled.setdefault(one.collection.replace("+", " "), []).append(one)
    newest = max((several[0].time for several in polled.values()), default=moment)
    shown = [one for one in polled.values() if one[0].time == newest or moment - one[0].time < FORGOTTEN]
    records = polls.by_keys(connection, [several[0].pk for several in shown])
    for several in shown:
        last = records.get(several[0].pk)
        if last is not None:
            beat = rhythm([one.time for one in several], moment)
            yield Appliance(account, last.collection, last, beat, moment - last.time < SHORTEST)
