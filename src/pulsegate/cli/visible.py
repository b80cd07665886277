"""Texts of strangers as a terminal may show them: pulses and clients write what they like into names and requests."""

from __future__ import annotations

# What moves the cursor, hides or paints text (controls of C0 and C1), ends a line unseen, or turns the order round.
_RANGES = ((0x00, 0x20), (0x7F, 0xA0), (0x2028, 0x202F), (0x2066, 0x206A))
_ODD = {
    number: chr(number).encode("unicode_escape").decode("ascii") for low, high in _RANGES for number in range(low, high)
}
_JSON = {number: f"\\u{number:04x}" for number in _ODD if number >= 0x7F}  # noqa: PLR2004 - C0 is escaped
_BLOCK = {number: text for number, text in _ODD.items() if chr(number) not in "\n\t"}


def line(text: str) -> str:
    """``text`` on one line: what does more than to show a character is written as Python would write it."""
    return text if text.isprintable() else text.translate(_ODD)


def escaped(text: str) -> str:
    """Text in JSON, which escapes only controls of C0 by itself: the others as JSON writes them."""
    return text if text.isprintable() else text.translate(_JSON)


def block(text: str) -> str:
    """``text`` of some lines, which stay; the rest as in ``line``."""
    return text if text.isprintable() else text.translate(_BLOCK)
