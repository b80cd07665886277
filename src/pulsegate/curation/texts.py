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
        kept, self._odd = _sorted_out(filed)
        texts, lines = _single(*kept.values()) if self._only else _merged(kept)
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


def _sorted_out(filed: Mapping[int, Iterable[str]]) -> tuple[dict[int, list[str]], dict[str, tuple[int, ...]]]:
    """The texts that may stand in a line, by number; and the few that can't, with their numbers."""
    lines: dict[int, list[str]] = {}
    odd: dict[str, tuple[int, ...]] = {}
    for number, texts in filed.items():
        found = list(texts)
        if _are_lines(found):
            lines[number] = found
            continue
        lines[number] = [text for text in found if _is_line(text)]
        for text in dict.fromkeys(text for text in found if text and not _is_line(text)):
            odd[text] = (*odd.get(text, ()), number)
    return lines, odd


def _are_lines(texts: list[str]) -> bool:
    """Whether each may stand in a line, told of all at once."""
    joined = "\n".join(texts)
    return joined.count("\n") == len(texts) - 1 and "\t" not in joined and "" not in texts


def _single(lines: list[str]) -> tuple[list[str], list[str]]:
    lines.sort()  # what is in order already costs next to nothing
    return lines, lines


def _merged(filed: Mapping[int, Iterable[str]]) -> tuple[list[str], list[str]]:
    numbers: dict[str, str] = {}
    for number, lines in filed.items():
        own = str(number)
        for text in dict.fromkeys(lines):
            numbers[text] = f"{numbers[text]},{own}" if text in numbers else own
    found = sorted(numbers)
    return found, [f"{text}\t{numbers[text]}" for text in found]
