"""Names of the DNS: lower case, A-labels, no trailing dot.

Sources: RFC 1035 section 2.3.4 (lengths), RFC 2181 section 11 (any label is possible, so underscores are), UTS #46.
"""

from __future__ import annotations

import re
import unicodedata

import idna

from pulsegate.model.indicator import IndicatorType
from pulsegate.values.fault import (
    PORT,
    SEVERAL,
    WHITE_SPACE,
    WILDCARD,
    NoValueError,
    has_white_space,
    is_glued,
    limit,
    show,
)
from pulsegate.values.suffixes import is_public_suffix, registrable

_LONGEST_INPUT = 1_024  # characters of a name before IDNA shortens or lengthens it
_LONGEST_NAME = 253
_LONGEST_LABEL = 63
_HIGHEST_PORT = 65_535
_LABEL = re.compile(r"[a-z0-9_-]+")
_STRANGE = re.compile(r"[^a-z0-9_-]")
_NUMERIC_END = re.compile(r"[0-9]+|0x[0-9a-f]*")
_NAME_PORT = re.compile(r"([^:\s]+):([0-9]+)")
# Letters, marks, digits, pictures: what UTS 46 forbids among them (emoji domains) is registered and used all the same.
_USED_CATEGORIES = frozenset({"Ll", "Lu", "Lt", "Lm", "Lo", "Mn", "Mc", "Nd", "Nl", "No", "So"})
_JOINERS = "\u200c\u200d"

WHAT = "not a domain name"


def name(text: str) -> str:
    """The normal form of a tidied, re-fanged name, as it stands in a field of its own. Raises NoValueError.

    ``evil.com:8080`` is ``evil.com``: the author named the host and the port is noise. So is ``*.`` or ``.`` in front,
    because whoever owns ``evil.com`` owns what is below; over a public suffix (``*.github.io``) it names strangers and
    is refused.
    """
    if match := _NAME_PORT.fullmatch(text):
        port(match[2], WHAT)
        text = match[1]
    bare = text.removeprefix("*.").lstrip(".")
    found = host(bare)
    if bare != text and is_public_suffix(found):
        raise NoValueError(f"{WHAT}: a wildcard over the whole public suffix {found}")
    return found


def host(text: str, what: str = WHAT) -> str:
    """The normal form of a name alone: no port, no wildcard. ``what`` begins the reason. Raises NoValueError."""
    limit(text, _LONGEST_INPUT, what)
    text = text.rstrip(".\u3002")
    if not text:
        raise NoValueError(f"{what}: there is no name")
    found = text.lower() if text.isascii() else _encode(text)
    try:
        _check(found)
    except NoValueError as error:
        raise NoValueError(f"{what}: {_cause(text, error)}") from error
    return found


def port(digits: str, what: str) -> int:
    """The port that the digits name. Raises NoValueError."""
    if not (digits.isascii() and digits.isdigit() and len(digits) <= len(str(_HIGHEST_PORT))):
        raise NoValueError(f"{what}: {PORT}")
    if not 0 < int(digits) <= _HIGHEST_PORT:
        raise NoValueError(f"{what}: {PORT}")
    return int(digits)


def type_of_name(found: str) -> IndicatorType:
    """``domain`` for what somebody registered or could, ``hostname`` for what lies below."""
    return IndicatorType.DOMAIN if registrable(found) in (found, None) else IndicatorType.HOSTNAME


def _encode(text: str) -> str:
    """The name with A-labels, mapped by UTS 46 (non-transitional: ``ß`` stays) as far as it goes."""
    try:
        mapped = idna.uts46_remap(text, std3_rules=False, transitional=False)
    except UnicodeError:
        mapped = unicodedata.normalize("NFKC", text).lower().replace("\u3002", ".")
    return ".".join(_encode_label(label) for label in mapped.split("."))


def _encode_label(label: str) -> str:
    if label.isascii():
        return label
    try:
        return idna.alabel(label).decode("ascii")
    except UnicodeError:
        if not all(c in _JOINERS or unicodedata.category(c) in _USED_CATEGORIES for c in label if not c.isascii()):
            return label  # the check names the character
        return "xn--" + label.encode("punycode").decode("ascii")


def _check(found: str) -> None:
    labels = found.split(".")
    for label in labels:
        _check_label(label)
    if len(found) > _LONGEST_NAME:
        raise NoValueError(f"longer than {_LONGEST_NAME} characters")
    if _NUMERIC_END.fullmatch(labels[-1]):
        raise NoValueError("the last label is a number")
    # Hosts below a registered name may begin or end with a hyphen and do; registries allow it nowhere.
    if any(label.startswith("-") or label.endswith("-") for label in labels[-2:]):
        raise NoValueError("a label begins or ends with a hyphen")


def _check_label(label: str) -> None:
    if not label:
        raise NoValueError("two dots in a row")
    if len(label) > _LONGEST_LABEL and _LABEL.fullmatch(label):
        raise NoValueError(f"label longer than {_LONGEST_LABEL} characters")
    if strange := _STRANGE.search(label):
        raise NoValueError(f"the character {show(strange[0])} is not allowed")


def _cause(text: str, error: NoValueError) -> str:
    """The reason that helps most: what was glued together or holds white space is told as that."""
    if is_glued(text, _is_name):
        return SEVERAL
    if has_white_space(text):
        return WHITE_SPACE
    return WILDCARD if "*" in text else error.message


def _is_name(text: str) -> bool:
    try:
        _check(_encode(text.strip(".").lower()))
    except NoValueError:
        return False
    return "." in text
