"""The entries of one of MISP's lists, sorted by kind and in normal form; those that are no value are told."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from pulsegate.curation.network_tree import is_mapped, span
from pulsegate.curation.patterns import compiled
from pulsegate.curation.value_set import ADDRESSES, NAMES, EntryKind
from pulsegate.model.indicator import IndicatorType, RawIndicator, Rejection
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
_PLAIN_HASHES = re.compile(r"(?:(?:[0-9a-f]{64}|[0-9a-f]{40}|[0-9a-f]{32})\n)*+")
_PLAIN_NETWORKS = re.compile(rf"(?:{IPV4_PATTERN}(?:/(?:3[0-2]|[12]?[0-9]))?+\n)*+")
_PLAIN = {T.DOMAIN: _PLAIN_NAMES, T.SHA256: _PLAIN_HASHES, T.CIDR: _PLAIN_NETWORKS}
_USUAL = 64  # characters: a SHA-256, a name whose labels can't be too long


@dataclass
class Sorted:
    """The texts by kind, and each entry that is no value with the reason."""

    texts: dict[EntryKind, list[str]] = field(default_factory=dict)
    rejected: list[str] = field(default_factory=list)

    def add(self, kind: EntryKind, text: str) -> None:
        self.texts.setdefault(kind, []).append(text)


def sort_entries(kind: EntryKind, texts: list[str], types: frozenset[IndicatorType], *, exact: bool) -> Sorted:
    """The entries of a list of ``kind`` that is for ``types``; ``exact``: names match exactly, whatever the kind says.

    A list that is for none of our types gives nothing.
    """
    found = Sorted()
    guess = next((type_ for type_ in _GUESSES if type_ in types), None)
    if guess is None:
        return found
    if kind is EntryKind.NETWORK:
        guess = T.CIDR
    kind = EntryKind.EXACT if exact else kind
    if kind in (EntryKind.EXACT, EntryKind.SUBTREE, EntryKind.NETWORK):
        texts = _take_plain(found, kind, texts, guess)
    for text in texts:
        _add(found, kind, text, guess, types)
    return found


def is_plain_name(text: str) -> bool:
    """Whether the text is for certain the normal form of a name with a dot."""
    return len(text) <= _USUAL and _PLAIN_NAME.fullmatch(text) is not None


def _take_plain(found: Sorted, kind: EntryKind, texts: list[str], guess: IndicatorType) -> list[str]:
    """Take those that are in normal form already, if all of usual length are; the others are given back."""
    pattern = _PLAIN.get(guess)
    if guess is T.DOMAIN:
        texts = _without_dots(texts)
    usual = [text for text in texts if len(text) <= _USUAL]
    if pattern is None or not usual or not pattern.fullmatch("\n".join([*usual, ""])):
        return texts
    found.texts[kind] = usual
    return [text for text in texts if len(text) > _USUAL] if len(usual) < len(texts) else []


def _without_dots(texts: list[str]) -> list[str]:
    """Some lists write a dot in front for "and below", which is said by their type already."""
    return [text.removeprefix(".") for text in texts] if "\n." in "\n".join(["", *texts]) else texts


def _add(found: Sorted, kind: EntryKind, text: str, guess: IndicatorType, types: frozenset[IndicatorType]) -> None:
    if types >= ADDRESSES and (network := span(text)) and not is_mapped(network):
        found.add(EntryKind.NETWORK, text)
    elif kind is EntryKind.REGEX:
        _add_pattern(found, text)
    elif kind is EntryKind.SUBSTRING:
        found.add(kind, text.strip().lower())
    elif guess is T.DOMAIN and is_plain_name(text):
        found.add(kind, text)
    else:
        _add_value(found, kind, text, guess, types)


def _add_pattern(found: Sorted, text: str) -> None:
    try:
        compiled(text)
    except ValueError as error:
        found.rejected.append(f"{text}: {error}")
    else:
        found.add(EntryKind.REGEX, text)


def _add_value(
    found: Sorted, kind: EntryKind, text: str, guess: IndicatorType, types: frozenset[IndicatorType]
) -> None:
    read_ = normalise(RawIndicator(type=guess, value=text))
    if isinstance(read_, Rejection):
        found.rejected.append(f"{text}: {read_.reason}")
    elif read_.type not in types:
        found.rejected.append(f"{text}: of type {read_.type}, which the list is not for")
    elif read_.type in ADDRESSES:
        found.add(EntryKind.NETWORK, read_.value)
    else:
        found.add(kind if read_.type in NAMES else EntryKind.EXACT, read_.value)
