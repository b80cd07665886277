"""IPv4 and IPv6 addresses and networks.

Sources: RFC 6943 section 3.1.1 (octal and integer forms of IPv4 are ambiguous), RFC 5952 (how IPv6 is written).
"""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network

from pulsegate.model.indicator import IndicatorType
from pulsegate.values.fault import SEVERAL, WHITE_SPACE, NoValueError, has_white_space, is_glued, limit
from pulsegate.values.names import port

_LONGEST_INPUT = 128
_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
IPV4_PATTERN = rf"{_OCTET}\.{_OCTET}\.{_OCTET}\.{_OCTET}"
_IPV4 = re.compile(IPV4_PATTERN)
_FOUR_NUMBERS = re.compile(r"[0-9]{1,}(?:\.[0-9]{1,}){3}")
_COLONS = re.compile(r"[0-9A-Fa-f]*:[0-9A-Fa-f]*:[0-9A-Fa-f:.]*(?:%.*)?")
_IPV4_PORT = re.compile(r"([0-9.]+):([0-9]+)")
_BRACKETED = re.compile(r"\[([0-9A-Fa-f:.%]+)\](?::([0-9]+))?")
_RANGE = re.compile(r"([0-9A-Fa-f.:]+)\s?[-\u2013]\s?[0-9A-Fa-f.:]+")

WHAT = "not an IP address"
Reading = tuple[IndicatorType, str]


def looks_like_address(text: str) -> bool:
    """Whether the text can only be meant as an address or a network, right or wrong."""
    front = text.partition("/")[0]
    return bool(_FOUR_NUMBERS.fullmatch(front.partition(":")[0]) or _COLONS.fullmatch(front) or front.startswith("["))


def address(text: str) -> Reading:
    """The type and normal form of a tidied, re-fanged address or network. Raises NoValueError.

    ``1.2.3.4:8080`` is the address (the author named it; the port is noise), ``1.2.3.4/32`` too; a network loses its
    host bits; an IPv4 address mapped into IPv6 is IPv4. Leading zeros and integers are refused: readers differ on them.
    """
    limit(text, _LONGEST_INPUT, WHAT)
    front, slash, length = text.partition("/")
    if slash:
        return _network(front.strip(), length.strip())
    if match := _IPV4_PORT.fullmatch(text) or _BRACKETED.fullmatch(text):
        if match[2] is not None:
            port(match[2], WHAT)
        text = match[1]
    return _single(text)


def ipv4(text: str, what: str = WHAT) -> str:
    """The IPv4 address, checked; ``what`` begins the reason. Raises NoValueError."""
    if _IPV4.fullmatch(text):
        return text
    if not _FOUR_NUMBERS.fullmatch(text):
        raise NoValueError(f"{what}: {_cause(text)}")
    if any(len(octet) > 1 and octet[0] == "0" for octet in text.split(".")):
        raise NoValueError(f"{what}: leading zeros, which some read as octal")
    raise NoValueError(f"{what}: a number above 255")


def ipv6(text: str, what: str = WHAT) -> Reading:
    """The IPv6 address, compressed and in lower case; IPv4 when it is mapped from there. Raises NoValueError."""
    if "%" in text:
        raise NoValueError(f"{what}: a zone id, which means something on one host only")
    try:
        found = IPv6Address(text)
    except ValueError as error:
        raise NoValueError(f"{what}: {_cause(text)}") from error
    if found.ipv4_mapped:
        return IndicatorType.IPV4, str(found.ipv4_mapped)
    return IndicatorType.IPV6, found.compressed


def _single(text: str) -> Reading:
    return ipv6(text) if ":" in text else (IndicatorType.IPV4, ipv4(text))


def _network(front: str, length: str) -> Reading:
    type_, found = _single(front)
    bits = 128 if ":" in front else 32
    prefix = _prefix(length, bits)
    if type_ is IndicatorType.IPV4 and bits > 32:  # noqa: PLR2004  mapped into IPv6
        return _mapped(found, prefix)
    network = ip_network(f"{found}/{prefix}", strict=False)
    return _network_reading(network)


def _mapped(found: str, prefix: int) -> Reading:
    if prefix < 96:  # noqa: PLR2004
        raise NoValueError(f"{WHAT}: a network that is wider than all of IPv4")
    return _network_reading(IPv4Network(f"{found}/{prefix - 96}", strict=False))


def _network_reading(network: IPv4Network | IPv6Network) -> Reading:
    if network.prefixlen == network.max_prefixlen:
        single = network.network_address
        return (IndicatorType.IPV4 if isinstance(single, IPv4Address) else IndicatorType.IPV6), single.compressed
    return IndicatorType.CIDR, network.compressed


def _prefix(length: str, bits: int) -> int:
    if length.startswith("255.") and _IPV4.fullmatch(length):
        try:
            return IPv4Network(f"0.0.0.0/{length}").prefixlen
        except ValueError:
            pass
    if not (length.isascii() and length.isdigit() and len(length) <= len(str(bits)) and int(length) <= bits):
        raise NoValueError(f"{WHAT}: the prefix length is not a number from 0 to {bits}")
    return int(length)


def _cause(text: str) -> str:
    if is_glued(text, looks_like_address):
        return SEVERAL
    if has_white_space(text):
        return WHITE_SPACE
    if (match := _RANGE.fullmatch(text)) and looks_like_address(match[1]):
        return "a range of addresses, neither one address nor a network"
    return "neither four numbers with dots nor an IPv6 address"
