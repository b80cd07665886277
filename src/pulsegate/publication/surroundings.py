"""The indicators around a value, and the keys by which what concerns it is found."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from pulsegate.curation.protections import carried_ipv4
from pulsegate.model.collection import CollectionKind
from pulsegate.model.indicator import ADDRESSES, LOCATORS, NAMES
from pulsegate.model.indicator import IndicatorType as T
from pulsegate.model.omission import addresses_of
from pulsegate.publication.explanation import Neighbour, Neighbours
from pulsegate.publication.plan import pulse_identity
from pulsegate.store import around
from pulsegate.store.around import Nearby, Some
from pulsegate.store.collections import StoredCollection
from pulsegate.store.database import Connection
from pulsegate.store.digests import value_key
from pulsegate.values.neighbours import Network, below, host, host_key, parents, small_network, small_networks, within

RELATIONS = {
    "networks": "networks that hold it",
    "holds": "addresses and networks in it",
    "parents": "names above it",
    "below": "names below it",
    "host": "its host",
    "domain": "its domain",
    "urls": "URLs on the same host",
    "mailboxes": "mail addresses in the same domain",
}
"""What a neighbour is to the value, with the words for people."""


def network_of(kind: T, value: str) -> Network | None:
    """The network that an address, a network, or the address of a host is; None for a name and the like."""
    text = value if kind in ADDRESSES else host(kind, value)
    try:
        return ipaddress.ip_network(text)
    except ValueError:
        return None


def entry_texts(kind: T, value: str) -> set[str]:
    """The texts of all entries of an allow list that may cover the value, but for networks in a network."""
    found = {value}
    network = network_of(kind, value)
    if network is not None:
        carried = carried_ipv4(network)
        for one in [network] if carried is None else [network, carried]:
            found.update(str(one.supernet(new_prefix=prefix)) for prefix in range(one.prefixlen + 1))
    else:
        name = value if kind in NAMES else host(kind, value)
        found.update([name, *parents(name)])
    return found - {""}


def entwined(kind: T, value: str) -> set[bytes]:
    """The identities of those on whose value a decision counts here too, where networks are written by addresses.

    Of an address the small networks that hold it; of such a network its addresses.
    """
    parts = (
        addresses_of(value) if small_network(kind, value) else ((T.CIDR, one) for one in small_networks(kind, value))
    )
    return {value_key(*one) for one in parts}


def neighbours(
    connection: Connection, kind: T, value: str, every: Sequence[StoredCollection]
) -> tuple[Neighbours, ...]:
    """The indicators around the value, in the order of ``RELATIONS``; what there are none of is left out."""
    found = {relation: some for relation, some in _around(connection, kind, value) if some.number}
    shown = [one for some in found.values() for one in some.examples]
    there = counts(connection, shown, every)
    return tuple(
        Neighbours(
            relation,
            found[relation].number,
            [Neighbour(one.type, one.value, *there[one.identity]) for one in found[relation].examples],
            found[relation].is_all,
        )
        for relation in RELATIONS
        if relation in found
    )


def _around(connection: Connection, kind: T, value: str) -> Iterator[tuple[str, Some]]:
    itself, network = value_key(kind, value), network_of(kind, value)
    holding = _holding(connection, network) if network is not None else []
    if network is not None:
        yield "networks", _all(holding)
    if kind is T.CIDR and network is not None:
        mine = {itself, *(one.identity for one in holding)}
        yield "holds", around.among(connection, within(network), ADDRESSES, mine)
    yield from _around_name(connection, kind, value, is_address=network is not None)
    key = host_key(kind, value)
    if key is not None and kind is not T.CIDR:
        same = (key, key + b"\0")
        if kind is not T.EMAIL:
            yield "urls", around.among(connection, same, LOCATORS, {itself})
        if kind in NAMES or kind is T.EMAIL:
            yield "mailboxes", around.among(connection, same, {T.EMAIL}, {itself})


def _around_name(connection: Connection, kind: T, value: str, *, is_address: bool) -> Iterator[tuple[str, Some]]:
    place = host(kind, value)
    name = value if kind in NAMES else "" if is_address else place
    if name:
        above = [value_key(T.DOMAIN, one) for one in parents(name)]
        yield "parents", _all(around.with_identities(connection, above))
    if kind in NAMES:
        yield "below", around.among(connection, below(name), NAMES, {value_key(kind, value)})
    if place:
        families = (T.IPV6 if ":" in place else T.IPV4,) if is_address else (T.DOMAIN,)
        relation = "domain" if kind is T.EMAIL else "host"
        yield relation, _all(around.with_identities(connection, [value_key(one, place) for one in families]))


def _holding(connection: Connection, network: Network) -> list[Nearby]:
    """The indicators that are networks which hold it, the smallest first."""
    wider = [str(network.supernet(new_prefix=prefix)) for prefix in range(network.prefixlen - 1, -1, -1)]
    return around.with_identities(connection, [value_key(T.CIDR, one) for one in wider])


def _all(found: Sequence[Nearby]) -> Some:
    return Some(len(found), found[: around.EXAMPLES])


def counts(
    connection: Connection, shown: Iterable[Nearby], every: Sequence[StoredCollection]
) -> Mapping[bytes, tuple[int, int]]:
    """Of each: in how many collections it is, and in how many that might have it it is not."""
    carriers = around.carriers(connection, {one.identity for one in shown})
    keys = _placed_as(carriers)
    inside: dict[bytes, set[int]] = {}
    for place in around.places(connection, [one.id for one in every], keys):
        inside.setdefault(keys[place.identity], set()).add(place.collection_id)
    found = {}
    for identity, pulses in carriers.items():
        there = inside.get(identity, set())
        authors = {author for _, author in pulses}
        might = {one.id for one in every if one.collection.author is None or one.collection.author in authors}
        found[identity] = (len(there), len(might - there))
    return found


def placed_as(connection: Connection, identities: Collection[bytes]) -> dict[bytes, bytes]:
    """What each value may be placed as: once, or of each pulse that has it by itself; by that, the value's identity."""
    none: dict[bytes, list[tuple[int, str]]] = {identity: [] for identity in identities}
    return _placed_as(none | around.carriers(connection, identities))


def _placed_as(carriers: Mapping[bytes, Sequence[tuple[int, str]]]) -> dict[bytes, bytes]:
    found = {identity: identity for identity in carriers}
    for identity, pulses in carriers.items():
        found |= {pulse_identity(pk, identity): identity for pk, _ in pulses}
    return found


def by_rule(every: Iterable[StoredCollection]) -> list[StoredCollection]:
    """Those whose contents are decided on here: what is in an inbox is its senders' business."""
    return [one for one in every if one.collection.kind is not CollectionKind.INBOX]
