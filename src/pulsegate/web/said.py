"""What the parts below the pages say, in the language of the page: reasons, faults, remedies.

Those parts make English texts, for commands and logs too, and some are stored. Their sentences are read from the source
(``sayings.py``) into the file ``said.json``; here a text is held against them, and the one that fits is translated with
the values put back. Values are never translated nor looked into, but for the places that hold a text of ours. A text
that nothing fits is shown as it is.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache
from itertools import product
from pathlib import Path

from flask_babel import get_locale

from pulsegate.errors import PulsegateError
from pulsegate.web.words import LazyString, _

FILE = Path(__file__).parent / "translations" / "said.json"
ANY = None
PLACE = re.compile(r"%\((\w+)\)s")
_KEPT = 4_096  # translated texts
_LONGEST = 5_000  # characters of a text that is looked at
_LOOKS = 60  # at most for one text, so that no text takes long
_WORD = re.compile(r"[a-z]{3}")
_TRIED = 8  # of the places where a fault may end and its remedy begin


@dataclass(frozen=True, slots=True)
class Phrase:
    """A sentence with named places, as the catalogue has it.

    ``parts``: what may stand in a place, for those where that is known; ``ANY``: some text of ours. In others: a value.
    """

    text: str
    parts: Mapping[str, tuple[Phrase, ...] | None] = field(default_factory=dict)

    def texts(self) -> Iterator[str]:
        """What is to be translated of it."""
        if PLACE.sub("", self.text).strip(" :;,."):
            yield self.text
        for some in self.parts.values():
            for one in some or ():
                yield from one.texts()


def said(text: str | None) -> str:
    """A reason or a remedy in the language of the request."""
    plain = str(text or "")
    return _known(plain, _language()) or plain


def fault(text: str | LazyString | None) -> str:
    """An error as it prints itself, ``resource: message. hint``, in the language of the request; or several of them."""
    plain = str(text or "")
    return _fault(plain, _language()) or plain


def refusal(error: PulsegateError) -> str:
    """An error that comes as one: its parts may be in the language of the request already."""
    text = fault(error.message)
    if error.resource:
        text = _("%(resource)s: %(message)s", resource=said(error.resource), message=text)
    return _("%(message)s. %(hint)s", message=text, hint=said(error.hint)) if error.hint else text


def _language() -> str:
    return str(get_locale() or "en")


@lru_cache(_KEPT)
def _known(text: str, language: str) -> str | None:
    """The text in that language, which is the request's; None: it is none of ours."""
    return text if language == "en" or len(text) > _LONGEST else _sentences().said(text)


@lru_cache(_KEPT)
def _fault(text: str, language: str) -> str | None:
    return text if language == "en" or len(text) > _LONGEST else _sentences().fault(text)


def _cuts(text: str, sign: str) -> Iterator[tuple[str, str]]:
    """The text in two, at each of the first signs."""
    place = -1
    for _number in range(_TRIED):
        place = text.find(sign, place + 1)
        if place < 0 or place + len(sign) >= len(text):
            return
        yield text[:place], text[place + len(sign) :]


@cache
def _sentences() -> Sentences:
    return Sentences(read())


def read() -> list[Phrase]:
    return [_read(one) for one in json.loads(FILE.read_text(encoding="utf-8"))]


def written(phrases: Iterable[Phrase]) -> str:
    """The content of the file, a sentence a line."""
    lines = (json.dumps(_written(one), ensure_ascii=False) for one in phrases)
    return "[\n" + ",\n".join(lines) + "\n]\n"


def _read(one: str | list[object]) -> Phrase:
    if isinstance(one, str):
        return Phrase(one)
    text, parts = one
    return Phrase(str(text), {name: some and tuple(map(_read, some)) for name, some in dict(parts).items()})  # type: ignore[call-overload]


def _written(one: Phrase) -> object:
    return (
        [one.text, {name: some and list(map(_written, some)) for name, some in one.parts.items()}]
        if one.parts
        else one.text
    )


class _Place:
    """Where something stands that the text does not show; ``is_ours``: a text of ours."""

    def __init__(self, *, is_ours: bool) -> None:
        self.is_ours = is_ours


@dataclass(frozen=True, slots=True)
class _Plan:
    """How a text is put together in another language."""

    text: str
    values: Mapping[str, _Plan | _Place]


@dataclass(frozen=True, slots=True)
class _Form:
    """One of the shapes that a sentence has. ``longest``: the longest of its texts, which is sought first."""

    longest: str
    pattern: re.Pattern[str]
    plan: _Plan
    places: tuple[_Place, ...]
    length: int  # of all its texts
    is_open: bool  # it begins with a text of ours: it fits only where that is known
    is_firm: bool


class Sentences:
    """All that is known; of several sentences that a text may be, the one with most of it in its own words counts."""

    def __init__(self, phrases: Iterable[Phrase]) -> None:
        self.whole: set[str] = set()
        self.forms: list[_Form] = []
        for one in phrases:
            if PLACE.search(one.text):
                self.forms += [form for shape in shapes(one) if (form := _form(*shape)) is not None]
            else:
                self.whole.add(one.text)
        self.forms.sort(key=lambda form: (not form.is_open, -form.length))

    def said(self, text: str) -> str | None:
        return _Reading(self).sentence(text)

    def fault(self, text: str) -> str | None:
        return _Reading(self).fault(text)


