"""One field of OTX, read as the type it declares, or as the type that its value plainly has.

Retyping is careful: nothing becomes wider than its author wrote it. A URL with a path never becomes its host, a name in
an e-mail field never becomes a domain (it is what is left of somebody's address).
"""

from __future__ import annotations

from pulsegate.model.indicator import IndicatorType
from pulsegate.values.addresses import address, looks_like_address
from pulsegate.values.dirt import refang, tidy
from pulsegate.values.fault import SEVERAL, WHITE_SPACE, NoValueError, has_white_space, is_glued
from pulsegate.values.locators import WHAT as NO_URL
from pulsegate.values.locators import absolute, reference, unwrapped, without_scheme
from pulsegate.values.mailboxes import mailbox
from pulsegate.values.names import name, type_of_name
from pulsegate.values.suffixes import has_known_end

Reading = tuple[IndicatorType, str]


def address_field(value: str) -> Reading:
    """IPv4, IPv6 and CIDR: told apart by the value. A URL or a name in there is read as such. Raises NoValueError."""
    text = refang(tidy(value)).rstrip("./")
    try:
        return address(text)
    except NoValueError:
        found = None if _has_network(text) else _elsewhere(value, text)
        if found is None:
            raise
        return found


def name_field(declared: IndicatorType, value: str) -> Reading:
    """Domain and hostname, kept as declared. An address, a URL or a mailbox is read as such. Raises NoValueError."""
    text = refang(tidy(value)).removeprefix("@")
    bare = text.rstrip("./")
    if looks_like_address(bare) and (_has_network(bare) or "/" not in bare):
        return address(bare)
    if "@" in bare and "/" not in bare:
        return IndicatorType.EMAIL, mailbox(bare)
    if "/" in bare:
        found = _url(value)
        if found is not None:
            return found
    return declared, name(bare)


def mail_field(value: str) -> Reading:
    """E-mail addresses; a URL in there is read as such, a name is refused. Raises NoValueError."""
    text = refang(tidy(value))
    if "://" in text and (url := absolute(unwrapped(value))):
        return IndicatorType.URL, url
    return IndicatorType.EMAIL, mailbox(text)


def url_field(declared: IndicatorType, value: str) -> Reading:
    """URL and URI, kept apart as declared; a path alone is a URI.

    A bare name or address is read as such: it says no less than its author did, and the protections of names and
    addresses hold for it. ``http://evil.example`` stays a URL, ``evil.example/x`` and ``evil.example:8080`` become one.
    Raises NoValueError.
    """
    text = unwrapped(value)
    if url := absolute(text):
        return declared, url
    if text[:7].lower() == "mailto:":
        return IndicatorType.EMAIL, mailbox(refang(tidy(text)))
    if not any(sign in text for sign in "/?#\\") and (found := _bare(text)):
        return found
    if url := without_scheme(text):
        return declared, url
    if (declared is IndicatorType.URI or text.startswith("/")) and (path := reference(text)):
        return IndicatorType.URI, path
    raise NoValueError(f"{NO_URL}: {_cause(text)}")


def _bare(text: str) -> Reading | None:
    """A mailbox, address or name without a port, where a URL was declared."""
    plain = refang(tidy(text))
    if "@" in plain and ":" not in plain:
        return IndicatorType.EMAIL, mailbox(plain)
    if looks_like_address(plain) and (plain.count(":") != 1):
        return address(plain)
    return None if ":" in plain else _known_name(plain)


def _elsewhere(value: str, text: str) -> Reading | None:
    """A URL or a name, where an address was declared; None when it is neither."""
    try:
        return _url(value) or _known_name(text)
    except NoValueError:
        return None


def _known_name(text: str) -> Reading | None:
    """A name whose end exists, where no name was declared."""
    if is_glued(text, bool) or not has_known_end(text.rstrip(".").lower()):
        return None
    found = name(text)
    return type_of_name(found), found


def _cause(text: str) -> str:
    if is_glued(text, lambda part: "." in part):
        return SEVERAL
    return WHITE_SPACE if has_white_space(text) else "it has neither a scheme nor a host name whose end exists"


def _url(value: str) -> Reading | None:
    """A URL, with a scheme or a path behind an existing name, where none was declared."""
    text = unwrapped(value)
    url = absolute(text) or (without_scheme(text) if "/" in text else None)
    return (IndicatorType.URL, url) if url else None


def _has_network(text: str) -> bool:
    """Whether only digits and dots follow one slash: a prefix length, not a path."""
    front, slash, length = text.partition("/")
    return bool(slash) and looks_like_address(front) and length.replace(".", "").isdigit()
