"""A million texts and the numbers they are filed under, in hardly more memory than the texts themselves.

The texts are sorted and kept as strings of 64 lines each; the first texts of these strings are a list of their own. A
look-up is one ``bisect`` in that list and one search in one string, so no text is an object and nothing is hashed.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping

_EACH = 64  # lines of a string: fewer cost memory, more cost time


class Texts:
    """Answers under which numbers a text is filed."""

    def __init__(self, filed: Mapping[int, Iterable[str]]) -> None:
        """``filed``: the texts by number. An empty text is left out."""
        self._only = tuple(filed) if len(filed) == 1 else None
        self._odd = _odd(filed)
        texts, lines = _single(*filed.values()) if self._only else _merged(filed)
        self._blocks = ["\n" + "\n".join(lines[start : start + _EACH]) + "\n" for start in range(0, len(lines), _EACH)]
        # Copies: one text kept of each 64 would hold on to the memory of all.
        self._firsts = [(text + "\n")[:-1] for text in texts[::_EACH]]
        self._count = len(lines) + len(self._odd)

    def __len__(self) -> int:
        """How many texts there are; those of a single number as often as they were given."""
        return self._count

    def numbers(self, text: str) -> tuple[int, ...]:
        """The numbers under which the text is filed, none when it is not there."""
        if text in self._odd:
            return self._odd[text]
        if not self._blocks:
            return ()
        block = self._blocks[bisect_right(self._firsts, text) - 1]
        if self._only:
            return self._only if f"\n{text}\n" in block and "\n" not in text else ()
        found = block.find(f"\n{text}\t")
        if found < 0:
            return ()
        start = found + len(text) + 2
        return tuple(map(int, block[start : block.index("\n", start)].split(",")))


def _is_line(text: str) -> bool:
    return text != "" and "\n" not in text and "\t" not in text


def _odd(filed: Mapping[int, Iterable[str]]) -> dict[str, tuple[int, ...]]:
    """The few texts that can't stand in a line, with their numbers."""
    found: dict[str, tuple[int, ...]] = {}
    for number, texts in filed.items():
        for text in dict.fromkeys(text for text in _unclean(list(texts)) if text and not _is_line(text)):
            found[text] = (*found.get(text, ()), number)
    return found


def _unclean(texts: list[str]) -> list[str]:
    """The texts, where some can't stand in a line; that none is so is told of all at once."""
    joined = "\n".join(texts)
    clean = joined.count("\n") == len(texts) - 1 and "\t" not in joined and "" not in texts
    return [] if clean else texts


def _lines(texts: Iterable[str]) -> list[str]:
    """The texts that may stand in a line."""
    found = list(texts)
    return [text for text in found if _is_line(text)] if _unclean(found) else found


def _single(texts: Iterable[str]) -> tuple[list[str], list[str]]:
    found = _lines(texts)
    found.sort()  # what is in order already costs next to nothing
    return found, found


def _merged(filed: Mapping[int, Iterable[str]]) -> tuple[list[str], list[str]]:
    numbers: dict[str, str] = {}
    for number, texts in filed.items():
        own = str(number)
        for text in dict.fromkeys(_lines(texts)):
            numbers[text] = f"{numbers[text]},{own}" if text in numbers else own
    found = sorted(numbers)
    return found, [f"{text}\t{numbers[text]}" for text in found]
