"""A small network, for those who match single addresses only: written address by address."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from ipaddress import ip_network

from pulsegate.model.collection import Profile
from pulsegate.model.indicator import Indicator, IndicatorType
from pulsegate.model.omission import addresses_of, part_identity
from pulsegate.stix.text import cut

TEXT_LIMIT = 100
"""Title and description are repeated for each address: 256 times they must fit into a block."""


@dataclass(frozen=True, slots=True)
class Address(Indicator):
    """One address of ``network``, which stands for it as a part.

    It is no indicator of its own: the ids that derive from its identity are other ones than those of the same address
    where that is listed by itself. So it may stand in a collection twice; the appliance has a set of addresses.
    """

    network: str

    @property
    def identity(self) -> str:
        return part_identity(self.network, self.value)


@dataclass(frozen=True, slots=True)
class Remainder(Indicator):
    """A network of which some addresses are ``omitted`` where it is written address by address."""

    omitted: frozenset[str]


def without(indicator: Indicator, omitted: frozenset[str]) -> Indicator:
    """The network, to be written without these of its addresses."""
    return Remainder(indicator.type, indicator.value, indicator.raw, omitted) if omitted else indicator


def size(indicator: Indicator, profile: Profile) -> int:
    """How many STIX Indicators ``indicator`` becomes in ``profile``, which can express it."""
    return addresses_in(indicator.value) - len(_omitted(indicator)) if _is_expanded(indicator, profile) else 1


def addresses_in(network: str) -> int:
    """How many addresses a network in normal form has."""
    return ip_network(network).num_addresses


def expanded(indicators: Sequence[Indicator], profile: Profile) -> Sequence[Indicator]:
    """The indicators as they are written in ``profile``: each network as its addresses, where it can't be one itself.

    All addresses of the network, its first and its last one included: to a mail gateway each of them is a host. But
    for those that are omitted (``without``).
    """
    if not any(_is_expanded(one, profile) for one in indicators):
        return indicators
    return list(_expanded(indicators, profile))


def _expanded(indicators: Iterable[Indicator], profile: Profile) -> Iterator[Indicator]:
    for one in indicators:
        if _is_expanded(one, profile):
            yield from _addresses(one)
        else:
            yield one


def _is_expanded(indicator: Indicator, profile: Profile) -> bool:
    return profile is Profile.ESA and indicator.type is IndicatorType.CIDR


def _addresses(indicator: Indicator) -> Iterator[Address]:
    omitted = _omitted(indicator)
    # What a reader finds on the appliance leads back to what OTX listed.
    description = cut(f"Of the network {indicator.value}. {indicator.raw.description}".rstrip(), TEXT_LIMIT)
    raw = replace(indicator.raw, title=cut(indicator.raw.title, TEXT_LIMIT), description=description)
    for kind, address in addresses_of(indicator.value):
        if address not in omitted:
            yield Address(kind, address, raw, indicator.value)


def _omitted(indicator: Indicator) -> frozenset[str]:
    return indicator.omitted if isinstance(indicator, Remainder) else frozenset()
