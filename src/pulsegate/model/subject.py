"""The subject of a client certificate in one form (RFC 4514), whether typed, from a proxy, or of a file."""

from __future__ import annotations

import re
from collections.abc import Iterator

# Short name of each attribute type by its other spellings: the object identifier and OpenSSL's names, in lower case.
_NAMES = {
    "CN": ("2.5.4.3", "commonname"),
    "SN": ("2.5.4.4", "surname"),
    "SERIALNUMBER": ("2.5.4.5",),
    "C": ("2.5.4.6", "countryname"),
    "L": ("2.5.4.7", "localityname"),
    "ST": ("2.5.4.8", "stateorprovincename", "s"),
    "STREET": ("2.5.4.9", "streetaddress"),
    "O": ("2.5.4.10", "organizationname"),
    "OU": ("2.5.4.11", "organizationalunitname"),
    "TITLE": ("2.5.4.12",),
    "BUSINESSCATEGORY": ("2.5.4.15",),
    "POSTALCODE": ("2.5.4.17",),
    "NAME": ("2.5.4.41",),
    "GN": ("2.5.4.42", "givenname"),
    "INITIALS": ("2.5.4.43",),
    "GENERATIONQUALIFIER": ("2.5.4.44",),
    "DNQUALIFIER": ("2.5.4.46",),
    "PSEUDONYM": ("2.5.4.65",),
    "ORGANIZATIONIDENTIFIER": ("2.5.4.97",),
    "UID": ("0.9.2342.19200300.100.1.1", "userid"),
    "DC": ("0.9.2342.19200300.100.1.25", "domaincomponent"),
    "EMAILADDRESS": ("1.2.840.113549.1.9.1", "email", "e"),
}
_SHORT = {spelling: short for short, others in _NAMES.items() for spelling in (short.lower(), *others)}
_ATTRIBUTE = re.compile(r"\s*(?:oid\.)?([a-z][a-z0-9-]*|\d+(?:\.\d+)+)\s*=\s*", re.IGNORECASE | re.ASCII)
_VALUE = re.compile(r"(?:[^\\\"+,;<>\0]|\\[0-9a-f]{2}|\\[ \"#+,;<=>\\])*", re.IGNORECASE)
_PIECE = re.compile(rb"\\([0-9a-f]{2})|\\(.)|(.)", re.IGNORECASE | re.DOTALL)
_SPECIAL = frozenset('"+,;<>\\')
_STRINGS = {12: "utf-8", 18: "ascii", 19: "ascii", 20: "latin-1", 22: "ascii", 28: "utf-32-be", 30: "utf-16-be"}
_VERSION = 0xA0


def normal_subject(text: str) -> str:
    """``text``, a distinguished name as RFC 4514 or 2253 writes it (``CN=esa1,O=Example``), in the one form.

    That is: short names in capitals where there are some, else object identifiers; no space around separators; the
    parts of a multi-valued name sorted; only what must be is escaped, and what can't be printed. The order of the
    names is kept: RFC 4514 begins with the most specific one. Upper and lower case of values matter.
    ValueError when ``text`` is no such name.
    """
    names: list[list[tuple[str, str]]] = [[]]
    position = 0
    while True:
        attribute, position = _read_attribute(text, position)
        names[-1].append(attribute)
        if position == len(text):
            return _write(names)
        if text[position] == ",":
            names.append([])
        elif text[position] != "+":
            raise ValueError(f"{text!r} is no subject such as CN=esa1,O=Example")
        position += 1


def subject_of_certificate(der: bytes) -> str:
    """The normal form of the subject of a certificate (X.509, DER). ValueError when it is none, or has no subject.

    Read here, since Python's ``ssl`` gives the subject of a peer only, never that of a file.
    """
    try:
        certificate = next(_elements(der))[1]
        fields = [field for field in _elements(next(_elements(certificate))[1]) if field[0] != _VERSION]
        _, name = fields[4]  # serial number, signature, issuer, validity, subject (RFC 5280, section 4.1)
        names = [[_read_pair(pair) for _, pair in _elements(parts)] for _, parts in _elements(name)]
    except (IndexError, StopIteration, KeyError, ValueError) as error:
        raise ValueError("is no certificate (X.509)") from error
    if not names:
        raise ValueError("is a certificate without a subject")
    return _write(names[::-1])


def _read_attribute(text: str, position: int) -> tuple[tuple[str, str], int]:
    kind = _ATTRIBUTE.match(text, position)
    value = _VALUE.match(text, kind.end()) if kind else None
    if kind is None or value is None or (value[0].startswith("#")):
        raise ValueError(f"{text!r} is no subject such as CN=esa1,O=Example")
    return (_short(kind[1]), _unescape(value[0])), value.end()


def _short(kind: str) -> str:
    return _SHORT.get(kind.lower(), kind.upper())


def _unescape(value: str) -> str:
    """The value that is written so; spaces at its ends count only when they are escaped."""
    value = value.lstrip(" ")
    bare = value.rstrip(" ")
    backslashes = len(bare) - len(bare.rstrip("\\"))
    if backslashes % 2:  # the last one escapes a space
        bare += " "
    found = bytearray()
    for pair, escaped, plain in _PIECE.findall(bare.encode("utf-8", "surrogatepass")):
        found += bytes.fromhex(pair.decode()) if pair else escaped or plain
    return found.decode("utf-8")


def _write(names: list[list[tuple[str, str]]]) -> str:
    return ",".join("+".join(sorted(f"{kind}={_escape(value)}" for kind, value in parts)) for parts in names)


def _escape(value: str) -> str:
    written = "".join(_escape_one(character) for character in value)
    if written.startswith((" ", "#")):
        written = "\\" + written
    if len(value) > 1 and value.endswith(" "):
        written = written[:-1] + "\\ "
    return written


def _escape_one(character: str) -> str:
    if character in _SPECIAL:
        return "\\" + character
    if character.isprintable():
        return character
    return "".join(f"\\{octet:02X}" for octet in character.encode("utf-8"))


def _elements(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The elements of a DER sequence, each with its tag (X.690, section 8.1). ValueError when one is cut off."""
    position = 0
    while position < len(data):
        tag, size = data[position], data[position + 1]
        position += 2
        if size & 0x80:
            octets = size & 0x7F
            size = int.from_bytes(data[position : position + octets])
            position += octets
        if position + size > len(data):
            raise ValueError("an element is cut off")
        yield tag, data[position : position + size]
        position += size


def _read_pair(pair: bytes) -> tuple[str, str]:
    (_, kind), (tag, value) = _elements(pair)
    return _short(_dotted(kind)), value.decode(_STRINGS[tag])


def _dotted(kind: bytes) -> str:
    """An object identifier with dots (X.690, section 8.19)."""
    numbers, number = [], 0
    for octet in kind:
        number = number << 7 | octet & 0x7F
        if not octet & 0x80:
            numbers.append(number)
            number = 0
    first = min(numbers[0] // 40, 2)
    return ".".join(map(str, [first, numbers[0] - 40 * first, *numbers[1:]]))
