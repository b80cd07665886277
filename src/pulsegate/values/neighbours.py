"""Keys that put what lies below a domain, or in a network, next to each other, so that it is one range."""

from __future__ import annotations

import ipaddress

from pulsegate.model.collection import EXPAND
from pulsegate.model.indicator import ADDRESSES, LOCATORS, NAMES, IndicatorType
from pulsegate.values.locators import host_of

Range = tuple[bytes, bytes]
"""The first key, and the one before which the range ends."""


CARRIERS = ((ipaddress.IPv6Network("2002::/16"), 16), (ipaddress.IPv6Network("64:ff9b::/96"), 96))
"""IPv6 ranges whose addresses carry an IPv4 address behind so many bits: 6to4 (RFC 3056), NAT64 (RFC 6052)."""

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def host_key(kind: str, value: str) -> bytes | None:
    """The key of a value of this type in its normal form: of the host of a URL or a mail address; None without one.

    A name is written from its end, ``com.example.www.``; an address, and the first one of a network, is ``4:`` or
    ``6:`` with its hex digits.
    """
    if kind in ADDRESSES:
        return address_key(value.partition("/")[0])
    if kind in NAMES:
        return name_key(value)
    return _of_host(host(kind, value))


def host(kind: str, value: str) -> str:
    """The host of a URL, the domain of a mail address (either may be an address); empty for what has none."""
    if kind in LOCATORS:
        return host_of(value)
    if kind is IndicatorType.EMAIL:
        return value.rpartition("@")[2].strip("[]").removeprefix("IPv6:")
    return ""


def _of_host(host: str) -> bytes | None:
    if not host:
        return None
    if ":" in host or host.rpartition(".")[2].isdigit():
        return address_key(host)
    return name_key(host)


def name_key(name: str) -> bytes:
    return (".".join(reversed(name.split("."))) + ".").encode()


def address_key(address: str) -> bytes | None:
    """None for what is no address."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return None
    return f"{found.version}:{found.packed.hex()}".encode()


def parents(name: str) -> list[str]:
    """The names above a name, the nearest first."""
    labels = name.split(".")
    return [".".join(labels[place:]) for place in range(1, len(labels))]


def below(name: str) -> Range:
    """The keys of a name and of all names below it."""
    key = name_key(name)
    return key, key[:-1] + b"/"  # the byte after the dot


def within(network: Network) -> Range:
    """The keys of the addresses in a network, and of the networks that begin in it."""
    first, last = (str(one) for one in (network.network_address, network.broadcast_address))
    begin, end = address_key(first), address_key(last)
    assert begin is not None
    assert end is not None
    return begin, end + b"\0"


def carrying(network: Network) -> list[Network]:
    """The network, and those of IPv6 whose addresses carry one of its addresses."""
    found = [network]
    if isinstance(network, ipaddress.IPv4Network):
        for carrier, bits in CARRIERS:
            first = int(carrier.network_address) | int(network.network_address) << (96 - bits)
            found.append(ipaddress.IPv6Network((first, bits + network.prefixlen)))
    return found


def small_networks(kind: str, value: str, most: int = EXPAND) -> list[str]:
    """The networks of up to ``most`` addresses that hold the address; none for what is no address."""
    if kind not in (IndicatorType.IPV4, IndicatorType.IPV6):
        return []
    network = ipaddress.ip_network(value)
    fewest = network.max_prefixlen - (most.bit_length() - 1)
    return [str(network.supernet(new_prefix=prefix)) for prefix in range(network.max_prefixlen - 1, fewest - 1, -1)]


def small_network(kind: str, value: str, most: int = EXPAND) -> bool:
    """Whether it is a network of up to ``most`` addresses."""
    return kind == IndicatorType.CIDR and ipaddress.ip_network(value).num_addresses <= most


def holders(network: Network) -> list[bytes]:
    """The keys that a network which holds this one may have: those of all shorter prefixes."""
    found = {
        address_key(str(network.supernet(new_prefix=prefix).network_address)) for prefix in range(network.prefixlen)
    }
    return sorted(one for one in found if one is not None)
