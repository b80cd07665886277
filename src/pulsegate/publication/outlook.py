"""What each collection has to look at: what changed or fell due since it was published last, or everything.

Everything is looked at the first time, when the rules or what holds for all collections changed, when very much did,
and once a day: should a change ever not have been noted, it is not lost for longer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from pulsegate.curation.policy import Policy
from pulsegate.model.collection import Collection, CollectionKind
from pulsegate.publication.labels import back
from pulsegate.store import candidates, collections, decisions, pulses, reflections, touched
from pulsegate.store.collections import StoredCollection
from pulsegate.store.database import Connection, Database, now
from pulsegate.store.digests import digest
from pulsegate.store.reflections import Reflection
from pulsegate.store.touched import Touched

WHOLE_EVERY = timedelta(days=1)
MOST_PULSES = 2_000  # more that changed, or more indicators, and everything is looked at
MOST_INDICATORS = 50_000


@dataclass(frozen=True, slots=True)
class Scope:
    """The identities to look at; and of those that pulses have lost, the pulse's key and the identity.

    ``until``: what falls due by the clock is among them up to this moment.
    """

    until: datetime
    identities: frozenset[bytes] = frozenset()
    gone: frozenset[tuple[int, bytes]] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.identities)


@dataclass(frozen=True, slots=True)
class Outlook:
    """As of ``moment``: how far each collection has come, and what is to be looked at in all of them.

    ``changed`` is None where that is everything. ``authors``: those whose collections it concerns.
    """

    moment: datetime
    policy: Policy
    known: Mapping[int, Reflection]
    noted: Touched
    changed: Scope | None
    authors: frozenset[str]

    def scope(self, connection: Connection, stored: StoredCollection) -> Scope | None:
        """What the collection has to look at; None: everything."""
        known = self.known.get(stored.id)
        if known is None or self.changed is None or not self._follows(known, stored.collection):
            return None
        changed = self.changed
        if stored.collection.kind is CollectionKind.AUTHOR and stored.collection.author not in self.authors:
            changed = Scope(self.moment)
        due = _due(connection, stored.collection, known.moment, self.moment)
        return replace(changed, identities=changed.identities | due) if due else changed

    def _follows(self, known: Reflection, collection: Collection) -> bool:
        is_recent = known.moment <= self.moment and self.moment - known.whole < WHOLE_EVERY
        return is_recent and known.digest == rules_digest(collection, self.policy)


def look(database: Database, policy: Policy) -> Outlook:
    """The state of things now."""
    with database.snapshot() as connection:
        moment = now(connection)
        known = reflections.every(connection)
        noted = touched.read(connection)
        after = min((one.moment for one in known.values()), default=moment)
        changed = _changed(connection, noted, after, moment) if known else None
        authors = frozenset[str]()
        if changed:
            keys = noted.pulses.union(pulse_pk for pulse_pk, _ in noted.gone)
            loose = noted.values | _over(connection, after, moment)
            authors = frozenset(pulses.authors_of(connection, keys) | pulses.authors_with(connection, loose))
    return Outlook(moment, policy, known, noted, changed, authors)


def _changed(connection: Connection, noted: Touched, after: datetime, until: datetime) -> Scope | None:
    if len(noted.pulses) > MOST_PULSES:
        return None
    found = {*noted.values, *(identity for _, identity in noted.gone)}
    found |= _over(connection, after, until)
    found |= candidates.identities_of(connection, noted.pulses)
    return None if len(found) > MOST_INDICATORS else Scope(until, frozenset(found), noted.gone)


def _over(connection: Connection, after: datetime, until: datetime) -> set[bytes]:
    """What is concerned, in any collection, by an end that lay between the two."""
    return reflections.expired(connection, after, until) | decisions.over(connection, after, until)


def _due(connection: Connection, collection: Collection, after: datetime, until: datetime) -> set[bytes]:
    """What the collection's own rules let in or out by the clock between the two."""
    found: set[bytes] = set()
    for kind, age in collection.ttl.items():
        found |= reflections.created(connection, kind, back(after, age), back(until, age))
    for limit in (collection.include.max_age, collection.exclude.max_age):
        if limit is not None:
            keys = reflections.modified(connection, back(after, limit), back(until, limit))
            found |= candidates.identities_of(connection, keys)
    return found


def rules_digest(collection: Collection, policy: Policy) -> bytes:
    """Of all that decides but what is stored."""
    return digest(collections.written(collection), collection.kind, collection.author or "", policy.signature)


def reflected(moment: datetime, collection: Collection, policy: Policy) -> Reflection:
    """What is noted of a collection that was published as a whole as of ``moment``."""
    return Reflection(moment, moment, rules_digest(collection, policy))
