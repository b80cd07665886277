"""The table from OTX's indicator types to STIX 1.2 / CybOX 2.1, and what can't be written in which profile."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from cybox.bindings.cybox_common import ObjectPropertiesType
from stix.bindings.indicator import IndicatorType as StixIndicator

from pulsegate.model.collection import Profile
from pulsegate.model.indicator import Indicator, IndicatorType
from pulsegate.stix import mechanisms, networks, objects
from pulsegate.stix.text import text, verbatim

Observe = Callable[[str], ObjectPropertiesType]
Attach = Callable[[StixIndicator, str, str], None]


def _value(indicator: Indicator) -> str:
    return indicator.value


def _rule(indicator: Indicator) -> str:
    return indicator.raw.content


def _statement(indicator: Indicator) -> str:
    return mechanisms.query(indicator.value, indicator.raw.content)


@dataclass(frozen=True, slots=True)
class Form:
    """How one indicator type is written. Exactly one of ``observe`` and ``attach`` is given.

    Both get the subject: the text that is matched, as OTX has it.
    """

    watchlist: str | None  # the term of stixVocabs:IndicatorTypeVocab-1.1
    prefixes: frozenset[str]  # the namespaces that it needs
    observe: Observe | None = None  # builds the object of the one observable
    attach: Attach | None = None  # adds what stands in place of an observable
    not_esa: str | None = None  # why the appliance does not get it; None: it does
    subject: Callable[[Indicator], str] = _value
    quote: Callable[[str], str] = text  # the subject as it is written
    sample: Callable[[str], str] = objects.any_sample  # one of a few subjects that get the same markup as this one


_CVE = re.compile(r"CVE-[0-9]{4}-[0-9]+")

_IP = "IP Watchlist"
_DOMAIN = "Domain Watchlist"
_URL = "URL Watchlist"
_HASH = "File Hash Watchlist"
_MALWARE = "Malware Artifacts"

_NO_RANGE = "the mail gateway matches single addresses, not networks"
_NO_SUCH_RANGE = f"{_NO_RANGE}; only one of at most {{}} addresses is written address by address"
_NO_EMAIL = "the mail gateway does not match e-mail addresses from a threat feed"
_NO_OTHER_HASH = "the mail gateway matches MD5, SHA-1 and SHA-256 only"
_NO_HOST = "a mail gateway sees no {}"
_NO_RULE = "the mail gateway runs no {} from a threat feed"
_PATH_ONLY = "a URI without scheme and host matches nothing on the mail gateway"


def _observed(
    watchlist: str | None,
    observe: Observe,
    prefix: str,
    not_esa: str | None = None,
    sample: Callable[[str], str] = objects.any_sample,
) -> Form:
    return Form(watchlist, frozenset({"indicator", "cybox", prefix}), observe=observe, not_esa=not_esa, sample=sample)


def _hash(observe: Observe) -> Form:
    return Form(_HASH, frozenset({"indicator", "cybox", "cyboxVocabs", "FileObj"}), observe=observe)


def _run(watchlist: str, attach: Attach, prefix: str, not_esa: str, subject: Callable[[Indicator], str]) -> Form:
    return Form(
        watchlist,
        frozenset({"indicator", prefix}),
        attach=attach,
        not_esa=not_esa,
        subject=subject,
        quote=verbatim,
    )


MAPPING: Mapping[IndicatorType, Form] = MappingProxyType(
    {
        IndicatorType.IPV4: _observed(_IP, objects.ipv4, "AddressObj"),
        IndicatorType.IPV6: _observed(_IP, objects.ipv6, "AddressObj"),
        IndicatorType.CIDR: _observed(_IP, objects.cidr, "AddressObj", _NO_RANGE),
        IndicatorType.DOMAIN: _observed(_DOMAIN, objects.domain, "DomainNameObj"),
        IndicatorType.HOSTNAME: _observed(_DOMAIN, objects.domain, "DomainNameObj"),
        IndicatorType.URL: _observed(_URL, objects.uri, "URIObj", sample=objects.uri_sample),
        IndicatorType.URI: _observed(_URL, objects.uri, "URIObj", sample=objects.uri_sample),
        # "Malicious E-mail" is about messages; these may be victims' addresses.
        IndicatorType.EMAIL: _observed(None, objects.email, "AddressObj", _NO_EMAIL),
        IndicatorType.MD5: _hash(objects.md5),
        IndicatorType.SHA1: _hash(objects.sha1),
        IndicatorType.SHA256: _hash(objects.sha256),
        IndicatorType.IMPHASH: _observed(_MALWARE, objects.imphash, "FileObj", _NO_OTHER_HASH),
        IndicatorType.PEHASH: _observed(_MALWARE, objects.pehash, "FileObj", _NO_OTHER_HASH),
        IndicatorType.FILE_PATH: _observed(_MALWARE, objects.file_path, "FileObj", _NO_HOST.format("file paths")),
        IndicatorType.MUTEX: _observed(_MALWARE, objects.mutex, "MutexObj", _NO_HOST.format("mutexes")),
        # No watchlist term: not every listed certificate was compromised, most are the attacker's own.
        IndicatorType.SSL_CERT_FINGERPRINT: _observed(
            None,
            objects.certificate,
            "X509CertificateObj",
            _NO_HOST.format("TLS certificates of other servers"),
            objects.certificate_sample,
        ),
        IndicatorType.JA3: _observed(None, objects.ja3, "CustomObj", _NO_HOST.format("TLS fingerprints of clients")),
        IndicatorType.BITCOIN_ADDRESS: _observed(
            None, objects.bitcoin, "CustomObj", "the mail gateway does not match Bitcoin addresses"
        ),
        IndicatorType.CVE: Form(
            None,
            frozenset({"indicator", "ttp", "et"}),
            attach=mechanisms.attach_cve,
            not_esa="a vulnerability is nothing that the mail gateway matches",
            sample=mechanisms.cve_sample,
        ),
        IndicatorType.YARA: _run(_MALWARE, mechanisms.attach_yara, "yaraTM", _NO_RULE.format("YARA rules"), _rule),
        IndicatorType.OSQUERY: _run(
            "Host Characteristics",
            mechanisms.attach_osquery,
            "genericTM",
            _NO_RULE.format("osquery statements"),
            _statement,
        ),
    }
)


def expressible(
    type: IndicatorType,  # noqa: A002
    value: str,
    content: str,
    profile: Profile,
    expand: int = 0,
) -> str | None:
    """None when the indicator can be written in ``profile``, else the reason for people.

    ``value`` is in normal form, ``content`` is OTX's field of that name (the rule of a YARA indicator). ``expand``: of
    how many addresses a network may be that is written address by address (``Collection.expand``).
    """
    if profile is Profile.ESA:
        return _for_esa(type, value, expand)
    if type is IndicatorType.CVE and not _CVE.fullmatch(value):
        return "no CVE number: STIX takes CVE-, four digits, - and digits only"
    if type is IndicatorType.YARA and not content.strip():
        return "no rule text: OTX sent the name of a YARA rule without the rule"
    if type is IndicatorType.OSQUERY and not mechanisms.query(value, content):
        return "no query text: OTX sent an osquery indicator without the statement"
    return None


def _for_esa(kind: IndicatorType, value: str, expand: int) -> str | None:
    if kind is IndicatorType.URI and not objects.is_absolute(value):
        return _PATH_ONLY
    if kind is IndicatorType.CIDR and expand:
        return None if networks.addresses_in(value) <= expand else _NO_SUCH_RANGE.format(expand)
    return MAPPING[kind].not_esa
