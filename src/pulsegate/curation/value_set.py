"""Which entry of a list covers a value: the one mechanism for own networks, allow lists and warning lists.

=========  ========================================================================================================
kind       covers
=========  ========================================================================================================
exact      the same text in its normal form; no address or network (those are networks, of one address or more)
subtree    a domain or host name: the same name, and any below it
network    an address in it; a CIDR indicator that it overlaps; an address inside IPv6 that carries such an IPv4 one
substring  a value of the entry's types that the text stands in
regex      a value of the entry's types that the pattern is found in
=========  ========================================================================================================

A URL is more than its host, a mailbox more than its domain: they are covered by what is written for them. Only a set
made with ``hosts=True`` (own networks, allow lists: what is trusted is trusted whole) goes on to the URL's host, with
entries of kind subtree and network, and to the mail address' domain, with entries of kind exact too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from pulsegate.curation.network_tree import NetworkTree
from pulsegate.curation.patterns import Patterns, Substrings
from pulsegate.curation.texts import Texts
from pulsegate.model.indicator import ADDRESSES, LOCATORS, NAMES, IndicatorType
from pulsegate.values.locators import host_of

_LARGE = 100_000  # texts of a batch above which merging it with others costs more than looking it up apart

Value = tuple[IndicatorType, str]
_Filed = dict["EntryKind", dict[int, Sequence[str]]]


class EntryKind(StrEnum):
    EXACT = "exact"
    SUBTREE = "subtree"
    NETWORK = "network"
    SUBSTRING = "substring"
    REGEX = "regex"


@dataclass(frozen=True, slots=True)
class Entry:
    """``text`` in normal form (a network with its prefix length, a pattern as written); ``source``: its list."""

    kind: EntryKind
    text: str
    source: str = ""


@dataclass(frozen=True, slots=True)
class Batch:
    """Entries of one kind from one source, for values of ``types`` (None: of any)."""

    kind: EntryKind
    texts: Sequence[str]
    source: str = ""
    types: frozenset[IndicatorType] | None = None


class ValueSet:
    """Looked up by type and normal form of a value. Immutable; may be shared by threads."""

    def __init__(self, batches: Iterable[Batch], *, hosts: bool = False) -> None:
        """``hosts``: entries count for the host of a URL and the domain of a mail address too.

        The batches are taken one by one, so that a generator may read each when its turn comes. ValueError for a regex
        that is none.
        """
        self._hosts = hosts
        self._batches: list[Batch] = []  # without their texts
        self._count = 0
        self._shelves: list[_Shelf] = []
        self._tops: set[str] = set()  # subtrees of a single label: without them no top-level domain is looked up
        filed = self._filed(batches)
        self._shelves.insert(0, _Shelf(Texts(filed[EntryKind.EXACT]), tuple(filed[EntryKind.EXACT])))
        self._texts = {kind: tuple(self._shelves_for(kind)) for kind in IndicatorType}
        self._trees = tuple(one.texts for one in self._shelves if self._has_trees(one))
        self._networks = NetworkTree(filed[EntryKind.NETWORK])
        self._parts = {kind: self._parts_for(kind, filed) for kind in IndicatorType}

    def _filed(self, batches: Iterable[Batch]) -> _Filed:
        """The texts by kind (subtrees with exact ones) and number of the batch; large batches are shelved at once."""
        filed: _Filed = {kind: {} for kind in EntryKind}
        for number, batch in enumerate(batches):
            self._batches.append(replace(batch, texts=()))
            self._count += len(batch.texts)
            kind = batch.kind
            if kind is EntryKind.SUBTREE:
                self._tops.update(text for text in batch.texts if "." not in text)
                kind = EntryKind.EXACT
            if kind is EntryKind.EXACT and len(batch.texts) > _LARGE:
                self._shelves.append(_Shelf(Texts({number: batch.texts}), (number,)))
            else:
                filed[kind][number] = batch.texts
        return filed

    def _shelves_for(self, kind: IndicatorType) -> Iterator[Texts]:
        for shelf in self._shelves:
            if any(self._is_for(number, kind) for number in shelf.numbers):
                yield shelf.texts

    def _parts_for(self, kind: IndicatorType, filed: _Filed) -> tuple[Substrings | Patterns, ...]:
        """What is looked for in every value of the type."""
        substrings, patterns = (
            {number: texts for number, texts in filed[part].items() if self._is_for(number, kind)}
            for part in (EntryKind.SUBSTRING, EntryKind.REGEX)
        )
        return (*([Substrings(substrings)] if substrings else ()), *([Patterns(patterns)] if patterns else ()))

    def _has_trees(self, shelf: _Shelf) -> bool:
        return any(self._batches[number].kind is EntryKind.SUBTREE for number in shelf.numbers)

    def __len__(self) -> int:
        """How many entries were given."""
        return self._count

    def covering(self, kind: IndicatorType, value: str) -> Entry | None:
        """The entry that covers the value most closely, None when none does."""
        return next(self._entries(kind, value), None)

    def all_covering(self, kind: IndicatorType, value: str) -> tuple[Entry, ...]:
        """The closest entry of each source that covers the value, the closest of all first."""
        found: dict[str, Entry] = {}
        for entry in self._entries(kind, value):
            found.setdefault(entry.source, entry)
        return tuple(found.values())

    def every(self, kind: IndicatorType, value: str) -> tuple[Entry, ...]:
        """All entries that cover the value, the closest first."""
        return tuple(dict.fromkeys(self._entries(kind, value)))

    def among(self, values: Iterable[Value]) -> dict[Value, tuple[Entry, ...]]:
        """Those of many values that are covered, each with what ``all_covering`` says."""
        found = ((value, self.all_covering(*value)) for value in dict.fromkeys(values))
        return {value: entries for value, entries in found if entries}

    def _entries(self, kind: IndicatorType, value: str) -> Iterator[Entry]:
        for number, text in self._found(kind, value):
            if self._is_for(number, kind):
                batch = self._batches[number]
                yield Entry(batch.kind, text, batch.source)

    def _found(self, kind: IndicatorType, value: str) -> Iterator[tuple[int, str]]:
        """Number of the batch and text of each entry that matches, the closest first."""
        if kind in NAMES:
            yield from self._names(value, self._texts[kind])
        elif kind in ADDRESSES:
            yield from self._addresses(value)
        else:
            yield from self._exact(kind, value)
            if self._hosts:
                yield from self._of_host(kind, value)
        for parts in self._parts[kind]:
            yield from parts.found_in(value)

    def _exact(self, kind: IndicatorType, value: str) -> Iterator[tuple[int, str]]:
        for texts in self._texts[kind]:
            for number in texts.numbers(value):
                if self._batches[number].kind is EntryKind.EXACT:
                    yield number, value

    def _names(self, name: str, exact: Sequence[Texts] | None) -> Iterator[tuple[int, str]]:
        """``exact``: where the name itself is looked up, as an entry of either kind; None: only as a subtree."""
        if exact is not None:
            for texts in exact:
                yield from ((number, name) for number in texts.numbers(name))
            name = name.partition(".")[2]
        while "." in name or name in self._tops:
            for texts in self._trees:
                for number in texts.numbers(name):
                    if self._batches[number].kind is EntryKind.SUBTREE:
                        yield number, name
            name = name.partition(".")[2]

    def _addresses(self, value: str) -> Iterator[tuple[int, str]]:
        for number, network in self._networks.overlapping(value):
            yield number, str(network)

    def _of_host(self, kind: IndicatorType, value: str) -> Iterator[tuple[int, str]]:
        if kind is IndicatorType.EMAIL:
            host = value.rpartition("@")[2].strip("[]").removeprefix("IPv6:")
        elif kind in LOCATORS:
            host = host_of(value)
        else:
            return
        yield from self._names(host, self._texts[kind] if kind is IndicatorType.EMAIL else None)
        yield from self._addresses(host)

    def _is_for(self, number: int, kind: IndicatorType) -> bool:
        types = self._batches[number].types
        return types is None or kind in types


@dataclass(frozen=True, slots=True)
class _Shelf:
    texts: Texts
    numbers: tuple[int, ...]
