"""What authors and tools wrap around a value: quotes, brackets, full-width characters, defanging."""

from __future__ import annotations

import re
import unicodedata

from pulsegate.values.fault import EMPTY, UNSETTLED, NoValueError
from pulsegate.values.text import unescape, without_ignorable, without_junk

_ROUNDS = 8
# None of these can begin or end a name, an address, a hash or an identifier.
_WRAPPING = (
    " \t\n\r\u1680\u2028\u2029\"'`<>,;|\u2018\u2019\u201a\u201c\u201d\u201e\u00ab\u00bb\u2039\u203a\u3001\u300c\u300d"
)
_DOT = re.compile(r"\s?(?:[\[({<]\s?(?:\.|dot)\s?[\])}>]|\[\.|\.\]|\\\.)\s?", re.IGNORECASE)
_AT = re.compile(r"\s?[\[({<]\s?(?:@|at)\s?[\])}>]\s?", re.IGNORECASE)
_COLON = re.compile(r"[\[({](:(?://)?)[\])}]")
_BRACKETED = re.compile(r"\(([^][(){}]+)\)|\[([^][(){}]+)\]|\{([^][(){}]+)\}")
_OPENERS = re.compile(r"[\[({<\\\]]")


def tidy(text: str) -> str:
    """A value of an ASCII type without what surrounds it: entities, invisible and full-width characters, quotes.

    Raises NoValueError when nothing is left.
    """
    if not (text.isascii() and text.isprintable() and "&" not in text):
        text = _settled(text)
    text = unbracketed(text.strip(_WRAPPING))
    if not text:
        raise NoValueError(EMPTY)
    return text


def unbracketed(text: str) -> str:
    """What one pair of brackets around the whole text holds; with brackets inside, which may belong to it, the text."""
    match = _BRACKETED.fullmatch(text)
    return (match[1] or match[2] or match[3]).strip(_WRAPPING) if match else text


def _settled(text: str) -> str:
    for _ in range(_ROUNDS):
        bare = without_ignorable(unescape(without_junk(text)))
        cleaned = unicodedata.normalize("NFKC", bare).replace("\u3002", ".")
        if cleaned == text:
            return cleaned
        text = cleaned
    raise NoValueError(UNSETTLED)


def refang(text: str) -> str:
    """A name, address, authority or mailbox as it was before ``[.]``, ``(dot)``, ``[@]``, ``[:]`` made it harmless."""
    if not _OPENERS.search(text):
        return text
    return _COLON.sub(r"\1", _AT.sub("@", _DOT.sub(".", text)))
