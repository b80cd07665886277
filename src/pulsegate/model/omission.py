"""A network that is written address by address, without those of its addresses that are out by themselves."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass

from pulsegate.model.indicator import IndicatorType, identity_of


@dataclass(frozen=True, slots=True)
class Omission:
    """The addresses, in normal form, without which ``network`` (in normal form) is written; never all of them."""

    network: str
    addresses: frozenset[str]


NOTHING = frozenset[str]()


def left_out(omission: Omission | None) -> frozenset[str]:
    """The addresses; none where nothing is omitted."""
    return NOTHING if omission is None else omission.addresses


def address_kind(text: str) -> IndicatorType:
    """The type of an address, or of the addresses of a network."""
    return IndicatorType.IPV6 if ":" in text else IndicatorType.IPV4


def addresses_of(network: str) -> Iterator[tuple[IndicatorType, str]]:
    """Type and normal form of each address of a network in normal form, its first and its last one included."""
    found = ipaddress.ip_network(network)
    kind = address_kind(network)
    return ((kind, address.compressed) for address in found)


def part_identity(network: str, address: str) -> str:
    """What an address is as a part of the network: another identity than it has where it is listed by itself."""
    return f"{identity_of(IndicatorType.CIDR, network)} {identity_of(address_kind(address), address)}"
