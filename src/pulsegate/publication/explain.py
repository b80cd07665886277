"""Where a value stands: in which collections, since when and from which pulses, or out by which rule; and what is near.

The placements are asked first, then the decisions that the next publication makes, so that the answer is its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from pulsegate.curation.policy import Policy
from pulsegate.model.indicator import IndicatorType, identity_of
from pulsegate.publication.explanation import (
    Explanation,
    Neighbour,
    Neighbours,
    Opinion,
    Standing,
    Stay,
)
from pulsegate.publication.inquiry import Inquiry
from pulsegate.publication.marking import as_marked
from pulsegate.publication.surroundings import by_rule
from pulsegate.store import collections, pulses, quarantine
from pulsegate.store.collections import StoredCollection
from pulsegate.store.database import Connection, Database, now
from pulsegate.store.quarantine import Quarantined
from pulsegate.values.normalise import readings

__all__ = ["Explanation", "Neighbour", "Neighbours", "Opinion", "Standing", "Stay", "explain"]

Reading = tuple[IndicatorType, str]


def explain(database: Database, policy: Policy, text: str) -> Explanation | None:
    """What is known of the value that ``text`` writes, defanged or not; None when nothing is.

    Nothing is told of inboxes: what is in a package that was pushed is its sender's business. SettingsError when a
    warning list can't be read.
    """
    known = readings(text)
    with database.snapshot() as connection:
        every = by_rule(collections.every(connection))
        policy = replace(policy, lists=policy.lists.needing(_named(every)))
        order = [identity_of(*one) for one in known]
        found = pulses.indicators_of_value(connection, order)
        if found:
            found.sort(key=lambda one: (order.index(one.indicator.identity), one.pk))
            marked = as_marked(database, connection, policy, found)
            first = found[0].indicator
            inquiry = Inquiry(connection, policy, now(connection), every, (first.type, first.value), marked)
            return inquiry.explanation()
        return _rejected(connection, quarantine.of_value(connection, text), every) or _near(
            connection, policy, known, every
        )


def _named(every: Iterable[StoredCollection]) -> set[str]:
    return {name for one in every for name in one.collection.warning_lists or ()}


def _rejected(
    connection: Connection, entries: Sequence[Quarantined], every: Iterable[StoredCollection]
) -> Explanation | None:
    """A value that was rejected is in no collection, for the reason it was rejected for."""
    if not entries:
        return None
    ids = dict.fromkeys(one.pulse_id for one in entries if one.pulse_id is not None)
    carriers = [pulses.get(connection, pulse_id) for pulse_id in ids]
    standings = [Standing(one.collection.name, False, None, "rejected", entries[0].reason) for one in every]
    return Explanation(entries[0].value, entries[0].type, [one.pulse for one in carriers if one], standings)


def _near(
    connection: Connection, policy: Policy, known: Sequence[Reading], every: Sequence[StoredCollection]
) -> Explanation | None:
    """A value that no pulse has, if there is anything to say of it all the same, as the likeliest that it may be."""
    moment = now(connection)
    inquiries = [Inquiry(connection, policy, moment, every, reading, ()) for reading in known]
    found = next((one for one in inquiries if one.is_known), None) or next(
        (one for one in inquiries if one.is_listed), None
    )
    return None if found is None else found.explanation()
