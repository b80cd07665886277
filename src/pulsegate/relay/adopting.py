"""Taking over a sender's curation: what would come and go is found out first, and done in one transaction.

What a bundle brought bears the account ``relay:ORIGIN``. Nothing that another account has decided is touched.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import structlog

from pulsegate.curation.list_choice import ListChoice, require_lists
from pulsegate.errors import SettingsError
from pulsegate.model.collection import Collection as Rules
from pulsegate.model.collection import CollectionKind
from pulsegate.model.decisions import Allowed, Override, Review, Trusted
from pulsegate.model.relay import Take
from pulsegate.relay.curation import (
    ALLOW,
    COLLECTION,
    OVERRIDE,
    REVIEW,
    TRUSTED,
    AllowLine,
    CollectionLine,
    Decision,
    Line,
    OverrideLine,
    ReviewLine,
    TrustedLine,
)
from pulsegate.settings.load import collection as read_collection
from pulsegate.settings.written import as_settings
from pulsegate.store import audit, collections, decisions, relay, state
from pulsegate.store.collections import Origin, StoredCollection
from pulsegate.store.database import Connection
from pulsegate.store.locks import INTAKE, within
from pulsegate.store.sources import RELAYED

log = structlog.get_logger(__name__)

_TAKES = {
    COLLECTION: Take.COLLECTIONS,
    ALLOW: Take.ALLOW,
    OVERRIDE: Take.DECISIONS,
    REVIEW: Take.DECISIONS,
    TRUSTED: Take.DECISIONS,
}
Key = TypeVar("Key", bound=Hashable)
Old = TypeVar("Old")
New = TypeVar("New")


@dataclass(frozen=True, slots=True)
class Tally:
    """Of one kind how much comes, changes and goes; ``kept``: what was made here stays in place of the sender's."""

    coming: int = 0
    changing: int = 0
    going: int = 0
    unchanged: int = 0
    kept: int = 0

    @property
    def is_something(self) -> bool:
        return bool(self.coming or self.changing or self.going)


@dataclass(frozen=True, slots=True)
class Changes(Generic[Old, New]):
    """What is put, in place of what is there of the same key, and what is taken away."""

    put: Sequence[New] = ()
    gone: Sequence[Old] = ()
    tally: Tally = Tally()


def changes(
    there: Mapping[Key, Old],
    wanted: Iterable[tuple[Key, New]],
    is_mine: Callable[[Old], bool],
    is_same: Callable[[Old, New], bool],
    spared: AbstractSet[Key] = frozenset(),
) -> Changes[Old, New]:
    """From what is there, by its key, to what is wanted; what is not ``is_mine`` stays, and so do ``spared`` keys."""
    put: list[New] = []
    named = set(spared)
    coming = unchanged = kept = 0
    for key, new in wanted:
        named.add(key)
        old = there.get(key)
        if old is None:
            coming += 1
            put.append(new)
        elif not is_mine(old):
            kept += 1
        elif is_same(old, new):
            unchanged += 1
        else:
            put.append(new)
    gone = [old for key, old in there.items() if key not in named and is_mine(old)]
    return Changes(put, gone, Tally(coming, len(put) - coming, len(gone), unchanged, kept))


@dataclass(frozen=True, slots=True)
class Plan:
    """What taking a sender's curation changes. ``refused``: collections whose rules can't be read here, and why."""

    collections: Changes[StoredCollection, Rules]
    allow: Changes[Allowed, Allowed]
    overrides: Changes[Override, Override]
    reviews: Changes[Review, Review]
    trusted: Changes[Trusted, Trusted]
    refused: Sequence[str] = ()

    @property
    def tallies(self) -> dict[str, Tally]:
        """By the kind of the record."""
        return {
            ALLOW: self.allow.tally,
            COLLECTION: self.collections.tally,
            OVERRIDE: self.overrides.tally,
            REVIEW: self.reviews.tally,
            TRUSTED: self.trusted.tally,
        }

    @property
    def is_something(self) -> bool:
        return any(one.is_something for one in self.tallies.values())


