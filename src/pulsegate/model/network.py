"""A set of IP addresses and networks, and what of them is one client."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass

_ONE_HOST = 64  # bits of an IPv6 address below which one host chooses its own


@dataclass(frozen=True, slots=True)
class Networks:
    """Which addresses are in it is asked with ``in``."""

    networks: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...] = ()

    @classmethod
    def of(cls, entries: Iterable[str]) -> Networks:
        """From addresses and networks as people write them; ValueError for what is neither."""
        return cls(tuple(ipaddress.ip_network(entry.strip(), strict=False) for entry in entries))

    def __contains__(self, address: str) -> bool:
        """False for what is no address."""
        found = _parsed(address)
        return found is not None and any(found in network for network in self.networks)


def one_client(address: str) -> str:
    """What counts as one client: an IPv4 address, or an IPv6 network of 64 bits, which is what one client gets."""
    found = _parsed(address)
    if found is None:
        return address
    return str(found if found.version == 4 else ipaddress.ip_network((found, _ONE_HOST), strict=False))  # noqa: PLR2004


def _parsed(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """None for what is no address. An IPv4 address that comes as an IPv6 one (``::ffff:…``) is the IPv4 one."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return found if mapped is None else mapped
