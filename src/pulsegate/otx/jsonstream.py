"""JSON read piece by piece: elements of arrays and members of objects, one at a time, in constant memory."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator

from pulsegate.otx.decoding import DECODER

CHUNK = 262_144  # characters read at a time
_SPACE = re.compile(r"[ \t\n\r]*")
# The repeats are bounded because each takes memory of the regular expression engine.
_NO_QUOTE = re.compile(r'[^"\\]*(?:\\.[^"\\]*){0,999}', re.DOTALL)
_NO_BRACKET = re.compile(rf'[^"\[\]{{}}]*(?:"{_NO_QUOTE.pattern}"[^"\[\]{{}}]*){{0,99}}', re.DOTALL)
_BARE = re.compile(r"[^ \t\n\r,:\[\]{}]*")
_CUT_WORD = 16  # characters: what is cut (-Infinity, a pair of \u escapes) is reported where it begins
_SELF_ENDING = '"]}'
_IN_NUMBER = ".eE+-"


class TooLongError(ValueError):
    """A single value is longer than what may be held of one."""


class JSONStream:
    """A cursor in a text of JSON values that is read by ``read(characters)`` as needed. ValueError: it is not JSON.

    Memory is bounded by the largest single element, and that by ``longest`` characters (TooLongError; None: no bound)
    give or take a chunk. A text that is cut inside of an element is found at its end.
    """

    def __init__(self, read: Callable[[int], str], *, longest: int | None = None) -> None:
        self._read = read
        self._longest = longest
        self._text = ""
        self._at = 0
        self._before = 0  # characters that were dropped from the text's beginning
        self._ended = False

    def peek(self) -> str:
        """The next character that is no white space; empty at the end."""
        self._pass(_SPACE)
        return self._text[self._at : self._at + 1]

    @property
    def position(self) -> int:
        """The characters before the cursor."""
        return self._before + self._at

    def value(self) -> object:
        """The whole value at the cursor, decoded. RecursionError: it is nested too deep."""
        return self._value(self._longest)

    def skip(self) -> None:
        """Steps over the value at the cursor, however long, in constant memory. What is long in it isn't checked."""
        if self.peek() != "[":
            self._skip_one()
            return
        for _ in self.elements():
            self._skip_one()

    def _skip_one(self) -> None:
        try:  # decoding is faster than scanning, and most values are short
            self._value(CHUNK)
        except (TooLongError, RecursionError):
            self._scan()

    def _scan(self) -> None:
        """Steps over the value at the cursor by its brackets and quotes alone."""
        depth = 0
        while True:
            start = self.peek()
            if not start:
                raise ValueError(f"a value is cut at character {self.position}")
            if start in _SELF_ENDING or start in "[{":
                self._at += 1
                depth += (start in "[{") - (start in "]}")
                if start == '"':
                    self._scan_string()
            else:
                self._pass(_NO_BRACKET if depth else _BARE)
            if not depth:
                return

    def _scan_string(self) -> None:
        """Steps to the end of the string whose opening quote was taken."""
        while True:
            self._pass(_NO_QUOTE)
            if self._at + 1 >= len(self._text):
                self._more()
            mark = self._text[self._at : self._at + 1]
            if not mark:
                raise ValueError(f"a string is cut at character {self.position}")
            self._at += 1 if mark == '"' else 2
            if mark == '"':
                return

    def _pass(self, characters: re.Pattern[str]) -> None:
        """Steps over a run of ``characters``, which may be none."""
        while True:
            run = characters.match(self._text, self._at)
            self._at = run.end() if run else self._at
            if self._at < len(self._text) or not self._more():
                return

    def _value(self, longest: int | None) -> object:
        self.peek()
        while True:
            try:
                value, end = DECODER.raw_decode(self._text, self._at)
            except json.JSONDecodeError as error:
                if self._may_be_cut(error) and self._more(longest):
                    continue
                raise ValueError(f"{error.msg} at character {self._before + error.pos}") from error
            if self._text[end - 1] in _SELF_ENDING or not self._may_go_on(end) or not self._more(longest):
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
                raise ValueError(f"a member of an object has no key at character {self.position}")  # noqa: TRY004
            self._take(":")
            yield key
            if self._take(",}") == "}":
                return

    def _take(self, wanted: str) -> str:
        found = self.peek()
        if not found or found not in wanted:
            raise ValueError(f"expected one of {wanted} at character {self.position}, found {found or 'the end'}")
        self._at += 1
        return found

    def _may_go_on(self, end: int) -> bool:
        """Whether what was taken for a number is only its beginning, cut at ``12`` or at ``12.``."""
        return len(self._text) - end < _CUT_WORD and all(letter in _IN_NUMBER for letter in self._text[end:])

    def _may_be_cut(self, error: json.JSONDecodeError) -> bool:
        """Whether reading on may mend it: only an open string is reported far from where the text ends."""
        return error.msg.startswith("Unterminated string") or error.pos > len(self._text.rstrip()) - _CUT_WORD

    def _more(self, longest: int | None = None) -> bool:
        """Read on: as much again as is waiting, so that an element is tried a few times only however large it is."""
        if self._ended:
            return False
        waiting = self._text[self._at :]
        if longest is not None and len(waiting) > longest:
            raise TooLongError(f"a value is longer than {longest:,} characters at character {self.position}")
        new = self._read(max(CHUNK, len(waiting)))
        if not new:
            self._ended = True
            return False
        self._before += self._at
        self._text, self._at = waiting + new, 0
        return True