def account_of(origin: str) -> str:
    """Who is said to have decided what an origin's bundles bring; nobody's account has a colon."""
    return f"{RELAYED}{origin}"


@dataclass(slots=True)
class _Brought:
    """The lines of the kinds that are taken, sorted out."""

    collections: list[CollectionLine] = field(default_factory=list)
    allow: list[AllowLine] = field(default_factory=list)
    overrides: list[OverrideLine] = field(default_factory=list)
    reviews: list[ReviewLine] = field(default_factory=list)
    trusted: list[TrustedLine] = field(default_factory=list)

    def add(self, line: Line) -> None:
        match line:
            case CollectionLine():
                self.collections.append(line)
            case AllowLine():
                self.allow.append(line)
            case OverrideLine():
                self.overrides.append(line)
            case ReviewLine():
                self.reviews.append(line)
            case TrustedLine():
                self.trusted.append(line)


def plan(
    connection: Connection, lists: ListChoice, origin: str, take: Collection[Take], lines: Iterable[Line] | None
) -> Plan:
    """What taking these lines changes; None: there are none, so what is taken stays as it is.

    What was brought of kinds that are no longer taken goes.
    """
    brought = _Brought()
    for line in lines or ():
        if _TAKES[line.record] in take:
            brought.add(line)
    account = account_of(origin)
    found = decisions.read(connection)
    stays = frozenset() if lines is not None else frozenset(take)

    def is_mine(old: Decision) -> bool:
        return old.account == account

    def mine(kind: str) -> Callable[[Decision], bool]:
        return is_mine if _TAKES[kind] not in stays else _nobody

    def is_theirs(old: StoredCollection) -> bool:
        return old.sender == origin and Take.COLLECTIONS not in stays

    wanted, refused = _readable(brought.collections, lists)
    return Plan(
        collections=changes(
            {one.collection.name: one for one in collections.every(connection)},
            ((one.name, one) for one in wanted),
            is_theirs,
            lambda old, new: old.collection == new,
            frozenset(refused),
        ),
        allow=changes(
            {(one.kind, one.text): one for one in found.allowed},
            (((one.kind, one.text), one.to_model(account)) for one in brought.allow),
            mine(ALLOW),
            Allowed.__eq__,
        ),
        overrides=changes(
            {(one.collection, one.identity): one for one in found.overrides},
            (((new.collection, new.identity), new) for new in (one.to_model(account) for one in brought.overrides)),
            mine(OVERRIDE),
            Override.__eq__,
        ),
        reviews=changes(
            {one.pulse_id: one for one in found.reviews},
            ((one.pulse, one.to_model(account)) for one in brought.reviews),
            mine(REVIEW),
            lambda old, new: (old.status, old.reason, old.since) == (new.status, new.reason, new.since),
        ),
        trusted=changes(
            {one.author: one for one in found.trusted},
            ((one.author, one.to_model(account)) for one in brought.trusted),
            mine(TRUSTED),
            Trusted.__eq__,
        ),
        refused=tuple(refused.values()),
    )


def _nobody(_old: object) -> bool:
    """Nothing of it is looked at."""
    return False


def _readable(lines: Iterable[CollectionLine], lists: ListChoice) -> tuple[list[Rules], dict[str, str]]:
    """The collections whose rules hold here; of the others, by their names, why they don't."""
    found: list[Rules] = []
    refused: dict[str, str] = {}
    for line in lines:
        try:
            made = read_collection({**line.rules, "name": line.name}, f"collection {line.name}").to_model()
            require_lists(made, lists)
        except SettingsError as error:
            refused[line.name] = str(error)
            continue
        if made.kind is CollectionKind.INBOX:
            refused[line.name] = f"collection {line.name}: is an inbox, which no bundle brings"
        else:
            found.append(made)
    return found, refused


