"""What the appliance would use of an indicator, and why not."""

from __future__ import annotations

import pytest
from lxml import etree

from pulsegate.checking.usage import Found, Ignored, Tally, Used, of_indicator

OPENING = (
    '<Indicator xmlns="http://stix.mitre.org/Indicator-2" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
    'xmlns:c="http://cybox.mitre.org/cybox-2" xmlns:o="urn:object" {}><Title>its title</Title>'
)


def read(inner: str, attributes: str = "") -> Found:
    return of_indicator(etree.fromstring(f"{OPENING.format(attributes)}{inner}</Indicator>"))


def of(properties: str) -> Found:
    return read(f"<Observable><c:Object>{properties}</c:Object></Observable>")


def address(text: str, attributes: str = 'category="ipv4-addr"', condition: str = 'condition="Equals"') -> str:
    return (
        f'<c:Properties xsi:type="o:AddressObjectType" {attributes}><o:Address_Value {condition}>{text}'
        "</o:Address_Value></c:Properties>"
    )


def name(text: str, attributes: str = 'type="FQDN"') -> str:
    return (
        f'<c:Properties xsi:type="o:DomainNameObjectType" {attributes}><o:Value condition="Equals">{text}</o:Value>'
        "</c:Properties>"
    )


def uri(text: str, attributes: str = 'type="URL"') -> str:
    return (
        f'<c:Properties xsi:type="o:URIObjectType" {attributes}><o:Value condition="Equals">{text}</o:Value>'
        "</c:Properties>"
    )


def file(*hashes: tuple[str, str]) -> str:
    inner = "".join(
        f"<o:Hash>{f'<o:Type>{kind}</o:Type>' if kind else ''}"
        f'<o:Simple_Hash_Value condition="Equals">{text}</o:Simple_Hash_Value></o:Hash>'
        for kind, text in hashes
    )
    return f'<c:Properties xsi:type="o:FileObjectType"><o:Hashes>{inner}</o:Hashes></c:Properties>'


@pytest.mark.parametrize(
    ("properties", "found"),
    [
        (address("8.8.8.8"), Used("ip", "8.8.8.8")),
        (address("2001:4860::8888", 'category="ipv6-addr"'), Used("ip", "2001:4860::8888")),
        (address("10.0.0.1"), Used("ip", "10.0.0.1", "a private or reserved address")),
        (address("8.8.8.8", ""), Used("ip", "8.8.8.8", "an address without its category")),
        (address("8.8.8.8", condition=""), Used("ip", "8.8.8.8", "without condition=Equals")),
        (name("a.example.com"), Used("domain", "a.example.com")),
        (name("A.Example.COM"), Used("domain", "A.Example.COM")),
        (name("a.example.com", ""), Used("domain", "a.example.com", "a domain name without type=FQDN")),
        (name("bücher.example.com"), Used("domain", "bücher.example.com", "a name with letters that are not ASCII's")),
        (uri("https://a.example.com/x?y=1,2"), Used("url", "https://a.example.com/x?y=1,2")),
        (file(("MD5", "a" * 32)), Used("hash", "a" * 32)),
        (file(("SHA256", "A" * 64)), Used("hash", "A" * 64)),
        (file(("SHA-1", "b" * 40)), Used("hash", "b" * 40)),
    ],
)
def test_value_is_used(properties: str, found: Found) -> None:
    assert of(properties) == found


