"""What indicators are marked by: protections, warning lists, own networks, the allow list, decisions on values.

Marks are made when an indicator is taken in, so that a publication looks closer at the few that are concerned. When
what they are made by changes in the settings, or with the version, all are made anew; a decision by command marks those
that it concerns itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from weakref import WeakKeyDictionary

import structlog

from pulsegate.curation.policy import Policy
from pulsegate.curation.protections import protection
from pulsegate.errors import SettingsError
from pulsegate.model.indicator import Indicator, IndicatorType
from pulsegate.model.marks import UNMARKED, Marks
from pulsegate.store import affected, collections, decisions, marked, state
from pulsegate.store.database import Connection, Database, Engine, now
from pulsegate.store.digests import value_key
from pulsegate.store.pulses import StoredIndicator

log = structlog.get_logger(__name__)

MARKED_BY = "indicators.marked_by"
Value = tuple[IndicatorType, str]


def with_decisions(connection: Connection, policy: Policy) -> Policy:
    """The policy with what people have decided, as it holds now, and with the warning lists that collections name."""
    found = decisions.read(connection, now(connection))
    return needing(connection, policy).decided(found.allowed, found.overrides, found.reviews, found.trusted)


def needing(connection: Connection, policy: Policy) -> Policy:
    """The policy with the warning lists that collections name."""
    names = collections.named_lists(connection)
    return replace(policy, lists=policy.lists.needing(names)) if names else policy


@dataclass(frozen=True, slots=True)
class _Recalled:
    """A policy with the decisions of one state of the store. ``until``: when the next of them ends."""

    given: Policy
    revision: int
    names: frozenset[str]
    until: datetime | None
    made: Policy

    def holds(self, revision: int, names: frozenset[str], moment: datetime) -> bool:
        is_same = (self.revision, self.names) == (revision, names)
        return is_same and (self.until is None or moment < self.until)


# Of each database of this process, by its engine, the last one.
_recalled: WeakKeyDictionary[Engine, _Recalled] = WeakKeyDictionary()


def recalled(connection: Connection, policy: Policy) -> Policy:
    """The same as ``with_decisions``, for pages: read anew only where something was decided since, or has ended.

    An allow list of 10,000 entries takes a tenth of a second to read.
    """
    known, moment = _recalled.get(connection.engine), now(connection)
    revision, names = decisions.revision(connection), collections.named_lists(connection)
    if known is not None and known.given is policy and known.holds(revision, names, moment):
        return known.made
    made = with_decisions(connection, policy)
    ends = [one.expires for one in made.allow.entries]
    ends += [one.expires for each in made.overrides.values() for one in each]
    until = min((one for one in ends if one is not None), default=None)
    _recalled[connection.engine] = _Recalled(policy, revision, names, until, made)  # two threads put the same there
    return made


class Marker:
    """Marks indicators as they are taken in. ``prepare`` looks many up at once, before any transaction."""

    def __init__(self, database: Database, policy: Policy) -> None:
        self._given = policy
        self._known: dict[Value, Marks] = {}
        with database.read() as connection:
            self._read(connection)

    def _read(self, connection: Connection) -> None:
        self._revision = decisions.revision(connection)
        self._policy = with_decisions(connection, self._given)
        forced = (one for each in self._policy.overrides.values() for one in each)
        self._forced = {key for one in forced for key in affected.by_override(one.type, one.value, one.identity)}
        self._known.clear()

    def prepare(self, found: Iterable[Indicator]) -> None:
        """Look these up; what was looked up before is forgotten."""
        values = list(dict.fromkeys((one.type, one.value) for one in found))
        lists = self._policy.lists.load()
        hits = lists.hits_among(values) if lists is not None else {}
        self._known = {value: self._marks(value, [hit.name for hit in hits.get(value, ())]) for value in values}

    def verify(self, connection: Connection) -> None:
        """Within the transaction that takes them in: what was decided meanwhile counts."""
        if decisions.revision(connection) != self._revision:
            self._read(connection)

    def __call__(self, indicator: Indicator) -> Marks:
        value = (indicator.type, indicator.value)
        known = self._known.get(value)
        if known is not None:
            return known
        lists = self._policy.lists.load()
        return self._marks(value, [hit.name for hit in lists.hits(*value)] if lists is not None else [])

    def _marks(self, value: Value, lists: list[str]) -> Marks:
        hit = protection(*value)
        noted = self._is_noted(value)
        if hit is None and not lists and not noted:
            return UNMARKED
        return Marks(hit.name if hit else None, " ".join(lists) or None, noted)

    def _is_noted(self, value: Value) -> bool:
        policy = self._policy
        if self._forced and value_key(*value) in self._forced:
            return True
        entries = (one for one in (policy.own, policy.allow) if one)
        return any(one.covering(*value) is not None for one in entries)


def as_marked(
    database: Database, connection: Connection, policy: Policy, found: Sequence[StoredIndicator]
) -> list[StoredIndicator]:
    """With the marks that the next publication will find: it makes them anew where the settings have changed."""
    if state.get(connection, MARKED_BY) == policy.marking:
        return list(found)
    marker = Marker(database, policy)
    marks = [marker(one.indicator) for one in found]
    return [
        replace(one, protection=mark.protection, lists=mark.lists, noted=mark.noted)
        for one, mark in zip(found, marks, strict=True)
    ]


def refresh(database: Database, policy: Policy) -> None:
    """Mark all stored indicators anew when they were marked by something else.

    Where a warning list can't be read they stay as they are, and the next one tries again; a pull fails then.
    """
    with database.read() as connection:
        by = with_decisions(connection, policy).marking
        if state.get(connection, MARKED_BY) == by:
            return
        is_empty = marked.is_empty(connection)
    if not is_empty:
        log.info("indicators.are_marked_anew")
        try:
            _mark_all(database, Marker(database, policy))
        except SettingsError as error:  # no list that can't be read may hold up a withdrawal
            log.error("indicators.are_marked_as_before", reason=str(error))  # noqa: TRY400 - the whole story
            return
    with database.write() as connection:
        state.put(connection, MARKED_BY, by)


def _mark_all(database: Database, marker: Marker) -> None:
    last = 0
    while True:
        with database.read() as connection:
            rows = marked.after(connection, last)
        if not rows:
            return
        marker.prepare(row.indicator for row in rows)
        with database.write() as connection:
            marker.verify(connection)
            found = ((row, marker(row.indicator)) for row in rows)
            marked.put(connection, [(row, marks) for row, marks in found if marks != row.marks])
        last = rows[-1].pk
