"""What a bundle's curation would change, as far as it is the latest that the sender told, and is taken."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from pulsegate.curation.policy import Policy
from pulsegate.model.relay import Take
from pulsegate.relay import adopting, own
from pulsegate.relay.adopting import Tally
from pulsegate.relay.curation import Line
from pulsegate.relay.manifest import CURATION
from pulsegate.relay.verify import Bundle
from pulsegate.store import relay
from pulsegate.store.database import Database

OWN_PULSES = "own"  # among the kinds that are told


@dataclass(frozen=True, slots=True)
class Curated:
    """How much comes and goes, by kind; ``refused``: collections whose rules can't be read here, and why."""

    tallies: dict[str, Tally]
    refused: Sequence[str]
    is_something: bool


def foresee(database: Database, policy: Policy, bundle: Bundle, kinds: Collection[Take], *, is_due: bool) -> Curated:
    """What there is to do, whether or not (``is_due``) the bundle's pulses are to be taken."""
    holds = is_due or is_last(database, bundle)
    origin = bundle.manifest.head.origin
    with database.snapshot() as connection:
        made = adopting.plan(connection, policy.lists, origin, kinds, lines(bundle, holds=holds))
        mine = own.plan(connection, bundle, kinds, holds=holds)
        is_unsettled = adopting.is_unsettled(connection, origin)
    is_something = made.is_something or bool(mine.put or mine.gone) or is_unsettled
    return Curated(made.tallies | {OWN_PULSES: mine.tally}, made.refused, is_something)


def lines(bundle: Bundle, *, holds: bool) -> Iterator[Line] | None:
    """What the bundle says of the sender's curation; None: nothing, or (without ``holds``) what holds no more."""
    return bundle.curation() if holds and bundle.has(CURATION) else None


def is_last(database: Database, bundle: Bundle) -> bool:
    """Whether the bundle leads to the last state that was taken: there is one curation to each."""
    head = bundle.manifest.head
    with database.read() as connection:
        last = relay.last_head(connection, head.origin)
    return last is not None and last.digest.hex() == head.digest
