"""Why a text is no value, in words that every module of this package shares."""

from __future__ import annotations

import re
from collections.abc import Callable

from pulsegate.errors import PulsegateError

EMPTY = "the value is empty"
SEVERAL = "several values in one field"
WHITE_SPACE = "white space inside"
WILDCARD = "a wildcard, not one name"
PORT = "the port is not a number from 1 to 65535"
UNSETTLED = "escaped or defanged so many times that it can't be read"

_BETWEEN_VALUES = re.compile(r"[\s,;|]+")


class NoValueError(PulsegateError):
    """A text that is no value of the type asked for; ``message`` is the reason. It stays inside this package."""


def show(character: str) -> str:
    """A character as a reason prints it: itself when it can be seen, else its code point (``U+0009``)."""
    visible = character.isprintable() and not character.isspace()
    return f'"{character}"' if visible else f"U+{ord(character):04X}"


def limit(text: str, characters: int, what: str = "") -> None:
    """Refuse a text of more than ``characters``; ``what`` begins the reason. Raises NoValueError."""
    if len(text) > characters:
        begin = f"{what}: " if what else ""
        raise NoValueError(f"{begin}longer than {characters:,} characters")


def is_glued(text: str, is_one: Callable[[str], bool]) -> bool:
    """Whether the text is several values, each of which ``is_one``, with commas or white space between them."""
    parts = [part for part in _BETWEEN_VALUES.split(text) if part]
    return len(parts) > 1 and all(is_one(part) for part in parts)


def has_white_space(text: str) -> bool:
    """Whether white space of any kind is in the text."""
    return any(character.isspace() for character in text)
