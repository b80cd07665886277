"""A change of what people have decided: as it is tried, noted, and written down for the worker."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from pulsegate.curation.policy import Policy
from pulsegate.errors import StoreError
from pulsegate.model.decisions import Allowed, Override
from pulsegate.store import affected, decisions
from pulsegate.store.database import Connection


@dataclass(frozen=True, slots=True)
class Change:
    """Entries that the allow list gets and loses, values that are forced and no longer forced."""

    allow: Sequence[Allowed] = ()
    disallow: Sequence[Allowed] = ()
    force: Sequence[Override] = ()
    unforce: Sequence[Override] = ()

    def made(self, policy: Policy) -> Policy:
        """The policy with the change."""
        entries = {(one.kind, one.text): one for one in (*policy.allow.entries, *self.allow)}
        for gone in self.disallow:
            entries.pop((gone.kind, gone.text), None)
        forced = {(one.collection, one.identity): one for each in policy.overrides.values() for one in each}
        for lost in self.unforce:
            forced.pop((lost.collection, lost.identity), None)
        forced |= {(one.collection, one.identity): one for one in self.force}
        return policy.decided(entries.values(), forced.values(), policy.reviews.values(), policy.trusted.values())

    def note(self, connection: Connection, account: str) -> None:
        """Decide so, with a record of each, as the account.

        StoreError, and nothing is decided, when what is taken back is no longer what it was.
        """
        if self.allow:
            decisions.allow(connection, self.allow, account)
        for gone in self.disallow:
            _require_same(decisions.find_allowed(connection, gone.kind, gone.text), gone, gone.text)
            decisions.disallow(connection, gone.kind, gone.text, account)
        for lost in self.unforce:
            _require_same(decisions.find_override(connection, lost.collection, lost.identity), lost, lost.value)
            decisions.unforce(connection, lost.collection, lost.identity, account)
        for one in self.force:
            decisions.force(connection, one)


def _require_same(there: Allowed | Override | None, meant: Allowed | Override, name: str) -> None:
    if there != meant:
        raise StoreError("was changed meanwhile", resource=name, hint="Look at it again, and decide then")


def reach(connection: Connection, change: Change, limit: int) -> int:
    """How many stored indicators the change may concern; as soon as they are more than ``limit``, that and one."""
    number = 0
    for one in (*change.allow, *change.disallow):
        number += affected.reach(connection, one.kind, one.text, limit - number)
        if number > limit:
            return limit + 1
    return number + len({one.identity for one in (*change.force, *change.unforce)})


def written(change: Change) -> dict[str, Any]:
    """What it does to the allow list, as JSON can write it: for a task."""
    return {"allow": [_entry(one) for one in change.allow], "disallow": [_entry(one) for one in change.disallow]}


def read(told: Mapping[str, Any]) -> Change:
    """The change that ``written`` wrote."""
    return Change(allow=_entries(told.get("allow", ())), disallow=_entries(told.get("disallow", ())))


def _entry(one: Allowed) -> dict[str, Any]:
    moments = {"since": one.since.isoformat(), "expires": one.expires.isoformat() if one.expires else None}
    return asdict(one) | moments


def _entries(told: Iterable[Mapping[str, Any]]) -> list[Allowed]:
    return [Allowed(**{**one, "since": _moment(one["since"]), "expires": _moment(one["expires"])}) for one in told]


def _moment(text: str | None) -> Any:
    return None if text is None else datetime.fromisoformat(text)
