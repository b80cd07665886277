"""A hundred thousand networks, and which of them hold or overlap an address or a network.

Networks lie inside each other or apart, so one ``bisect`` finds the last that begins at or before an address, and those
that hold the address are among that one and the ones around it.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from ipaddress import IPv4Address, IPv6Address, IPv6Network
from socket import AF_INET, AF_INET6, inet_pton
from typing import NamedTuple

from pulsegate.curation.protections import carried_ipv4

_BITS = {4: 32, 6: 128}
_FOUR, _SIX = (4, int(AF_INET), 32), (6, int(AF_INET6), 128)  # plain integers: members of enumerations are slow
_LONGEST_LENGTH = 3  # digits of a prefix length
_NUMBER_BITS = 16
_LENGTH_BITS = 8
_HIGHEST = (1 << _NUMBER_BITS) - 1
_LENGTHS = (1 << _LENGTH_BITS) - 1
_REST_BITS = _LENGTH_BITS + _NUMBER_BITS  # what stands behind the first address in a key
_REST = (1 << _REST_BITS) - 1


class Span(NamedTuple):
    """A network: IP version, first address as an integer, length of the prefix."""

    version: int
    first: int
    prefix: int

    @property
    def last(self) -> int:
        return self.first | ((1 << (_BITS[self.version] - self.prefix)) - 1)

    def __str__(self) -> str:
        address = IPv4Address(self.first) if self.version == 4 else IPv6Address(self.first)  # noqa: PLR2004
        return f"{address}/{self.prefix}"


def span(text: str) -> Span | None:
    """The network or single address that the text is, without its host bits; None when it is neither."""
    front, slash, length = text.partition("/")
    version, family, bits = _SIX if ":" in front else _FOUR
    if slash and not (length.isascii() and length.isdigit() and len(length) <= _LONGEST_LENGTH):
        return None
    prefix = int(length) if slash else bits
    try:
        address = int.from_bytes(inet_pton(family, front))
    except (OSError, ValueError):
        return None
    host = bits - prefix
    return Span(version, address >> host << host, prefix) if host >= 0 else None


def is_mapped(found: Span) -> bool:
    """Whether it lies in the IPv6 range that stands for IPv4 (``::ffff:0:0/96``), which no normal form does."""
    return found.version == 6 and found.prefix >= 96 and found.first >> 32 == 0xFFFF  # noqa: PLR2004


class NetworkTree:
    """Answers which networks, and under which numbers (below 65,536), overlap an address or a network."""

    def __init__(self, filed: Mapping[int, Iterable[str]]) -> None:
        """``filed``: addresses and networks by number. What is neither is left out."""
        keys: dict[int, list[int]] = {4: [], 6: []}
        for number, texts in filed.items():
            for found in map(span, texts):
                if found is not None:
                    keys[found.version].append(_key(found, number))
        self._levels = {version: _Level(version, found) for version, found in keys.items() if found}

    def __len__(self) -> int:
        return sum(len(level.keys) for level in self._levels.values())

    def overlapping(self, text: str) -> Iterator[tuple[int, Span]]:
        """Number and network of each that holds the address or network (the narrowest first) or lies inside it.

        An address inside IPv6 that carries an IPv4 one (6to4, NAT64) is looked up as both.
        """
        wanted = span(text) if self._levels else None
        while wanted is not None:
            if (level := self._levels.get(wanted.version)) is not None:
                yield from level.overlapping(wanted)
            wanted = _carried(wanted)


def _key(found: Span, number: int) -> int:
    """Sorts by first address, wide networks before those inside them."""
    return (found.first << _LENGTH_BITS | found.prefix) << _NUMBER_BITS | number


def _carried(found: Span) -> Span | None:
    if found.version == 4:  # noqa: PLR2004
        return None
    inner = carried_ipv4(IPv6Network((found.first, found.prefix)))
    return None if inner is None else Span(4, int(inner.network_address), inner.prefixlen)


class _Level:
    """The networks of one IP version: their keys in order, and for each the place of the one around it, or -1."""

    def __init__(self, version: int, keys: list[int]) -> None:
        self._version = version
        self._sizes = [(1 << (_BITS[version] - prefix)) - 1 for prefix in range(_BITS[version] + 1)]
        ordered = sorted(set(keys))
        self.keys: Sequence[int] = array("Q", ordered) if version == 4 else ordered  # noqa: PLR2004
        self._around = array("i", self._arounds())

    def _arounds(self) -> Iterator[int]:
        open_ = [(-1, 1 << _BITS[6])]  # place and last address of those that are not yet over, around them everything
        for place, key in enumerate(self.keys):
            first, prefix = key >> _REST_BITS, key >> _NUMBER_BITS & _LENGTHS
            while open_[-1][1] < first:
                open_.pop()
            yield open_[-1][0]
            open_.append((place, first | self._sizes[prefix]))

    def overlapping(self, wanted: Span) -> Iterator[tuple[int, Span]]:
        below = bisect_right(self.keys, (wanted.first << _REST_BITS) | _REST)
        place = below - 1
        while place >= 0:
            key = self.keys[place] >> _NUMBER_BITS
            if key >> _LENGTH_BITS | self._sizes[key & _LENGTHS] >= wanted.first:
                yield self._entry(place)
            place = self._around[place]
        if wanted.prefix < _BITS[self._version]:
            above = bisect_right(self.keys, (wanted.last << _REST_BITS) | _REST)
            yield from (self._entry(inside) for inside in range(below, above))

    def _entry(self, place: int) -> tuple[int, Span]:
        key = self.keys[place] >> _NUMBER_BITS
        return self.keys[place] & _HIGHEST, Span(self._version, key >> _LENGTH_BITS, key & _LENGTHS)
