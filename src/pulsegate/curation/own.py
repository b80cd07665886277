"""The administrator's own domains and networks: what must never be served, whatever a pulse says."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

from pulsegate.curation.value_set import Batch, EntryKind, ValueSet
from pulsegate.model.indicator import NAMES, IndicatorType, RawIndicator, Rejection
from pulsegate.values.normalise import normalise


class Own:
    """Answers which entry covers a value: a domain covers its subtree, mail addresses and addresses of pages in it."""

    def __init__(self, entries: Iterable[str]) -> None:
        """ValueError for an entry that is neither a domain nor a network."""
        found = [_read(entry) for entry in entries]
        self.entries = tuple(sorted(text for _, text in found))
        kinds = (EntryKind.SUBTREE, EntryKind.NETWORK)
        batches = (Batch(kind, [text for its, text in found if its is kind]) for kind in kinds)
        self._set = ValueSet(batches, hosts=True)

    def __bool__(self) -> bool:
        return bool(self._set)

    def covering(self, kind: IndicatorType, value: str) -> str | None:
        """The entry that covers the value, None when none does."""
        found = self._set.covering(kind, value)
        return None if found is None else found.text


def _read(entry: str) -> tuple[EntryKind, str]:
    try:
        return EntryKind.NETWORK, str(ipaddress.ip_network(entry.strip(), strict=False))
    except ValueError:
        found = normalise(RawIndicator(type="domain", value=entry))
        if isinstance(found, Rejection) or found.type not in NAMES:
            raise ValueError(f"{entry!r} is neither a domain nor a network") from None
        return EntryKind.SUBTREE, found.value
