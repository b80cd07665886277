"""The administrator's own domains and networks: what must never be served, whatever a pulse says."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

from pulsegate.curation.protections import carried_ipv4
from pulsegate.model.indicator import IndicatorType, RawIndicator, Rejection
from pulsegate.values.locators import host_of
from pulsegate.values.normalise import normalise

_Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_NAMES = frozenset({IndicatorType.DOMAIN, IndicatorType.HOSTNAME})
_NETWORKS = frozenset({IndicatorType.IPV4, IndicatorType.IPV6, IndicatorType.CIDR})


class Own:
    """Answers which entry covers a value: a domain covers its subtree, mail addresses and addresses of pages in it."""

    def __init__(self, entries: Iterable[str]) -> None:
        """ValueError for an entry that is neither a domain nor a network."""
        self._names: set[str] = set()
        self._networks: list[_Network] = []
        for entry in entries:
            self._add(entry)

    def _add(self, entry: str) -> None:
        try:
            self._networks.append(ipaddress.ip_network(entry.strip(), strict=False))
        except ValueError:
            found = normalise(RawIndicator(type="domain", value=entry))
            if isinstance(found, Rejection) or found.type not in _NAMES:
                raise ValueError(f"{entry!r} is neither a domain nor a network") from None
            self._names.add(found.value)

    def __bool__(self) -> bool:
        return bool(self._names or self._networks)

    def covering(self, kind: IndicatorType, value: str) -> str | None:
        """The entry that covers the value, None when none does."""
        if kind in _NAMES:
            return self._name(value)
        if kind in _NETWORKS:
            return self._network(value)
        if kind is IndicatorType.EMAIL:
            return self._host(value.rpartition("@")[2].strip("[]").removeprefix("IPv6:"))
        if kind in (IndicatorType.URL, IndicatorType.URI):
            return self._host(host_of(value))
        return None

    def _host(self, host: str) -> str | None:
        return self._name(host) or self._network(host)

    def _name(self, name: str) -> str | None:
        labels = name.split(".")
        for start in range(len(labels)):
            parent = ".".join(labels[start:])
            if parent in self._names:
                return parent
        return None

    def _network(self, value: str) -> str | None:
        try:
            network = ipaddress.ip_network(value, strict=False)
        except ValueError:
            return None
        carried = carried_ipv4(network)
        for own in self._networks:
            for one in (network, carried):
                if one is not None and own.version == one.version and own.overlaps(one):
                    return str(own)
        return None