@pytest.mark.parametrize(
    ("properties", "reason", "text"),
    [
        (address("a@b.example", 'category="e-mail"'), "an e-mail address", "a@b.example"),
        (address("8.8.8.0/24"), "a network (CIDR)", "8.8.8.0/24"),
        (address("8.8.8.0/24", 'category="cidr"'), "a network (CIDR)", "8.8.8.0/24"),
        (address("8.8.8.1-8.8.8.9"), "a range of addresses", "8.8.8.1-8.8.8.9"),
        (address("8.8.8.1##comma##8.8.8.2"), "a list of values in one field", "8.8.8.1##comma##8.8.8.2"),
        (address("8.8.8.1, 8.8.8.2"), "a list of values in one field", "8.8.8.1, 8.8.8.2"),
        (address("8.8.8.8", condition='condition="Contains"'), "the condition Contains, not Equals", "8.8.8.8"),
        (address("00:11", 'category="mac"'), "an address of the category mac", "00:11"),
        (address("a.example"), "no IP address, though it is said to be one", "a.example"),
        (address("::1"), "an IPv6 address that is said to be ipv4-addr", "::1"),
        (name("com", 'type="TLD"'), "a domain name of the type TLD, not FQDN", "com"),
        (name("a[.]example[.]com"), "no plain domain name", "a[.]example[.]com"),
        (name("a.example,b.example"), "a list of values in one field", "a.example,b.example"),
        (uri("a.example", 'type="Domain Name"'), "a URI of the type Domain Name, not URL", "a.example"),
        (uri("hxxp://a.example/"), "a URL that is made unusable (hxxp, [.])", "hxxp://a.example/"),
        (file(("MD5", "a" * 32), ("SHA1", "b" * 40)), "several hashes in one file object", None),
        (file(), "a file without a hash", "its title"),
        (file(("", "a" * 32)), "a hash without its type", "a" * 32),
        (file(("SSDEEP", "3:a:b")), "a hash of the type SSDEEP", "3:a:b"),
        (file(("MD5", "a" * 31)), "no MD5 value, though it is said to be one", "a" * 31),
        ('<c:Properties xsi:type="o:MutexObjectType"/>', "an object of the type MutexObjectType", "its title"),
        ("<c:Properties/>", "an object of the type that is not told", "its title"),
        ("", "an observable without an object", "its title"),
    ],
)
def test_object_is_ignored(properties: str, reason: str, text: str | None) -> None:
    found = of(properties)
    assert isinstance(found, Ignored)
    assert found.reason == reason
    if text is not None:
        assert found.text == text


GOOD = f"<c:Object>{name('a.example.com')}</c:Object>"


@pytest.mark.parametrize(
    ("inner", "attributes", "reason"),
    [
        (f"<Observable>{GOOD}</Observable>", 'negate="true"', "a negated indicator"),
        ("", 'idref="x:1"', "an indicator that only refers to another one (idref)"),
        ("<Composite_Indicator_Expression/>", "", "an indicator that is composed of others (AND, OR)"),
        (f"<Observable>{GOOD}</Observable><Observable/>", "", "several observables in one indicator"),
        ("<Test_Mechanisms/>", "", "a rule or query (Test_Mechanisms)"),
        ("", "", "an indicator without an observable"),
        ('<Observable idref="x:1"/>', "", "the observable stands elsewhere (idref)"),
        (f'<Observable negate="1">{GOOD}</Observable>', "", "a negated observable"),
        (
            '<Observable><c:Observable_Composition operator="OR"/></Observable>',
            "",
            "observables that are composed (AND, OR)",
        ),
        ("<Observable><c:Event/></Observable>", "", "an event, not a value"),
        ('<Observable><c:Object idref="x:1"/></Observable>', "", "the object stands elsewhere (idref)"),
    ],
)
def test_indicator_is_ignored(inner: str, attributes: str, reason: str) -> None:
    found = read(inner, attributes)
    assert isinstance(found, Ignored)
    assert found.reason == reason


def test_example_is_short() -> None:
    found = of(name("a" * 100_000))
    assert isinstance(found, Ignored)
    assert len(found.text) == 120


def test_reasons_are_bounded() -> None:
    tally = Tally()
    for number in range(10_000):
        tally.add(Ignored(f"reason {number}", str(number)))
    assert len(tally.ignored) == Tally.MOST + 1
    assert tally.ignores == 10_000
