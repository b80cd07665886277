"""Hexadecimal values: file hashes, JA3, certificate fingerprints, identifiers of YARA rules.

Sources: OTX's list of types; peHash (Wicherski, LEET 2009) is usually a SHA-1; IMPHASH and JA3 are MD5.
"""

from __future__ import annotations

import re

from pulsegate.model.indicator import IndicatorType
from pulsegate.values.dirt import tidy
from pulsegate.values.fault import SEVERAL, NoValueError, is_glued, limit

_LONGEST_INPUT = 512
_PREFIX = re.compile(
    r"(?:md5|sha-?1|sha-?256|pehash|imphash|ja3|filehash-[a-z0-9]+|fingerprint)(?:\s?fingerprint)?\s?[:=]\s?",
    re.IGNORECASE,
)
_HEX = re.compile(r"[0-9a-f]+")
_BETWEEN_BYTES = re.compile(r"[:\s-]")

_FILE_HASHES = {32: IndicatorType.MD5, 40: IndicatorType.SHA1, 64: IndicatorType.SHA256}
_LENGTHS = {
    IndicatorType.MD5: (32,),
    IndicatorType.SHA1: (40,),
    IndicatorType.SHA256: (64,),
    IndicatorType.IMPHASH: (32,),
    IndicatorType.PEHASH: (40, 32, 64),
    IndicatorType.JA3: (32,),
    IndicatorType.SSL_CERT_FINGERPRINT: (40, 64, 32),
}
_NAMES = {
    IndicatorType.MD5: "not an MD5 hash",
    IndicatorType.SHA1: "not a SHA-1 hash",
    IndicatorType.SHA256: "not a SHA-256 hash",
    IndicatorType.IMPHASH: "not an import hash",
    IndicatorType.PEHASH: "not a PE hash",
    IndicatorType.JA3: "not a JA3 hash",
    IndicatorType.SSL_CERT_FINGERPRINT: "not a certificate fingerprint",
}


def hash_value(declared: IndicatorType, value: str) -> tuple[IndicatorType, str]:
    """The hash in lower case, without a prefix such as ``md5:``; retyped by its length among MD5, SHA-1 and SHA-256.

    Raises NoValueError.
    """
    text = _digits(declared, value)
    if len(text) in _LENGTHS[declared]:
        return declared, text
    if declared in _FILE_HASHES.values() and len(text) in _FILE_HASHES:
        return _FILE_HASHES[len(text)], text
    wanted = " or ".join(str(length) for length in sorted(_LENGTHS[declared]))
    raise NoValueError(f"{_NAMES[declared]}: {len(text)} hexadecimal digits, not {wanted}")


def fingerprint(declared: IndicatorType, value: str) -> tuple[IndicatorType, str]:
    """A certificate's fingerprint in lower case, without colons or spaces between its bytes. Raises NoValueError."""
    front, equals, back = tidy(value).rpartition("=")
    text = back if equals and "fingerprint" in front.lower() else value
    return hash_value(declared, _BETWEEN_BYTES.sub("", _PREFIX.sub("", tidy(text), count=1)))


def is_hex(text: str) -> bool:
    """Whether the text has nothing but hexadecimal digits in lower case."""
    return bool(_HEX.fullmatch(text))


def _digits(declared: IndicatorType, value: str) -> str:
    text = tidy(value)
    limit(text, _LONGEST_INPUT, _NAMES[declared])
    if match := _PREFIX.match(text):
        text = text[match.end() :]
    text = text.removeprefix("0x").lower()
    if is_hex(text):
        return text
    cause = SEVERAL if is_glued(text, lambda part: len(part) in _FILE_HASHES) else "not hexadecimal"
    raise NoValueError(f"{_NAMES[declared]}: {cause}")
