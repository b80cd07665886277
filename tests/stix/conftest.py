"""Samples with documentation addresses and names, and a reader that knows nothing of python-stix."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from lxml import etree

from pulsegate.model.indicator import Indicator, IndicatorType, RawIndicator
from pulsegate.model.pulse import Pulse
from pulsegate.model.tlp import TLP

CREATED = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)
MODIFIED = datetime(2024, 5, 7, 8, 9, 10, 123456, tzinfo=UTC)

VALUES = {
    IndicatorType.IPV4: "192.0.2.1",
    IndicatorType.IPV6: "2001:db8::1",
    IndicatorType.DOMAIN: "bad.example",
    IndicatorType.HOSTNAME: "www.bad.example",
    IndicatorType.EMAIL: "someone@bad.example",
    IndicatorType.URL: "http://bad.example/a,b?c=1&d=2",
    IndicatorType.URI: "ftp://bad.example/x",
    IndicatorType.MD5: "d41d8cd98f00b204e9800998ecf8427e",
    IndicatorType.SHA1: "da39a3ee5e6b4b0d3255bfef95601890afd80709",
    IndicatorType.SHA256: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    IndicatorType.PEHASH: "0123456789abcdef0123456789abcdef01234567",
    IndicatorType.IMPHASH: "0123456789abcdef0123456789abcdef",
    IndicatorType.CIDR: "198.51.100.0/24",
    IndicatorType.FILE_PATH: "C:\\Temp\\a,b\\bad.exe",
    IndicatorType.MUTEX: "Global\\bad,mutex",
    IndicatorType.CVE: "CVE-2024-00001",
    IndicatorType.YARA: "1123456789abcdef0123456789abcdef01234567",
    IndicatorType.JA3: "2123456789abcdef0123456789abcdef",
    IndicatorType.OSQUERY: "select * from processes where name = 'bad';",
    IndicatorType.SSL_CERT_FINGERPRINT: "3123456789abcdef0123456789abcdef01234567",
    IndicatorType.BITCOIN_ADDRESS: "1BoatSLRHtKNngkdXEeobR76b53LETtpyT",
}
RULE = 'rule bad { strings: $a = "]]> & <b>" condition: $a }'


@pytest.fixture
def pulse() -> Pulse:
    return Pulse(
        id="5f0c1d2e3f4a5b6c7d8e9f00",
        name="A pulse",
        author="example-author",
        created=CREATED,
        modified=MODIFIED,
        description="What it is about.",
        tlp=TLP.GREEN,
        adversary="Example Bear",
        tags=("phishing", "example"),
        references=("https://blog.example/post?a=1&b=2", "see: the printed issue"),
        targeted_countries=("Japan",),
        malware_families=("ExampleRAT",),
        attack_ids=("T1566",),
        industries=("Energy",),
    )


@pytest.fixture
def make() -> Callable[..., Indicator]:
    """make(type, value=sample, **fields of the raw indicator)."""

    def build(kind: IndicatorType, value: str | None = None, **raw: object) -> Indicator:
        value = VALUES[kind] if value is None else value
        if kind is IndicatorType.YARA:
            raw.setdefault("content", RULE)
        return Indicator(kind, value, RawIndicator(kind, value, **{"created": CREATED, **raw}))

    return build


@pytest.fixture
def every(make) -> list[Indicator]:
    """One indicator of each type, with everything that an indicator can have."""
    return [
        make(kind, title=f"A {kind}", description="Seen once.", expiration=CREATED + timedelta(days=30))
        for kind in IndicatorType
    ]


@pytest.fixture
def read() -> Callable[[bytes, str], list[str]]:
    """The texts of the elements of that local name, in document order."""

    def texts(xml: bytes, name: str) -> list[str]:
        return [element.text or "" for element in etree.fromstring(xml).iter(f"{{*}}{name}")]

    return texts
