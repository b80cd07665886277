"""The allow list: what people said must not be served, with subtrees and networks, and which entry it was."""

from __future__ import annotations

from collections.abc import Iterable

from pulsegate.curation.value_set import Batch, EntryKind, ValueSet
from pulsegate.model.decisions import Allowed
from pulsegate.model.indicator import IndicatorType

KINDS = (EntryKind.EXACT, EntryKind.SUBTREE, EntryKind.NETWORK)


class AllowList:
    """Answers which entry covers a value; of several, the most telling: exact, then the longest name or network."""

    def __init__(self, entries: Iterable[Allowed] = ()) -> None:
        self.entries = tuple(entries)
        self._by_text = {(one.kind, one.text): one for one in self.entries}
        batches = (Batch(kind, [one.text for one in self.entries if one.kind == kind]) for kind in KINDS)
        self._set = ValueSet(batches, hosts=True)

    def __bool__(self) -> bool:
        return bool(self.entries)

    def covering(self, kind: IndicatorType, value: str) -> Allowed | None:
        """The entry that covers the value, None when none does."""
        found = self._set.covering(kind, value)
        return None if found is None else self._by_text[found.kind.value, found.text]

    def every(self, kind: IndicatorType, value: str) -> list[Allowed]:
        """All entries that cover the value, the most telling first."""
        return [self._by_text[found.kind.value, found.text] for found in self._set.every(kind, value)]
