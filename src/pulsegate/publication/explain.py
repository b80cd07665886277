"""Where a value stands: in which collections, since when and from which pulses, or out by which rule."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from pulsegate.curation.decide import Decision, out
from pulsegate.curation.policy import Policy
from pulsegate.model.collection import CollectionKind
from pulsegate.model.pulse import Pulse
from pulsegate.publication.marking import with_decisions
from pulsegate.publication.plan import pulse_identity
from pulsegate.publication.verdicts import Verdicts, as_candidate
from pulsegate.store import blocks, collections, pulses, quarantine
from pulsegate.store.collections import StoredCollection
from pulsegate.store.database import Connection, Database, now
from pulsegate.store.pulses import StoredIndicator, StoredPulse
from pulsegate.store.quarantine import Quarantined
from pulsegate.values.normalise import readings

# Of several pulses' decisions the one that comes latest here is the nearest to letting the value in.
_NEARNESS = (
    "unknown",
    "withdrawn",
    "author",
    "forced-out",
    "review:rejected",
    "allow-list",
    "own",
    "protection",
    "warning-list",
    "include",
    "exclude",
    "profile",
    "review",
    "inactive",
    "expired",
)


@dataclass(frozen=True, slots=True)
class Standing:
    """The value in one collection. ``rule`` is ``in``, or what keeps it out."""

    collection: str
    included: bool
    since: datetime | None
    rule: str
    reason: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """All that is known of a value."""

    value: str  # its normal form
    type: str
    pulses: list[Pulse]
    standings: list[Standing]


def explain(database: Database, policy: Policy, text: str) -> Explanation | None:
    """What is known of the value that ``text`` writes, defanged or not; None when nothing is.

    Nothing is told of inboxes: what is in a package that was pushed is its sender's business.
    """
    known = readings(text)
    with database.read() as connection:
        found: list[StoredIndicator] = []
        for kind, value in known:
            found += pulses.indicators_of_value(connection, [f"{kind.family}:{value}"])
        if not found:
            return _explain_rejected(database, quarantine.of_value(connection, text))
        carriers = {one.pulse_pk: pulses.by_pk(connection, one.pulse_pk) for one in found}
        every = _by_rule(connection)
    there = {pk: pulse for pk, pulse in carriers.items() if pulse is not None}
    first = found[0].indicator
    standings = [_standing(database, policy, stored, found, list(there.values())) for stored in every]
    return Explanation(first.value, first.type.value, [pulse.pulse for pulse in there.values()], standings)


def _by_rule(connection: Connection) -> list[StoredCollection]:
    return [one for one in collections.every(connection) if one.collection.kind is not CollectionKind.INBOX]


def _explain_rejected(database: Database, entries: Sequence[Quarantined]) -> Explanation | None:
    """A value that was rejected is in no collection, for the reason it was rejected for."""
    if not entries:
        return None
    with database.read() as connection:
        ids = dict.fromkeys(one.pulse_id for one in entries if one.pulse_id is not None)
        carriers = [pulses.get(connection, pulse_id) for pulse_id in ids]
        every = _by_rule(connection)
    reason = entries[0].reason
    standings = [Standing(stored.collection.name, False, None, "rejected", reason) for stored in every]
    return Explanation(entries[0].value, entries[0].type, [one.pulse for one in carriers if one], standings)


def _standing(
    database: Database,
    policy: Policy,
    stored: StoredCollection,
    found: Sequence[StoredIndicator],
    carriers: Sequence[StoredPulse],
) -> Standing:
    with database.read() as connection:
        verdicts = Verdicts(stored.collection, with_decisions(connection, policy), now(connection))
        for pulse in carriers:
            verdicts.learn(pulse)
        candidates = [as_candidate(one) for one in found]
        keys = [
            one.identity if stored.collection.deduplicate else pulse_identity(one.pulse_pk, one.identity)
            for one in candidates
        ]
        places = [place for key in keys if (place := blocks.find(connection, stored.id, key)) is not None]
    if places:
        since = min(place.since for place in places)
        return Standing(stored.collection.name, True, since, "in", "it is published")
    decision = max((verdicts.of(one) for one in candidates), key=_nearness)
    if decision.included:
        decision = out("pending", "it will be in after the next publication")
    return Standing(stored.collection.name, False, None, decision.rule, decision.reason)


def _nearness(decision: Decision) -> int:
    if decision.included:
        return len(_NEARNESS) + 1
    family = decision.rule.replace(":", ".").partition(".")[0]
    return _NEARNESS.index(family) if family in _NEARNESS else len(_NEARNESS)