class _Reading:
    """One text is read, with those in it."""

    def __init__(self, known: Sentences) -> None:
        self._known = known
        self._left = _LOOKS

    def sentence(self, text: str, *, firm: bool = False) -> str | None:
        """None: it is none of them. ``firm``: only those that begin and end with words of their own."""
        if text in self._known.whole:
            return _(text)
        self._left -= 1
        if self._left < 0:
            return None
        forms = (one for one in self._known.forms if one.longest in text and (one.is_firm or not firm))
        return next((found for one in forms if (found := self._filled(one, text)) is not None), None)

    def fault(self, text: str) -> str | None:
        """Of an error as it prints itself, or of several with semicolons between them."""
        if self._left < 0:
            return None
        several = [self.fault(one) for one in text.split("; ", _TRIED)] if "; " in text else [None]
        if None not in several:
            return "; ".join(map(str, several))
        return self.sentence(text, firm=True) or self._with_hint(text) or self._of_resource(text) or self.sentence(text)

    def _with_hint(self, text: str) -> str | None:
        """A hint begins like a sentence, or with a command."""
        for message, hint in _cuts(text, ". "):
            if (hint[0].isupper() or hint[0] == "'") and (told := self.sentence(hint)) is not None:
                return _("%(message)s. %(hint)s", message=self.fault(message) or message, hint=told)
        return None

    def _of_resource(self, text: str) -> str | None:
        for resource, message in _cuts(text, ": "):
            if (told := self.fault(message)) is not None:
                return _("%(resource)s: %(message)s", resource=self.sentence(resource) or resource, message=told)
        return None

    def _filled(self, form: _Form, text: str) -> str | None:
        match = form.pattern.fullmatch(text)
        if match is None:
            return None
        values = dict(zip(form.places, match.groups(), strict=True))
        ours = {one: self.fault(value) for one, value in values.items() if one.is_ours}
        if form.is_open and None in ours.values():
            return None
        return _put(form.plan, values | {one: text for one, text in ours.items() if text is not None})


def _put(plan: _Plan, values: Mapping[_Place, str]) -> str:
    if not plan.text:
        return ""
    filled = {name: values[one] if isinstance(one, _Place) else _put(one, values) for name, one in plan.values.items()}
    return _(plan.text, **filled) if filled else _(plan.text)


Shape = tuple[list[str | _Place], _Plan]


def shapes(phrase: Phrase) -> Iterator[Shape]:
    """Every way in which its places may be filled with texts that are known."""
    words = PLACE.split(phrase.text)
    if len(words) == 1:
        yield [phrase.text] if phrase.text else [], _Plan(phrase.text, {})
        return
    fixed, names = [one.replace("%%", "%") for one in words[::2]], words[1::2]
    for chosen in product(*(_fillings(phrase.parts.get(name, ())) for name in names)):
        pieces: list[str | _Place] = [fixed[0]]
        for (more, _what), text in zip(chosen, fixed[1:], strict=True):
            pieces += [*more, text]
        yield pieces, _Plan(phrase.text, {name: what for name, (_more, what) in zip(names, chosen, strict=True)})


def _fillings(some: tuple[Phrase, ...] | None) -> list[tuple[list[str | _Place], _Plan | _Place]]:
    if not some:
        place = _Place(is_ours=some is ANY)
        return [([place], place)]
    return [shape for one in some for shape in shapes(one)]


def _form(pieces: Iterable[str | _Place], plan: _Plan) -> _Form | None:
    """None: it has no words that would tell it.

    What stands before a text is all up to where that stands first, so that no text makes the search long.
    """
    whole = joined(pieces)
    texts = [one for one in whole if isinstance(one, str)]
    if not any(_WORD.search(one) for one in texts):
        return None
    places = tuple(one for one in whole if isinstance(one, _Place))
    first, last = whole[0], whole[-1]
    return _Form(
        max(texts, key=len), re.compile(_pattern(whole), re.DOTALL), plan, places, sum(map(len, texts)),
        is_open=isinstance(first, _Place) and first.is_ours,
        is_firm=isinstance(first, str) and isinstance(last, str),
    )  # fmt: skip


def _pattern(whole: Sequence[str | _Place]) -> str:
    """Places and texts by turns."""
    found, end = "", len(whole) - 1
    for number, one in enumerate(whole):
        if isinstance(one, str):
            found += re.escape(one) if number in (0, end) else ""
        elif number >= end - 1:
            found += "(.*)"
        else:
            found += f"(?>(.*?){re.escape(str(whole[number + 1]))})"
    return found


def joined(pieces: Iterable[str | _Place]) -> list[str | _Place]:
    """Texts beside each other as one."""
    found: list[str | _Place] = []
    for one in pieces:
        if isinstance(one, str) and found and isinstance(found[-1], str):
            found[-1] += one
        elif one != "":
            found.append(one)
    return found
