"""Free text made fit for XML 1.0 and for reading: no entities, control characters, surrogates, stray invisible ones.

Sources: XML 1.0 section 2.2 (Char), HTML section 13.5 (named character references), Unicode 23.7 (noncharacters).
"""

from __future__ import annotations

import html
import re
import sys
from collections.abc import Container
from html.entities import html5

_ROUNDS = 8
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_NONCHARACTERS = "\ufdd0-\ufdef" + "".join(f"{chr(p * 0x10000 + 0xFFFE)}{chr(p * 0x10000 + 0xFFFF)}" for p in range(17))
# Control characters but TAB, LF and CR; and what has no width and no meaning of its own: ZWSP, WJ and its kin, BOM.
_JUNK = re.compile(f"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200b\u2060-\u2064\ufeff{_NONCHARACTERS}]")
# What shows nothing and shapes nothing, but turns text around or lets it break: marks of direction (Windows puts one in
# front of a path that it copies), soft hyphens, fillers, annotations. Texts may need them, values don't.
_UNSEEN = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200e\u200f\u202a-\u202e\u2065-\u206f\u3164\uffa0\ufff0-\ufffb"
)
_DIRECTIONS = re.compile(f"[{_UNSEEN}]+")
_ENDS = re.compile(rf"\A[{_UNSEEN}\s]+|[{_UNSEEN}\s]+\Z")
# And what only chooses a glyph: no name, address or hash has such, though a URL's path may hold a picture that has.
_IGNORABLE = re.compile(
    f"[{_UNSEEN}\u180b-\u180d\u180f\ufe00-\ufe0f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]+"
)
_SURROGATE = re.compile("[\ud800-\udfff]")
_LINE_END = re.compile("\r\n?")
# Joiners build emoji and Persian or Indic words, so one is kept between two characters that are not ASCII.
_STRAY_JOINER = re.compile(
    "(?<![^\x00-\x7f\u200c\u200d])[\u200c\u200d]++|[\u200c\u200d]++(?![^\x00-\x7f\u200c\u200d])",
)
# The semicolon is required: "?a=1&copy=2" and "AT&T" are no entities.
_ENTITY = re.compile(r"&(#[0-9]{1,8}|#[xX][0-9a-fA-F]{1,7}|[A-Za-z][A-Za-z0-9]{1,31});")
_AMPERSANDS = re.compile(r"&(?:(?:amp|AMP|#0{0,5}38|#[xX]0{0,5}26);)+")
# What escapers write; the other names may stand in a query (&copy;) as they are.
BASIC_ENTITIES = frozenset({"amp;", "AMP;", "lt;", "gt;", "quot;", "apos;"})


def clean_text(text: str) -> str:
    """The text unescaped, without what XML 1.0 or a reader can't bear, line ends as LF, trimmed.

    Idempotent; never raises. Mark-up stays as text (``<b>``): escaping is the writer's business. Entities are unescaped
    as often as they were escaped.
    """
    if text.isascii() and text.isprintable() and "&" not in text:
        return text.strip()
    for _ in range(_ROUNDS):
        cleaned = unescape(without_junk(text))
        if cleaned == text:
            return cleaned.strip()
        text = cleaned
    # Nobody nests so deeply by accident. Without semicolons nothing is left to unescape, so the result is stable.
    return without_junk(text.replace(";", "")).strip()


def clean_line(text: str) -> str:
    """The same on one line: each run of white space is one space."""
    return " ".join(clean_text(text).split())


def without_junk(text: str) -> str:
    """The text without control characters, noncharacters, lone surrogates and stray invisible ones; line ends as LF."""
    if text.isascii() and text.isprintable():
        return text
    if _SURROGATE.search(text):
        # The way through UTF-16 joins a pair that was sent as two code units; "ignore" drops what has no partner.
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "ignore")
    return _STRAY_JOINER.sub("", _LINE_END.sub("\n", _JUNK.sub("", text)))


def without_directions(text: str) -> str:
    """The text without marks of direction and their kin, which show nothing."""
    return text if text.isascii() else _DIRECTIONS.sub("", text)


def trimmed(text: str) -> str:
    """The text without white space and marks of direction at its ends; inside, ``invoice<RLO>fdp.exe`` is as meant."""
    return text.strip() if text.isascii() else _ENDS.sub("", text)


def without_ignorable(text: str) -> str:
    """The text without anything that shows nothing by itself, but joiners (Unicode's Default_Ignorable_Code_Point)."""
    return text if text.isascii() else _IGNORABLE.sub("", text)


def unescape(text: str, names: Container[str] = html5) -> str:
    """The text with numeric entities and those in ``names`` ("amp;") replaced; the ampersand's own at any depth."""
    if "&" not in text:
        return text

    def character(match: re.Match[str]) -> str:
        return _character(match[1]) if match[1][0] == "#" or f"{match[1]};" in names else match[0]

    return _ENTITY.sub(character, _AMPERSANDS.sub("&", text))


def _character(name: str) -> str:
    if name[0] != "#":
        return html5.get(f"{name};", f"&{name};")
    code = int(name[1:]) if name[1].isdigit() else int(f"0{name[1:]}", 0)
    if code == 0 or code > sys.maxunicode:
        return ""
    # Halves of a pair are handed on, to be joined; html.unescape knows the rest (Windows-1252, what is invalid).
    return chr(code) if _SURROGATE.match(chr(code)) else html.unescape(f"&{name};")


def is_unicode(text: str) -> bool:
    """Whether it is text: Python writes bytes that are none, and halves of pairs, as lone surrogates."""
    return _SURROGATE.search(text) is None


def fit_for_xml(text: str) -> str:
    """``text`` without the characters that XML 1.0 can't hold (section 2.2), and otherwise untouched."""
    return _NOT_XML.sub("", text)


def is_fit_for_xml(text: str) -> bool:
    """Whether XML 1.0 can hold it as it is."""
    return not _NOT_XML.search(text)
