"""URLs: scheme and host in lower case and A-labels, everything else exactly as it was sent.

Sources: RFC 3986; the WHATWG URL standard for what browsers, which open the links, do with TAB, line ends, spaces and
backslashes.
"""

from __future__ import annotations

import re
from urllib.parse import quote

from pulsegate.model.indicator import IndicatorType
from pulsegate.values.addresses import ipv4, ipv6, looks_like_address
from pulsegate.values.dirt import refang, unbracketed
from pulsegate.values.fault import EMPTY, SEVERAL, UNSETTLED, WHITE_SPACE, NoValueError, has_white_space, limit
from pulsegate.values.names import host as plain_name
from pulsegate.values.names import port
from pulsegate.values.suffixes import has_known_end
from pulsegate.values.text import BASIC_ENTITIES, unescape, without_directions, without_ignorable, without_junk

LONGEST = 8_192
WHAT = "not a URL"
_ROUNDS = 8
_SCHEMES = {
    "hxxp": "http",
    "hxxps": "https",
    "h**p": "http",
    "h**ps": "https",
    "fxp": "ftp",
    "fxps": "ftps",
    "meow": "http",
}
_WEB = frozenset({"http", "https", "hxxp", "hxxps"})
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.*-]{0,31})\s?(?:://|\[:\]//|\(:\)//|\[://\]|\(://\)|:\\\\)\s?")
_OPAQUE = re.compile(r"([A-Za-z][A-Za-z0-9+-]{1,31}):(?!//)(?![0-9]+(?:/|$))(.+)", re.DOTALL)
_FULL_WIDTH = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}
_AUTHORITY = re.compile(r"[^/?#\\]*")
_BRACKETED = re.compile(r"\[([^\]]*)\](?::([^:]*))?")
_GLUED = re.compile(r"\s[,;|]?(?:h(?:tt|xx)ps?|ftp)(?:://|\[:)", re.IGNORECASE)
_REMOVED_BY_BROWSERS = re.compile(r"[\t\n\r]")
_WHITE_SPACE = re.compile(r"\s")
_DEFANGED_DOT = re.compile(r"\[(?:\.|dot)\]", re.IGNORECASE)
_HOST = re.compile(r"[a-z][a-z0-9+.-]*://(?:[^/?#\\]*@)?(\[[^\]/?#\\]*\]|[^:/?#\\]*)")


def unwrapped(text: str) -> str:
    """The text of a URL field: unescaped, without control characters, surrounding white space and quotes.

    Only the entities that escapers write are replaced (``&copy;`` may be part of a query), a last apostrophe is dropped
    only with its partner. Raises NoValueError.
    """
    for _ in range(_ROUNDS):
        cleaned = without_directions(unescape(without_junk(text), BASIC_ENTITIES)).strip()
        cleaned = unbracketed(_without_quotes(cleaned))
        if cleaned == text:
            break
        text = cleaned
    else:
        raise NoValueError(UNSETTLED)
    if not text:
        raise NoValueError(EMPTY)
    limit(text, LONGEST)
    if _GLUED.search(text):
        raise NoValueError(f"{WHAT}: {SEVERAL}")
    return _REMOVED_BY_BROWSERS.sub("", text)


def absolute(text: str) -> str | None:
    """The normal form of an unwrapped ``scheme://host…``; None when the text has no scheme. Raises NoValueError.

    Userinfo, port, path, query and fragment stay as they were sent; white space in them becomes ``%20``, as browsers
    send it. Of ``http://http://evil.example`` the last scheme counts: a prefix was put in front of a whole URL.
    """
    match = _SCHEME.match(text) or _SCHEME.match(text := _narrow(text))
    if not match:
        return None
    while (second := _SCHEME.match(text, match.end())) and second[1].lower() in _WEB:
        match = second
    scheme = _SCHEMES.get(match[1].lower(), match[1].lower())
    if "*" in scheme:
        raise NoValueError(f"{WHAT}: the scheme can't be read")
    return _joined(scheme, text[match.end() :])


