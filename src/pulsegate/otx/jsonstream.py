"""JSON read piece by piece: elements of arrays and members of objects, one at a time, in constant memory."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

CHUNK = 262_144  # characters read at a time
_SPACE = " \t\n\r"
_CUT_WORD = 16  # characters: what is cut (-Infinity, a pair of \u escapes) is reported where it begins
_SELF_ENDING = '"]}'


class JSONStream:
    """A cursor in a text of JSON values that is read by ``read(characters)`` as needed. ValueError: it is not JSON.

    Memory is bounded by the largest single element; a text that is cut inside of one is found at its end.
    """

    def __init__(self, read: Callable[[int], str]) -> None:
        self._read = read
        self._decoder = json.JSONDecoder()
        self._text = ""
        self._at = 0
        self._before = 0  # characters that were dropped from the text's beginning
        self._ended = False

    def peek(self) -> str:
        """The next character that is no white space; empty at the end."""
        while True:
            while self._at < len(self._text):
                if self._text[self._at] not in _SPACE:
                    return self._text[self._at]
                self._at += 1
            if not self._more():
                return ""

    def value(self) -> object:
        """The whole value at the cursor, decoded. RecursionError: it is nested too deep."""
        self.peek()
        while True:
            try:
                value, end = self._decoder.raw_decode(self._text, self._at)
            except json.JSONDecodeError as error:
                if self._may_be_cut(error) and self._more():
                    continue
                raise ValueError(f"{error.msg} at character {self._before + error.pos}") from error
            # A number at the end of what was read may go on.
            if end < len(self._text) or self._text[end - 1] in _SELF_ENDING or not self._more():
                self._at = end
                return value

    def elements(self) -> Iterator[None]:
        """Steps to each element of the array at the cursor; the caller takes it before the next step."""
        self._take("[")
        if self.peek() == "]":
            self._at += 1
            return
        while True:
            yield
            if self._take(",]") == "]":
                return

    def members(self) -> Iterator[str]:
        """Steps to the value of each member of the object at the cursor, giving its key; the caller takes the value."""
        self._take("{")
        if self.peek() == "}":
            self._at += 1
            return
        while True:
            key = self.value() if self.peek() == '"' else None
            if not isinstance(key, str):
                raise ValueError(f"a member of an object has no key at character {self._before + self._at}")  # noqa: TRY004
            self._take(":")
            yield key
            if self._take(",}") == "}":
                return

    def _take(self, wanted: str) -> str:
        found = self.peek()
        if not found or found not in wanted:
            raise ValueError(
                f"expected one of {wanted} at character {self._before + self._at}, found {found or 'the end'}"
            )
        self._at += 1
        return found

    def _may_be_cut(self, error: json.JSONDecodeError) -> bool:
        """Whether reading on may mend it: only an open string is reported far from where the text ends."""
        return error.msg.startswith("Unterminated string") or error.pos > len(self._text.rstrip()) - _CUT_WORD

    def _more(self) -> bool:
        """Read on: as much again as is waiting, so that an element is tried a few times only however large it is."""
        if self._ended:
            return False
        waiting = self._text[self._at :]
        new = self._read(max(CHUNK, len(waiting)))
        if not new:
            self._ended = True
            return False
        self._before += self._at
        self._text, self._at = waiting + new, 0
        return True
