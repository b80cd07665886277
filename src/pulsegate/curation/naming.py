"""Words and phrases in a pulse's name, and ATT&CK techniques among its ids: what a rule writes, and what it covers."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache

_ACCENTS = re.compile("[\u0300-\u036f]")  # not the marks of other scripts, which make other letters of theirs
# Kana and Chinese characters: texts in them part no words, so beside them, and there, a word may begin and end.
_UNPARTED = "\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\U00020000-\U0003ffff"
_LETTER = rf"[^\W_{_UNPARTED}]"  # or a digit
_STARTS, _ENDS = rf"(?<!{_LETTER})", rf"(?!{_LETTER})"
_APART = r"[\W_]+"  # what may stand between the words of a phrase
_MORE = r"[^\W_]*+"  # what ``*`` stands for
_KEPT = 1_024


def has_word(name: str, word: str) -> bool:
    """Whether ``name`` has the word or phrase, whole, in any case, with accents or without.

    ``*`` at the end of a word stands for any letters and digits, so ``phish*`` is found in "Phishing". White space in a
    phrase stands for any signs between words, so "spear phishing" is found in "Spear-Phishing".
    """
    return _pattern(word).search(_plain(name)) is not None


def covers_technique(wanted: str, ids: Iterable[str]) -> bool:
    """Whether one of a pulse's ids is ``wanted`` or a sub-technique of it; an id may have a name behind it."""
    technique = wanted.casefold()
    found = (one.casefold().split(maxsplit=1)[0] for one in ids if one.strip())
    return any(one == technique or one.startswith(f"{technique}.") for one in found)


@lru_cache(_KEPT)
def _plain(text: str) -> str:
    """``text`` in NFKC, case folded, without accents."""
    taken_apart = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    return unicodedata.normalize("NFKC", _ACCENTS.sub("", taken_apart))


@lru_cache(_KEPT)
def _pattern(word: str) -> re.Pattern[str]:
    phrase = _plain(word).split()
    if not phrase:  # nothing but accents
        return re.compile("(?!)")
    pieces = (re.escape(part.rstrip("*")) + _MORE * part.endswith("*") for part in phrase)
    begin, end = (bool(re.match(_LETTER, one)) for one in (phrase[0][0], phrase[-1][-1]))
    return re.compile(_STARTS * begin + _APART.join(pieces) + _ENDS * end)
