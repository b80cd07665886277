"""A raw indicator in its normal form, or the reason why it is no value of any type.

What was cleaned is read a second time and must not change, so the normal form is a fixed point for whatever was sent.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from pulsegate.model.indicator import Indicator, IndicatorType, RawIndicator, Rejection
from pulsegate.values.addresses import IPV4_PATTERN
from pulsegate.values.bitcoin import bitcoin_address
from pulsegate.values.fault import UNSETTLED, NoValueError, limit
from pulsegate.values.fields import Reading, address_field, mail_field, name_field, url_field
from pulsegate.values.hashes import fingerprint, hash_value
from pulsegate.values.names import type_of_name
from pulsegate.values.others import LONGEST, LONGEST_QUERY, cve, free_text, rule
from pulsegate.values.text import clean_line

T = IndicatorType
_ROUNDS = 4
_SHOWN = 40  # characters of an unknown type that a reason quotes

_READERS: dict[IndicatorType, Callable[[RawIndicator], Reading]] = {
    T.IPV4: lambda raw: address_field(raw.value),
    T.IPV6: lambda raw: address_field(raw.value),
    T.CIDR: lambda raw: address_field(raw.value),
    T.DOMAIN: lambda raw: name_field(T.DOMAIN, raw.value),
    T.HOSTNAME: lambda raw: name_field(T.HOSTNAME, raw.value),
    T.EMAIL: lambda raw: mail_field(raw.value),
    T.URL: lambda raw: url_field(T.URL, raw.value),
    T.URI: lambda raw: url_field(T.URI, raw.value),
    T.MD5: lambda raw: hash_value(T.MD5, raw.value),
    T.SHA1: lambda raw: hash_value(T.SHA1, raw.value),
    T.SHA256: lambda raw: hash_value(T.SHA256, raw.value),
    T.PEHASH: lambda raw: hash_value(T.PEHASH, raw.value),
    T.IMPHASH: lambda raw: hash_value(T.IMPHASH, raw.value),
    T.JA3: lambda raw: hash_value(T.JA3, raw.value),
    T.SSL_CERT_FINGERPRINT: lambda raw: fingerprint(T.SSL_CERT_FINGERPRINT, raw.value),
    T.BITCOIN_ADDRESS: lambda raw: (T.BITCOIN_ADDRESS, bitcoin_address(raw.value)),
    T.CVE: lambda raw: (T.CVE, cve(raw.value)),
    T.YARA: lambda raw: (T.YARA, rule(raw.value, raw.content)),
    T.FILE_PATH: lambda raw: (T.FILE_PATH, free_text(T.FILE_PATH, raw.value)),
    T.MUTEX: lambda raw: (T.MUTEX, free_text(T.MUTEX, raw.value)),
    T.OSQUERY: lambda raw: (T.OSQUERY, free_text(T.OSQUERY, raw.value)),
}

# Values that are in their normal form already, by far the most: one match and done.
_PLAIN_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_PLAIN_NAME = rf"(?:{_PLAIN_LABEL}\.)+[a-z](?:[a-z0-9-]{{0,61}}[a-z0-9])?"
_PLAIN_URL = (
    rf"(?![^&]*+&[^;]*+;)https?://(?:{IPV4_PATTERN}|(?=[^/:?#]{{1,253}}(?:[/:?#]|\Z)){_PLAIN_NAME})"
    r"(?::[1-9][0-9]{0,3})?(?:[/?#][!#-;=?-Z\\-~]{0,4096})?"
)
_PLAIN: dict[IndicatorType, Callable[[str], re.Match[str] | None]] = {
    T.IPV4: re.compile(IPV4_PATTERN).fullmatch,
    T.DOMAIN: re.compile(rf"(?=.{{1,253}}\Z){_PLAIN_NAME}").fullmatch,
    T.HOSTNAME: re.compile(rf"(?=.{{1,253}}\Z){_PLAIN_NAME}").fullmatch,
    T.URL: re.compile(_PLAIN_URL).fullmatch,
    T.MD5: re.compile("[0-9a-f]{32}").fullmatch,
    T.SHA1: re.compile("[0-9a-f]{40}").fullmatch,
    T.SHA256: re.compile("[0-9a-f]{64}").fullmatch,
}

_TYPES = {str(type_): type_ for type_ in T}
_ALIASES = {
    "ip": T.IPV4,
    "ipv4addr": T.IPV4,
    "ipv6addr": T.IPV6,
    "fqdn": T.HOSTNAME,
    "host": T.HOSTNAME,
    "emailaddr": T.EMAIL,
    "emailaddress": T.EMAIL,
    "md5": T.MD5,
    "sha1": T.SHA1,
    "sha256": T.SHA256,
    "pehash": T.PEHASH,
    "imphash": T.IMPHASH,
    "bitcoin": T.BITCOIN_ADDRESS,
}


def normalise(raw: RawIndicator) -> Indicator | Rejection:
    """The indicator in the normal form of its type, retyped when the type is plainly wrong; or why it is no value.

    Never raises. The type and value of an Indicator give themselves again.
    """
    type_ = _TYPES.get(raw.type) or indicator_type(raw.type)
    if type_ is None:
        return Rejection(raw, f'"{clean_line(raw.type[:_SHOWN])}" is no indicator type that Pulsegate knows')
    plain = _PLAIN.get(type_)
    if plain is not None and plain(raw.value):
        return Indicator(type_, raw.value, raw)
    try:
        return Indicator(*_settled(type_, raw), raw)
    except NoValueError as error:
        return Rejection(raw, error.message)


def indicator_type(text: str) -> IndicatorType | None:
    """The type that the text names in any case, with or without hyphens, or by a common alias (``fqdn``)."""
    if len(text) > LONGEST:
        return None
    key = re.sub(r"[\s_-]", "", text).lower()
    return _KEYS.get(key)


_KEYS = {re.sub("-", "", str(type_)).lower(): type_ for type_ in T} | _ALIASES


def _settled(type_: IndicatorType, raw: RawIndicator) -> Reading:
    limit(raw.value, LONGEST_QUERY if type_ is T.OSQUERY else LONGEST)
    reading = _READERS[type_](raw)
    for _ in range(_ROUNDS):
        again = _READERS[reading[0]](RawIndicator(type=reading[0], value=reading[1]))
        if again == reading:
            return reading
        reading = again
    raise NoValueError(UNSETTLED)


# What a person may have typed, the likeliest type first.
_GUESSES = (
    T.IPV4,
    T.CVE,
    T.MD5,
    T.IMPHASH,
    T.JA3,
    T.PEHASH,
    T.SSL_CERT_FINGERPRINT,
    T.BITCOIN_ADDRESS,
    T.DOMAIN,
    T.EMAIL,
    T.URL,
    T.URI,
    T.YARA,
)
_FREE = (T.MUTEX, T.FILE_PATH, T.OSQUERY)
_RULE_NAME = re.compile("[A-Za-z0-9_]+")


def readings(text: str) -> tuple[tuple[IndicatorType, str], ...]:
    """Every type and normal form that a typed value could be, one of each family, best guess first. Never raises."""
    return tuple(_readings(text))


def strict_readings(text: str) -> tuple[Reading, ...]:
    """``readings``, without those types that any text is of, unless it looks like a path or is of no other type."""
    found = readings(text)
    is_path = "\\" in text or text.startswith("/")
    return found if is_path else tuple(one for one in found if one[0] not in _FREE) or found


def best_reading(text: str) -> Reading | None:
    """The first of ``readings``, without trying the others."""
    return next(_readings(text), None)


def _readings(text: str) -> Iterator[Reading]:
    found: set[str] = set()
    guesses = (*_GUESSES, *(sorted(_FREE, key=lambda type_: type_ is not T.FILE_PATH) if _is_path(text) else _FREE))
    for guess in guesses:
        read = normalise(RawIndicator(type=guess, value=text))
        if isinstance(read, Rejection) or (guess is T.YARA and not _RULE_NAME.fullmatch(read.value)):
            continue
        type_ = type_of_name(read.value) if read.type is T.DOMAIN else read.type
        if type_.family not in found:
            found.add(type_.family)
            yield type_, read.value


def _is_path(text: str) -> bool:
    return "\\" in text or "/" in text
