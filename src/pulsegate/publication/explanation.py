"""What can be said of a value: the answer to ``pulsegate explain``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from pulsegate.model.pulse import Pulse
from pulsegate.store.polls import Fetch

LEFT_OUT = "left-out"  # the rule of an opinion on a network: which of its addresses is out by itself
WITHOUT_IT = "is written without it"  # ends the reason of such an address


@dataclass(frozen=True, slots=True)
class Opinion:
    """A rule, list, entry or person that has a say. ``changes``: commands and settings that would change that."""

    rule: str
    reason: str
    changes: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Stay:
    """The value was in the collection from one moment to another.

    ``of``: the network as one of whose addresses it was there; empty: it was there by itself. ``fetched``: by which
    accounts.
    """

    since: datetime
    ended: datetime
    of: str = ""
    fetched: Sequence[Fetch] = ()


@dataclass(frozen=True, slots=True)
class Standing:
    """The value in one collection, in the pulse (by its id; None: in none) that is nearest to letting it in.

    ``rule`` is ``in`` or ``forced-in``, ``network`` where it is written as an address of one, ``pending`` where the
    next publication will change what is there, or what keeps it out. ``changes``: what would take it in, or out.
    ``others``: what else speaks against it behind that; of a value that is in, what it is in against.
    """

    collection: str
    included: bool
    since: datetime | None
    rule: str
    reason: str
    changes: Sequence[str] = ()
    others: Sequence[Opinion] = ()
    pulse: str | None = None
    fetched: Sequence[Fetch] = ()
    left: Sequence[Stay] = ()  # the last one first


@dataclass(frozen=True, slots=True)
class Neighbour:
    """An indicator that is near, and in how many of the collections that may have it it is, and is not."""

    type: str
    value: str
    inside: int
    outside: int


@dataclass(frozen=True, slots=True)
class Neighbours:
    """Those of one kind (``surroundings.RELATIONS``): the first ones, and how many there are.

    ``is_all``: false where there are more than were counted.
    """

    relation: str
    number: int
    first: Sequence[Neighbour]
    is_all: bool = True


@dataclass(frozen=True, slots=True)
class Explanation:
    """All that is known of a value.

    ``covered``: what has a say on the value whatever the collection: entries, lists, protections, people.
    ``logged``: as of when the poll log can tell who fetched it; None: it is empty.
    """

    value: str  # its normal form
    type: str
    pulses: Sequence[Pulse]
    standings: Sequence[Standing]
    covered: Sequence[Opinion] = ()
    neighbours: Sequence[Neighbours] = ()
    logged: datetime | None = None
