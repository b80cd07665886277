"""The values of one CybOX 2.x object: what a package has below ``cybox:Properties``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType

from lxml import etree

from pulsegate.model.indicator import IndicatorType
from pulsegate.values.locators import host_of

T = IndicatorType
Value = tuple[IndicatorType, str]
Found = Iterator["Value | UnfitError"]

XSI_TYPE = "{http://www.w3.org/2001/XMLSchema-instance}type"
DELIMITER = "##comma##"  # CybOX's, between several values of one field
_ADDRESSES = {"": T.IPV4, "ipv4-addr": T.IPV4, "ipv6-addr": T.IPV6, "cidr": T.CIDR, "e-mail": T.EMAIL}
_HASHES = {"MD5": T.MD5, "SHA1": T.SHA1, "SHA256": T.SHA256, "IMPHASH": T.IMPHASH, "PEHASH": T.PEHASH}
_BY_LENGTH = {32: T.MD5, 40: T.SHA1, 64: T.SHA256}
_CUSTOM = {"ja3": T.JA3, "bitcoinaddress": T.BITCOIN_ADDRESS}


class UnfitError(ValueError):
    """Why a field holds nothing that can be taken; ``text`` is what it holds."""

    def __init__(self, text: str, reason: str) -> None:
        super().__init__(reason)
        self.text = text


def values(properties: etree._Element) -> Found:
    """The values of the object, each with its type, and what of it can't be taken."""
    kind = local_type(properties)
    reader = _OBJECTS.get(kind)
    if reader is None:
        yield UnfitError("", f"objects of the type {kind or 'that is not told'} are not taken")
        return
    found = False
    for one in reader(properties):
        found = True
        yield one
    if not found:
        yield UnfitError("", f"the {kind.removesuffix('ObjectType')} object holds no value that is taken")


def local_type(element: etree._Element) -> str:
    """The name in ``xsi:type``, without its prefix."""
    return str(element.get(XSI_TYPE) or "").rpartition(":")[2].strip()


def children(element: etree._Element, *names: str) -> Iterator[etree._Element]:
    """The elements along a path of local names, in any namespace: CybOX and STIX have one for each object."""
    if not names:
        yield element
        return
    for child in element.iterchildren(etree.Element):
        if child.tag.rpartition("}")[2] == names[0]:
            yield from children(child, *names[1:])


def plain_text(element: etree._Element | None) -> str:
    return "" if element is None else "".join(element.itertext(etree.Element, with_tail=True)).strip()


def _texts(field: etree._Element) -> Iterator[str | UnfitError]:
    """The texts of a field that are matched as a whole; a field without a condition says what was seen.

    CybOX 2.1, PatternFieldGroup: ``condition``, ``apply_condition``, ``delimiter``.
    """
    text = plain_text(field)
    condition = field.get("condition")
    if condition not in (None, "Equals"):
        yield UnfitError(text, f"the condition {condition} is not taken, only Equals")
        return
    several = [one.strip() for one in text.split(field.get("delimiter") or DELIMITER)]
    if len(several) > 1 and field.get("apply_condition", "ANY") != "ANY":
        yield UnfitError(text, "several values that must be met together")
        return
    yield from (one for one in several if one)


def _field(kind: Callable[[str], IndicatorType | None], field: etree._Element) -> Found:
    for text in _texts(field):
        if isinstance(text, UnfitError):
            yield text
        elif (type_ := kind(text)) is None:
            yield UnfitError(text, "it is not told what it is")
        else:
            yield type_, text


def _path(kind: IndicatorType, *names: str) -> Callable[[etree._Element], Found]:
    """The field on that path, always of that type."""

    def read(properties: etree._Element) -> Found:
        for field in children(properties, *names):
            yield from _field(lambda _: kind, field)

    return read


def _address(properties: etree._Element) -> Found:
    category = (properties.get("category") or "").strip()
    kind = _ADDRESSES.get(category)
    for field in children(properties, "Address_Value"):
        if kind is None:
            yield UnfitError(plain_text(field), f"addresses of the category {category} are not taken")
        else:
            yield from _field(lambda _: kind, field)


def _uri(properties: etree._Element) -> Found:
    for field in children(properties, "Value"):
        yield from _field(lambda text: T.URL if "://" in text or host_of(text) else T.URI, field)


def _file(properties: etree._Element) -> Found:
    hashed = False
    for one in children(properties, "Hashes", "Hash"):
        hashed = True
        name = "".join(plain_text(field) for field in children(one, "Type")).upper().replace("-", "")
        for field in children(one, "Simple_Hash_Value"):
            yield from _field(lambda text, name=name: _hash(name, text), field)  # type: ignore[misc]
    for field in children(properties, "File_Path"):
        if hashed:
            yield UnfitError(plain_text(field), "a path that counts only together with a hash")
        else:
            yield from _field(lambda _: T.FILE_PATH, field)


def _hash(name: str, text: str) -> IndicatorType | None:
    return _HASHES.get(name) or (_BY_LENGTH.get(len(text)) if name in ("", "OTHER") else None)


def _certificate(properties: etree._Element) -> Found:
    for field in children(properties, "Custom_Properties", "Property"):
        if "fingerprint" in (field.get("name") or "").lower():
            yield from _field(lambda _: T.SSL_CERT_FINGERPRINT, field)


def _custom(properties: etree._Element) -> Found:
    kind = _CUSTOM.get((properties.get("custom_name") or "").lower())
    for field in children(properties, "Custom_Properties", "Property"):
        yield from _field(lambda _: kind, field)


_OBJECTS: Mapping[str, Callable[[etree._Element], Found]] = MappingProxyType(
    {
        "AddressObjectType": _address,
        "DomainNameObjectType": _path(T.DOMAIN, "Value"),
        "HostnameObjectType": _path(T.HOSTNAME, "Hostname_Value"),
        "URIObjectType": _uri,
        "LinkObjectType": _uri,
        "FileObjectType": _file,
        "MutexObjectType": _path(T.MUTEX, "Name"),
        "EmailMessageObjectType": _path(T.EMAIL, "Header", "From", "Address_Value"),
        "X509CertificateObjectType": _certificate,
        "CustomObjectType": _custom,
    }
)
