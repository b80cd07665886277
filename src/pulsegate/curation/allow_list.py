"""The allow list: what people said must not be served, with subtrees and networks, and which entry it was."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable

from pulsegate.curation.entry_file import parse_entry
from pulsegate.curation.value_set import Batch, EntryKind, ValueSet
from pulsegate.model.decisions import Allowed
from pulsegate.model.indicator import IndicatorType
from pulsegate.values.normalise import strict_readings

KINDS = (EntryKind.EXACT, EntryKind.SUBTREE, EntryKind.NETWORK)
_WILDCARD = re.compile(r"\*?(?:\.|\[\.\]|\(\.\)|\{\.\}|\[dot\]|\(dot\))", re.IGNORECASE)


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


def entries_of(text: str, *, subtree: bool = False) -> tuple[tuple[EntryKind, str], ...]:
    """Kind and text of the entries that ``text`` means, written as in a file of entries, defanged or not.

    ``subtree``: it is a name, with all below it. Several where the type decides on the normal form, which is that of
    the store: a network has its prefix length. ValueError, with the reason, for what is no value.
    """
    text = text.strip()
    wildcard = _WILDCARD.match(text)
    if subtree or wildcard:
        kind, texts = parse_entry("." + (text[wildcard.end() :] if wildcard else text))
    else:
        kind, texts = parse_entry(text)
    if kind is EntryKind.NETWORK:
        texts = tuple(str(ipaddress.ip_network(one)) for one in texts)
    elif kind is EntryKind.EXACT:
        texts = tuple(value for _, value in strict_readings(text))
    return tuple((kind, one) for one in dict.fromkeys(texts))
