"""The entries of one of MISP's lists, sorted by kind and in normal form; those that are no value are told."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from pulsegate.curation.network_tree import is_mapped, span
from pulsegate.curation.patterns import compiled
from pulsegate.curation.value_set import EntryKind
from pulsegate.model.indicator import ADDRESSES, NAMES, IndicatorType, RawIndicator, Rejection
from pulsegate.values.addresses import IPV4_PATTERN
from pulsegate.values.normalise import normalise

T = IndicatorType
# As what an entry is read, by the types that its list is for: the first that fits.
_GUESSES = (T.DOMAIN, T.CIDR, T.SHA256, T.SHA1, T.MD5, T.EMAIL, T.URL, T.SSL_CERT_FINGERPRINT)

# Entries in normal form already, whole lists of them in one match; narrower than ``normalise`` reads.
_LABEL = r"[a-z0-9_]++(?:-++[a-z0-9_]++)*+"
_NAME = rf"(?:{_LABEL}\.)++[a-z][a-z0-9]*+(?:-++[a-z0-9]++)*+"
_PLAIN_NAME = re.compile(_NAME)
_PLAIN_NAMES = re.compile(rf"(?:{_NAME}\n)*+")
_PLAIN_HASHES = re.compile(r"(?:[0-9a-f]{32}(?:[0-9a-f]{8}(?:[0-9a-f]{24})?+)?+\n)*+")
_PLAIN_NETWORKS = re.compile(rf"(?:{IPV4_PATTERN}(?:/(?:3[0-2]|[12]?[0-9]))?+\n)*+")
_PLAIN = {T.DOMAIN: _PLAIN_NAMES, T.SHA256: _PLAIN_HASHES, T.CIDR: _PLAIN_NETWORKS}
_USUAL = 64  # characters: a SHA-256, a name whose labels can't be too long


@dataclass
class Sorted:
    """The texts by kind, and each entry that is no value with the reason."""

    texts: dict[EntryKind, list[str]] = field(default_factory=lambda: {kind: [] for kind in EntryKind})
    rejected: list[str] = field(default_factory=list)


def sort_entries(kind: EntryKind, texts: list[str], types: frozenset[IndicatorType], *, exact: bool) -> Sorted:
    """The entries of a list of ``kind`` that is for ``types``; ``exact``: names match exactly, whatever the kind says.

    A list that is for none of our types gives nothing.
    """
    guess = next((type_ for type_ in _GUESSES if type_ in types), None)
    if guess is None:
        return Sorted()
    if kind is EntryKind.NETWORK:
        guess = T.CIDR
    return _Sorting(EntryKind.EXACT if exact else kind, guess, types).sort(texts)


def is_plain_name(text: str) -> bool:
    """Whether the text is for certain the normal form of a name with a dot."""
    return len(text) <= _USUAL and _PLAIN_NAME.fullmatch(text) is not None


class _Sorting:
    """One list on its way: ``guess`` is the type as which its entries are read."""

    def __init__(self, kind: EntryKind, guess: IndicatorType, types: frozenset[IndicatorType]) -> None:
        self._kind, self._guess, self._types = kind, guess, types
        self._found = Sorted()
        self._add_kind = self._found.texts[kind].append
        self._add_network = self._found.texts[EntryKind.NETWORK].append
        self._has_networks = types >= ADDRESSES

    def sort(self, texts: list[str]) -> Sorted:
        joined = "\n".join(texts)
        if self._guess is T.DOMAIN and ("\n." in joined or joined.startswith(".")):
            # Some lists write a dot in front for "and below", which is said by their type already.
            texts = [text.removeprefix(".") for text in texts]
            joined = "\n".join(texts)
        if self._kind in (EntryKind.EXACT, EntryKind.SUBTREE, EntryKind.NETWORK):
            texts = self._take_plain(texts, joined)
        for text in texts:
            self._add(text)
        return self._found

    def _take_plain(self, texts: list[str], joined: str) -> list[str]:
        """Take them all when they are in normal form already; what is not taken (the very long too) is given back."""
        pattern = _PLAIN.get(self._guess)
        if pattern is None or joined.count("\n") != len(texts) - 1 or not pattern.fullmatch(f"{joined}\n"):
            return texts
        long = [text for text in texts if len(text) > _USUAL]
        self._found.texts[self._kind].extend((text for text in texts if len(text) <= _USUAL) if long else texts)
        return long

    def _add(self, text: str) -> None:
        if self._has_networks and (network := span(text)) and not is_mapped(network):
            self._add_network(text)
        elif self._kind is EntryKind.REGEX:
            self._add_pattern(text)
        elif self._kind is EntryKind.SUBSTRING:
            self._add_kind(text.strip().lower())
        elif self._guess is T.DOMAIN and is_plain_name(lower := text.lower()) and text.isascii():
            self._add_kind(lower)
        else:
            self._add_value(text)

    def _add_pattern(self, text: str) -> None:
        try:
            compiled(text)
        except ValueError as error:
            self._found.rejected.append(f"{text}: {error}")
        else:
            self._add_kind(text)

    def _add_value(self, text: str) -> None:
        found = normalise(RawIndicator(type=self._guess, value=text))
        if isinstance(found, Rejection):
            self._found.rejected.append(f"{text}: {found.reason}")
        elif found.type not in self._types:
            self._found.rejected.append(f"{text}: of type {found.type}, which the list is not for")
        elif found.type in ADDRESSES:
            self._add_network(found.value)
        elif found.type in NAMES:
            self._add_kind(found.value)
        else:
            self._found.texts[EntryKind.EXACT].append(found.value)