def adopt(
    connection: Connection, lists: ListChoice, origin: str, take: Collection[Take], lines: Iterable[Line] | None
) -> Plan:
    """Take these lines over, as ``plan`` says. Decisions on pulses count for what the bundle brings by ``settle``."""
    return _carry_out(connection, lists, origin, take, lines, account_of(origin))


def withdraw(connection: Connection, origin: str, account: str) -> Plan:
    """Take away all that the origin's bundles brought; ``account`` does it."""
    return _carry_out(connection, ListChoice(), origin, (), None, account)


def _carry_out(
    connection: Connection,
    lists: ListChoice,
    origin: str,
    take: Collection[Take],
    lines: Iterable[Line] | None,
    account: str,
) -> Plan:
    within(connection, INTAKE)  # nobody decides anything meanwhile
    made = plan(connection, lists, origin, take, lines)
    _put_decisions(connection, made, account)
    _note_waiting(connection, made, origin)
    for stored in made.collections.gone:
        collections.remove(connection, stored.id)
        rules = as_settings(stored.collection)
        audit.record(connection, account, "collection.remove", stored.collection.name, before=rules)
    for collection in made.collections.put:
        _put_collection(connection, collection, origin)
    for fault in made.refused:
        log.warning("relay.collection_refused", origin=origin, reason=fault)
    return made


def _put_decisions(connection: Connection, made: Plan, account: str) -> None:
    if made.allow.gone:
        decisions.disallow_all(connection, made.allow.gone, account)
    if made.allow.put:
        decisions.allow(connection, made.allow.put)
    for override in made.overrides.gone:
        decisions.unforce(connection, override.collection, override.identity, account)
    for override in made.overrides.put:
        decisions.force(connection, override)
    for author in made.trusted.gone:
        decisions.distrust(connection, author.author, account)
    for author in made.trusted.put:
        decisions.trust(connection, author)
    if made.reviews.gone:
        decisions.drop_reviews(connection, made.reviews.gone, account)
    if made.reviews.put:
        decisions.put_reviews(connection, made.reviews.put, account)


def _put_collection(connection: Connection, rules: Rules, origin: str) -> None:
    known = collections.get(connection, rules.name)
    before = None if known is None else as_settings(known.collection)
    collections.put(connection, rules, Origin.RELAY, origin)
    action = "collection.add" if known is None else "collection.edit"
    audit.record(connection, account_of(origin), action, rules.name, before=before, after=as_settings(rules))


# --- Decisions on pulses count for what the bundle brings -------------------------------------------------------------


def is_unsettled(connection: Connection, origin: str) -> bool:
    """Whether a decision on a pulse that the origin has brought waits for ``settle``: an import was broken off."""
    return not _brought_by(connection, origin).isdisjoint(_waiting(connection, origin))


def settle(connection: Connection, origin: str) -> None:
    """New decisions count for all that the pulses have now; of pulses that no bundle has brought yet they wait on."""
    waiting = _waiting(connection, origin)
    ready = waiting & _brought_by(connection, origin)
    if ready:
        decisions.catch_up(connection, ready, account_of(origin))
        _keep_waiting(connection, origin, waiting - ready)


def _note_waiting(connection: Connection, made: Plan, origin: str) -> None:
    if made.reviews.tally.is_something:
        gone = {one.pulse_id for one in made.reviews.gone}
        new = {one.pulse_id for one in made.reviews.put}
        _keep_waiting(connection, origin, _waiting(connection, origin) - gone | new)


def _brought_by(connection: Connection, origin: str) -> set[str]:
    parts = relay.parts(connection, origin) | relay.parts(connection, relay.own_of(origin))
    return set(relay.present(parts))


def _waiting(connection: Connection, origin: str) -> set[str]:
    return set(json.loads(state.get(connection, _key(origin)) or "[]"))


def _keep_waiting(connection: Connection, origin: str, ids: AbstractSet[str]) -> None:
    if ids:
        state.put(connection, _key(origin), json.dumps(sorted(ids)))
    else:
        state.remove(connection, _key(origin))


def _key(origin: str) -> str:
    return f"relay.waiting.{origin}"
