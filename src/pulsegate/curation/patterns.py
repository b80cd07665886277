"""Entries that match a part of a value: substrings, and regular expressions as MISP writes them."""

from __future__ import annotations

import re
from collections.abc import Iterable

_HEAD = 4  # characters by which substrings are found
_FLAGS = {"i": re.IGNORECASE, "m": re.MULTILINE, "s": re.DOTALL, "x": re.VERBOSE}
_DELIMITED = re.compile(r"/(.*)/([a-z]*)", re.DOTALL)


class Substrings:
    """Answers which of many substrings stands in a value; by their heads, so that a value is walked over once."""

    def __init__(self, texts: Iterable[str]) -> None:
        """Empty ones are left out: they stand in everything."""
        found = {text for text in texts if text}
        self._head = min((len(text) for text in found), default=_HEAD)
        self._head = min(self._head, _HEAD)
        self._by_head: dict[str, list[str]] = {}
        for text in sorted(found):
            self._by_head.setdefault(text[: self._head], []).append(text)

    def first_in(self, value: str) -> str | None:
        """The substring that begins first in the value, of several there the longest; None when none does."""
        heads = [value[start : start + self._head] for start in range(len(value) - self._head + 1)]
        if self._by_head.keys().isdisjoint(heads):
            return None
        for start, head in enumerate(heads):
            for text in reversed(self._by_head.get(head, ())):
                if value.startswith(text, start):
                    return text
        return None


class Patterns:
    """Answers which of a few regular expressions is found in a value."""

    def __init__(self, texts: Iterable[str]) -> None:
        """ValueError for one that is none."""
        self._patterns = [(text, compiled(text)) for text in texts]

    def first_in(self, value: str) -> str | None:
        """The first pattern, as written, that is found in the value."""
        return next((text for text, pattern in self._patterns if pattern.search(value)), None)


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