def without_scheme(text: str) -> str | None:
    """``evil.example/path``, ``evil.example:8080`` or ``//evil.example`` as an ``http`` URL; None when it is none.

    The end of the name must exist, so that ``invoice.doc/x`` makes no URL; a text with white space is none.
    Raises NoValueError.
    """
    if has_white_space(text):
        return None
    text = text.removeprefix("//")
    front = refang(_AUTHORITY.match(text)[0])  # type: ignore[index]  # it matches the empty text too
    name = _bare(front.rpartition("@")[2].partition(":")[0])
    if not (looks_like_address(name) or has_known_end(name)):
        return None
    return _joined("http", text)


def reference(text: str) -> str | None:
    """A path (``/x/``), a relative reference (``gate.php?id=``) or an opaque URI (``urn:x:y``) as sent, or None."""
    if match := _OPAQUE.fullmatch(text):
        return f"{match[1].lower()}:{_percent(match[2])}"
    if text.startswith("/"):
        return _percent(text)
    return text if ("/" in text or "?" in text) and not has_white_space(text) and ":" not in text else None


def host_of(url: str) -> str:
    """The host in a URL's normal form, an IPv6 address without its brackets; empty for a path or an opaque URI."""
    match = _HOST.match(url)
    return match[1].strip("[]") if match else ""


def _joined(scheme: str, rest: str) -> str:
    authority = _AUTHORITY.match(rest)[0]  # type: ignore[index]  # it matches the empty text too
    tail = rest[len(authority) :]
    userinfo, at, place = refang(authority).rpartition("@")
    _refuse_glued(place, tail)
    return f"{scheme}://{_percent(userinfo)}{at}{_place(place)}{_percent(_DEFANGED_DOT.sub('.', tail))}"


def _refuse_glued(place: str, tail: str) -> None:
    if tail.startswith("//") and place.lower().endswith(("http:", "https:")):
        raise NoValueError(f"{WHAT}: {SEVERAL}")


def _place(text: str) -> str:
    """Host and port."""
    if match := _BRACKETED.fullmatch(text):
        type_, found = ipv6(match[1], WHAT)
        found = f"[{found}]" if type_ is IndicatorType.IPV6 else found
        digits = match[2]
    elif looks_like_address(text) and text.count(":") > 1:
        raise NoValueError(f"{WHAT}: an IPv6 address without brackets")
    else:
        front, _, digits = text.partition(":")
        found = _host(front)
    return f"{found}:{port(digits, WHAT)}" if digits else found


def _host(text: str) -> str:
    text = without_ignorable(text).strip().rstrip(".")
    if not text:
        raise NoValueError(f"{WHAT}: there is no host")
    if has_white_space(text):
        raise NoValueError(f"{WHAT}: {WHITE_SPACE} the host")
    return ipv4(text, WHAT) if looks_like_address(text) else plain_name(text, WHAT)


def _bare(text: str) -> str:
    """The normal form of what may be a host, or the text itself."""
    try:
        return _host(text)
    except NoValueError:
        return text.lower()


def _narrow(text: str) -> str:
    """The text with full-width letters and signs as ASCII where they stand in for a URL's own."""
    return text.translate(_FULL_WIDTH) if "\uff1a\uff0f\uff0f" in text else text


def _percent(text: str) -> str:
    return _WHITE_SPACE.sub(lambda match: quote(match[0]), text)


def _without_quotes(text: str) -> str:
    """The text without quotes or angle brackets around it; an apostrophe may end a URL, so only with its partner."""
    for first, last in ('""', "''", "``", "<>", "\u201c\u201d", "\u2018\u2019", "\u00ab\u00bb"):
        if len(text) > 1 and text[0] == first and text[-1] == last:
            return text[1:-1].strip()
    return text.lstrip("\"<'`\u201c\u2018\u00ab").rstrip('">\u201d\u00bb')
