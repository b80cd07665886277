"""One small function for each CybOX 2.1 object: a value in normal form becomes the object that stands for it.

These are python-cybox's binding objects. The layer above them draws random ids, keeps each object in a global cache
and refuses values that hold CybOX's list delimiter; and it takes two thirds of the time.
"""

from __future__ import annotations

import re
from functools import partial
from typing import Any

from cybox.bindings.address_object import AddressObjectType
from cybox.bindings.custom_object import CustomObjectType
from cybox.bindings.cybox_common import (
    AnyURIObjectPropertyType,
    ControlledVocabularyStringType,
    CustomPropertiesType,
    HashListType,
    HashType,
    ObjectPropertiesType,
    PropertyType,
    SimpleHashValueType,
    StringObjectPropertyType,
)
from cybox.bindings.domain_name_object import DomainNameObjectType
from cybox.bindings.file_object import FileObjectType, FilePathType
from cybox.bindings.mutex_object import MutexObjectType
from cybox.bindings.uri_object import URIObjectType
from cybox.bindings.x509_certificate_object import X509CertificateObjectType

from pulsegate.stix.text import text

LIST_DELIMITER = "##comma##"
SAMPLE = "sample-subject"

_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_FINGERPRINTS = {32: "MD5 Fingerprint", 40: "SHA1 Fingerprint", 64: "SHA256 Fingerprint"}
_KNOWN_HASH = "cyboxVocabs:HashNameVocab-1.0"


def any_sample(_: str) -> str:
    """What stands for every subject whose markup does not depend on its text."""
    return SAMPLE


def is_absolute(value: str) -> bool:
    """Whether ``value`` opens with a scheme and ``//`` (RFC 3986, section 3)."""
    return _ABSOLUTE.match(value) is not None


def _address(category: str, value: str) -> ObjectPropertiesType:
    """An Address of ``category`` (AddressObj:CategoryTypeEnum)."""
    return AddressObjectType(
        xsi_type="AddressObj:AddressObjectType",
        category=category,
        Address_Value=_equals(StringObjectPropertyType, value),
    )


ipv4 = partial(_address, "ipv4-addr")
ipv6 = partial(_address, "ipv6-addr")
cidr = partial(_address, "cidr")
# An address, not an EmailMessage: OTX lists victims' and registrants' addresses too, not only senders'.
email = partial(_address, "e-mail")


def domain(value: str) -> ObjectPropertiesType:
    return DomainNameObjectType(
        xsi_type="DomainNameObj:DomainNameObjectType", type_="FQDN", Value=_equals(StringObjectPropertyType, value)
    )


def uri(value: str) -> ObjectPropertiesType:
    """A URI of type URL; a value without a scheme, such as ``/gate.php``, gets no type, as it is no URL."""
    return URIObjectType(
        xsi_type="URIObj:URIObjectType",
        type_="URL" if is_absolute(value) else None,
        Value=_equals(AnyURIObjectPropertyType, value),
    )


def uri_sample(value: str) -> str:
    return f"sample://{SAMPLE}" if is_absolute(value) else SAMPLE


def _file_hash(kind: str, vocabulary: str | None, value: str) -> ObjectPropertiesType:
    """A File with one hash of ``kind``.

    IMPHASH and PEHASH are free text in Type, as the vocabulary does not know them and a reader must not take them
    for an MD5 or SHA-1 of the file.
    """
    type_ = ControlledVocabularyStringType(valueOf_=kind, xsi_type=vocabulary, condition="Equals")
    digest = HashType(Type=type_, Simple_Hash_Value=_equals(SimpleHashValueType, value))
    return FileObjectType(xsi_type="FileObj:FileObjectType", Hashes=HashListType(Hash=[digest]))


md5 = partial(_file_hash, "MD5", _KNOWN_HASH)
sha1 = partial(_file_hash, "SHA1", _KNOWN_HASH)
sha256 = partial(_file_hash, "SHA256", _KNOWN_HASH)
imphash = partial(_file_hash, "IMPHASH", None)
pehash = partial(_file_hash, "PEHASH", None)


def file_path(value: str) -> ObjectPropertiesType:
    return FileObjectType(xsi_type="FileObj:FileObjectType", File_Path=_equals(FilePathType, value))


def mutex(value: str) -> ObjectPropertiesType:
    return MutexObjectType(xsi_type="MutexObj:MutexObjectType", Name=_equals(StringObjectPropertyType, value))


def certificate(value: str) -> ObjectPropertiesType:
    """An X509 certificate: CybOX has no element for a fingerprint, so it is a property named after its algorithm."""
    name = _FINGERPRINTS.get(_digits(value), "Fingerprint")
    return X509CertificateObjectType(
        xsi_type="X509CertificateObj:X509CertificateObjectType", Custom_Properties=_custom(name, value)
    )


def certificate_sample(value: str) -> str:
    length = _digits(value)
    return SAMPLE.ljust(length, "-") if length in _FINGERPRINTS else SAMPLE


def _digits(value: str) -> int:
    return len(value.replace(":", ""))


def _named(kind: str, value: str) -> ObjectPropertiesType:
    """The Custom object, which CybOX has for what it does not know."""
    return CustomObjectType(
        xsi_type="CustomObj:CustomObjectType", custom_name=kind, Custom_Properties=_custom(kind, value)
    )


ja3 = partial(_named, "JA3")
bitcoin = partial(_named, "BitcoinAddress")


def _custom(name: str, value: str) -> CustomPropertiesType:
    prop = _equals(PropertyType, value)
    prop.name = name
    return CustomPropertiesType(Property=[prop])


def _equals(kind: type[Any], value: str) -> Any:
    """A property that is matched as a whole: a value that holds CybOX's list delimiter gets another delimiter."""
    delimiter = LIST_DELIMITER
    while delimiter in value:
        delimiter = f"#{delimiter}#"
    return kind(valueOf_=text(value), condition="Equals", datatype=None, delimiter=delimiter)
