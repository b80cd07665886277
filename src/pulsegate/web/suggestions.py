"""Which entries of the allow list somebody may mean who looks at a value: it alone, what is around it, its host."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass

from pulsegate.curation.protections import protection
from pulsegate.model.indicator import ADDRESSES, NAMES
from pulsegate.model.indicator import IndicatorType as T
from pulsegate.values.neighbours import host, parents
from pulsegate.values.normalise import readings
from pulsegate.web.words import _

PARENTS = 2  # names above a name
NETWORKS = {4: (24, 16), 6: (64, 48)}  # lengths of prefixes


@dataclass(frozen=True, slots=True)
class Suggestion:
    """``entry``: as it is written in a list; ``says``: what it covers."""

    entry: str
    says: str


def suggestions(text: str) -> list[Suggestion]:
    """The narrowest first; none for what is no value."""
    known = readings(text.strip().removeprefix("*").removeprefix("."))
    return list({one.entry: one for one in _around(*known[0])}.values()) if known else []


def _around(kind: T, value: str) -> Iterator[Suggestion]:
    yield Suggestion(value, _("this value only"))
    place = value if kind in NAMES or kind in ADDRESSES else host(kind, value)
    if not place:
        return
    try:
        network = ipaddress.ip_network(place)
    except ValueError:
        yield from _of_name(place, is_itself=place == value)
    else:
        yield from _of_network(network, is_itself=place == value)


def _of_name(name: str, *, is_itself: bool) -> Iterator[Suggestion]:
    if not is_itself:
        yield Suggestion(name, _("the name of its host"))
    above = [one for one in parents(name) if "." in one and protection(T.DOMAIN, one) is None]
    for one in [name, *above[:PARENTS]]:
        yield Suggestion(f".{one}", _("%(name)s and all below it", name=one))


def _of_network(network: ipaddress.IPv4Network | ipaddress.IPv6Network, *, is_itself: bool) -> Iterator[Suggestion]:
    if not is_itself:
        yield Suggestion(str(network.network_address), _("the address of its host"))
    for prefix in NETWORKS[network.version]:
        if prefix < network.prefixlen:
            wider = network.supernet(new_prefix=prefix)
            yield Suggestion(str(wider), _("the network, with all addresses in it"))
