"""Lists of one's own: text files with an entry a line.

``example.com`` is that name alone, ``.example.com`` or ``*.example.com`` the name and all below it; an address or a
network in CIDR notation is a network; anything else (a URL, a mail address, a hash) is that value alone. What follows a
``#`` at the beginning of a line or after white space is a comment.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from pulsegate.curation.misp_entries import is_plain_name
from pulsegate.curation.value_set import Batch, EntryKind
from pulsegate.errors import SettingsError
from pulsegate.model.indicator import ADDRESSES, NAMES, IndicatorType, RawIndicator, Rejection
from pulsegate.values.addresses import looks_like_address
from pulsegate.values.normalise import normalise, readings

_COMMENT = re.compile(r"(?:^|\s)#.*")
_TOLD = 5  # faults of one file that an error tells
_FREE = frozenset({IndicatorType.MUTEX, IndicatorType.FILE_PATH, IndicatorType.OSQUERY})

Parsed = tuple[EntryKind, tuple[str, ...]]


def read_entries(path: Path, source: str = "") -> tuple[Batch, ...]:
    """The entries of the file. SettingsError when it can't be read, naming the lines that are wrong."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise SettingsError(f"can't be read: {error.strerror}", resource=str(path)) from error
    except UnicodeDecodeError as error:
        raise SettingsError("is not UTF-8 text", resource=str(path), hint="Save it as UTF-8") from error
    faults: list[str] = []
    found: dict[EntryKind, list[str]] = {}
    for number, entry in lines_of(text):
        try:
            kind, texts = parse_entry(entry)
        except ValueError as error:
            faults.append(f"line {number}: {error}")
        else:
            found.setdefault(kind, []).extend(texts)
    if faults:
        count = len(faults) - _TOLD
        more = [f"and {count} more"] if count > 0 else []
        raise SettingsError("; ".join([*faults[:_TOLD], *more]), resource=str(path))
    return tuple(Batch(kind, texts, source) for kind, texts in found.items())


def parse_entry(text: str) -> Parsed:
    """The kind of an entry and its text in normal form, several where its type decides on the form.

    ValueError, with the reason, for what is no entry.
    """
    if text.startswith((".", "*.")):
        return EntryKind.SUBTREE, (_name(text),)
    if is_plain_name(text):
        return EntryKind.EXACT, (text,)
    found = normalise(RawIndicator(type=IndicatorType.CIDR, value=text))
    if not isinstance(found, Rejection) and found.type in ADDRESSES:
        return EntryKind.NETWORK, (found.value,)
    if isinstance(found, Rejection) and looks_like_address(text):
        raise ValueError(f"{text!r}: {found.reason}")
    return EntryKind.EXACT, _texts(text)


def lines_of(text: str) -> Iterator[tuple[int, str]]:
    """The lines that hold an entry, with their numbers, without comments."""
    for number, line in enumerate(text.split("\n"), start=1):
        if entry := _COMMENT.sub("", line).strip():
            yield number, entry


def _name(text: str) -> str:
    found = normalise(RawIndicator(type=IndicatorType.DOMAIN, value=text.removeprefix("*").removeprefix(".")))
    if isinstance(found, Rejection):
        raise ValueError(f"{text!r}: {found.reason}")  # noqa: TRY004
    if found.type not in NAMES:
        raise ValueError(f"{text!r}: only a domain name has something below it")
    return found.value


def _texts(text: str) -> tuple[str, ...]:
    """Every form that the text has as a value of some type. Paths and mutexes are known by their slashes."""
    found = readings(text)
    if not _is_value(text, (type_ for type_, _ in found)):
        raise ValueError(f"{text!r} is no domain, address, network, URL, mail address, hash or path")
    return tuple(dict.fromkeys(value for _, value in found))


def _is_value(text: str, types: Iterable[IndicatorType]) -> bool:
    return "\\" in text or "/" in text or any(type_ not in _FREE for type_ in types)
