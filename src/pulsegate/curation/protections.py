"""Protections: values that no feed should block, whoever lists them. Pure; values are in their normal form.

Sources: IANA's special-purpose address registries (RFC 6890 and its successors), IPv6 global unicast (RFC 4291 section
2.4). The table is written out, since ``ipaddress.is_global`` answers differently from one Python to the next.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Network, ip_network

from pulsegate.model.collection import PROTECTIONS
from pulsegate.model.indicator import ADDRESSES, LOCATORS, IndicatorType
from pulsegate.model.indicator import NAMES as NAMES_OF_HOSTS
from pulsegate.values.locators import host_of
from pulsegate.values.neighbours import CARRIERS
from pulsegate.values.suffixes import is_public_suffix, is_single_label

RESERVED_RANGE = "reserved-range"
PUBLIC_SUFFIX = "public-suffix"
SINGLE_LABEL = "single-label"
NAMES = PROTECTIONS

Network = IPv4Network | IPv6Network

_RESERVED: tuple[tuple[Network, str], ...] = tuple(
    (ip_network(network), reason)
    for network, reason in (
        ("0.0.0.0/8", "means this host or this network"),
        ("10.0.0.0/8", "is private"),
        ("100.64.0.0/10", "is shared by a carrier's customers"),
        ("127.0.0.0/8", "is loopback"),
        ("169.254.0.0/16", "is link-local"),
        ("172.16.0.0/12", "is private"),
        ("192.0.0.0/24", "is kept for protocols"),
        ("192.0.2.0/24", "is for documentation"),
        ("192.168.0.0/16", "is private"),
        ("198.18.0.0/15", "is for benchmarks"),
        ("198.51.100.0/24", "is for documentation"),
        ("203.0.113.0/24", "is for documentation"),
        ("224.0.0.0/4", "is multicast"),
        ("255.255.255.255/32", "is broadcast"),
        ("240.0.0.0/4", "is reserved"),
        ("::/128", "means no address"),
        ("::1/128", "is loopback"),
        ("64:ff9b:1::/48", "is for translation inside a network"),
        ("100::/64", "is discarded"),
        ("2001::/23", "is kept for protocols"),
        ("2001:db8::/32", "is for documentation"),
        ("3fff::/20", "is for documentation"),
        ("5f00::/16", "is for segment routing inside a network"),
        ("fc00::/7", "is private"),
        ("fe80::/10", "is link-local"),
        ("fec0::/10", "is private to a site"),
        ("ff00::/8", "is multicast"),
        # What IANA has given to nobody: all but 2000::/3.
        ("::/3", "is not in public use"),
        ("4000::/2", "is not in public use"),
        ("8000::/1", "is not in public use"),
    )
)


def _bounds(network: Network) -> tuple[int, int]:
    return int(network.network_address), int(network.broadcast_address)


# By IP version: first and last address as integers, which compare faster than networks.
_BOUNDS = {
    version: tuple((*_bounds(network), network, reason) for network, reason in _RESERVED if network.version == version)
    for version in (4, 6)
}
_NARROWEST_WIDE = {4: 8, 6: 16}  # a prefix shorter than this is no network that anybody would mean to block

# The first octets under which anything is reserved: most addresses are done with one look.
_OCTETS = frozenset(
    str(octet)
    for network, _ in _RESERVED
    if isinstance(network, IPv4Network)
    for octet in range(network.network_address.packed[0], network.broadcast_address.packed[0] + 1)
)


@dataclass(frozen=True, slots=True)
class Protection:
    """Which protection holds a value back, and why, for people."""

    name: str
    reason: str


def protection(type: IndicatorType, value: str, enabled: frozenset[str] | None = None) -> Protection | None:  # noqa: A002
    """The protection that holds ``value`` back among those ``enabled`` (None: all), or None.

    A URL is protected for the host it points at only when that lies inside somebody's network: it never stands for its
    host, so a URL on a public suffix is as good an indicator as any.
    """
    if type in ADDRESSES:
        found = _of_address(value)
    elif type in NAMES_OF_HOSTS:
        found = _of_suffix(value, enabled) or _of_label(value)
    elif type in LOCATORS:
        found = _of_host(host_of(value))
    else:
        return None
    return found if found and (enabled is None or found.name in enabled) else None


def _of_address(value: str) -> Protection | None:
    if ":" not in value and "/" not in value and value.partition(".")[0] not in _OCTETS:
        return None
    try:
        network = ip_network(value, strict=False)
    except ValueError:
        return None
    reason = _wide(network) or _reserved(network)
    return Protection(RESERVED_RANGE, reason) if reason else None


def _of_suffix(value: str, enabled: frozenset[str] | None) -> Protection | None:
    if (enabled is not None and PUBLIC_SUFFIX not in enabled) or not is_public_suffix(value):
        return None
    return Protection(PUBLIC_SUFFIX, f"{value} is a public suffix: strangers register names below it")


def _of_label(value: str) -> Protection | None:
    if not is_single_label(value):
        return None
    return Protection(SINGLE_LABEL, f"{value} has no dot, as names inside a network do")


def _of_host(host: str) -> Protection | None:
    if ":" in host or host.rpartition(".")[2].isdigit():
        return _of_address(host)
    return _of_label(host) if host else None


def _wide(network: Network) -> str | None:
    if network.prefixlen >= _NARROWEST_WIDE[network.version]:
        return None
    return f"{network} is wider than /{_NARROWEST_WIDE[network.version]}"


def _reserved(network: Network) -> str | None:
    """Why the network, or the IPv4 network that it carries, lies in or overlaps a reserved range, or None."""
    if (carried := carried_ipv4(network)) is not None:
        inner = _reserved(carried)
        return f"{_shown(network)} carries an IPv4 address: {inner}" if inner else None
    for reserved, meaning in _overlapping(network):
        if reserved.prefixlen <= network.prefixlen:
            return f"{_shown(network)} lies in {reserved}, which {meaning}"
        return f"{_shown(network)} overlaps {reserved}, which {meaning}"
    return None


def _overlapping(network: Network) -> Iterator[tuple[Network, str]]:
    first, last = _bounds(network)
    for low, high, reserved, reason in _BOUNDS[network.version]:
        if low <= last and first <= high:
            yield reserved, reason


def carried_ipv4(network: Network) -> IPv4Network | None:
    """The IPv4 network that a 6to4 or NAT64 network carries, None for any other."""
    if isinstance(network, IPv4Network):
        return None
    for carrier, bits in CARRIERS:
        if network.subnet_of(carrier):
            inner = int(network.network_address) >> (96 - bits) & 0xFFFFFFFF
            return IPv4Network((IPv4Address(inner), min(network.prefixlen - bits, 32)))
    return None


def _shown(network: Network) -> str:
    return str(network.network_address) if network.prefixlen == network.max_prefixlen else str(network)
