"""Indicators in the prose of a report: words that are plainly values, each with whether somebody made it harmless.

A finder for people, who tick what they mean; nothing here decides that a word is malicious. Libraries for the same
(ioc-finder, iocextract, iocsearcher) take the host of each URL for one more indicator, or need dozens of packages.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from pulsegate.model.indicator import IndicatorType, identity_of
from pulsegate.reports.fields import guess

MOST = 2_000  # candidates; a report with more is a list, and better imported as a file
LONGEST = 2_000  # characters of a word
_HASHES = frozenset({IndicatorType.MD5, IndicatorType.SHA1, IndicatorType.SHA256})
_TYPES = _HASHES | {
    IndicatorType.IPV4, IndicatorType.IPV6, IndicatorType.CIDR, IndicatorType.DOMAIN, IndicatorType.HOSTNAME,
    IndicatorType.URL, IndicatorType.EMAIL, IndicatorType.CVE,
}  # fmt: skip
_DEFANGED = re.compile(
    r"[\[({<](?:\.|dot|@|at|:|://)[\])}>]|\[\.|\.\]|\\\.|(?i:h[x*]{2}ps?|fxp)(?=:|\[)|(?i:hXXp)", re.IGNORECASE
)
_WORD = re.compile(r"\S+")
# Between values in tables and lists; a comma or a semicolon only where no URL goes on after it (see _pieces).
_SEPARATOR = r"[|\u3001\u3002\uff0c\u2022\u00b7\u300c-\u3011\uff08\uff09]"
_BETWEEN = re.compile(_SEPARATOR + r"|(?<=\w),(?=\w+\[?\.)")
_BETWEEN_AT_THE_END = re.compile(_SEPARATOR + r"|[,;]")
_OF_A_URL = "/=&?#"
_OPENING, _CLOSING = (
    "\"'`<([{\u201c\u2018\u00ab\u300c\u300e\u3010\uff08",
    "\"'`>)]}\u201d\u2019\u00bb\u300d\u300f\u3011\uff09",
)
_PAIRS = {")": "(", "]": "[", "}": "{", ">": "<"}
_ENDS = ".,;:!?\u2026"
_LABEL = re.compile(r"(?i)(?:md5|sha-?1|sha-?256|ip|domain|url|host|email|c2)\s*[:=]\s*(?=\S)")


@dataclass(frozen=True, slots=True)
class Candidate:
    """``text``: as the report has it; ``line``: where it stands first."""

    type: IndicatorType
    value: str
    text: str
    line: int
    is_defanged: bool

    @property
    def is_meant(self) -> bool:
        """Whether nobody writes it so by accident: it was made harmless, or it is the hash of a file."""
        return self.is_defanged or self.type in _HASHES


def find(text: str) -> list[Candidate]:
    """The candidates, each value once, in the order of the text; of ``MOST`` the first. A defanged spelling wins."""
    found: dict[str, Candidate] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        for word in _words(line):
            one = _candidate(word, number)
            if one is None:
                continue
            key = identity_of(one.type, one.value)
            known = found.get(key)
            if len(found) < MOST if known is None else one.is_defanged > known.is_defanged:
                found[key] = one
    return list(found.values())


def _words(line: str) -> Iterator[str]:
    for match in _WORD.finditer(_together(line)):
        for piece in _pieces(match[0]):
            word = _bare(piece) if len(piece) <= 2 * LONGEST else ""
            if word and len(word) <= LONGEST:
                yield word


def _pieces(word: str) -> list[str]:
    """The word at its separators, in time that grows as it does: a report may be one word of megabytes."""
    end = max(map(word.rfind, _OF_A_URL)) + 1
    *before, last = _BETWEEN.split(word[:end])
    first, *after = _BETWEEN_AT_THE_END.split(word[end:])
    return [*before, last + first, *after]


def _together(line: str) -> str:
    """``evil [.] example`` is one word; and the label before a value is none of it."""
    return _LABEL.sub(" ", re.sub(r"\s?([\[({]\s?(?:\.|dot|@|at)\s?[\])}])\s?", r"\1", line, flags=re.IGNORECASE))


def _bare(word: str) -> str:
    """The word without what prose puts around it; brackets that belong to it stay."""
    while word:
        last = word[-1]
        partner = _PAIRS.get(last)
        is_loose = word.count(partner) < word.count(last) if partner else last in _CLOSING
        if last in _ENDS or is_loose:
            word = word[:-1]
        elif word[0] in _OPENING and (word[0] not in "[({<" or not _DEFANGED.match(word)):
            word = _without_opening(word)
        else:
            return word
    return word


def _without_opening(word: str) -> str:
    """With its partner, where that stands at the end."""
    closing = dict(zip(_OPENING, _CLOSING, strict=False)).get(word[0])
    inner = word[1:]
    return inner[:-1] if closing and inner.endswith(closing) and word[0] in "[({<" else inner


def _candidate(word: str, line: int) -> Candidate | None:
    if not any(sign in word for sign in ".:@-[({") and len(word) not in (32, 40, 64):
        return None
    try:
        kind, value = guess(word)
    except ValueError:
        return None
    if kind not in _TYPES:
        return None
    return Candidate(kind, value, word, line, _DEFANGED.search(word) is not None)
