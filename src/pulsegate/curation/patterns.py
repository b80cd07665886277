"""Entries that match a part of a value: substrings, and regular expressions as MISP writes them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

_HEAD = 4  # characters by which substrings are found
_FLAGS = {"i": re.IGNORECASE, "m": re.MULTILINE, "s": re.DOTALL, "x": re.VERBOSE}
_DELIMITED = re.compile(r"/(.*)/([a-z]*)", re.DOTALL)


class Substrings:
    """Answers which of many substrings stand in a value; by their heads, so that a value is walked over once."""

    def __init__(self, filed: Mapping[int, Iterable[str]]) -> None:
        """``filed``: the substrings by number. Empty ones are left out: they stand in everything."""
        found = sorted((text, number) for number, texts in filed.items() for text in set(texts) if text)
        self._head = min((len(text) for text, _ in found), default=_HEAD)
        self._head = min(self._head, _HEAD)
        self._by_head: dict[str, list[tuple[str, int]]] = {}
        for text, number in reversed(found):
            self._by_head.setdefault(text[: self._head], []).append((text, number))

    def found_in(self, value: str) -> Iterator[tuple[int, str]]:
        """Number and text of those that stand in the value, by where they begin there, of several the longest first."""
        heads = [value[start : start + self._head] for start in range(len(value) - self._head + 1)]
        if self._by_head.keys().isdisjoint(heads):
            return
        for start, head in enumerate(heads):
            for text, number in self._by_head.get(head, ()):
                if value.startswith(text, start):
                    yield number, text


class Patterns:
    """Answers which of a few regular expressions are found in a value."""

    def __init__(self, filed: Mapping[int, Iterable[str]]) -> None:
        """``filed``: the expressions by number. ValueError for one that is none."""
        self._patterns = [(number, text, compiled(text)) for number, texts in filed.items() for text in texts]

    def found_in(self, value: str) -> Iterator[tuple[int, str]]:
        """Number and text, as written, of those that are found in the value."""
        return ((number, text) for number, text, pattern in self._patterns if pattern.search(value))


def compiled(text: str) -> re.Pattern[str]:
    """The pattern that a text stands for, bare or as ``/pattern/flags``. ValueError when it is none.

    ``g`` and ``u`` mean nothing here; a flag that is not known is refused.
    """
    match = _DELIMITED.fullmatch(text)
    pattern, letters = match.groups() if match else (text, "")
    flags = 0
    for letter in letters:
        if letter not in _FLAGS and letter not in "gu":
            raise ValueError(f"the flag {letter!r} is not known")
        flags |= _FLAGS.get(letter, 0)
    try:
        return re.compile(pattern, flags)
    except re.error as error:
        raise ValueError(f"no regular expression: {error}") from error
