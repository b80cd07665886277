"""A sender's own pulses: they belong to the source ``relay:ORIGIN``, by way of ``own``.

A pulse of the same id that was made here, or that another sender has brought, stays as it is.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from pulsegate.model.relay import Take
from pulsegate.relay.adopting import Tally, account_of
from pulsegate.relay.manifest import OWN
from pulsegate.relay.verify import Bundle
from pulsegate.store import relay, sources
from pulsegate.store.database import Connection

VIA = "own"


@dataclass(frozen=True, slots=True)
class OwnPlan:
    """The ids of the pulses that are put, and of those that the source has no more."""

    put: frozenset[str]
    gone: frozenset[str]
    tally: Tally


def plan(connection: Connection, bundle: Bundle, take: Collection[Take], *, holds: bool) -> OwnPlan:
    """What taking the sender's own pulses changes. ``holds``: whether what the bundle says of them is the latest."""
    origin = bundle.manifest.head.origin
    source = account_of(origin)
    mine = sources.claimed(connection, source, VIA).keys()
    is_taken = Take.OWN in take
    if is_taken and not (holds and bundle.has(OWN)):
        return OwnPlan(frozenset(), frozenset(), Tally())
    elsewhere = relay.own_of_others(connection, source)
    known = relay.parts(connection, relay.own_of(origin))
    digests = {one.pulse.id: one.digest for one in bundle.own() if one.last} if is_taken else {}
    brought = {one: digest for one, digest in digests.items() if one not in elsewhere}
    coming = brought.keys() - mine
    changing = {one for one in brought.keys() & mine if one not in known or known[one].digest != brought[one]}
    gone = mine - brought.keys()
    tally = Tally(
        coming=len(coming),
        changing=len(changing),
        going=len(gone - elsewhere),
        unchanged=len(brought) - len(coming) - len(changing),
        kept=len(digests) - len(brought),
    )
    return OwnPlan(frozenset(coming | changing), frozenset(gone), tally)
