"""Single fields of a file: texts, types, TLP levels, dates; and what cells of a table need to be harmless."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime

from pulsegate.model.indicator import IndicatorType, RawIndicator, Rejection
from pulsegate.model.tlp import TLP
from pulsegate.settings.duration import parse_duration
from pulsegate.values.addresses import looks_like_address
from pulsegate.values.dates import read_date
from pulsegate.values.names import type_of_name
from pulsegate.values.normalise import best_reading, indicator_type, normalise
from pulsegate.values.suffixes import has_known_end
from pulsegate.values.text import clean_line

OPENNESS = (TLP.WHITE, TLP.GREEN, TLP.AMBER, TLP.RED)
_TLP = {one.value: one for one in TLP} | {"clear": TLP.WHITE, "amber+strict": TLP.AMBER, "amber-strict": TLP.AMBER}
_ALIASES = {
    "url": IndicatorType.URL,
    "link": IndicatorType.URL,
    "domainname": IndicatorType.DOMAIN,
    "ipaddress": IndicatorType.IPV4,
    "ipaddr": IndicatorType.IPV4,
    "ipsrc": IndicatorType.IPV4,
    "ipdst": IndicatorType.IPV4,
    "network": IndicatorType.CIDR,
    "emailsrc": IndicatorType.EMAIL,
    "mail": IndicatorType.EMAIL,
    "vulnerability": IndicatorType.CVE,
    "ja3fingerprintmd5": IndicatorType.JA3,
    "path": IndicatorType.FILE_PATH,
}
_GUESSED = frozenset({"", "hash", "filehash", "ioc", "indicator", "observable", "unknown"})
_UNSURE = frozenset({IndicatorType.MUTEX, IndicatorType.OSQUERY, IndicatorType.YARA, IndicatorType.URI})
_FULL_PATH = re.compile(r"[A-Za-z]:\\|\\\\|%[A-Za-z()]+%\\")
_TYPE_IT = "give its type"

# A table program runs a cell that begins so. An apostrophe before it makes it a text; of what begins with apostrophes
# before such a sign one is taken off again, so each text comes back.
_FORMULA = re.compile("'*[=+@\t\r-]")


def harmless(cell: str) -> str:
    """The cell so that no table program takes it for a formula."""
    return f"'{cell}" if _FORMULA.match(cell) else cell


def original(cell: str) -> str:
    """The cell that ``harmless`` made ``cell`` of, or that somebody made so by hand."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell


def tlp(text: str) -> TLP | None:
    """The level that the text names, None for an empty one. ValueError for another word: it must not become wider."""
    word = clean_line(text[:60]).lower().removeprefix("tlp").removeprefix(":").strip()
    if not word:
        return None
    if word not in _TLP:
        raise ValueError(f'TLP "{word}" is none of white, clear, green, amber and red')
    return _TLP[word]


def strictest(levels: Iterable[TLP]) -> TLP | None:
    """The most closed one; None of none."""
    return max(levels, key=OPENNESS.index, default=None)


def expiration(text: str) -> datetime | None:
    """The date that the text writes (ISO 8601, UTC without a zone), None for an empty one. ValueError for another."""
    text = text.strip()
    if not text:
        return None
    found = read_date(text)
    if found is None:
        raise ValueError(f'"{clean_line(text[:40])}" is no date; write it as 2026-12-31 or 2026-12-31T18:00Z')
    return found


def until(text: str, moment: datetime) -> datetime | None:
    """The end that people write: a date, or a duration from ``moment`` on such as 30d; None for an empty text.

    ValueError: it is neither, or it is past.
    """
    text = text.strip()
    if not text:
        return None
    try:
        end = moment + parse_duration(text)
    except (ValueError, OverflowError):
        try:
            end = expiration(text) or moment
        except ValueError as error:
            raise ValueError(f"{error}, or as a duration: 30d") from error
    if end <= moment:
        raise ValueError(f"{end.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC is past")
    return end


def named_type(text: str) -> IndicatorType | None:
    """The type that the text names, None where it says that it doesn't know. ValueError for another word."""
    key = re.sub(r"[\W_]", "", text[:60]).lower()
    if key in _GUESSED:
        return None
    found = indicator_type(text) or _ALIASES.get(key)
    if found is None:
        raise ValueError(f'"{clean_line(text[:40])}" is no indicator type that Pulsegate knows')
    return found


def guess(text: str) -> tuple[IndicatorType, str]:
    """Type and normal form of a value that came without a type. ValueError, with the reason, where that is unsure.

    Careful, as the text may be any word of a report: a name's end must exist; a mutex, a query, a relative reference
    or the name of a rule can be any text, so it has to be told that it is one.
    """
    found = _as_name(text) or best_reading(text)
    if found is None:
        raise ValueError("it is no value of any type")
    kind, value = found
    if kind in (IndicatorType.DOMAIN, IndicatorType.HOSTNAME) and not has_known_end(value):
        raise ValueError(f"a name whose end does not exist; if it is one, {_TYPE_IT}")
    if kind in _UNSURE or (kind is IndicatorType.FILE_PATH and not _FULL_PATH.match(value)):
        raise ValueError(_why_unsure(text))
    return kind, value


def _as_name(text: str) -> tuple[IndicatorType, str] | None:
    """What has a dot and no sign of anything else is most often a name, or an address: then one try is enough."""
    if "." not in text or any(sign in text for sign in "/:@"):
        return None
    found = normalise(RawIndicator(IndicatorType.HOSTNAME, text))
    if isinstance(found, Rejection):
        return None
    is_name = found.type is IndicatorType.HOSTNAME
    return (type_of_name(found.value) if is_name else found.type), found.value


def _why_unsure(text: str) -> str:
    if looks_like_address(text.strip()):
        found = normalise(RawIndicator(IndicatorType.IPV4, text))
        if isinstance(found, Rejection):
            return found.reason
    if len(text.split()) > 1 or "," in text:
        return f"several words in one line; write one value a line, or {_TYPE_IT}"
    return f"no address, name, URL, mail address, hash, CVE number or full path; if it is a value, {_TYPE_IT}"
