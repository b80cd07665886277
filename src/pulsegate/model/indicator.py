"""Indicators: as OTX sent them, in their normal form, and those that were rejected."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class IndicatorType(StrEnum):
    """OTX's indicator types, spelled as OTX spells them."""

    IPV4 = "IPv4"
    IPV6 = "IPv6"
    DOMAIN = "domain"
    HOSTNAME = "hostname"
    EMAIL = "email"
    URL = "URL"
    URI = "URI"
    MD5 = "FileHash-MD5"
    SHA1 = "FileHash-SHA1"
    SHA256 = "FileHash-SHA256"
    PEHASH = "FileHash-PEHASH"
    IMPHASH = "FileHash-IMPHASH"
    CIDR = "CIDR"
    FILE_PATH = "FilePath"
    MUTEX = "Mutex"
    CVE = "CVE"
    YARA = "YARA"
    JA3 = "JA3"
    OSQUERY = "osquery"
    SSL_CERT_FINGERPRINT = "SSLCertFingerprint"
    BITCOIN_ADDRESS = "BitcoinAddress"

    @property
    def family(self) -> str:
        """Within a family the same text is the same value: a name as ``domain`` or as ``hostname``, a URL or a URI."""
        return _FAMILIES[self._value_]


NAMES = frozenset({IndicatorType.DOMAIN, IndicatorType.HOSTNAME})
ADDRESSES = frozenset({IndicatorType.IPV4, IndicatorType.IPV6, IndicatorType.CIDR})
LOCATORS = frozenset({IndicatorType.URL, IndicatorType.URI})

_FAMILIES = {str(kind.value): str(kind.value) for kind in IndicatorType} | {
    "domain": "name",
    "hostname": "name",
    "URL": "uri",
    "URI": "uri",
}


@dataclass(frozen=True, slots=True)
class RawIndicator:
    """An indicator as OTX sent it: the structure is read, ``type`` and ``value`` are untouched."""

    type: str
    value: str
    otx_id: str | None = None
    created: datetime | None = None  # aware, UTC
    expiration: datetime | None = None  # aware, UTC
    active: bool = True
    role: str = ""
    title: str = ""
    description: str = ""
    content: str = ""


def identity_of(kind: IndicatorType, value: str) -> str:
    """What makes a value in its normal form the same as another one: family and normal form."""
    return f"{kind.family}:{value}"


@dataclass(frozen=True, slots=True)
class Indicator:
    """An indicator whose value is in the normal form of its type."""

    type: IndicatorType
    value: str
    raw: RawIndicator

    @property
    def identity(self) -> str:
        """What makes it the same as another one: family and normal form."""
        return identity_of(self.type, self.value)


@dataclass(frozen=True, slots=True)
class Rejection:
    """An indicator that is no value of any type, with the reason for people."""

    raw: RawIndicator
    reason: str
